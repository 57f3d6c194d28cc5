"""Look, taste and facts together: a weighted mean of how rare each space's score is in this catalogue."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from index.errors import UnknownMovie
from index.ids import Ids
from index.space import Match, Neighbours, Space
from index.vectors import CANDIDATES, PER_MATCH, FloatArray, Found, Mask, RowArray, best

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
            UnknownMovie: the movie has a vector in none of the spaces.
        """
        row = self._ids.row(movie_id)
        if not self._has[:, row].any():
            raise UnknownMovie(f"movie {movie_id} has neither poster, ratings nor facts to compare by")
        if stored is not None:
            rows, scores = stored.of(row)
            complete = rows.size < stored.depth
            kept = np.ones(rows.size, dtype=np.bool_) if allowed is None else allowed[rows]
            rows, scores = rows[kept], scores[kept]
            if complete or rows.size >= k:
                return self._matches(row, rows[:k], scores[:k])
        rows, scores = self.nearest(np.array([row]), k, allowed=allowed)[0]
        return self._matches(row, rows, scores)

    def nearest(self, rows: RowArray, k: int, *, allowed: Mask | None = None) -> list[Found]:
        """The ``k`` most alike others of each of some movies (m,), best first, ties by row."""
        everyone = self.score_rows(rows)
        if allowed is not None:
            everyone[:, ~allowed] = -np.inf
        if all(space.vectors.exact for space in self._spaces.values()):
            found = [best(scores, k) for scores in everyone]
            return [(near, scores[near]) for near, scores in zip(found, everyone, strict=True)]
        wanted = max(CANDIDATES, PER_MATCH * k)
        return [
            self._rescored(row, best(scores, wanted), k) for row, scores in zip(rows.tolist(), everyone, strict=True)
        ]

    def score_rows(self, rows: RowArray) -> FloatArray:
        """Blended scores of some movies against all, (m, n_movies); -inf for itself and where no space is shared.

        Of a space that is searched in two stages these are estimates.
        """
        total = np.zeros((rows.size, len(self._ids)), dtype=np.float32)
        weight = np.zeros_like(total)
        for at, (name, space) in enumerate(self._spaces.items()):
            asking = np.flatnonzero(self._has[at, rows])
            if not asking.size:
                continue
            own = space.ids.find(self._ids.values[rows[asking]])
            shares = space.calibration.percentile(space.vectors.estimates(space.vectors.rows(own)))
            cells = np.ix_(asking, self._rows[name])
            total[cells] += self._weights[name] * shares
            weight[cells] += self._weights[name]
        scores = np.full_like(total, -np.inf)
        np.divide(total, weight, out=scores, where=weight > 0)
        scores[np.arange(rows.size), rows] = -np.inf
        return scores

    def _rescored(self, row: int, candidates: RowArray, k: int) -> Found:
        """The ``k`` best of some other movies, by exact scores."""
        total = np.zeros(candidates.size, dtype=np.float32)
        weight = np.zeros_like(total)
        ids = self._ids.values
        for at, (name, space) in enumerate(self._spaces.items()):
            shared = np.flatnonzero(self._has[at, candidates]) if self._has[at, row] else np.empty(0, dtype=np.int64)
            if not shared.size:
                continue
            query = space.vector(int(ids[row]))
            shares = space.calibration.percentile(space.vectors.scores(query, space.ids.find(ids[candidates[shared]])))
            total[shared] += self._weights[name] * shares
            weight[shared] += self._weights[name]
        scores = total / weight
        order = np.lexsort((candidates, -scores))[:k]
        return candidates[order], scores[order]

    def _matches(self, row: int, rows: RowArray, scores: FloatArray) -> list[Match]:
        shared = self._has[:, rows] & self._has[:, [row]]
        names = np.array(list(self._spaces))
        return [
            Match(int(movie_id), float(score), float(score), tuple(names[shared[:, at]].tolist()))
            for at, (movie_id, score) in enumerate(zip(self._ids.values[rows], scores, strict=True))
        ]
