"""What happens to a poster on its way: poor copies of a picture, to the byte the same every time."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageEnhance, ImageFilter

from index.posters.images import MIN_SIDE, decode_image

_WIDTH = 185  # pixels of the width that the blur is told for
_LARGEST = 1500  # pixels on the longer side; what is written must stay below what may be read


@dataclass(frozen=True, slots=True)
class Distortion:
    """One way of spoiling a picture."""

    name: str
    words: str  # what is done, to the number
    _spoil: Callable[[Image.Image], bytes]

    def __call__(self, data: bytes) -> bytes:
        """A picture file after this was done to what ``data`` shows.

        Raises:
            BadImage: ``data`` is no usable picture.
        """
        image = decode_image(data)
        image.thumbnail((_LARGEST, _LARGEST))
        return self._spoil(image)


def _poor_jpeg(image: Image.Image) -> bytes:
    return _written(image, "JPEG", quality=20)


def _half(image: Image.Image) -> bytes:
    width, height = (max(MIN_SIDE, round(side / 2)) for side in image.size)
    return _written(image.resize((width, height), Image.Resampling.BICUBIC))


def _crop(share: float) -> Callable[[Image.Image], bytes]:
    def cropped(image: Image.Image) -> bytes:
        width, height = image.size
        left, top = (min(round(share * side), (side - MIN_SIDE) // 2) for side in image.size)
        return _written(image.crop((left, top, width - left, height - top)))

    return cropped


def _blur(image: Image.Image) -> bytes:
    return _written(image.filter(ImageFilter.GaussianBlur(image.width / _WIDTH)))


def _brighter(image: Image.Image) -> bytes:
    return _written(ImageEnhance.Brightness(image).enhance(1.2))


def _grey(image: Image.Image) -> bytes:
    return _written(image.convert("L"))


def _written(image: Image.Image, kind: str = "PNG", **options: int) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


DISTORTIONS = (
    Distortion("JPEG, quality 20", "saved as JPEG at quality 20", _poor_jpeg),
    Distortion("half size", "half as wide and half as high, by bicubic resampling", _half),
    Distortion(
        "crop, 5% in all",
        "2.5% of the width cut from the left and from the right, of the height above and below",
        _crop(0.025),
    ),
    Distortion("crop, 5% a side", "5% cut from every side: a tenth of the width and of the height", _crop(0.05)),
    Distortion("blur", f"Gaussian blur with a standard deviation of 1 pixel in {_WIDTH} of the width", _blur),
    Distortion("20% brighter", "every channel times 1.2, to 255 at most", _brighter),
    Distortion("greyscale", "luma alone (ITU-R 601-2)", _grey),
)
