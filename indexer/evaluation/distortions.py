"""Distortions of poster images, deterministic to the byte."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageFilter

from index.posters.images import MIN_SIDE, decode_image

_BLUR_WIDTH = 185  # pixels of image width per pixel of blur
_MAX_SIDE = 1500  # pixels; keeps every distorted file below the size limit of ``decode_image``


@dataclass(frozen=True, slots=True)
class Distortion:
    """A named distortion of an image."""

    name: str
    description: str  # with all parameters, for the report
    _apply: Callable[[Image.Image], bytes]

    def __call__(self, data: bytes) -> bytes:
        """Return the distorted image as a file (PNG or JPEG).

        Raises:
            BadImage: ``data`` is not a readable image.
        """
        image = decode_image(data)
        image.thumbnail((_MAX_SIDE, _MAX_SIDE))
        return self._apply(image)


def _low_quality_jpeg(image: Image.Image) -> bytes:
    return _encode(image, "JPEG", quality=20)


def _half(image: Image.Image) -> bytes:
    width, height = (max(MIN_SIDE, round(side / 2)) for side in image.size)
    return _encode(image.resize((width, height), Image.Resampling.BICUBIC))


def _crop(share: float) -> Callable[[Image.Image], bytes]:
    def crop(image: Image.Image) -> bytes:
        width, height = image.size
        left, top = (min(round(share * side), (side - MIN_SIDE) // 2) for side in image.size)
        return _encode(image.crop((left, top, width - left, height - top)))

    return crop


def _blur(image: Image.Image) -> bytes:
    return _encode(image.filter(ImageFilter.GaussianBlur(image.width / _BLUR_WIDTH)))


def _brighter(image: Image.Image) -> bytes:
    return _encode(ImageEnhance.Brightness(image).enhance(1.2))


def _grey(image: Image.Image) -> bytes:
    return _encode(image.convert("L"))


def _encode(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


DISTORTIONS = (
    Distortion("JPEG, quality 20", "saved as JPEG at quality 20", _low_quality_jpeg),
    Distortion("half size", "half the width and half the height, by bicubic resampling", _half),
    Distortion(
        "crop, 5% in all",
        "2.5% of the width cut from left and right, 2.5% of the height from top and bottom",
        _crop(0.025),
    ),
    Distortion("crop, 5% a side", "5% cut from every side: 10% of the width and of the height", _crop(0.05)),
    Distortion("blur", f"Gaussian blur with a standard deviation of 1 pixel per {_BLUR_WIDTH} of the width", _blur),
    Distortion("20% brighter", "every channel times 1.2, clipped to 255", _brighter),
    Distortion("greyscale", "luma only (ITU-R 601-2)", _grey),
)
