"""Look vectors: raw embeddings transformed for comparison, by statistics of the catalogue.

An embedding is a 7 x 7 map of the activation of each of 512 channels. A few channels that are active on most posters
dominate the raw vector, and a motif that is moved by a cell counts as another one. The default look, ``standardised``,
smooths each map by a Gaussian and takes the square root; each number is then centred and divided by its standard
deviation among the posters plus a tenth of the overall one. The result has length 1, as many numbers and the same cells
as the raw vector, so a score is still a sum over cells. The look ``raw`` is the vector as it is.

A few posters say little about a number, so mean and variance count as if there were ``PRIOR`` posters more, with those
of the number's channel: on the drawn posters of the bundled sample, if the weights are ImageNet's, else on the posters
themselves.

Source: Arandjelovic and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012 (square
root); the rest is measured by ``benchmarks/look.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from index.core.arrays import AnyFloatArray, Float16Array, Float32Array, Float64Array, load_arrays, save_arrays
from index.core.errors import BadSnapshot
from index.posters.vgg16 import DIMENSION, GRID, IMAGENET_SHA256

RAW, STANDARDISED = "raw", "standardised"
LOOKS = (STANDARDISED, RAW)  # the default first
SIGMA = 1.0  # of the Gaussian, in cells
FLOOR = 0.1  # of the overall standard deviation, added to that of each number
PRIOR = 50  # posters that the statistics of a channel count as

_FOLDER = "look"  # of the statistics, in the folder of the poster space
_SIDE, _CHANNELS = GRID[0], GRID[2]
_CELLS = _SIDE * _SIDE
IMAGENET_FILE = Path(__file__).with_name("imagenet_channels.npy")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Arrays of the transformation, float32."""

    smoothing: Float32Array  # (49, 49): row i holds the weights of all cells in smoothed cell i
    mean: Float32Array  # (49, 512) of the roots
    scale: Float32Array  # (49, 512) reciprocal of the standard deviation plus the floor


@dataclass(frozen=True, slots=True)
class Look:
    """Transformation of raw embeddings into the vectors of a poster space. Immutable, so threads may share it."""

    statistics: Statistics | None = None  # None for ``raw``

    @property
    def name(self) -> str:
        """Return the look's name, one of ``LOOKS``."""
        return RAW if self.statistics is None else STANDARDISED

    @property
    def how(self) -> str:
        """Return the transformation in words, for the manifest."""
        if self.statistics is None:
            return "L2-normalised"
        return (
            f"each channel smoothed by a Gaussian of {SIGMA:g} cells, square root, each number centred and divided by"
            f" its standard deviation plus {FLOOR:g} of the overall one, L2-normalised"
        )

    def __call__(self, embeddings: AnyFloatArray) -> Float32Array:
        """Return unit vectors (b, 25088) of raw embeddings (b, 25088). A row does not depend on the others, to the bit.

        A row without any length stays so.
        """
        if self.statistics is None:
            return embeddings.astype(np.float32)
        vectors = _roots(embeddings, self.statistics.smoothing)
        vectors -= self.statistics.mean
        vectors *= self.statistics.scale
        flat = vectors.reshape(-1, DIMENSION)
        lengths = np.linalg.norm(flat, axis=1, keepdims=True)
        unit: Float32Array = np.divide(flat, lengths, out=np.zeros_like(flat), where=lengths > 0)
        return unit

    def save(self, folder: Path) -> None:
        """Write the statistics to the folder of the poster space; ``raw`` has none."""
        if self.statistics is not None:
            save_arrays(self.statistics, folder / _FOLDER)


