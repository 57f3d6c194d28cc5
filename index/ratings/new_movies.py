"""Movies with few ratings or none: their content, first ratings and rank, for the predictions of ``Users``."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import numpy as np

from index.catalogue.catalogue import Catalogue, Movie
from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from index.library.rating_log import RatingLog
from index.ratings.cold_start import ColdStart, ColdUser, Content
from index.ratings.learned_ranker import no_rows
from index.ratings.model import LIKED, Prediction, RatingModel, UserOrRatings
from index.spaces.faiss_index import top_rows
from index.spaces.space import Space

_ADMIRERS = 50  # of a movie, whose predictions are averaged
_KNOWN = 100  # movies that count as well known
_LATEST = 50  # ratings of a movie added since the build that count: those before move its mean little


class NewMovies:
    """Content and first ratings of the movies of a catalogue. Immutable, so threads may share it.

    Args:
        cold: cold-start model of the snapshot.
        model: rating model of the snapshot.
        base: catalogue of the snapshot.
        catalogue: base catalogue with the library's changes.
        looks: movie id -> compact look of each movie whose poster changed since the build; None without a usable one.
        changed: ids of the movies added or changed since the build that are in the catalogue.
        log: ratings added online.
        merged: number of the last library change the models were trained on.
    """

    def __init__(
        self,
        cold: ColdStart,
        model: RatingModel,
        base: Catalogue,
        catalogue: Catalogue,
        looks: Mapping[int, Float32Array | None],
        changed: Collection[int],
        log: RatingLog,
        merged: int,
    ) -> None:
        self.cold = cold
        self._model = model
        self._base = base
        self._catalogue = catalogue
        self._looks = looks
        self._changed_ids = changed
        self._log = log
        self._merged = merged

    def content(self, movie_ids: Sequence[int]) -> Content:
        """Return the content of movies as it is now."""
        rows = self._base.ids.find(movie_ids)
        same = [
            at
            for at, (movie_id, row) in enumerate(zip(movie_ids, rows.tolist(), strict=True))
            if row >= 0 and movie_id not in self._looks and movie_id not in self._changed_ids
        ]
        if len(same) == len(movie_ids):
            return self.cold.of_snapshot(rows)
        parts, order = [], []
        if same:
            parts.append(self.cold.of_snapshot(rows[same]))
            order += same
        other = sorted(set(range(len(movie_ids))) - set(same))
        movies = [self._catalogue.movie(movie_ids[at]) for at in other]
        parts.append(self.cold.of_movies(movies, self._looks, rows[other]))
        order += other
        return Content.joined(parts).take(np.argsort(order))

    def user(self, user: UserOrRatings) -> ColdUser:
        """Return a user as the cold-start model sees them; ratings are of movies of the snapshot alone.

        Raises:
            UnknownUser: the user has no training ratings.
        """
        if isinstance(user, int):
            rows, _ = self._model.rated(user)
            return self.cold.user(self._model.users.row(user), rows, self._model.positions(user))
        rows = self._base.ids.rows(list(user))
        return self.cold.fold(rows, np.array(list(user.values()), dtype=np.float32))

    def counts(self, movie_ids: Sequence[int]) -> Int64Array:
        """Return the number of training ratings of movies (k,); 0 for added ones."""
        rows = self._base.ids.find(movie_ids)
        return np.where(rows < 0, 0, self._counts[rows])

    def ratings(self, movie_ids: Sequence[int]) -> list[tuple[int, float]]:
        """Return number and mean residual of each movie's ratings, of the data set and added since.

        Raises:
            BadLibrary: the library cannot be read.
        """
        since = self._log.of_movies(movie_ids, since=self._merged, limit=_LATEST)
        rows = self._base.ids.find(movie_ids).tolist()
        found = []
        for movie_id, row in zip(movie_ids, rows, strict=True):
            residuals = self.cold.residuals(self._model.positions_of_movie(row)) if row >= 0 else np.empty(0)
            if movie_id in since:
                residuals = self._with_later(movie_id, row, residuals, since[movie_id])
            found.append((residuals.size, float(residuals.mean()) if residuals.size else 0.0))
        return found

    def rank(
        self,
        user: UserOrRatings,
        k: int,
        allowed: BoolArray | None,
        rated: Sequence[int],
        watched: Sequence[int] = (),
    ) -> list[int]:
        """Return the ``k`` movies without training ratings that a user is likeliest to watch and like, best first.

        A movie's score is the mean recommendation score of the rated movies most similar in content.

        Args:
            user: id, or ratings of movies of the snapshot.
            k: number of movies.
            allowed: (n,) mask of catalogue rows; None for all.
            rated: ids that the user rated, which are left out.
            watched: ids of movies of the snapshot that the user watched and did not rate, for the scores.
        """
        movie_ids, (rows, weights) = self._candidates
        eligible = np.isin(movie_ids, list(rated), invert=True)
        if allowed is not None:
            eligible &= allowed[self._catalogue.ids.rows(movie_ids.tolist())]
        scores = (weights * self._model.scores_of(user, watched)[rows]).sum(axis=1)
        scores[~eligible] = -np.inf
        best: list[int] = movie_ids[top_rows(scores, k)].tolist()
        return best

    def imagined(self, year: int | None, genres: Sequence[str], look: Float32Array | None) -> Content:
        """Return the content of a movie that is not in the catalogue, from what is known of it.

        Args:
            year: of release; None if unknown.
            genres: as the data set spells them.
            look: compact look (512,) of its poster; None without one.
        """
        return self.cold.of_movies([Movie(0, "", year, tuple(genres))], {0: look}, np.array([-1]))

    def taste_vector(self, content: Content, taste: Space) -> Float32Array:
        """Return the predicted taste vector (d,) of one movie; zeros if nothing is known of it."""
        vector: Float32Array = self.cold.taste_vectors(content, self._base.ids, taste)[0]
        return vector

    def usual_length(self, taste: Space) -> float:
        """Return the length of the taste vectors of well-known movies."""
        known = np.argsort(-self._counts, kind="stable")[:_KNOWN]
        rows = taste.ids.find(self._base.ids.values[known])
        return float(np.linalg.norm(taste.vectors.rows(rows[rows >= 0]), axis=1).mean()) if (rows >= 0).any() else 0.0

    def by_admirers(self, movie_id: int, content: Content) -> Prediction | None:
        """Return how those who like a movie would rate another one on average, with the interval of one rating.

        Args:
            movie_id: of the movie that they like.
            content: of the other one.

        Returns:
            A prediction with the id of the liked movie; None if nobody in the snapshot likes it.
        """
        low, high = self._model.scale
        users, given = self._model.raters(self._base.ids.row(movie_id))
        users = users[given >= low + LIKED * (high - low)]
        if not users.size:
            return None
        some = users[np.unique(np.linspace(0, users.size - 1, _ADMIRERS).astype(int))]
        found = [self.cold.predict(self.user(user_id), content) for user_id in self._model.users.values[some].tolist()]
        means = np.array([float(each.mean[0]) for each in found])
        variance = np.mean([float(each.variance[0]) for each in found]) + means.var()
        (prediction,) = self._model.predictions([movie_id], means.mean(keepdims=True), np.array([variance]))
        return prediction

    @cached_property
    def _candidates(self) -> tuple[Int64Array, tuple[Int64Array, Float32Array]]:
        """Ids (n,) of the movies without training ratings, and their peers; those of the snapshot are found once."""
        rows, peers, weights = self.cold.unrated
        before = self._base.ids.values[rows]
        changed = np.array([movie_id for movie_id in self._changed_ids if not self.counts([movie_id])[0]], np.int64)
        kept = (self._catalogue.ids.find(before) >= 0) & np.isin(before, changed, invert=True)
        found = np.concatenate([before[kept], changed])
        if changed.size:
            more, more_weights = self.cold.peers(self.content(changed.tolist()))
            peers, weights = np.concatenate([peers[kept], more]), np.concatenate([weights[kept], more_weights])
        else:
            peers, weights = peers[kept], weights[kept]
        order = np.argsort(found)
        return found[order], (peers[order], weights[order])

    @cached_property
    def _counts(self) -> Int64Array:
        return self._model.counts()

    def _with_later(
        self, movie_id: int, row: int, known: Float64Array, since: Mapping[int, float | None]
    ) -> Float64Array:
        """Return the residuals of a movie's ratings with those added since; None deletes a rating."""
        users = self._model.raters(row)[0] if row >= 0 else no_rows()
        residuals = dict(zip(self._model.users.values[users].tolist(), known.tolist(), strict=True))
        content = self.content([movie_id])
        for user_id, rating in since.items():
            residuals.pop(user_id, None)
            if rating is not None:
                residuals[user_id] = rating - self._content_says(user_id, movie_id, content)
        return np.array(list(residuals.values()))

    def _content_says(self, user_id: int, movie_id: int, content: Content) -> float:
        """Return the prediction for a rater by content alone."""
        who: UserOrRatings = user_id
        if user_id not in self._model.users:
            rated = self._log.of(user_id)
            who = {
                each: rating
                for each, rating in rated.items()
                if rating is not None and each != movie_id and each in self._base.ids
            }
        found = self.cold.predict(self.user(who), content)
        # Without means of residuals, as the residuals of training ratings are.
        return float(found.mean[0] - found.by_rated.sum())
