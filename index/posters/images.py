"""Decoding of untrusted image bytes to RGB pixels. Shared by indexer and server, so both see the same pixels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, TiffImagePlugin, UnidentifiedImageError

from index.core.arrays import UInt8Array
from index.core.errors import BadImage, ImageTooLarge
from index.posters import truncated
from index.posters.avif_frames import frame_sizes
from index.posters.colour import profile_of, to_srgb
from index.posters.formats import format_of
from index.posters.parts import check_parts

SIDE = 224  # pixels; the input size VGG16 was trained on
MAX_BYTES = 10 * 2**20
MAX_PIXELS = 10_000_000  # decoding a transparent WebP takes 16 bytes per pixel
MAX_PIXELS_JPEG = 24_000_000  # a camera's 6000 x 4000; large JPEGs are decoded at reduced scale
MIN_SIDE = 16
WEBP_QUALITY = 82  # a poster 240 pixels wide takes 10 to 20 kB
JPEG_QUALITY = 85
PREPROCESSING = (
    "The whole image (a large JPEG at a half or a quarter of its size, at least 1024 pixels on each side) is rotated by"
    " its EXIF orientation, converted to 8-bit sRGB (by its colour profile, if it has one: relative colorimetric, with"
    " black point compensation), composited on white if transparent, and resized to 224 x 224 by Pillow's antialiased"
    " bicubic filter, without cropping."
)

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit only warns; _check_size refuses before anything is decoded

_MIN_DECODED = (1024, 1024)  # pixels; JPEGs are not reduced below this
_LIMIT = f"at most {MAX_PIXELS:,} are allowed ({MAX_PIXELS_JPEG:,} in a JPEG), so make it smaller"
_TILE_WIDTH, _TILE_HEIGHT = 322, 323  # tags of a TIFF
_TRANSPOSED = {5, 6, 7, 8}  # EXIF orientations that swap width and height
_THUMBNAIL = 360  # pixels on the longer side
_MAX_FRAMES = 4  # of MAX_PIXELS, of an AVIF: colour, transparency, and tiles that overlap the edges
_MAX_WEBP = 16383  # pixels on a side, by its format
_CONVERSIONS: tuple[dict[str, Any], ...] = (
    {"format": "PNG", "compress_level": 1},  # 5 times faster than the default, a tenth larger
    {"format": "JPEG", "quality": 95, "subsampling": "4:4:4"},
    {"format": "JPEG", "quality": 80},
)


def decode_image(data: bytes, min_size: tuple[int, int] = _MIN_DECODED) -> Image.Image:
    """Decode an image file to an upright sRGB image; use the first frame of an animation and the first page.

    The format is recognised by content. A file without its last bytes is decoded if the missing part is small.

    Args:
        data: content of the file.
        min_size: lower bound on width and height in pixels for the reduced-scale decoding of a large JPEG.

    Raises:
        ImageTooLarge: more than MAX_BYTES, MAX_PIXELS or MAX_PIXELS_JPEG; checked before anything is decoded.
        BadImage: another format, a damaged file, too many parts, or fewer than MIN_SIDE pixels on a side.
    """
    _check_bytes(len(data))
    name = format_of(data).name

    def load(content: bytes, fill: int | None = None) -> Image.Image:
        image = _opened(content, name)
        _check_size(image)
        if name == "AVIF":
            _check_frames(content)
        if name == "PNG":
            _scale_transparency(image, content)
        image.draft(None, min_size)
        if fill is None:
            image.load()
            return image
        image.im = _filled(image.mode, image.size, fill).im
        with suppress(OSError):  # decoded as far as the file goes
            image.load()
        image.tile = []
        return image

    with _our_errors(data):
        try:
            image = load(data)
        except OSError as error:
            if name not in truncated.FORMATS or not _ends_early(error, name):
                raise
            image = truncated.load_truncated(data, name, load)
        ImageOps.exif_transpose(image, in_place=True)
        return to_srgb(image)


def has_profile(data: bytes) -> bool:
    """Return True if an image file has a colour profile, see ``profile_of``; False if it cannot be read."""
    try:
        with _our_errors(data):
            return profile_of(_opened(data, format_of(data).name)) is not None
    except BadImage:
        return False


def shown(data: bytes) -> bytes:
    """Return an image file in a format that browsers show: itself, or converted.

    TIFF, BMP and HEIC are converted without loss to PNG, in 8-bit sRGB as ``decode_image`` returns it, and with hardly
    any to JPEG if the PNG would have more than MAX_BYTES. Equal files give equal files.

    Raises:
        BadImage: as in ``decode_image``.
    """
    if format_of(data).shown:
        return data
    image = decode_image(data)
    for options in _CONVERSIONS:
        content = io.BytesIO()
        image.save(content, **options)
        if content.tell() <= MAX_BYTES:
            break
    return content.getvalue()


def read_image(file: Path) -> bytes:
    """Return the content of an image file. Check its size first.

    Raises:
        ImageTooLarge: the file has more than MAX_BYTES.
    """
    _check_bytes(file.stat().st_size)
    return file.read_bytes()


def pixels_for_vgg16(image: Image.Image) -> UInt8Array:
    """Return the whole image resized to (224, 224, 3) uint8 RGB; aspect ratio is not kept."""
    return np.array(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.uint8)


def grey_pixels(image: Image.Image, width: int, height: int) -> UInt8Array:
    """Return the whole image resized to (height, width) uint8 grey by box filter; aspect ratio is not kept."""
    return np.array(image.convert("L").resize((width, height), Image.Resampling.BOX), dtype=np.uint8)


def rgb_pixels(image: Image.Image, width: int, height: int) -> UInt8Array:
    """Return the whole image resized to (height, width, 3) uint8 RGB by box filter; aspect ratio is not kept."""
    return np.array(image.resize((width, height), Image.Resampling.BOX), dtype=np.uint8)


def dimensions(data: bytes) -> tuple[int, int]:
    """Return the upright width and height in pixels of a file accepted by ``decode_image``, at full scale."""
    with _our_errors(data):
        image = _opened(data, format_of(data).name)
        width, height = image.size
        transposed = image.getexif().get(ExifTags.Base.Orientation, 1) in _TRANSPOSED
    return (height, width) if transposed else (width, height)


def thumbnail(image: Image.Image) -> bytes:
    """Return the image as a JPEG of at most 360 x 360 pixels."""
    small = image.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    content = io.BytesIO()
    small.save(content, "JPEG", quality=JPEG_QUALITY)
    return content.getvalue()


def small_pixels(data: bytes, width: int, height: int) -> UInt8Array:
    """Decode, centre-crop to the aspect ratio and resize an image file to (height, width, 3) uint8 RGB.

    Raises:
        BadImage: as in ``decode_image``.
    """
    image = decode_image(data, (2 * max(width, height), 2 * max(width, height)))
    return np.array(ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS), dtype=np.uint8)


def webp(image: Image.Image, width: int | None = None) -> bytes:
    """Encode as WebP, reduced to ``width`` pixels if wider, and to the longest side of a WebP."""
    return _encoded(image, width, format="WEBP", quality=WEBP_QUALITY, method=4)


def jpeg(image: Image.Image, width: int) -> bytes:
    """Encode as JPEG, reduced to ``width`` pixels if wider, and as ``webp`` is."""
    return _encoded(image, width, format="JPEG", quality=JPEG_QUALITY)


ENCODERS: Mapping[str, Callable[[Image.Image, int], bytes]] = {"webp": webp, "jpeg": jpeg}


def _encoded(image: Image.Image, width: int | None, **options: Any) -> bytes:
    scale = min(1, (width or image.width) / image.width, _MAX_WEBP / image.width, _MAX_WEBP / image.height)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    content = io.BytesIO()
    image.save(content, **options)
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
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tile_width, tile_height = (image.tag_v2.get(tag, 0) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
        if tile_width * tile_height > MAX_PIXELS:  # the decoder takes memory for a whole tile
            raise ImageTooLarge(f"the picture has tiles of {tile_width} x {tile_height} pixels: save it without tiles")
    if min(width, height) < MIN_SIDE:
        raise BadImage(f"the picture has {width} x {height} pixels; at least {MIN_SIDE} on each side are needed")


def _check_frames(data: bytes) -> None:
    """Refuse an AVIF whose frames are larger than its header says; libavif scales them once they are decoded."""
    sizes = frame_sizes(data)
    for width, height in sizes:
        if width * height > MAX_PIXELS:
            raise ImageTooLarge(f"the picture has frames of {width} x {height} pixels: {_LIMIT}")
    if sum(width * height for width, height in sizes) > _MAX_FRAMES * MAX_PIXELS:
        raise ImageTooLarge("the picture is of too many large parts: save it without tiles")


def _scale_transparency(image: Image.Image, data: bytes) -> None:
    """Scale the transparent colour of a PNG to the 8 bits of its pixels, as Pillow does not.

    Source: PNG, sections 11.2.1 and 11.3.1.1. Grey of 16 bits keeps them; see ``colour.to_srgb``.
    """
    given, bits = image.info.get("transparency"), data[24]
    if isinstance(given, tuple) and bits == 16:
        image.info["transparency"] = tuple(value >> 8 for value in given)
    elif isinstance(given, int) and image.mode == "L":
        most = 2**bits - 1
        image.info["transparency"] = (given & most) * 255 // most


def _opened(data: bytes, name: str) -> ImageFile.ImageFile:
    """Open an image file: read its header."""
    if name == "HEIF" and not _heif_opener():
        raise BadImage(
            "this is a HEIC picture, which cannot be read here: give a JPEG, or install pillow-heif"
            " (pip install 'posterity[heic]')"
        )
    check_parts(data, name)
    return Image.open(io.BytesIO(data), formats=(name,))


@cache
def _heif_opener() -> bool:
    """Register the decoder of HEIC; return False if pillow-heif is not installed."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


@contextmanager
def _our_errors(data: bytes) -> Iterator[None]:
    """Raise every error of a decoder of a file as BadImage, without warnings about odd metadata."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except BadImage:
        raise
    except Exception as error:  # decoders raise all kinds of errors on hostile bytes
        if _ends_early(error, "") or truncated.has_no_end(data):
            raise BadImage(truncated.ENDS_EARLY) from error
        if isinstance(error, UnidentifiedImageError):
            raise BadImage("the picture is damaged (its beginning cannot be read)") from error
        raise BadImage(f"the picture is damaged ({_first_words(error)})") from error


def _ends_early(error: Exception, name: str) -> bool:
    """Return True if Pillow's error is about a file that ends too early."""
    return str(error).startswith("could not create decoder" if name == "WEBP" else "image file is truncated")


def _filled(mode: str, size: tuple[int, int], value: int) -> Image.Image:
    """Return an image of which every byte has the value."""
    n = len(Image.new(mode, size).tobytes())
    return Image.frombytes(mode, size, bytes([value]) * n)


def _first_words(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