def fit_look(
    name: str,
    blocks: Iterable[AnyFloatArray],
    weights_sha256: str,
    *,
    sigma: float = SIGMA,
    floor: float = FLOOR,
    prior: float = PRIOR,
) -> Look:
    """Return a look with statistics of a catalogue, with one block of embeddings in memory at a time.

    Args:
        name: one of ``LOOKS``; ``raw`` reads no block.
        blocks: the raw embeddings of the posters, at least one, in blocks (b, 25088).
        weights_sha256: of the VGG16 weights behind them.
        sigma: as ``SIGMA``.
        floor: as ``FLOOR``.
        prior: as ``PRIOR``.
    """
    if name == RAW:
        return Look()
    smoothing = smoothing_matrix(sigma)
    n, mean, square = _moments(blocks, smoothing)
    variance = np.maximum(square - mean**2, 0)
    is_imagenet = weights_sha256 == IMAGENET_SHA256
    channel_mean, channel_variance = _imagenet_channels() if is_imagenet else _channels(mean, square)
    own = n / (n + prior)
    mean = own * mean + (1 - own) * channel_mean
    variance = own * variance + (1 - own) * channel_variance
    floored = np.sqrt(variance) + floor * np.sqrt(variance.mean())
    scale = np.divide(1, floored, out=np.ones_like(floored), where=floored > 0)
    return Look(Statistics(smoothing, mean.astype(np.float32), scale.astype(np.float32)))


def load_look(folder: Path, metadata: Mapping[str, Any]) -> Look:
    """Return the look of a snapshot's poster space, its statistics memory-mapped.

    Args:
        folder: of the poster space.
        metadata: the manifest's entry for the space; without a look it is of an earlier version, and raw.

    Raises:
        BadSnapshot: the look is unknown, or its statistics have another shape.
    """
    name = metadata.get("look", RAW)
    if name == RAW:
        return Look()
    if name != STANDARDISED:
        raise BadSnapshot(f"{folder} has the look {name!r}, known are {', '.join(LOOKS)}: build the snapshot again")
    statistics = load_arrays(Statistics, folder / _FOLDER)
    shapes = statistics.smoothing.shape, statistics.mean.shape, statistics.scale.shape
    if shapes != ((_CELLS, _CELLS), (_CELLS, _CHANNELS), (_CELLS, _CHANNELS)):
        raise BadSnapshot(f"{folder / _FOLDER} has arrays of shapes {shapes}: build the snapshot again")
    return Look(statistics)


def smoothing_matrix(sigma: float) -> Float32Array:
    """Return the weights (49, 49) of all cells in each smoothed one: Gaussian in rows and columns, summing to 1."""
    positions = np.arange(_SIDE)
    weights = np.exp(-((positions[:, None] - positions) ** 2) / (2 * sigma**2))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.kron(weights, weights).astype(np.float32)


def channel_statistics(blocks: Iterable[AnyFloatArray]) -> Float16Array:
    """Return mean and standard deviation (2, 512) of the roots of each channel, over all cells of all posters."""
    _, mean, square = _moments(blocks, smoothing_matrix(SIGMA))
    channel_mean, channel_variance = _channels(mean, square)
    return np.stack([channel_mean, np.sqrt(channel_variance)]).astype(np.float16)


def _moments(blocks: Iterable[AnyFloatArray], smoothing: Float32Array) -> tuple[int, Float64Array, Float64Array]:
    """Return the number of posters, and the means (49, 512) of their roots and of the roots' squares."""
    n, totals, squares = 0, *np.zeros((2, _CELLS, _CHANNELS))
    for block in blocks:
        roots = _roots(block, smoothing)
        n += len(roots)
        totals += roots.sum(axis=0, dtype=np.float64)
        squares += np.square(roots, out=roots).sum(axis=0, dtype=np.float64)
    return n, totals / n, squares / n


def _roots(embeddings: AnyFloatArray, smoothing: Float32Array) -> Float32Array:
    """Return the square roots (b, 49, 512) of the smoothed maps of embeddings (b, 25088), which are not negative."""
    maps = embeddings.astype(np.float32).reshape(-1, _CELLS, _CHANNELS)
    roots: Float32Array = np.matmul(
        smoothing, maps
    )  # one product per poster, so that its result does not depend on the block
    np.maximum(roots, 0, out=roots)
    np.sqrt(roots, out=roots)
    return roots


def _channels(mean: Float64Array, square: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return mean and variance (512,) of each channel over all cells, from means (49, 512) of numbers and squares."""
    channel_mean = mean.mean(axis=0)
    return channel_mean, np.maximum(square.mean(axis=0) - channel_mean**2, 0)


@cache
def _imagenet_channels() -> tuple[Float64Array, Float64Array]:
    """Return mean and variance (512,) of each channel on the sample's posters, with ImageNet weights."""
    mean, deviation = np.load(IMAGENET_FILE).astype(np.float64)
    return mean, deviation**2
