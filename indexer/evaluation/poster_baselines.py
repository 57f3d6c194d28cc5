"""Baselines of poster search: a colour histogram and a thumbnail as the embedding.

Source: Bhattacharyya, "On a measure of divergence between two statistical populations defined by their probability
distributions", 1943 (inner product of the square roots of two histograms).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from index.core.arrays import Float32Array
from index.posters.images import decode_image

_BINS = 8  # of each channel
_THUMBNAIL = (16, 24)  # pixels, width and height


def colour_histogram(data: bytes) -> Float32Array:
    """Return the square roots of an 8 x 8 x 8 RGB histogram, a (512,) unit vector.

    Raises:
        BadImage: ``data`` is not a readable image.
    """
    bins = np.asarray(decode_image(data), dtype=np.int64).reshape(-1, 3) * _BINS // 256
    counts = np.bincount(bins @ (_BINS**2, _BINS, 1), minlength=_BINS**3)
    roots: Float32Array = np.sqrt(counts / counts.sum()).astype(np.float32)
    return roots


def thumbnail(data: bytes) -> Float32Array:
    """Return a 16 x 24 RGB thumbnail minus its mean, a (1152,) unit vector; zeros if all pixels are equal.

    Raises:
        BadImage: ``data`` is not a readable image.
    """
    pixels = np.asarray(decode_image(data).resize(_THUMBNAIL), dtype=np.float32).ravel()
    centred = pixels - pixels.mean()
    length = np.linalg.norm(centred)
    unit: Float32Array = centred / length if length > 0 else np.zeros_like(centred)
    return unit


BASELINES: Mapping[str, Callable[[bytes], Float32Array]] = {
    "colour histogram": colour_histogram,
    "16 x 24 thumbnail": thumbnail,
}
