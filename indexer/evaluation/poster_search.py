"""How well posters are found by their look: poor copies of them, and other artwork of the same films, among them all.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, for the percentile intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.posters.images import read_image
from index.posters.vgg16 import Vgg16
from indexer.evaluation.distortions import Distortion
from indexer.metrics.estimate import RESAMPLES, Estimate
from indexer.spaces.embed import embed_posters

LENGTHS = (1, 2, 5, 10, 20, 50, 100)  # of the lists in which the right poster is looked for

_PART = 64  # posters on disk and compared at a time


class Look(Protocol):
    """One way of looking at posters, all of which can be read."""

    def __call__(self, posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        """(n, d) float32, a row for each poster; the larger their inner product, the more alike two are."""


@dataclass(frozen=True, slots=True)
class Searches:
    """What pictures found that were searched for among all posters by one look."""

    places: Int64Array  # (q,) from 1, of the poster that belongs to each; of equal scores the lower id's comes first
    scores: Float32Array  # (q,) with that poster


def vgg16_look(embed: Vgg16, cache_folder: Path) -> Look:
    """The look that is served. No picture is embedded twice, so a run that was killed goes on where it was."""

    def look(posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        embeddings = embed_posters(posters, embed, cache_folder, track=track)
        for movie_id, reason in embeddings.unreadable.items():
            raise InvalidInput(f"{posters[movie_id]} changed while it was in use ({reason}): evaluate again")
        return embeddings.vectors

    return look


def plain_look(describe: Callable[[bytes], Float32Array]) -> Look:
    """A look that describes one picture file after the other."""

    def look(posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        files = track(posters.values(), "Describing posters", len(posters))
        return np.stack([describe(read_image(file)) for file in files])

    return look


def search(queries: Float32Array, own: Int64Array, originals: Float32Array) -> Searches:
    """What queries (q, d) find among originals (n, d), which are by ascending id; ``own`` (q,) are the right rows."""
    scores = queries @ originals.T
    rows = np.arange(len(originals))
    mine = scores[np.arange(own.size), own]
    before = (scores > mine[:, None]) | ((scores == mine[:, None]) & (rows < own[:, None]))
    return Searches(1 + before.sum(axis=1), mine)


def search_all(
    pictures: Mapping[int, Path],
    looks: Mapping[str, Look],
    originals: Mapping[str, Float32Array],
    movie_ids: Int64Array,
    *,
    distortion: Distortion | None = None,
    label: str = "Searching",
    track: Track = silent,
) -> dict[str, Searches]:
    """What each look finds for pictures, after a distortion if there is one.

    Args:
        pictures: movie id -> file; every movie has an original.
        originals: look -> (n, d) of the posters searched.
        movie_ids: (n,) ascending, of the originals' rows.
    """
    found: dict[str, list[Searches]] = {name: [] for name in looks}
    for part in _parts(pictures, label, track):
        own = np.searchsorted(movie_ids, list(part))
        with TemporaryDirectory() as folder:
            files = part if distortion is None else _distorted(part, distortion, Path(folder))
            for name, look in looks.items():
                found[name].append(search(look(files), own, originals[name]))
    return {name: _joined(parts) for name, parts in found.items()}


def nearest_other(originals: Float32Array) -> Float32Array:
    """(n,) the score of each original with the one most like it, itself aside; of two originals or more."""
    best = np.empty(len(originals), dtype=np.float32)
    for start in range(0, len(originals), _PART):
        scores = originals[start : start + _PART] @ originals.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        best[start : start + _PART] = scores.max(axis=1)
    return best


def recall(found: Searches, k: int) -> Estimate:
    """The share of pictures whose poster is among the first ``k``."""
    return bootstrapped((found.places <= k).astype(np.float64), np.mean)


def reciprocal_rank(found: Searches) -> Estimate:
    """The mean of one over the place of the right poster."""
    return bootstrapped(1 / found.places, np.mean)


def median(scores: Float32Array) -> Estimate:
    """The median of scores (n,)."""
    return bootstrapped(scores.astype(np.float64), np.median)


def bootstrapped(values: Float64Array, statistic: Callable[[Float64Array], np.floating]) -> Estimate:
    """A statistic of values (n,), and its 95% interval over values drawn with replacement, the same every time."""
    rng = np.random.default_rng(0)
    drawn = [statistic(values[rng.integers(values.size, size=values.size)]) for _ in range(RESAMPLES)]
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    return Estimate(float(statistic(values)), low, high)


def _distorted(posters: Mapping[int, Path], distortion: Distortion, folder: Path) -> dict[int, Path]:
    files = {movie_id: folder / str(movie_id) for movie_id in posters}
    for movie_id, file in posters.items():
        files[movie_id].write_bytes(distortion(read_image(file)))
    return files


def _parts(pictures: Mapping[int, Path], label: str, track: Track) -> Iterator[dict[int, Path]]:
    """A few pictures at a time, the last of which counts as done when the next ones are asked for."""
    part: dict[int, Path] = {}
    for at, (movie_id, file) in enumerate(track(pictures.items(), label, len(pictures)), start=1):
        part[movie_id] = file
        if len(part) == _PART or at == len(pictures):
            yield part
            part = {}


def _joined(parts: Sequence[Searches]) -> Searches:
    places, scores = ([getattr(part, name) for part in parts] for name in ("places", "scores"))
    return Searches(np.concatenate(places), np.concatenate(scores))
