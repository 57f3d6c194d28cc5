"""Whoever rates: the users of a snapshot, with what they rated since, and strangers with a few ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from index.catalogue.catalogue import Catalogue, MovieFilter
from index.core.errors import NotComparable, UnknownUser
from index.library.rating_log import RatingLog
from index.ratings.model import Explanation, Prediction, RatingModel, Who


class Users:
    """Predictions, recommendations and explanations for anyone. Never changes, so threads may share it.

    A ``Who`` is a user id, for a user as the snapshot knows them; or ratings by movie id, for a stranger and for anyone
    who rated since: these are folded in. ``known`` says which one a user is.

    ``ids`` are the users that the model was trained on, and ``scale`` is the lowest and the highest rating there is.

    Args:
        base: the snapshot's catalogue, which the model's rows are of.
        catalogue: the same with what came in online.
        log: ratings that came in online.
        merged: the number of the latest change that the model was trained on.
    """

    def __init__(self, model: RatingModel, base: Catalogue, catalogue: Catalogue, log: RatingLog, merged: int) -> None:
        self.scale = model.scale
        self.ids = model.users
        self._model = model
        self._base = base
        self._catalogue = catalogue
        self._log = log
        self._merged = merged

    def known(self, user_id: int) -> Who:
        """Who the user is by now. Ask once for each answer, that all of it be about the same ratings.

        Raises:
            UnknownUser: the user has no ratings here.
            BadLibrary: what came in online cannot be read.
        """
        since = self._log.of(user_id, since=self._merged)
        if not since and user_id in self._model.users:
            return user_id
        rated = self._with(user_id, since)
        if not rated:
            raise UnknownUser(f"there is no user {user_id} here, or their ratings were taken back: rate something")
        return {movie_id: rating for movie_id, rating in rated.items() if movie_id in self._catalogue.ids}

    def rated(self, user_id: int) -> dict[int, float]:
        """All that a user rated by now, of movies that are there, by ascending movie id; empty for nobody.

        Raises:
            BadLibrary: what came in online cannot be read.
        """
        rated = self._with(user_id, self._log.of(user_id, since=self._merged))
        return {movie_id: rated[movie_id] for movie_id in sorted(rated) if movie_id in self._catalogue.ids}

    def predict(self, who: Who, movie_ids: Sequence[int]) -> list[Prediction]:
        """How they would rate each movie, in the order given.

        Raises:
            UnknownUser: the user has no ratings in the snapshot.
            UnknownMovie: one of the movies is not in the catalogue.
            NotComparable: one of them came in after the rating model was trained.
            InvalidInput: a stranger's rating is off the scale.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        return self._model.predict(self._rater(who), movie_ids)

    def recommend(self, who: Who, k: int = 10, *, where: MovieFilter | None = None) -> list[Prediction]:
        """The ``k`` movies that they have not rated and would pick next, likeliest first, with predicted ratings.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        allowed = self._catalogue.allowed(where) if where else None
        if self._catalogue is not self._base:
            rows = self._catalogue.ids.find(self._base.ids.values)
            allowed = (rows >= 0) if allowed is None else (rows >= 0) & allowed[rows]
        return self._model.recommend(self._rater(who), k, allowed=allowed)

    def explain(self, who: Who, movie_ids: Sequence[int]) -> list[Explanation]:
        """What each movie that they rated adds to the predictions for others, in the order given.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        return [self._named(each) for each in self._model.explain(self._rater(who), movie_ids)]

    def _named(self, explanation: Explanation) -> Explanation:
        """A removed movie is not named, but what it taught is still there."""
        named = tuple(part for part in explanation.contributions if part.movie_id in self._catalogue.ids)
        if len(named) == len(explanation.contributions):
            return explanation
        kept = sum(p.watched + p.rated for p in explanation.contributions if p.movie_id not in self._catalogue.ids)
        return replace(explanation, base=explanation.base + kept, contributions=named)

    def _with(self, user_id: int, since: dict[int, float | None]) -> dict[int, float]:
        """What a user rated before and since."""
        rated: dict[int, float | None] = {}
        if user_id in self._model.users:
            rows, values = self._model.rated(user_id)
            rated = dict(zip(self._base.ids.values[rows].tolist(), np.round(values, 6).tolist(), strict=True))
        return {movie_id: rating for movie_id, rating in (rated | since).items() if rating is not None}

    def _check_predictable(self, movie_id: int) -> None:
        movie = self._catalogue.movie(movie_id)
        if movie_id not in self._base.ids:
            raise NotComparable(f"{movie} (id {movie_id}) is new: its ratings can be predicted from the next build on")

    def _rater(self, who: Who) -> Who:
        """Ratings of movies that the model knows; a user as they are."""
        if isinstance(who, int):
            return who
        for movie_id in who:
            self._catalogue.movie(movie_id)
        return {movie_id: rating for movie_id, rating in who.items() if movie_id in self._base.ids}
