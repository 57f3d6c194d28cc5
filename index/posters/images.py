"""Decoding of untrusted image bytes to RGB pixels. Shared by indexer and server, so both see the same pixels."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from index.core.arrays import UInt8Array
from index.core.errors import BadImage, ImageTooLarge

SIDE = 224  # pixels; the input size VGG16 was trained on
MAX_BYTES = 10 * 2**20
MAX_PIXELS = 10_000_000  # decoding a transparent WebP takes 16 bytes per pixel
MAX_PIXELS_JPEG = 24_000_000  # a camera's 6000 x 4000; large JPEGs are decoded at reduced scale
MIN_SIDE = 16
WEBP_QUALITY = 82  # a poster 240 pixels wide takes 10 to 20 kB
PREPROCESSING = (
    "The whole image (a large JPEG at a half or a quarter of its size, at least 1024 pixels on each side) is rotated by"
    " its EXIF orientation, composited on white if transparent, converted to 8-bit RGB and resized to 224 x 224 by"
    " Pillow's antialiased bicubic filter, without cropping."
)

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns; _check_size refuses before anything is decoded

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # detected by content; file names are ignored
_SUFFIXES = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n"), ".png"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"GIF8"), ".gif"),
)
_MIN_DECODED = (1024, 1024)  # pixels; JPEGs are not reduced below this
_LIMIT = f"at most {MAX_PIXELS:,} are allowed ({MAX_PIXELS_JPEG:,} in a JPEG), so make it smaller"
_TRANSPOSED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
_THUMBNAIL = 360  # pixels on the longer side


def decode_image(data: bytes, min_size: tuple[int, int] = _MIN_DECODED) -> Image.Image:
    """Decode a JPEG, PNG, WebP or GIF file to an upright RGB image; use the first frame of an animation.

    Args:
        data: content of the file.
        min_size: lower bound on width and height in pixels for the reduced-scale decoding of a large JPEG.

    Raises:
        ImageTooLarge: more than MAX_BYTES, MAX_PIXELS or MAX_PIXELS_JPEG; checked before anything is decoded.
        BadImage: another format, a damaged file, or fewer than MIN_SIDE pixels on a side.
    """
    _check_bytes(len(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(image)
                image.draft(None, min_size)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return _to_rgb(image)
    except BadImage:
        raise
    except UnidentifiedImageError as error:
        raise BadImage("this is no JPEG, PNG, WebP or GIF picture") from error
    except Exception as error:  # decoders raise all kinds of errors on hostile bytes
        raise BadImage(f"the picture is damaged ({_first_words(error)})") from error


def read_image(file: Path) -> bytes:
    """Return the content of an image file. Check its size first.

    Raises:
        ImageTooLarge: the file has more than MAX_BYTES.
    """
    _check_bytes(file.stat().st_size)
    return file.read_bytes()


def suffix_of(data: bytes) -> str:
    """Return the file name suffix of the image format, such as ".jpg".

    Raises:
        BadImage: neither JPEG, PNG, WebP nor GIF.
    """
    suffix = next((suffix for pattern, suffix in _SUFFIXES if pattern.match(data)), None)
    if suffix is None:
        raise BadImage("this is no JPEG, PNG, WebP or GIF picture")
    return suffix


def pixels_for_vgg16(image: Image.Image) -> UInt8Array:
    """Return the whole image resized to (224, 224, 3) uint8 RGB; aspect ratio is not kept."""
    return np.array(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.uint8)


def grey_pixels(image: Image.Image, width: int, height: int) -> UInt8Array:
    """Return the whole image resized to (height, width) uint8 grey by box filter; aspect ratio is not kept."""
    return np.array(image.convert("L").resize((width, height), Image.Resampling.BOX), dtype=np.uint8)


def dimensions(data: bytes) -> tuple[int, int]:
    """Return the upright width and height in pixels of a file accepted by ``decode_image``, at full scale."""
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        width, height = image.size
        transposed = image.getexif().get(ExifTags.Base.Orientation, 1) in _TRANSPOSED
    return (height, width) if transposed else (width, height)


def thumbnail(image: Image.Image) -> bytes:
    """Return the image as a JPEG of at most 360 x 360 pixels."""
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=85)
    return content.getvalue()


def small_pixels(data: bytes, width: int, height: int) -> UInt8Array:
    """Decode, centre-crop to the aspect ratio and resize an image file to (height, width, 3) uint8 RGB.

    Raises:
        BadImage: as in ``decode_image``.
    """
    image = decode_image(data, (2 * max(width, height), 2 * max(width, height)))
    return np.array(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), dtype=np.uint8)


def webp(image: Image.Image, width: int | None = None) -> bytes:
    """Encode as WebP, reduced to ``width`` pixels if wider."""
    if width is not None and image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=WEBP_QUALITY, method=4)
    return content.getvalue()


def webp_of_pixels(pixels: UInt8Array) -> bytes:
    """Encode pixels (height, width, 3) uint8 RGB as WebP."""
    return webp(Image.fromarray(pixels))


def _check_bytes(size: int) -> None:
    if size > MAX_BYTES:
        raise ImageTooLarge(f"the picture has {size / 2**20:.1f} MiB; at most {MAX_BYTES // 2**20} MiB are allowed")


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    limit = MAX_PIXELS_JPEG if image.format in {"JPEG", "MPO"} else MAX_PIXELS
    if width * height > limit:
        raise ImageTooLarge(f"the picture has {width} x {height} pixels: {_LIMIT}")
    if min(width, height) < MIN_SIDE:
        raise BadImage(f"the picture has {width} x {height} pixels; at least {MIN_SIDE} on each side are needed")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB") if image.mode != "RGB" else image


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert 16-bit to 8-bit grey. Pillow's own conversion clips to 255 instead of scaling."""
    wide = np.asarray(image)
    grey = Image.fromarray((wide >> 8).astype(np.uint8))
    if "transparency" in image.info:  # the shade of transparent pixels
        grey.info["transparency"] = image.info["transparency"] >> 8
    return grey


def _first_words(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
