"""Two plain ways of looking at a poster, which VGG16 has to beat.

Source: Bhattacharyya, "On a measure of divergence between two statistical populations defined by their probability
distributions", 1943, for comparing histograms by the inner product of their square roots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from index.core.arrays import Float32Array
from index.posters.images import decode_image

_BINS = 8  # of each channel
_THUMBNAIL = (16, 24)  # pixels, width and height


def colour_histogram(data: bytes) -> Float32Array:
    """(512,) float32 of length 1: roots of the shares of pixels in each of 8 x 8 x 8 boxes of red, green and blue.

    Raises:
        BadImage: ``data`` is no usable picture.
    """
    boxes = np.asarray(decode_image(data), dtype=np.int64).reshape(-1, 3) * _BINS // 256
    counts = np.bincount(boxes @ (_BINS**2, _BINS, 1), minlength=_BINS**3)
    shares: Float32Array = np.sqrt(counts / counts.sum()).astype(np.float32)
    return shares


def small_picture(data: bytes) -> Float32Array:
    """(1152,) float32 of length 1: a thumbnail of 16 x 24 pixels less its mean; zeros where it is all one shade.

    Raises:
        BadImage: ``data`` is no usable picture.
    """
    pixels = np.asarray(decode_image(data).resize(_THUMBNAIL), dtype=np.float32).ravel()
    centred = pixels - pixels.mean()
    length = np.linalg.norm(centred)
    unit: Float32Array = centred / length if length > 0 else np.zeros_like(centred)
    return unit


BASELINES: Mapping[str, Callable[[bytes], Float32Array]] = {
    "colour histogram": colour_histogram,
    "16 x 24 thumbnail": small_picture,
}
