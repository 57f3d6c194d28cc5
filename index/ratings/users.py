"""Users of a snapshot, with the ratings added online since, and new users with a few ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import compress

import numpy as np

from index.catalogue.catalogue import Catalogue, MovieFilter
from index.core.arrays import Float32Array, Int64Array
from index.core.errors import NotComparable, UnknownUser
from index.library.rating_log import RatingLog
from index.ratings.diversity import diversify
from index.ratings.learned_ranker import RankExplanation
from index.ratings.model import Explanation, Prediction, RatingModel, UserOrRatings
from index.ratings.user_names import identify_user
from index.spaces.blend import Blend


class Users:
    """Predictions, recommendations and explanations for users. Immutable, so threads may share it.

    A user without changes since the build is given by id; a new user, or one with changes, by ratings, which are folded
    in. ``resolve`` returns one or the other. ``ids`` holds the users of the model, ``scale`` the lowest and the highest
    rating.

    Args:
        model: rating model of the snapshot.
        base: catalogue of the snapshot; the model's movie rows are its rows.
        catalogue: base catalogue with the library's changes.
        log: ratings added online.
        merged: number of the last library change the model was trained on.
        blend: of the spaces with the library's changes, for diverse lists.
    """

    def __init__(
        self, model: RatingModel, base: Catalogue, catalogue: Catalogue, log: RatingLog, merged: int, blend: Blend
    ) -> None:
        self.scale = model.scale
        self.ids = model.users
        self._model = model
        self._base = base
        self._catalogue = catalogue
        self._log = log
        self._merged = merged
        self._blend = blend

    @property
    def implicit(self) -> bool:
        """Return True if the data set has no ratings, only who watched what."""
        return self._model.implicit

    @property
    def has_names(self) -> bool:
        """Return True if some users of the data set have ids that are no numbers."""
        return self._model.names is not None

    def identify(self, user: int | str, *, new: bool = False) -> int:
        """Return the number of a user who is given by it, or by the data set's own id.

        Args:
            user: number or id.
            new: accept an id that is not known yet, for a user who adds the first rating.

        Raises:
            UnknownUser: the text is no id of a user.
            BadLibrary: the library cannot be read.
        """
        if isinstance(user, int):
            return user
        return identify_user(
            user, self._model.users, self._model.names, lambda number: new or bool(self._log.of(number))
        )

    def name(self, user_id: int) -> str | None:
        """Return the data set's own id of a user, if that is no number; None for a number or an unknown user."""
        if self._model.names is None or user_id not in self.ids:
            return None
        return self._model.names.name(self.ids.row(user_id))

    def resolve(self, user_id: int) -> UserOrRatings:
        """Return the user's merged ratings, or the id of a user without changes since the build.

        Call once per request, so that one response is consistent.

        Raises:
            UnknownUser: the user has no ratings.
            BadLibrary: the library cannot be read.
        """
        since = self._log.of(user_id, since=self._merged)
        if not since and user_id in self._model.users:
            return user_id
        rated = self._merge(user_id, since)
        if not rated:
            raise UnknownUser(f"there is no user {user_id} here, or all their ratings were deleted: add a rating")
        return {movie_id: rating for movie_id, rating in rated.items() if movie_id in self._catalogue.ids}

    def rated(self, user_id: int) -> dict[int, float]:
        """Return the user's merged ratings of current movies, by ascending movie id; empty for an unknown user.

        Raises:
            BadLibrary: the library cannot be read.
        """
        rated = self._merge(user_id, self._log.of(user_id, since=self._merged))
        return {movie_id: rated[movie_id] for movie_id in sorted(rated) if movie_id in self._catalogue.ids}

    def predict(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Prediction]:
        """Return the predicted rating of each movie, in the given order.

        Raises:
            UnknownUser: the user has no ratings in the snapshot.
            UnknownMovie: one of the movies is not in the catalogue.
            NotComparable: one of the movies was added after the rating model was trained.
            InvalidInput: a new user's rating is off the scale.
            NoPredictions: the data set has no ratings.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        return self._model.predict(self._without_new_movies(user), movie_ids)

    def recommend(
        self, user: UserOrRatings, k: int = 10, *, where: MovieFilter | None = None, diversity: float = 0
    ) -> list[Prediction]:
        """Return the ``k`` highest-ranked movies that the user has not rated, best first, with predicted ratings.

        Args:
            user: id, or ratings of a new user.
            k: number of movies.
            where: filter on the movies to return.
            diversity: 0 to 1: rank movies lower that are like those above them, by the blend (see ``diversify``).

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        allowed = self._catalogue.allowed(where) if where else None
        if self._catalogue is not self._base:
            rows = self._row_of_base
            allowed = (rows >= 0) if allowed is None else (rows >= 0) & allowed[rows]
        choose = (lambda rows: diversify(rows, k, diversity, self._likeness)) if diversity else None
        return self._model.recommend(self._without_new_movies(user), k, allowed=allowed, choose=choose)

    def explain_ranks(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[RankExplanation]:
        """Return the contributions of features to the rank of each movie; empty if the snapshot learned no ranking.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        return self._model.explain_ranks(self._without_new_movies(user), movie_ids)

    def _likeness(self, row: int, others: Int64Array) -> Float32Array:
        """Return the blended scores of a movie with others, (m,) rows of the snapshot."""
        rows = self._row_of_base
        return self._blend.scores_with(int(rows[row]), rows[others])

    def explain(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Explanation]:
        """Return the contributions of the rated movies to the prediction for each movie, in the given order.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        explanations = self._model.explain(self._without_new_movies(user), movie_ids)
        return [self._without_deleted_movies(each) for each in explanations]

    @cached_property
    def _row_of_base(self) -> Int64Array:
        """Row in the catalogue of each movie of the snapshot; -1 if it was deleted."""
        return self._catalogue.ids.find(self._base.ids.values)

    def _without_deleted_movies(self, explanation: Explanation) -> Explanation:
        """Move the contributions of deleted movies into the base."""
        parts = explanation.contributions
        known = self._catalogue.ids.find([part.movie_id for part in parts]) >= 0
        if known.all():
            return explanation
        kept = tuple(compress(parts, known.tolist()))
        moved = sum(part.watched + part.rated for part in compress(parts, (~known).tolist()))
        return replace(explanation, base=explanation.base + moved, contributions=kept)

    def _merge(self, user_id: int, since: dict[int, float | None]) -> dict[int, float]:
        """Return the training ratings of a user with later changes applied; None deletes a rating."""
        rated: dict[int, float | None] = {}
        if user_id in self._model.users:
            rows, values = self._model.rated(user_id)
            rated = dict(zip(self._base.ids.values[rows].tolist(), np.round(values, 6).tolist(), strict=True))
        return {movie_id: rating for movie_id, rating in (rated | since).items() if rating is not None}

    def _check_predictable(self, movie_id: int) -> None:
        movie = self._catalogue.movie(movie_id)
        if movie_id not in self._base.ids:
            raise NotComparable(f"{movie} (id {movie_id}) is new: its ratings can be predicted from the next build on")

    def _without_new_movies(self, user: UserOrRatings) -> UserOrRatings:
        """Drop ratings of movies added since the build, which the model does not contain."""
        if isinstance(user, int):
            return user
        for movie_id in user:
            self._catalogue.movie(movie_id)  # raises if unknown
        return {movie_id: rating for movie_id, rating in user.items() if movie_id in self._base.ids}
