"""Evaluation of poster search: distorted copies and alternate artwork as queries among all posters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.posters.images import read_image
from index.posters.look_vectors import Look
from index.posters.vgg16 import Vgg16
from indexer.evaluation.distortions import Distortion
from indexer.metrics.bootstrap import Estimate, estimate
from indexer.spaces.embed import embed_posters

LENGTHS = (1, 2, 5, 10, 20, 50, 100)  # k of recall@k

_BATCH = 64  # queries distorted, embedded and searched at a time


class Embedder(Protocol):
    """A function from readable poster files to vectors."""

    def __call__(self, posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        """Return (n, d) vectors in the order of ``posters``; similarity is their inner product."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The relevant poster's rank and score, for every query."""

    ranks: Int64Array  # (q,) from 1; ties by movie id
    scores: Float32Array  # (q,)


def vgg16_embedder(embed: Vgg16, cache_folder: Path) -> Embedder:
    """Return the served embedder; its cache lets an interrupted run continue."""

    def embed_files(posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        embeddings = embed_posters(posters, embed, cache_folder, track=track)
        for movie_id, reason in embeddings.unreadable.items():
            raise InvalidInput(f"{posters[movie_id]} changed while it was in use ({reason}): evaluate again")
        return embeddings.vectors

    return embed_files


def look_embedder(embed: Embedder, look: Look) -> Embedder:
    """Return an embedder of the vectors of a look, from one of raw embeddings."""

    def embed_files(posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        vectors = embed(posters, track=track)
        for start in range(0, len(vectors), _BATCH):
            vectors[start : start + _BATCH] = look(vectors[start : start + _BATCH])
        return vectors

    return embed_files


def baseline_embedder(embed: Callable[[bytes], Float32Array]) -> Embedder:
    """Return an embedder from a function of one image file's content."""

    def embed_files(posters: Mapping[int, Path], *, track: Track = silent) -> Float32Array:
        files = track(posters.values(), "Embedding posters by a baseline", len(posters))
        return np.stack([embed(read_image(file)) for file in files])

    return embed_files


def search(queries: Float32Array, relevant: Int64Array, originals: Float32Array) -> SearchResult:
    """Rank originals (n, d), by ascending movie id, for queries (q, d); ``relevant`` (q,) are the right rows."""
    scores = queries @ originals.T
    rows = np.arange(len(originals))
    relevant_scores = scores[np.arange(relevant.size), relevant]
    better = scores > relevant_scores[:, None]
    better |= (scores == relevant_scores[:, None]) & (rows < relevant[:, None])
    return SearchResult(1 + better.sum(axis=1), relevant_scores)


def search_all(
    pictures: Mapping[int, Path],
    embedders: Mapping[str, Embedder],
    originals: Mapping[str, Float32Array],
    movie_ids: Int64Array,
    *,
    distortion: Distortion | None = None,
    label: str = "Searching",
    track: Track = silent,
) -> dict[str, SearchResult]:
    """Search every picture by every embedder; embedder name -> result.

    Args:
        pictures: movie id -> query file; every movie has an original.
        embedders: name -> embedder.
        originals: embedder name -> (n, d) vectors of all posters.
        movie_ids: (n,) ascending, of the originals' rows.
        distortion: applied to every query first.
        label: of the progress.
        track: reports progress.
    """
    results: dict[str, list[SearchResult]] = {name: [] for name in embedders}
    for batch in _batches(pictures, label, track):
        relevant = np.searchsorted(movie_ids, list(batch))
        with TemporaryDirectory() as folder:
            files = batch if distortion is None else _distorted(batch, distortion, Path(folder))
            for name, embed in embedders.items():
                results[name].append(search(embed(files), relevant, originals[name]))
    return {name: _concatenate(parts) for name, parts in results.items()}


def nearest_other(originals: Float32Array) -> Float32Array:
    """Return the score (n,) of each of two or more originals with its nearest neighbour."""
    best = np.empty(len(originals), dtype=np.float32)
    for start in range(0, len(originals), _BATCH):
        scores = originals[start : start + _BATCH] @ originals.T
        scores[np.arange(len(scores)), np.arange(start, start + len(scores))] = -np.inf
        best[start : start + _BATCH] = scores.max(axis=1)
    return best


def recall(result: SearchResult, k: int) -> Estimate:
    """Return recall@k: the share of queries with the relevant poster among the first ``k``."""
    return estimate((result.ranks <= k).astype(np.float64), np.mean)


def recall_gain(result: SearchResult, other: SearchResult, k: int) -> Estimate:
    """Return the difference of recall@k to that of another method on the same queries."""
    return estimate((result.ranks <= k).astype(np.float64) - (other.ranks <= k), np.mean)


def reciprocal_rank(result: SearchResult) -> Estimate:
    """Return the mean reciprocal rank of the relevant poster."""
    return estimate(1 / result.ranks, np.mean)


def median(scores: Float32Array) -> Estimate:
    """Return the median of scores (n,)."""
    return estimate(scores.astype(np.float64), np.median)


def _distorted(posters: Mapping[int, Path], distortion: Distortion, folder: Path) -> dict[int, Path]:
    """Write distorted copies into a folder; movie id -> file."""
    files = {movie_id: folder / str(movie_id) for movie_id in posters}
    for movie_id, file in posters.items():
        files[movie_id].write_bytes(distortion(read_image(file)))
    return files


def _batches(pictures: Mapping[int, Path], label: str, track: Track) -> Iterator[dict[int, Path]]:
    """Yield batches of pictures; progress advances once a batch is processed."""
    batch: dict[int, Path] = {}
    for at, (movie_id, file) in enumerate(track(pictures.items(), label, len(pictures)), start=1):
        batch[movie_id] = file
        if len(batch) == _BATCH or at == len(pictures):
            yield batch
            batch = {}


def _concatenate(results: Sequence[SearchResult]) -> SearchResult:
    ranks, scores = ([getattr(result, name) for result in results] for name in ("ranks", "scores"))
    return SearchResult(np.concatenate(ranks), np.concatenate(scores))
