"""Look, taste and facts together: a weighted mean of how rare each space's score is in this catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from index.errors import Lacking
from index.ids import Ids
from index.search import FloatArray, Found, Mask, RowArray, best
from index.space import Match, Neighbours, Space
from index.vectors import CANDIDATES, PER_MATCH

NAME = "blend"


class Blend:
    """Several spaces as one. Rows are the catalogue's.

    Raw scores of different spaces do not compare, percentiles do. A movie that lacks a space is scored on those
    that it shares with the query; one that shares none is never found.

    Args:
        weights: space -> weight, positive.
    """

    def __init__(self, spaces: Mapping[str, Space], weights: Mapping[str, float], movie_ids: Ids) -> None:
        self._spaces = {name: space for name, space in spaces.items() if weights.get(name, 0) > 0}
        self._weights = {name: float(weights[name]) for name in self._spaces}
        self._ids = movie_ids
        self._rows = {name: movie_ids.find(space.ids.values) for name, space in self._spaces.items()}
        self._has = np.zeros((len(self._spaces), len(movie_ids)), dtype=np.bool_)
        for at, rows in enumerate(self._rows.values()):
            self._has[at, rows] = True

    def similar(
        self, movie_id: int, k: int, *, allowed: Mask | None = None, stored: Neighbours | None = None
    ) -> list[Match]:
        """The ``k`` most alike other movies, best first, ties by id.

        Args:
            allowed: (n_movies,) which catalogue rows may come back; all where it is None.
            stored: every movie's neighbours under these very weights, to answer from where they suffice.

        Raises:
            Lacking: the movie has a vector in none of the spaces.
        """
        row = self._ids.row(movie_id)
        if not self._has[:, row].any():
            raise Lacking(f"movie {movie_id} has nothing to be compared by: no {', no '.join(self._spaces)}")
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

    def search(self, queries: Mapping[str, FloatArray], k: int, *, allowed: Mask | None = None) -> list[Match]:
        """The ``k`` most alike movies, best first, ties by id.

        Args:
            queries: what to look for in each space, (d,); spaces without a weight here are left out.
            allowed: (n_movies,) which catalogue rows may come back; all where it is None.
        """
        asked = {name: queries[name] for name in self._spaces if name in queries}
        total = np.zeros((1, len(self._ids)), dtype=np.float32)
        weight = np.zeros_like(total)
        for name, query in asked.items():
            self._add(name, total, weight, np.zeros(1, dtype=np.int64), query[None])
        estimates = _mean(total, weight)[0]
        if allowed is not None:
            estimates[~allowed] = -np.inf
        rows, scores = self._best(asked, estimates, k)
        return self._matches(tuple(asked), rows, scores)

    def nearest(self, rows: RowArray, k: int) -> list[Found]:
        """The ``k`` most alike others of each of some movies (m,), best first, ties by row."""
        return [
            self._best(self._queries(row), estimates, k)
            for row, estimates in zip(rows.tolist(), self.score_rows(rows), strict=True)
        ]

    def score_rows(self, rows: RowArray) -> FloatArray:
        """Blended scores of some movies against all, (m, n_movies); -inf for itself and where no space is shared.

        Of a space that is searched in two stages these are estimates.
        """
        total = np.zeros((rows.size, len(self._ids)), dtype=np.float32)
        weight = np.zeros_like(total)
        for at, (name, space) in enumerate(self._spaces.items()):
            asking = np.flatnonzero(self._has[at, rows])
            if asking.size:
                own = space.ids.find(self._ids.values[rows[asking]])
                self._add(name, total, weight, asking, space.vectors.rows(own))
        scores = _mean(total, weight)
        scores[np.arange(rows.size), rows] = -np.inf
        return scores

    def _add(self, name: str, total: FloatArray, weight: FloatArray, asking: RowArray, queries: FloatArray) -> None:
        """Adds what a space says of queries (a, d) to the lines ``asking`` (a,) of ``total`` and ``weight`` (m, n)."""
        space = self._spaces[name]
        cells = np.ix_(asking, self._rows[name])
        total[cells] += self._weights[name] * space.calibration.percentile(space.vectors.estimates(queries))
        weight[cells] += self._weights[name]

    def _best(self, queries: Mapping[str, FloatArray], estimates: FloatArray, k: int) -> Found:
        """The ``k`` best by exact scores, given what the scores of all (n_movies,) are about."""
        if all(self._spaces[name].vectors.exact for name in queries):
            rows = best(estimates, k)
            return rows, estimates[rows]
        candidates = best(estimates, max(CANDIDATES, PER_MATCH * k))
        total = np.zeros(candidates.size, dtype=np.float32)
        weight = np.zeros_like(total)
        for name, query in queries.items():
            space = self._spaces[name]
            rows = space.ids.find(self._ids.values[candidates])
            shared = np.flatnonzero(rows >= 0)
            shares = space.calibration.percentile(space.vectors.scores(query, rows[shared]))
            total[shared] += self._weights[name] * shares
            weight[shared] += self._weights[name]
        scores = _mean(total, weight)
        order = np.lexsort((candidates, -scores))[:k]
        return candidates[order], scores[order]

    def _queries(self, row: int) -> dict[str, FloatArray]:
        """The movie's own vector in each space that has one."""
        movie_id = int(self._ids.values[row])
        return {name: self._spaces[name].vector(movie_id) for name in self._having(row)}

    def _having(self, row: int) -> tuple[str, ...]:
        """The spaces that have a vector of the movie."""
        return tuple(name for name, has in zip(self._spaces, self._has[:, row], strict=True) if has)

    def _matches(self, asked: Sequence[str], rows: RowArray, scores: FloatArray) -> list[Match]:
        names = [name for name in self._spaces if name in asked]
        has = self._has[[list(self._spaces).index(name) for name in names]][:, rows]
        return [
            Match(int(movie_id), float(score), float(score), tuple(np.array(names)[has[:, at]].tolist()))
            for at, (movie_id, score) in enumerate(zip(self._ids.values[rows], scores, strict=True))
        ]


def _mean(total: FloatArray, weight: FloatArray) -> FloatArray:
    """Weighted means; -inf where nothing was weighed."""
    means = np.full_like(total, -np.inf)
    np.divide(total, weight, out=means, where=weight > 0)
    return means
