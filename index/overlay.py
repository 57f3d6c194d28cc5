"""Overlay of the library's changes on a snapshot's catalogue and spaces, change by change.

The snapshot stays unchanged. A version is made of the one before by the changes since. It goes through no table of all
movies: look-up tables, stored neighbours and vectors are shared, and a few arrays of one number per movie are copied.
A version does not depend on the steps: it is the same as one made of the snapshot by all changes at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.catalogue.catalogue import Catalogue, Listing
from index.core.arrays import Float32Array, Int64Array
from index.core.errors import SearchUnavailable
from index.library.entries import Entry, MovieChanges
from index.library.rating_log import RatingLog
from index.posters.look_vectors import Look
from index.ratings.cold_start import ColdStart
from index.ratings.content import compact_looks
from index.ratings.model import RatingModel
from index.ratings.new_movies import NewMovies
from index.spaces.blend import Blend, RowMaps
from index.spaces.neighbours import Neighbours, OverlaidNeighbours
from index.spaces.overlaid_vectors import OverlaidVectors
from index.spaces.space import Space


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Catalogue, spaces and stored neighbours of a snapshot, before any change."""

    catalogue: Catalogue
    spaces: Mapping[str, Space]
    blended: Neighbours | None  # under the default blend; None to search on every query
    blend: Blend  # by the default weights
    weights_sha256: str | None  # of the VGG16 weights behind the posters
    look: Look  # of the poster space
    cold: ColdStart | None = None  # predicts the taste vectors of movies without ratings


@dataclass(frozen=True, slots=True)
class Overlay:
    """One version of a snapshot, with changes of the library overlaid."""

    snapshot: Snapshot
    catalogue: Catalogue
    spaces: Mapping[str, Space]
    row_maps: RowMaps
    blended: OverlaidNeighbours | None
    source: Int64Array  # (n,) row of each movie in the snapshot's catalogue; -1 if added, or compared otherwise since
    looks: Mapping[int, Float32Array | None]  # compact look of each changed poster, by movie id; None if not embedded
    changed_ids: frozenset[int]  # movies added or changed since the build that still exist

    @classmethod
    def of(cls, snapshot: Snapshot) -> Overlay:
        """Return the version without changes."""
        ids = snapshot.catalogue.ids
        blended = None if snapshot.blended is None else OverlaidNeighbours.unchanged(snapshot.blended)
        return cls(
            snapshot,
            snapshot.catalogue,
            snapshot.spaces,
            snapshot.blend.row_maps,
            blended,
            np.arange(len(ids)),
            {},
            frozenset(),
        )

    def changed(self, delta: MovieChanges) -> Overlay:
        """Return the version with further changes.

        Movies keep their rating statistics, and the snapshot's poster unless they have another. Poster space: a new
        poster is included if it was embedded with the snapshot's weights; until the next build the movie is left out
        otherwise. Facts space: a movie with changed facts is left out until the next build. Taste space: a movie
        without ratings in the snapshot has the vector that its content predicts.
        """
        base = self.snapshot.catalogue
        delta = delta.spelled(base)
        catalogue = self.catalogue.changed((_listing(base, entry) for entry in delta.movies), delta.deleted)
        changed_ids = [*(entry.movie.movie_id for entry in delta.movies), *delta.deleted]
        looks = {
            **self.looks,
            **{entry.movie.movie_id: self._look(entry) for entry in delta.movies if entry.poster is not None},
        }
        predicted = self._taste_vectors(delta.movies, looks)
        spaces = {
            name: overlay_space(
                self.snapshot.spaces[name],
                space,
                changed_ids,
                self._vectors(name, delta.movies) | (predicted if name == "taste" else {}),
            )
            for name, space in self.spaces.items()
        }
        if catalogue is self.catalogue and all(spaces[name] is space for name, space in self.spaces.items()):
            return self
        row_maps = self.row_maps.changed(spaces, catalogue.ids, self.spaces, self.catalogue.ids)
        source = self._source(catalogue, spaces, changed_ids)
        blended = self.blended
        if self.snapshot.blended is not None and not np.array_equal(source, self.source):
            blended = OverlaidNeighbours(self.snapshot.blended, source)
        changed = (self.changed_ids | {entry.movie.movie_id for entry in delta.movies}) - set(delta.deleted)
        return Overlay(self.snapshot, catalogue, spaces, row_maps, blended, source, looks, changed)

    def new_movies(self, model: RatingModel, log: RatingLog, merged: int) -> NewMovies | None:
        """Return the model that predicts movies by content; None if the snapshot has none.

        Args:
            model: rating model of the snapshot.
            log: ratings added online.
            merged: number of the last library change the models were trained on.
        """
        cold, base = self.snapshot.cold, self.snapshot.catalogue
        if cold is None:
            return None
        return NewMovies(cold, model, base, self.catalogue, self.looks, self.changed_ids, log, merged)

    def _look(self, entry: Entry) -> Float32Array | None:
        """Return the compact look of a changed poster; None if it was not embedded with the snapshot's weights."""
        if entry.vector is None or entry.weights_sha256 != self.snapshot.weights_sha256:
            return None
        look: Float32Array = compact_looks(entry.vector[None])[0]
        return look

    def _taste_vectors(
        self, entries: Sequence[Entry], looks: Mapping[int, Float32Array | None]
    ) -> dict[int, Float32Array | None]:
        """Return the predicted taste vectors of the changed movies without ratings in the snapshot."""
        cold, taste, base = self.snapshot.cold, self.snapshot.spaces.get("taste"), self.snapshot.catalogue
        new = [entry.movie for entry in entries if not _rating_count(base, entry.movie.movie_id)]
        if cold is None or taste is None or not new:
            return {}
        movie_ids = [movie.movie_id for movie in new]
        content = cold.of_movies(new, looks, base.ids.find(movie_ids))
        vectors = cold.taste_vectors(content, base.ids, taste)
        return {movie_id: vector for movie_id, vector in zip(movie_ids, vectors, strict=True) if vector.any()}

    def _vectors(self, space: str, entries: Iterable[Entry]) -> dict[int, Float32Array | None]:
        """Return the vectors in a space of the changed movies that have one; None for the snapshot's."""
        found: dict[int, Float32Array | None] = {}
        for entry in entries:
            movie = entry.movie
            if space == "poster" and entry.vector is not None and entry.weights_sha256 == self.snapshot.weights_sha256:
                found[movie.movie_id] = self.snapshot.look(entry.vector[None])[0]
                continue
            before = self.snapshot.catalogue.listing(movie.movie_id)
            if before is None or (space == "poster" and entry.poster is not None):
                continue
            if space == "taste" and self.snapshot.cold is not None and not before.rating_count:
                continue  # predicted
            same_facts = (before.movie.genres, before.movie.year) == (movie.genres, movie.year)
            if space != "facts" or same_facts:
                found[movie.movie_id] = None
        return found

    def _source(self, catalogue: Catalogue, spaces: Mapping[str, Space], changed: Iterable[int]) -> Int64Array:
        """Return ``source`` after some movies changed."""
        base = self.snapshot
        new = catalogue.ids.after(self.catalogue.ids)
        if new is None:
            rows = self.catalogue.ids.find(catalogue.ids.values)
            source = np.where(rows < 0, -1, self.source[rows])
        else:
            source = np.append(self.source, np.full(new.size, -1))
        for movie_id in changed:
            if movie_id in catalogue.ids:
                same = movie_id in base.catalogue.ids and all(
                    _same_vector(base.spaces[name], space, movie_id) for name, space in spaces.items()
                )
                source[catalogue.ids.row(movie_id)] = base.catalogue.ids.row(movie_id) if same else -1
        return source


