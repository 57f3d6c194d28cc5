"""Look, taste and facts together: a weighted mean of how rare each space's score is in this catalogue."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import NotComparable
from index.core.ids import Ids
from index.spaces.faiss_index import Hits, top_rows
from index.spaces.space import Match, Neighbours, Space
from index.spaces.vectors import CANDIDATES, PER_MATCH

NAME = "blend"
_FLOORS = (0.95, 0.85, -1.0)  # most movies are below the first in every space; everything is above the last
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Places:
    """Which row of the catalogue is which of a space."""

    catalogue: Mapping[str, Int64Array]  # space -> the catalogue's rows, (n_space,)
    space_rows: Mapping[str, Int64Array]  # space -> its own rows, (n_movies,); -1 where it lacks the movie

    @classmethod
    def of(cls, spaces: Mapping[str, Space], movie_ids: Ids) -> Places:
        """The places of some spaces' movies."""
        catalogue = {name: movie_ids.find(space.ids.values) for name, space in spaces.items()}
        return cls(catalogue, {name: space.ids.find(movie_ids.values) for name, space in spaces.items()})


class Blend:
    """Several spaces as one. Rows are the catalogue's.

    Raw scores of different spaces do not compare, percentiles do. A movie that lacks a space is scored on those
    that it shares with the query; one that shares none is never found.

    Args:
        weights: space -> weight, positive.
        places: of the spaces' movies, where they are known already.
    """

    def __init__(
        self, spaces: Mapping[str, Space], weights: Mapping[str, float], movie_ids: Ids, places: Places | None = None
    ) -> None:
        self._weights = {name: float(weights[name]) for name in spaces if weights.get(name, 0) > 0}
        self._spaces = spaces
        self._ids = movie_ids
        self._places = Places.of(spaces, movie_ids) if places is None else places

    def weighed(self, weights: Mapping[str, float]) -> Blend:
        """The same spaces under other weights."""
        return Blend(self._spaces, weights, self._ids, self._places)

    def similar(
        self, movie_id: int, k: int, *, allowed: BoolArray | None = None, stored: Neighbours | None = None
    ) -> list[Match]:
        """The ``k`` most alike other movies, best first, ties by id.

        Args:
            allowed: (n_movies,) which catalogue rows may come back; all where it is None.
            stored: every movie's neighbours under these very weights, to answer from where they suffice.

        Raises:
            NotComparable: the movie has a vector in none of the spaces.
        """
        row = self._ids.row(movie_id)
        if not self._having(row):
            raise NotComparable(f"movie {movie_id} has nothing to be compared by: no {', no '.join(self._weights)}")
        if stored is not None:
            rows, scores = stored.of(row)
            complete = rows.size < stored.depth
            kept = np.ones(rows.size, dtype=np.bool_) if allowed is None else allowed[rows]
            rows, scores = rows[kept], scores[kept]
            if complete or rows.size >= k:
                return self._matches(self._having(row), rows[:k], scores[:k])
        others = np.ones(len(self._ids), dtype=np.bool_) if allowed is None else allowed.copy()
        others[row] = False
        return self.search(self._queries(row), k, allowed=others)

    def search(self, queries: Mapping[str, Float32Array], k: int, *, allowed: BoolArray | None = None) -> list[Match]:
        """The ``k`` most alike movies, best first, ties by id.

        Args:
            queries: what to look for in each space, (d,); spaces without a weight here are left out.
            allowed: (n_movies,) which catalogue rows may come back; all where it is None.
        """
        asked = {name: queries[name] for name in self._weights if name in queries}
        estimates = {name: self._spaces[name].vectors.estimates(query[None])[0] for name, query in asked.items()}
        return self._matches(tuple(asked), *self._best(asked, estimates, k, allowed))

    def nearest(self, rows: Int64Array, k: int) -> list[Hits]:
        """The ``k`` most alike others of each of some movies (m,), best first, ties by row."""
        found = []
        others = np.ones(len(self._ids), dtype=np.bool_)
        for row, queries, estimates in self._estimates(rows):
            others[row] = False
            found.append(self._best(queries, estimates, k, others))
            others[row] = True
        return found

    def score_rows(self, rows: Int64Array) -> Float32Array:
        """Blended scores of some movies against all, (m, n_movies); -inf for itself and where no space is shared.

        Of a space that is searched in two stages these are estimates.
        """
        every = np.arange(len(self._ids))
        lines = [self._means(estimates, every, _picked(estimates)) for _, _, estimates in self._estimates(rows)]
        scores = np.array(lines, dtype=np.float32).reshape(rows.size, every.size)
        scores[np.arange(rows.size), rows] = -np.inf
        return scores

    def _estimates(self, rows: Int64Array) -> Iterator[tuple[int, dict[str, Float32Array], dict[str, Float32Array]]]:
        """Each of some rows (m,) with its vector (d,) in each space that has one, and what its scores there are about.

        The scores are with all movies of the space, (n_space,).
        """
        vectors, estimates, lines = {}, {}, {}
        for name in self._weights:
            own = self._places.space_rows[name][rows]
            asking = np.flatnonzero(own >= 0)
            lines[name] = dict(zip(asking.tolist(), range(asking.size), strict=True))
            vectors[name] = self._spaces[name].vectors.rows(own[asking])
            estimates[name] = self._spaces[name].vectors.estimates(vectors[name])
        for at, row in enumerate(rows.tolist()):
            having = {name: line[at] for name, line in lines.items() if at in line}
            yield (
                row,
                {name: vectors[name][line] for name, line in having.items()},
                {name: estimates[name][line] for name, line in having.items()},
            )

    def _best(
        self,
        queries: Mapping[str, Float32Array],
        estimates: Mapping[str, Float32Array],
        k: int,
        allowed: BoolArray | None,
    ) -> Hits:
        """The ``k`` best by exact scores.

        Args:
            queries: space -> what is looked for, (d,).
            estimates: space -> what its scores with all movies of the space are about, (n_space,).
        """
        if all(self._spaces[name].vectors.exact for name in queries):
            return self._first(estimates, k, allowed)
        candidates, _ = self._first(estimates, max(CANDIDATES, PER_MATCH * k), allowed)
        candidates.sort()
        scores = self._means(
            queries, candidates, lambda name, own: self._spaces[name].vectors.scores(queries[name], own)
        )
        order = top_rows(scores, k)
        return candidates[order], scores[order]

    def _first(self, scores: Mapping[str, Float32Array], k: int, allowed: BoolArray | None) -> Hits:
        """The ``k`` best by the scores with all movies of each space, (n_space,).

        A mean is above some share only where one of the percentiles is. So movies that no space puts high are weighed
        only where those that one does are not enough.
        """
        for floor in _FLOORS:
            near = np.zeros(len(self._ids), dtype=np.bool_)
            for name, line in scores.items():
                near[self._places.catalogue[name][line >= self._spaces[name].calibration.score(floor)]] = True
            rows = np.flatnonzero(near if allowed is None else near & allowed)
            means = self._means(scores, rows, _picked(scores))
            first = top_rows(means, k)
            if first.size == k and means[first[-1]] > floor + _ROUNDING:
                break
        return rows[first], means[first]

    def _means(
        self, names: Iterable[str], rows: Int64Array, scores: Callable[[str, Int64Array], Float32Array]
    ) -> Float32Array:
        """Weighted means of percentiles, (m,) for rows (m,); -inf where nothing is shared.

        Args:
            names: the spaces of the query.
            scores: the scores in a space with some of its own rows.
        """
        total, weight = np.zeros((2, rows.size), dtype=np.float32)
        for name in names:
            own = self._places.space_rows[name][rows]
            shared = np.flatnonzero(own >= 0)
            total[shared] += self._weights[name] * self._spaces[name].calibration.percentile(scores(name, own[shared]))
            weight[shared] += self._weights[name]
        means = np.full_like(total, -np.inf)
        np.divide(total, weight, out=means, where=weight > 0)
        return means

    def _queries(self, row: int) -> dict[str, Float32Array]:
        """The movie's own vector in each space that has one."""
        return {
            name: self._spaces[name].vectors.rows(self._places.space_rows[name][[row]])[0] for name in self._having(row)
        }

    def _having(self, row: int) -> tuple[str, ...]:
        """The spaces that have a weight and a vector of the movie."""
        return tuple(name for name in self._weights if self._places.space_rows[name][row] >= 0)

    def _matches(self, asked: Sequence[str], rows: Int64Array, scores: Float32Array) -> list[Match]:
        return [
            Match(
                int(self._ids.values[row]),
                score,
                score,
                tuple(name for name in self._weights if name in asked and self._places.space_rows[name][row] >= 0),
            )
            for row, score in zip(rows.tolist(), scores.tolist(), strict=True)
        ]


def _picked(scores: Mapping[str, Float32Array]) -> Callable[[str, Int64Array], Float32Array]:
    return lambda name, own: scores[name][own]
