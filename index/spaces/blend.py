"""Blend of several spaces: the weighted mean of score percentiles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import NotComparable
from index.core.ids import Ids
from index.spaces.faiss_index import Hits, top_rows
from index.spaces.neighbours import OverlaidNeighbours
from index.spaces.space import Match, Space
from index.spaces.vectors import CANDIDATES, CANDIDATES_PER_MATCH

NAME = "blend"
_FLOORS = (0.95, 0.85, -1.0)  # percentiles; few movies exceed the first in any space, and every movie the last
_TOLERANCE = 1e-6  # of float32 means


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


class Blend:
    """Weighted combination of spaces. Rows are the catalogue's.

    Percentiles are comparable between spaces, raw scores are not. A movie is scored on the spaces that it shares with
    the query; a movie that shares none is never returned.

    Args:
        spaces: by name.
        weights: space -> weight; spaces without a positive weight are ignored.
        movie_ids: of the catalogue.
        row_maps: of ``spaces``, if they exist already.
    """

    def __init__(
        self, spaces: Mapping[str, Space], weights: Mapping[str, float], movie_ids: Ids, row_maps: RowMaps | None = None
    ) -> None:
        self._weights = {name: float(weights[name]) for name in spaces if weights.get(name, 0) > 0}
        self._spaces = spaces
        self._ids = movie_ids
        self._row_maps = RowMaps.of(spaces, movie_ids) if row_maps is None else row_maps

    def with_weights(self, weights: Mapping[str, float]) -> Blend:
        """Return a blend of the same spaces with other weights."""
        return Blend(self._spaces, weights, self._ids, self._row_maps)

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
        all_rows = np.arange(len(self._ids))
        lines = [self._blended(estimates, all_rows, _scores_from(estimates)) for *_, estimates in self._estimates(rows)]
        scores = np.array(lines, dtype=np.float32).reshape(rows.size, all_rows.size)
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
        if all(self._spaces[name].vectors.exact for name in queries):
            return self._search_estimates(estimates, k, allowed)
        candidates, _ = self._search_estimates(estimates, max(CANDIDATES, CANDIDATES_PER_MATCH * k), allowed)
        candidates.sort()
        scores = self._blended(
            queries, candidates, lambda name, rows: self._spaces[name].vectors.scores(queries[name], rows)
        )
        order = top_rows(scores, k)
        return candidates[order], scores[order]

    def _search_estimates(self, estimates: Mapping[str, Float32Array], k: int, allowed: BoolArray | None) -> Hits:
        """Return the ``k`` best hits by the scores (n_space,) of a query in each space."""
        # A mean exceeds a floor only if one of its percentiles does. So blend only the rows above a high floor in some
        # space, and lower the floor if they turn out to be too few.
        for floor in _FLOORS:
            near = np.zeros(len(self._ids), dtype=np.bool_)
            for name, line in estimates.items():
                above = line >= self._spaces[name].calibration.score(floor)
                near[self._row_maps.catalogue_rows[name][above]] = True
            rows = np.flatnonzero(near if allowed is None else near & allowed)
            scores = self._blended(estimates, rows, _scores_from(estimates))
            order = top_rows(scores, k)
            if order.size == k and scores[order[-1]] > floor + _TOLERANCE:
                break
        return rows[order], scores[order]

    def _blended(
        self, names: Iterable[str], rows: Int64Array, scores: Callable[[str, Int64Array], Float32Array]
    ) -> Float32Array:
        """Return weighted means of percentiles, (m,) for catalogue rows (m,); -inf without shared spaces.

        Args:
            names: spaces of the query.
            rows: (m,) catalogue rows.
            scores: (space, rows of the space) -> scores of the query.
        """
        total, weight = np.zeros((2, rows.size), dtype=np.float32)
        for name in names:
            space_rows = self._row_maps.space_rows[name][rows]
            shared = np.flatnonzero(space_rows >= 0)
            percentiles = self._spaces[name].calibration.percentile(scores(name, space_rows[shared]))
            total[shared] += self._weights[name] * percentiles
            weight[shared] += self._weights[name]
        means = np.full_like(total, -np.inf)
        np.divide(total, weight, out=means, where=weight > 0)
        return means

    def scores_with(self, row: int, others: Int64Array) -> Float32Array:
        """Return the exact scores of a movie with others, (m,) catalogue rows; -inf without shared spaces."""
        queries = self._queries_of(row)
        return self._blended(queries, others, lambda name, rows: self._spaces[name].vectors.scores(queries[name], rows))

    def _queries_of(self, row: int) -> dict[str, Float32Array]:
        """Return the vector of a movie in each weighted space that has it."""
        return {
            name: self._spaces[name].vectors.rows(self._row_maps.space_rows[name][[row]])[0]
            for name in self._spaces_of(row)
        }

    def _spaces_of(self, row: int) -> tuple[str, ...]:
        """Return the weighted spaces that have a vector of a movie."""
        return tuple(name for name in self._weights if self._row_maps.space_rows[name][row] >= 0)

    def _matches(self, names: Sequence[str], rows: Int64Array, scores: Float32Array) -> list[Match]:
        return [
            Match(int(self._ids.values[row]), score, score, tuple(n for n in self._spaces_of(row) if n in names))
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]


def _scores_from(scores: Mapping[str, Float32Array]) -> Callable[[str, Int64Array], Float32Array]:
    return lambda name, rows: scores[name][rows]