def _rating_count(catalogue: Catalogue, movie_id: int) -> int:
    listing = catalogue.listing(movie_id)
    return 0 if listing is None else listing.rating_count


def overlay_space(
    base: Space, current: Space, changed: Iterable[int], vectors: Mapping[int, Float32Array | None]
) -> Space:
    """Return a space after some movies changed; itself if it has none of them.

    Args:
        base: the snapshot's.
        current: with the changes so far.
        changed: ids of the changed movies; those without a vector are deleted from the space.
        vectors: movie id -> vector (d,); None for the vector of ``base``, if it has one.
    """
    sources: dict[int, int] = {}  # as of OverlaidVectors.changed
    added: list[Float32Array] = []
    for movie_id, vector in sorted(vectors.items()):
        if vector is None:
            if movie_id in base.ids and not _same_vector(base, current, movie_id):
                sources[movie_id] = base.ids.row(movie_id)
        elif not _has_vector(current, movie_id, vector):
            added.append(vector)
            sources[movie_id] = -len(added)
    deleted = {
        movie_id
        for movie_id in changed
        if movie_id in current.ids
        and (movie_id not in vectors or (vectors[movie_id] is None and movie_id not in base.ids))
    }
    if not sources and not deleted:
        return current
    inserted = [movie_id for movie_id in sources if movie_id not in current.ids]
    replaced = [movie_id for movie_id in sources if movie_id in current.ids]
    ids, edit = current.ids.edited(inserted, deleted)
    overlaid = _overlaid(current).changed(
        edit,
        np.array([sources[movie_id] for movie_id in (*inserted, *replaced)], dtype=np.int64),
        ids.find(replaced),
        np.array(added, dtype=np.float32).reshape(-1, base.dimension),
    )
    source = np.where(overlaid.source < len(base), overlaid.source, -1)
    neighbours = None if base.stored is None else OverlaidNeighbours(base.stored, source)
    return Space(base.name, ids, overlaid, neighbours, base.calibration)


def _overlaid(space: Space) -> OverlaidVectors:
    vectors = space.vectors
    return vectors if isinstance(vectors, OverlaidVectors) else OverlaidVectors.unchanged(vectors)


def _has_vector(space: Space, movie_id: int, vector: Float32Array) -> bool:
    """Return True if a space has exactly this vector of a movie; False if its own cannot be read now."""
    try:
        return movie_id in space.ids and np.array_equal(space.vector(movie_id), vector)
    except SearchUnavailable:
        return False  # one that is there is added again, which changes no answer


def _same_vector(base: Space, current: Space, movie_id: int) -> bool:
    """Return True if a movie has the same vector in both, or none in either."""
    if movie_id not in base.ids or movie_id not in current.ids:
        return movie_id not in base.ids and movie_id not in current.ids
    vectors = current.vectors
    row = base.ids.row(movie_id)
    if isinstance(vectors, OverlaidVectors):
        return int(vectors.source[current.ids.row(movie_id)]) == row
    return True


def _listing(base: Catalogue, entry: Entry) -> Listing:
    """Return a changed movie with the statistics and, unless it has its own, the poster of the snapshot."""
    before = base.listing(entry.movie.movie_id)
    if before is None:
        return Listing(entry.movie, poster=entry.poster)
    movie = replace(entry.movie, source_id=entry.movie.source_id or before.movie.source_id)
    return Listing(movie, before.rating_count, before.rating_mean, entry.poster or before.poster)
