"""Untrusted bytes to RGB pixels. The indexer and the server both go through here, so both see the same picture."""

from __future__ import annotations

import io
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from index.core.arrays import UInt8Array
from index.core.errors import BadImage, ImageTooLarge

SIDE = 224  # what VGG16 was trained on
MAX_BYTES = 10 * 2**20
MAX_PIXELS = 10_000_000  # decoding a transparent WebP takes 16 bytes for each
MAX_PIXELS_JPEG = 24_000_000  # a camera's 6000 x 4000; large JPEGs are decoded at a fraction of their size
MIN_SIDE = 16
WEBP_QUALITY = 82  # at 240 pixels across a poster has 10 to 20 kB
PREPROCESSING = (
    "The whole picture (of a large JPEG a halving or quartering that leaves 1024 pixels on each side) is turned upright"
    " by its EXIF orientation, laid on white where it is transparent, brought to 8-bit RGB and squeezed to 224 x 224 by"
    " Pillow's antialiased bicubic resampling, without cropping."
)

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit would only warn; ours is checked before anything is decoded

WEBP_QUALITY = 82
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # judged by content, whatever the name says
_SUFFIXES = (
    (re.compile(rb"\xff\xd8\xff"), ".jpg"),
    (re.compile(rb"\x89PNG\r\n"), ".png"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), ".webp"),
    (re.compile(rb"GIF8"), ".gif"),
)
_ENOUGH = (1024, 1024)  # pixels that a JPEG is decoded to at least, if it has them
_LIMIT = f"at most {MAX_PIXELS:,} are allowed ({MAX_PIXELS_JPEG:,} in a JPEG), so make it smaller"
_LYING = {5, 6, 7, 8}  # EXIF orientations that stand on a side
_THUMBNAIL = 360  # pixels on the longer side


def decode_image(data: bytes, enough: tuple[int, int] = _ENOUGH) -> Image.Image:
    """The picture in a JPEG, PNG, WebP or GIF file as RGB, upright; of an animation its first frame.

    Args:
        enough: pixels on each side that a large JPEG is decoded to at least, at a fraction of its size.

    Raises:
        ImageTooLarge: more than MAX_BYTES or MAX_PIXELS; judged before anything is decoded.
        BadImage: no such file, a damaged one, or one of less than MIN_SIDE pixels on a side.
    """
    _check_bytes(len(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; how large is too large is decided below
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(image)
                image.draft(None, enough)
                image.load()
                ImageOps.exif_transpose(image, in_place=True)
                return _to_rgb(image)
    except BadImage:
        raise
    except UnidentifiedImageError as error:
        raise BadImage("this is no JPEG, PNG, WebP or GIF picture") from error
    except Exception as error:  # whatever a decoder makes of hostile bytes, the bytes are at fault
        raise BadImage(f"the picture is damaged ({_first_words(error)})") from error


def read_image(file: Path) -> bytes:
    """A picture file's bytes; one that is too large is not read.

    Raises:
        ImageTooLarge: it has more than MAX_BYTES.
    """
    _check_bytes(file.stat().st_size)
    return file.read_bytes()


def suffix_of(data: bytes) -> str:
    """What the name of a picture file should end with.

    Raises:
        BadImage: it is in no format that a poster may have.
    """
    suffix = next((suffix for pattern, suffix in _SUFFIXES if pattern.match(data)), None)
    if suffix is None:
        raise BadImage("this is no JPEG, PNG, WebP or GIF picture")
    return suffix


def pixels_for_vgg16(image: Image.Image) -> UInt8Array:
    """The whole picture squeezed to (224, 224, 3) uint8 RGB."""
    return np.array(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.uint8)


def grey_pixels(image: Image.Image, width: int, height: int) -> UInt8Array:
    """The whole picture squeezed to (height, width) uint8 shades of grey, each the mean of what it covers."""
    return np.array(image.convert("L").resize((width, height), Image.Resampling.BOX), dtype=np.uint8)


def dimensions(data: bytes) -> tuple[int, int]:
    """Width and height in pixels, upright, of a picture that ``decode_image`` took; before any halving."""
    with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _LYING
    return (height, width) if turned else (width, height)


def thumbnail(image: Image.Image) -> bytes:
    """A small JPEG of the picture."""
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=85)
    return content.getvalue()


def small_pixels(data: bytes, width: int, height: int) -> UInt8Array:
    """The middle of a picture in these proportions, (height, width, 3) uint8 RGB.

    Raises:
        BadImage: as ``decode_image``.
    """
    image = decode_image(data, (2 * max(width, height), 2 * max(width, height)))
    return np.array(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), dtype=np.uint8)


def webp(image: Image.Image, width: int | None = None) -> bytes:
    """The picture as WebP, where it is wider made ``width`` pixels wide."""
    if width is not None and image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=WEBP_QUALITY, method=4)
    return content.getvalue()


def webp_of_pixels(pixels: UInt8Array) -> bytes:
    """Pixels (height, width, 3) uint8 RGB as WebP."""
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
    """16-bit grey as 8-bit grey; Pillow's own conversion would turn all but the darkest white."""
    wide = np.asarray(image)
    grey = Image.fromarray((wide >> 8).astype(np.uint8))
    if "transparency" in image.info:  # one shade that stands for nothing
        grey.info["transparency"] = image.info["transparency"] >> 8
    return grey


def _first_words(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
