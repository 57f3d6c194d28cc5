"""Blend of several spaces: the weighted sum of standardised scores.

A score counts by its distance from the mean of random pairs, in standard deviations, so that among the highest scores
a higher one still counts more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import NotComparable
from index.core.ids import Ids
from index.spaces.faiss_index import Hits, top_rows
from index.spaces.neighbours import Neighbours, OverlaidNeighbours, load_neighbours
from index.spaces.random_pairs import RandomPairs, calibration_of, coefficients
from index.spaces.space import Calibration, Match, Space
from index.spaces.vectors import CANDIDATES, CANDIDATES_PER_MATCH

NAME = "blend"
FIRST_FORMAT = 5  # of snapshots whose stored neighbours are by standardised scores


def load_stored(
    folder: Path, snapshot_format: int, spaces: Mapping[str, Space], weights: Mapping[str, float], movie_ids: Ids
) -> tuple[Neighbours | None, Blend]:
    """Return the stored neighbours by blend, and the blend.

    Before ``FIRST_FORMAT`` the blend was a mean of percentiles: its neighbours are searched for, and pairs drawn.

    Args:
        folder: of the blend.
        snapshot_format: format version of the snapshot.
        spaces: by name.
        weights: space -> weight.
        movie_ids: of the catalogue.
    """
    if snapshot_format < FIRST_FORMAT:
        return None, Blend(spaces, weights, movie_ids)
    pairs = RandomPairs.load(folder, tuple(spaces))
    return load_neighbours(folder), Blend(spaces, weights, movie_ids, random_pairs=pairs)


@dataclass(frozen=True, slots=True)
class RowMaps:
    """Row mappings between the catalogue and its spaces, in both directions."""

    catalogue_rows: Mapping[str, Int64Array]  # space -> (n_space,) row in the catalogue
    space_rows: Mapping[str, Int64Array]  # space -> (n_movies,) row in the space; -1 if the space lacks the movie

    @classmethod
    def of(cls, spaces: Mapping[str, Space], movie_ids: Ids) -> RowMaps:
        """Build the mappings of some spaces."""
        catalogue_rows = {name: movie_ids.find(space.ids.values) for name, space in spaces.items()}
        return cls(catalogue_rows, {name: space.ids.find(movie_ids.values) for name, space in spaces.items()})

    def changed(
        self, spaces: Mapping[str, Space], movie_ids: Ids, before: Mapping[str, Space], ids_before: Ids
    ) -> RowMaps:
        """Return the mappings of changed spaces and ids; those that only grow at the end are extended.

        Args:
            spaces: after the change.
            movie_ids: of the catalogue, after the change.
            before: the spaces of these mappings.
            ids_before: of the catalogue of these mappings.
        """
        catalogue_rows, space_rows = {}, {}
        new_ids = movie_ids.after(ids_before)
        for name, space in spaces.items():
            new_in_space = space.ids.after(before[name].ids)
            if new_ids is None or new_in_space is None:
                catalogue_rows[name] = movie_ids.find(space.ids.values)
                space_rows[name] = space.ids.find(movie_ids.values)
                continue
            rows = movie_ids.find(new_in_space)
            catalogue_rows[name], space_rows[name] = self.catalogue_rows[name], self.space_rows[name]
            if new_ids.size:
                space_rows[name] = np.append(space_rows[name], np.full(new_ids.size, -1))
            if rows.size:
                catalogue_rows[name] = np.append(catalogue_rows[name], rows)
                space_rows[name] = space_rows[name].copy()
                space_rows[name][rows] = space.ids.find(new_in_space)
        return RowMaps(catalogue_rows, space_rows)


@dataclass(frozen=True, slots=True)
class Part:
    """Contribution of one space to a blended score."""

    space: str
    weight: float  # as given
    score: float  # inner product in the space
    percentile: float  # share of random pairs with a lower score in the space, 0 to 1
    contribution: float


@dataclass(frozen=True, slots=True)
class BlendExplanation:
    """A blended score as a sum over the spaces that both movies have."""

    movie_id: int
    other_id: int
    score: float  # sum of the contributions
    percentile: float  # share of random pairs with a lower blended score, 0 to 1
    parts: tuple[Part, ...]  # largest contribution first


class Blend:
    """Weighted combination of spaces. Rows are the catalogue's. Immutable, so threads may share it.

    Standardised scores are comparable between spaces, raw scores are not. A movie is scored on the spaces that it
    shares with the query, as ``coefficients`` says; a movie that shares none is never returned.

    Args:
        spaces: by name.
        weights: space -> weight; spaces without a positive weight are ignored.
        movie_ids: of the catalogue.
        row_maps: of ``spaces``, if they exist already.
        random_pairs: of the snapshot, with all of these spaces; drawn from ``spaces`` by default.
    """

    def __init__(
        self,
        spaces: Mapping[str, Space],
        weights: Mapping[str, float],
        movie_ids: Ids,
        row_maps: RowMaps | None = None,
        random_pairs: RandomPairs | None = None,
    ) -> None:
        self._weights = {name: float(weights[name]) for name in spaces if weights.get(name, 0) > 0}
        self._spaces = spaces
        self._ids = movie_ids
        self._row_maps = RowMaps.of(spaces, movie_ids) if row_maps is None else row_maps
        if random_pairs is None:
            random_pairs = RandomPairs.draw(spaces, self._row_maps.catalogue_rows, len(movie_ids))
        self.random_pairs = random_pairs
        self._bits = {name: 1 << at for at, name in enumerate(self._weights)}
        self._coefficients = coefficients(
            list(self._weights.values()), random_pairs.correlations(list(self._weights))
        )  # (patterns, spaces)

    @cached_property
    def calibration(self) -> Calibration:
        """Distribution of the blended scores of random pairs; threads may compute the same one twice."""
        scores = self.random_pairs.of(list(self._weights))
        known = np.isfinite(scores)
        patterns = known @ np.array(list(self._bits.values()), dtype=np.int64)
        blended = (np.where(known, scores, 0) * self._coefficients[patterns]).sum(axis=1)
        return calibration_of(blended[patterns > 0])

    @property
    def row_maps(self) -> RowMaps:
        """Row mappings between the catalogue and its spaces."""
        return self._row_maps

    def with_weights(self, weights: Mapping[str, float]) -> Blend:
        """Return a blend of the same spaces with other weights."""
        return Blend(self._spaces, weights, self._ids, self._row_maps, self.random_pairs)

    def over(self, spaces: Mapping[str, Space], movie_ids: Ids, row_maps: RowMaps) -> Blend:
        """Return the same blend of the same spaces after changes, with the random pairs of the snapshot."""
        changed = copy(self)
        changed._spaces, changed._ids, changed._row_maps = spaces, movie_ids, row_maps  # noqa: SLF001
        changed.calibration = self.calibration
        return changed

    def explain(self, movie_id: int, other_ids: Iterable[int]) -> list[BlendExplanation]:
        """Return the scores of a movie with others, each as a sum of one contribution per space.

        Raises:
            UnknownMovie: a movie is not in the catalogue.
            NotComparable: the movie shares no space with one of them.
        """
        ids = list(other_ids)
        queries, others = self._queries_of(self._ids.row(movie_id)), self._ids.rows(ids)
        scores = {}  # each space is asked once: its vectors may be in another process
        for name, query in queries.items():
            rows = self._row_maps.space_rows[name][others]
            scores[name] = np.full(others.size, np.nan, dtype=np.float32)
            scores[name][rows >= 0] = self._spaces[name].vectors.scores(query, rows[rows >= 0])
        return [
            self._explained(
                movie_id, other_id, {name: found[[at]] for name, found in scores.items() if not np.isnan(found[at])}
            )
            for at, other_id in enumerate(ids)
        ]

    def _explained(self, movie_id: int, other_id: int, scores: Mapping[str, Float32Array]) -> BlendExplanation:
        """Return an explanation by the scores (1,) of two movies in the spaces that they share."""
        if not scores:
            names = ", no ".join(self._weights)
            raise NotComparable(f"movies {movie_id} and {other_id} have nothing to be compared by: no {names} of both")
        pattern = sum(self._bits[name] for name in scores)
        parts = []
        for name, found in scores.items():
            space = self._spaces[name]
            (standardised,) = space.calibration.standardised(found)
            (percentile,) = space.calibration.percentile(found)
            factor = self._coefficients[pattern, list(self._bits).index(name)]
            contribution = float(factor * standardised)
            parts.append(Part(name, self._weights[name], float(found[0]), float(percentile), contribution))
        score = sum(part.contribution for part in parts)
        (percentile,) = self.calibration.percentile(np.array([score], dtype=np.float32))
        parts.sort(key=lambda part: -part.contribution)
        return BlendExplanation(movie_id, other_id, score, float(percentile), tuple(parts))

    def similar(
        self, movie_id: int, k: int, *, allowed: BoolArray | None = None, stored: OverlaidNeighbours | None = None
    ) -> list[Match]:
        """Return the ``k`` nearest neighbours of a movie, best first, ties by id.

        Args:
            movie_id: of the query; never returned.
            k: number of matches; fewer are returned only if fewer movies qualify.
            allowed: (n_movies,) mask of catalogue rows that may be returned; None for all.
            stored: every movie's neighbours with exactly these weights; used if they suffice.

        Raises:
            NotComparable: the movie has a vector in none of the spaces.
        """
        row = self._ids.row(movie_id)
        if not self._spaces_of(row):
            raise NotComparable(f"movie {movie_id} has nothing to be compared by: no {', no '.join(self._weights)}")
        if stored is not None:
            hits = stored.nearest(row, k, allowed, lambda rows: self.scores_with(row, rows), short_is_whole=True)
            if hits is not None:
                return self._matches(self._spaces_of(row), *hits)
        others = np.ones(len(self._ids), dtype=np.bool_) if allowed is None else allowed.copy()
        others[row] = False
        return self.search(self._queries_of(row), k, allowed=others)

    def search(self, queries: Mapping[str, Float32Array], k: int, *, allowed: BoolArray | None = None) -> list[Match]:
        """Return the ``k`` movies with the highest blended score, best first, ties by id.

        Args:
            queries: space -> query vector (d,); spaces without a weight are ignored.
            k: number of matches; fewer are returned only if fewer movies qualify.
            allowed: (n_movies,) mask of catalogue rows that may be returned; None for all.
        """
        weighted = {name: queries[name] for name in self._weights if name in queries}
        estimates = {name: self._spaces[name].vectors.estimates(query[None])[0] for name, query in weighted.items()}
        return self._matches(tuple(weighted), *self._search_exact(weighted, estimates, k, allowed))

    def nearest(self, rows: Int64Array, k: int) -> list[Hits]:
        """Return the ``k`` nearest neighbours of each of some movies (m,)."""
        hits = []
        others = np.ones(len(self._ids), dtype=np.bool_)
        for row, queries, estimates in self._estimates(rows):
            others[row] = False
            hits.append(self._search_exact(queries, estimates, k, others))
            others[row] = True
        return hits

    def score_rows(self, rows: Int64Array) -> Float32Array:
        """Return blended scores of some movies (m,) with all, (m, n_movies); -inf for itself and without shared spaces.

        They are approximate if a space is searched in two stages.
        """
        lines = [self._blended_all(estimates) for *_, estimates in self._estimates(rows)]
        scores = np.array(lines, dtype=np.float32).reshape(rows.size, len(self._ids))
        scores[np.arange(rows.size), rows] = -np.inf
        return scores

    def _estimates(self, rows: Int64Array) -> Iterator[tuple[int, dict[str, Float32Array], dict[str, Float32Array]]]:
        """Yield each of some rows (m,), its vector (d,) per space, and approximate scores (n_space,) per space."""
        vectors, estimates, lines = {}, {}, {}
        for name in self._weights:
            space_rows = self._row_maps.space_rows[name][rows]
            present = np.flatnonzero(space_rows >= 0)
            lines[name] = dict(zip(present.tolist(), range(present.size), strict=True))
            vectors[name] = self._spaces[name].vectors.rows(space_rows[present])
            estimates[name] = self._spaces[name].vectors.estimates(vectors[name])
        for at, row in enumerate(rows.tolist()):
            line_in = {name: line[at] for name, line in lines.items() if at in line}
            yield (
                row,
                {name: vectors[name][line] for name, line in line_in.items()},
                {name: estimates[name][line] for name, line in line_in.items()},
            )

    def _search_exact(
        self,
        queries: Mapping[str, Float32Array],
        estimates: Mapping[str, Float32Array],
        k: int,
        allowed: BoolArray | None,
    ) -> Hits:
        """Return the ``k`` best hits by exact scores: find candidates by the estimates, then score them again.

        Args:
            queries: space -> query vector (d,).
            estimates: space -> approximate scores of the query, (n_space,).
            k: number of hits.
            allowed: (n_movies,) mask of catalogue rows that may be returned; None for all.
        """
        scores = self._blended_all(estimates)
        if allowed is not None:
            scores[~allowed] = -np.inf
        if all(self._spaces[name].vectors.exact for name in queries):
            order = top_rows(scores, k)
            return order, scores[order]
        candidates = np.sort(top_rows(scores, max(CANDIDATES, CANDIDATES_PER_MATCH * k)))
        scores = self._blended(
            queries, candidates, lambda name, rows: self._spaces[name].vectors.scores(queries[name], rows)
        )
        order = top_rows(scores, k)
        return candidates[order], scores[order]

    def _blended_all(self, scores: Mapping[str, Float32Array]) -> Float32Array:
        """Return the blended scores of a query with all movies, (n_movies,); -inf without shared spaces.

        Args:
            scores: space -> scores of the query with all movies of the space, (n_space,).
        """
        rows = {name: self._row_maps.catalogue_rows[name] for name in scores}
        return self._combined(len(self._ids), rows, scores)

    def _blended(
        self, names: Iterable[str], rows: Int64Array, scores: Callable[[str, Int64Array], Float32Array]
    ) -> Float32Array:
        """Return the blended scores of a query with some movies, (m,) catalogue rows; -inf without shared spaces.

        Args:
            names: spaces of the query.
            rows: (m,) catalogue rows.
            scores: (space, rows of the space) -> scores of the query.
        """
        space_rows = {name: self._row_maps.space_rows[name][rows] for name in names}
        places = {name: np.flatnonzero(found >= 0) for name, found in space_rows.items()}
        found = {name: scores(name, space_rows[name][at]) for name, at in places.items()}
        return self._combined(rows.size, places, found)

    def _combined(self, n: int, places: Mapping[str, Int64Array], scores: Mapping[str, Float32Array]) -> Float32Array:
        """Return blended scores (n,) of scores (m,) at some places (m,) in each space; -inf at places of none."""
        patterns = np.zeros(n, dtype=np.int64)
        for name, at in places.items():
            patterns[at] += self._bits[name]
        total = np.where(patterns > 0, np.float32(0), np.float32(-np.inf))
        for name, at in places.items():
            column = self._coefficients[:, list(self._bits).index(name)]
            total[at] += column[patterns[at]] * self._spaces[name].calibration.standardised(scores[name])
        return total

    def scores_with(self, row: int, others: Int64Array) -> Float32Array:
        """Return the exact scores of a movie with others, (m,) catalogue rows; -inf without shared spaces."""
        queries = self._queries_of(row)
        return self._blended(queries, others, lambda name, rows: self._spaces[name].vectors.scores(queries[name], rows))

    def percentiles_among(self, rows: Int64Array) -> Float32Array:
        """Return the percentiles, among random pairs, of the scores of movies with each other.

        Their vectors are read once and multiplied at once: row by row, posters take five times as long.

        Args:
            rows: (m,) catalogue rows.

        Returns:
            (m, m), 0 to 1; 0 without shared spaces.
        """
        patterns = np.zeros((rows.size, rows.size), dtype=np.int64)
        standardised = []
        for name in self._weights:
            space_rows = self._row_maps.space_rows[name][rows]
            places = np.flatnonzero(space_rows >= 0)
            vectors = self._spaces[name].vectors.rows(space_rows[places])
            patterns[np.ix_(places, places)] += self._bits[name]
            standardised.append(np.zeros(patterns.shape, dtype=np.float32))
            calibration = self._spaces[name].calibration
            standardised[-1][np.ix_(places, places)] = calibration.standardised(vectors @ vectors.T)
        scores = np.where(patterns > 0, np.float32(0), np.float32(-np.inf))
        for at, found in enumerate(standardised):
            scores += self._coefficients[patterns, at] * found
        return self.calibration.percentile(scores)

    def _queries_of(self, row: int) -> dict[str, Float32Array]:
        """Return the vector of a movie in each weighted space that has it."""
        return {
            name: self._spaces[name].vectors.rows(self._row_maps.space_rows[name][[row]])[0]
            for name in self._spaces_of(row)
        }

    def _spaces_of(self, row: int) -> tuple[str, ...]:
        """Return the weighted spaces that have a vector of a movie."""
        return tuple(name for name in self._weights if self._row_maps.space_rows[name][row] >= 0)

    def _matches(self, names: Iterable[str], rows: Int64Array, scores: Float32Array) -> list[Match]:
        compared = set(names)
        percentiles = self.calibration.percentile(scores)
        return [
            Match(
                int(self._ids.values[row]), score, percentile, tuple(n for n in self._spaces_of(row) if n in compared)
            )
            for row, score, percentile in zip(rows.tolist(), scores.tolist(), percentiles.tolist(), strict=True)
        ]
