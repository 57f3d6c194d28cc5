"""A snapshot's spaces and catalogue with what came in since laid over them. Nothing of the snapshot is changed."""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.ids import Ids
from index.library.entries import Changes
from index.spaces.faiss_index import Hits, half_index, merge_hits
from index.spaces.space import Space
from index.spaces.vectors import HalfVectors, Vectors


class OverlaidVectors:
    """Vectors of which some are left out and to which a few in memory are added, as one.

    Args:
        source: (n,) for each row the base's row, or -1 - j for the j-th that was added. Every j is there once.
    """

    def __init__(self, base: Vectors, added: Float32Array, source: Int64Array) -> None:
        self._base = base
        index = half_index(base.dimension)  # of the kind that the next build puts them into, so they score the same
        index.add(added)
        self._added = HalfVectors(index)
        self._source = source
        self._kept = np.flatnonzero(source >= 0)  # rows of the base's vectors
        self._new = np.empty(added.shape[0], dtype=np.int64)  # rows of the added ones
        (rows_of_added,) = np.nonzero(source < 0)
        self._new[-1 - source[rows_of_added]] = rows_of_added
        self._whole = self._kept.size == len(base)
        self._row_of = np.full(len(base), -1, dtype=np.int64)
        self._row_of[source[self._kept]] = self._kept

    def __len__(self) -> int:
        """How many vectors there are."""
        return int(self._source.size)

    @property
    def dimension(self) -> int:
        """How many numbers a vector has."""
        return self._base.dimension

    @property
    def exact(self) -> bool:
        """Whether estimates are the inner products themselves."""
        return self._base.exact

    def rows(self, rows: Int64Array) -> Float32Array:
        """Some of the vectors, (m, d)."""
        vectors = np.empty((rows.size, self.dimension), dtype=np.float32)
        source = self._source[rows]
        old, new = source >= 0, source < 0
        if old.any():
            vectors[old] = self._base.rows(source[old])
        if new.any():
            vectors[new] = self._added.rows(-1 - source[new])
        return vectors

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """The ``k`` largest inner products with each query (m, d); fewer only where fewer are allowed (n,)."""
        of_base: BoolArray | None = None
        if not (self._whole and allowed is None):
            of_base = np.zeros(len(self._base), dtype=np.bool_)
            of_base[self._source[self._kept]] = True if allowed is None else allowed[self._kept]
        of_added = None if allowed is None else allowed[self._new]
        return [
            merge_hits((self._row_of[old], old_scores), (self._new[new], new_scores), k)
            for (old, old_scores), (new, new_scores) in zip(
                self._base.search(queries, k, of_base), self._added.search(queries, k, of_added), strict=True
            )
        ]

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Inner products of a query (d,) with some of the vectors, (m,)."""
        scores = np.empty(rows.size, dtype=np.float32)
        source = self._source[rows]
        old, new = source >= 0, source < 0
        scores[old] = self._base.scores(query, source[old])
        scores[new] = self._added.scores(query, -1 - source[new])
        return scores

    def estimates(self, queries: Float32Array) -> Float32Array:
        """What the inner products of queries (m, d) with all vectors are about, (m, n)."""
        estimates = np.empty((queries.shape[0], len(self)), dtype=np.float32)
        estimates[:, self._kept] = self._base.estimates(queries)[:, self._source[self._kept]]
        estimates[:, self._new] = self._added.estimates(queries)
        return estimates


def overlaid_space(space: Space, gone: Set[int], added: Mapping[int, Float32Array]) -> Space:
    """The space without some movies and with vectors (d,) for others; what is in both is replaced.

    It has no stored neighbours: they are searched for. Where nothing changes it is the space itself.
    """
    leaving = np.isin(space.ids.values, np.fromiter(gone | added.keys(), dtype=np.int64))
    if not added and not leaving.any():
        return space
    kept = np.flatnonzero(~leaving)
    new_ids = np.array(sorted(added), dtype=np.int64)
    values = np.concatenate([space.ids.values[kept], new_ids])
    source = np.concatenate([kept, -1 - np.arange(new_ids.size)])
    order = np.argsort(values)
    vectors = np.empty((new_ids.size, space.dimension), dtype=np.float32)
    for at, movie_id in enumerate(new_ids.tolist()):
        vectors[at] = added[movie_id]
    together = OverlaidVectors(space.vectors, vectors, source[order])
    return Space(space.name, Ids(values[order]), together, None, space.calibration)


def overlaid_catalogue(catalogue: Catalogue, changes: Changes) -> Catalogue:
    """The catalogue after the changes; what ratings say of a movie stays with its id."""
    posters = {entry.movie.movie_id: entry.poster for entry in changes.movies if entry.poster is not None}
    movies = changes.applied_to(catalogue.movies)
    rows = catalogue.ids.find([movie.movie_id for movie in movies]).tolist()
    known = [None if row < 0 else catalogue.posters[row] for row in rows]
    return Catalogue(
        movies,
        tuple(0 if row < 0 else catalogue.rating_counts[row] for row in rows),
        tuple(None if row < 0 else catalogue.rating_means[row] for row in rows),
        tuple(posters.get(movie.movie_id, name) for movie, name in zip(movies, known, strict=True)),
    )


def overlaid_spaces(
    spaces: Mapping[str, Space], catalogue: Catalogue, changes: Changes, weights_sha256: str | None
) -> dict[str, Space]:
    """The spaces after the changes.

    A poster is compared at once, if it was embedded with the snapshot's weights; what is known of a movie by its
    ratings stays; facts are compared again from the next build on where they changed.

    Args:
        catalogue: of the snapshot.
        weights_sha256: of the weights behind the snapshot's posters.
    """
    gone = {name: set(changes.removed) for name in spaces}
    vectors: dict[int, Float32Array] = {}
    for entry in changes.movies:
        movie = entry.movie
        if entry.vector is not None and entry.weights_sha256 == weights_sha256:
            vectors[movie.movie_id] = entry.vector.astype(np.float32)
        elif entry.poster is not None:
            gone.setdefault("poster", set()).add(movie.movie_id)  # another poster than the one that was embedded
        before = catalogue.movie(movie.movie_id) if movie.movie_id in catalogue.ids else None
        if before is not None and (before.genres, before.year) != (movie.genres, movie.year):
            gone.setdefault("facts", set()).add(movie.movie_id)
    return {
        name: overlaid_space(space, gone[name], vectors if name == "poster" else {}) for name, space in spaces.items()
    }
