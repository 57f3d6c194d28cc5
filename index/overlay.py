"""Overlay of a delta on a snapshot's catalogue and spaces. The snapshot stays unchanged.

The delta is the library's changes since the snapshot was built.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from index.catalogue.catalogue import Catalogue
from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.ids import Ids
from index.library.entries import MovieChanges
from index.spaces.faiss_index import Hits, half_index, merge_hits
from index.spaces.space import Space
from index.spaces.vectors import HalfVectors, Vectors


class OverlaidVectors:
    """Base vectors without some rows and with a few added in memory, searched as one.

    Args:
        base: vectors of the snapshot.
        added: (a, d) vectors of the delta.
        source: (n,) row of ``base`` for each row, or -1 - j for row j of ``added``; every j occurs once.
    """

    def __init__(self, base: Vectors, added: Float32Array, source: Int64Array) -> None:
        self._base = base
        index = half_index(base.dimension)  # in float16 as in a snapshot, so that the next build scores them the same
        index.add(added)
        self._added = HalfVectors(index)
        self._source = source
        self._base_rows = np.flatnonzero(source >= 0)  # rows whose vector is in the base
        self._added_rows = np.empty(added.shape[0], dtype=np.int64)  # row of each added vector
        rows = np.flatnonzero(source < 0)
        self._added_rows[-1 - source[rows]] = rows
        self._base_is_whole = self._base_rows.size == len(base)
        self._row_of_base = np.full(len(base), -1, dtype=np.int64)  # row of each base vector; -1 if left out
        self._row_of_base[source[self._base_rows]] = self._base_rows

    def __len__(self) -> int:
        """Return the number of vectors."""
        return int(self._source.size)

    @property
    def dimension(self) -> int:
        """Dimension d of a vector."""
        return self._base.dimension

    @property
    def exact(self) -> bool:
        """True if ``estimates`` are exact."""
        return self._base.exact

    def rows(self, rows: Int64Array) -> Float32Array:
        """Return the vectors of some rows (m,), as (m, d)."""
        vectors = np.empty((rows.size, self.dimension), dtype=np.float32)
        source = self._source[rows]
        old, new = source >= 0, source < 0
        if old.any():
            vectors[old] = self._base.rows(source[old])
        if new.any():
            vectors[new] = self._added.rows(-1 - source[new])
        return vectors

    def search(self, queries: Float32Array, k: int, allowed: BoolArray | None = None) -> list[Hits]:
        """Return the ``k`` largest inner products per query (m, d); fewer only if fewer rows are allowed (n,)."""
        base_allowed: BoolArray | None = None
        if not (self._base_is_whole and allowed is None):
            base_allowed = np.zeros(len(self._base), dtype=np.bool_)
            base_allowed[self._source[self._base_rows]] = True if allowed is None else allowed[self._base_rows]
        added_allowed = None if allowed is None else allowed[self._added_rows]
        return [
            merge_hits((self._row_of_base[old], old_scores), (self._added_rows[new], new_scores), k)
            for (old, old_scores), (new, new_scores) in zip(
                self._base.search(queries, k, base_allowed),
                self._added.search(queries, k, added_allowed),
                strict=True,
            )
        ]

    def scores(self, query: Float32Array, rows: Int64Array) -> Float32Array:
        """Return exact inner products of a query (d,) with some rows (m,), as (m,)."""
        scores = np.empty(rows.size, dtype=np.float32)
        source = self._source[rows]
        old, new = source >= 0, source < 0
        scores[old] = self._base.scores(query, source[old])
        scores[new] = self._added.scores(query, -1 - source[new])
        return scores

    def estimates(self, queries: Float32Array) -> Float32Array:
        """Return approximate inner products of queries (m, d) with all vectors, as (m, n)."""
        estimates = np.empty((queries.shape[0], len(self)), dtype=np.float32)
        estimates[:, self._base_rows] = self._base.estimates(queries)[:, self._source[self._base_rows]]
        estimates[:, self._added_rows] = self._added.estimates(queries)
        return estimates


def overlay_space(space: Space, deleted: Set[int], added: Mapping[int, Float32Array]) -> Space:
    """Return the space with some movies deleted and some vectors (d,) added or updated; itself if nothing changes.

    The new space has no stored neighbours: every query searches.
    """
    dropped = np.isin(space.ids.values, np.fromiter(deleted | added.keys(), dtype=np.int64))
    if not added and not dropped.any():
        return space
    kept = np.flatnonzero(~dropped)
    added_ids = sorted(added)
    values = np.concatenate([space.ids.values[kept], np.array(added_ids, dtype=np.int64)])
    source = np.concatenate([kept, -1 - np.arange(len(added_ids))])
    order = np.argsort(values)
    vectors = np.empty((len(added_ids), space.dimension), dtype=np.float32)
    for at, movie_id in enumerate(added_ids):
        vectors[at] = added[movie_id]
    overlaid = OverlaidVectors(space.vectors, vectors, source[order])
    return Space(space.name, Ids(values[order]), overlaid, None, space.calibration)


def overlay_catalogue(catalogue: Catalogue, delta: MovieChanges) -> Catalogue:
    """Return the catalogue with the delta applied; movies keep their rating statistics."""
    posters = {entry.movie.movie_id: entry.poster for entry in delta.movies if entry.poster is not None}
    movies = delta.applied_to(catalogue.movies)
    rows = catalogue.ids.find([movie.movie_id for movie in movies]).tolist()
    snapshot_posters = [None if row < 0 else catalogue.posters[row] for row in rows]
    return Catalogue(
        movies,
        tuple(0 if row < 0 else catalogue.rating_counts[row] for row in rows),
        tuple(None if row < 0 else catalogue.rating_means[row] for row in rows),
        tuple(posters.get(movie.movie_id, name) for movie, name in zip(movies, snapshot_posters, strict=True)),
    )


def overlay_spaces(
    spaces: Mapping[str, Space], catalogue: Catalogue, delta: MovieChanges, weights_sha256: str | None
) -> dict[str, Space]:
    """Return the spaces with the delta applied.

    Poster space: a new poster is included if it was embedded with the snapshot's weights; until the next build the
    movie is left out otherwise. Facts space: a movie with changed facts is left out until the next build. Taste space:
    only deletions apply.

    Args:
        spaces: of the snapshot.
        catalogue: of the snapshot.
        delta: changes since the snapshot was built.
        weights_sha256: of the VGG16 weights behind the snapshot's posters.
    """
    deleted = {name: set(delta.deleted) for name in spaces}
    vectors: dict[int, Float32Array] = {}
    for entry in delta.movies:
        movie = entry.movie
        if entry.vector is not None and entry.weights_sha256 == weights_sha256:
            vectors[movie.movie_id] = entry.vector.astype(np.float32)
        elif entry.poster is not None:
            deleted.setdefault("poster", set()).add(movie.movie_id)
        before = catalogue.movie(movie.movie_id) if movie.movie_id in catalogue.ids else None
        if before is not None and (before.genres, before.year) != (movie.genres, movie.year):
            deleted.setdefault("facts", set()).add(movie.movie_id)
    return {
        name: overlay_space(space, deleted[name], vectors if name == "poster" else {}) for name, space in spaces.items()
    }
