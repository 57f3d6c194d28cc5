"""Users of a snapshot, with the ratings added online since, and new users with a few ratings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import compress, zip_longest

import numpy as np

from index.catalogue.catalogue import Catalogue, MovieFilter
from index.core.arrays import BoolArray, Float32Array, Int64Array
from index.core.errors import NotComparable, UnknownUser
from index.core.source_ids import FIRST_NAMED
from index.library.rating_log import RatingLog
from index.ratings.cold_start import ColdPredictions, own_share
from index.ratings.diversity import POOL as DIVERSE
from index.ratings.diversity import diversify
from index.ratings.group_ways import Lists, Together
from index.ratings.groups import POOL, GroupPick, Person, group_order
from index.ratings.learned_ranker import RankExplanation
from index.ratings.model import Contribution, Explanation, Prediction, RatingModel, UserOrRatings
from index.ratings.new_movies import NewMovies
from index.ratings.user_names import identify_user
from index.spaces.blend import Blend

_MOST_EVIDENCE = 2000  # rated and watched movies of someone new


class Users:
    """Predictions, recommendations and explanations for users. Immutable, so threads may share it.

    A user without changes since the build is given by id; a new user, or one with changes, by ratings, which are folded
    in. ``resolve`` returns one or the other. ``ids`` holds the users of the model, ``scale`` the lowest and the highest
    rating, ``new_movies`` predicts by content.

    Args:
        model: rating model of the snapshot.
        base: catalogue of the snapshot; the model's movie rows are its rows.
        catalogue: base catalogue with the library's changes.
        log: ratings added online.
        merged: number of the last library change the model was trained on.
        blend: of the spaces with the library's changes, for diverse lists.
        new_movies: for predictions by content; None in an older snapshot, where movies added since have none.
    """

    def __init__(
        self,
        model: RatingModel,
        base: Catalogue,
        catalogue: Catalogue,
        log: RatingLog,
        merged: int,
        blend: Blend,
        new_movies: NewMovies | None = None,
    ) -> None:
        self.scale = model.scale
        self.ids = model.users
        self._model = model
        self._base = base
        self._catalogue = catalogue
        self._log = log
        self._merged = merged
        self._blend = blend
        self.new_movies = new_movies

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
        """Return the name of a user, of the data set or of the first rating online; None for one without.

        Raises:
            BadLibrary: the library cannot be read.
        """
        if self._model.names is None or user_id < FIRST_NAMED:
            return None
        known = self._model.names.name(self.ids.row(user_id)) if user_id in self.ids else None
        return known or self._log.name(user_id)

    def new_name(self, user: int | str, user_id: int) -> str | None:
        """Return the name of a new user as given, to be kept with the first rating; None for a known one or a number.

        Args:
            user: as of ``identify``.
            user_id: its result.

        Raises:
            BadLibrary: the library cannot be read.
        """
        text = str(user).strip()
        given = self.has_names and user_id >= FIRST_NAMED and text != str(user_id)
        return text if given and self.name(user_id) is None else None

    def resolve(self, user_id: int) -> UserOrRatings:
        """Return the user's merged ratings, or the id of a user with the ratings of the build.

        Call once per request, so that one response is consistent.

        Raises:
            UnknownUser: the user has no ratings.
            BadLibrary: the library cannot be read.
        """
        since = self._log.of(user_id, since=self._merged)
        if not since and user_id in self._model.users:
            return user_id
        rated = self._merge(user_id, since)
        current = {movie_id: rating for movie_id, rating in rated.items() if movie_id in self._catalogue.ids}
        if not current:
            raise UnknownUser(f"there is no user {user_id} here, or all their ratings were deleted: add a rating")
        if user_id in self._model.users and rated == self._merge(user_id, {}):
            return user_id  # each change was taken back
        return current

    def rated(self, user_id: int) -> dict[int, float]:
        """Return the user's merged ratings of current movies, by ascending movie id; empty for an unknown user.

        Raises:
            BadLibrary: the library cannot be read.
        """
        rated = self._merge(user_id, self._log.of(user_id, since=self._merged))
        return {movie_id: rated[movie_id] for movie_id in sorted(rated) if movie_id in self._catalogue.ids}

    def changed(self, user_id: int) -> int | None:
        """Return the time of the latest change of a user's ratings online, in seconds since 1970; None without one.

        Raises:
            BadLibrary: the library cannot be read.
        """
        return self._log.changed(user_id)

    def predict(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Prediction]:
        """Return the predicted rating of each movie, in the given order.

        Raises:
            UnknownUser: the user has no ratings in the snapshot.
            UnknownMovie: one of the movies is not in the catalogue.
            NotComparable: one of the movies was added after the build, and the snapshot has no cold-start model.
            InvalidInput: a new user's rating is off the scale.
            NoPredictions: the data set has no ratings.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        return self._predict(self._without_new_movies(user), movie_ids)

    def recommend(
        self,
        user: UserOrRatings,
        k: int = 10,
        *,
        where: MovieFilter | None = None,
        diversity: float = 0,
        new: bool = False,
        watched: Sequence[int] = (),
    ) -> list[Prediction]:
        """Return the ``k`` highest-ranked movies that the user has not rated, best first, with predicted ratings.

        Args:
            user: id, or ratings of a new user.
            k: number of movies.
            where: filter on the movies to return.
            diversity: 0 to 1: rank movies lower that are like those above them, by the blend (see ``diversify``).
            new: return only movies without ratings in the snapshot, those added since among them. They follow the
                others in lists of movies that ``where`` names (``among``), and are in no other one.
            watched: ids of movies that the user watched and did not rate, the latest first. They are left out, and are
                evidence of what the user would watch, as in ``RatingModel.ranked``; unknown ones are ignored.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        allowed = self._allowed(where, watched)
        who = self._without_new_movies(user)
        if new:
            if self.new_movies is None:
                raise NotComparable("this snapshot has no model of movies without ratings: build it again")
            unrated = self._new_ones(user, who, max(k, DIVERSE) if diversity else k, allowed, watched)
            if diversity:
                rows = self._catalogue.ids.rows(unrated)
                alike = self._blend.percentiles_among(rows[:DIVERSE])
                unrated = self._catalogue.ids.values[diversify(rows, k, diversity, alike)].tolist()
            return self._model.unpredicted(unrated) if self.implicit else self._predict(who, unrated)
        choose = (lambda rows: diversify(rows, k, diversity, self._likeness(rows[:DIVERSE]))) if diversity else None
        ranked = self._model.ranked(
            who, k, allowed=self._in_base(allowed), choose=choose, watched=self._evidence(who, watched)
        )
        if where is not None and where.among is not None and len(ranked) < k:
            ranked += self._new_ones(user, who, k - len(ranked), allowed, watched, ranked)
        return self._model.unpredicted(ranked) if self.implicit else self._predict(who, ranked)

    def _new_ones(
        self,
        user: UserOrRatings,
        who: UserOrRatings,
        k: int,
        allowed: BoolArray | None,
        watched: Sequence[int],
        known: Sequence[int] = (),
    ) -> list[int]:
        """Return the ``k`` best movies without ratings in the snapshot, but for known ones; none in an older snapshot.

        Args:
            user: as in ``recommend``.
            who: the same without movies added since the build.
            k: number of movies.
            allowed: mask of catalogue rows; None for all.
            watched: as in ``recommend``.
            known: ids to leave out.
        """
        if self.new_movies is None:
            return []
        rated = self.rated(user) if isinstance(user, int) else user
        return self.new_movies.rank(who, k, allowed, [*rated, *known], self._evidence(who, watched))

    def recommend_together(
        self,
        people: Sequence[Person],
        k: int = 10,
        *,
        together: Together = "mean",
        where: MovieFilter | None = None,
        lists: Lists | None = None,
        seen: bool = False,
    ) -> list[GroupPick]:
        """Return the ``k`` best movies for several people together, with the predicted rating of each, best first.

        They are chosen from the ``POOL`` movies that each person would likeliest watch and like, and ordered by what
        all would give (see ``group_order``). In a data set without ratings the scores of the ranker count in place of
        ratings, standardised for each person.

        Args:
            people: two or more.
            k: number of movies.
            together: the order.
            where: filter on the movies to return.
            lists: only movies on any, or on all, of the people's watchlists; None for all movies.
            seen: return movies that some have rated or watched, too; False leaves out what any of them has.

        Raises:
            UnknownUser, UnknownMovie, InvalidInput: as in ``predict``.
        """
        rated = [self.rated(each.user) if isinstance(each.user, int) else each.user for each in people]
        known = [{*ratings, *person.watched} for ratings, person in zip(rated, people, strict=True)]
        where = self._for_group(where or MovieFilter(), people, known, lists, seen=seen)
        mask = self._catalogue.allowed(where)
        allowed = self._in_base(mask)
        who = [self._without_new_movies(each.user) for each in people]
        evidence = [self._evidence(user, each.watched) for user, each in zip(who, people, strict=True)]
        likely = [
            self._model.ranked(user, POOL, allowed=allowed, watched=watched)
            for user, watched in zip(who, evidence, strict=True)
        ]
        if where.among is not None and not self.implicit:
            for each, user, best in zip(people, who, likely, strict=True):
                best += self._new_ones(each.user, user, POOL - len(best), mask, each.watched, best)
        # First those that are first for someone, so that ties go to them.
        pool = list(dict.fromkeys(each for rank in zip_longest(*likely) for each in rank if each is not None))
        if not pool:
            return []
        if self.implicit:
            predictions = [self._model.unpredicted(pool)] * len(who)
            rows = self._base.ids.rows(pool)
            scores = [self._model.scores_of(*each)[rows] for each in zip(who, evidence, strict=True)]
            values = np.array([(each - each.mean()) / max(float(each.std()), 1e-9) for each in scores], np.float64)
        else:
            predictions = [self._predict(user, pool) for user in who]
            values = np.array(
                [
                    [ratings.get(each.movie_id, each.rating) for each in line]
                    for ratings, line in zip(rated, predictions, strict=True)
                ]
            )
        mean, least = (
            np.full(len(pool), np.nan) if self.implicit else found for found in (values.mean(0), values.min(0))
        )
        return [
            GroupPick(
                pool[at],
                float(mean[at]),
                float(least[at]),
                tuple(line[at] for line in predictions),
                tuple(ratings.get(pool[at]) for ratings in rated),
            )
            for at in group_order(values, together, k).tolist()
        ]

    def explain_ranks(
        self,
        user: UserOrRatings,
        movie_ids: Sequence[int],
        watched: Sequence[int] = (),
        *,
        where: MovieFilter | None = None,
        new: bool = False,
    ) -> dict[int, RankExplanation]:
        """Return the contributions of features to the ranks of the movies that the learned ranker orders, by movie id.

        The arguments are those of ``recommend``, and the movies are of its list.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        if new:
            return {}
        known = [movie_id for movie_id in movie_ids if movie_id in self._base.ids]
        who = self._without_new_movies(user)
        allowed = self._in_base(self._allowed(where, watched))
        return self._model.explain_ranks(who, known, self._evidence(who, watched), allowed)

    def _for_group(
        self, where: MovieFilter, people: Sequence[Person], known: list[set[int]], lists: Lists | None, *, seen: bool
    ) -> MovieFilter:
        """Return a filter that also leaves out what the people have seen, and what is not on their watchlists."""
        excluded = set.intersection(*known) if seen else set.union(*known)
        where = replace(where, exclude=(*where.exclude, *excluded))
        if lists is None:
            return where
        listed = [set(person.watchlist) for person in people]
        wanted = set.union(*listed) if lists == "any" else set.intersection(*listed)
        among = wanted if where.among is None else wanted & set(where.among)
        return replace(where, among=tuple(among))

    def _allowed(self, where: MovieFilter | None, watched: Sequence[int]) -> BoolArray | None:
        """Return the mask of catalogue rows that pass a filter and are not watched; None for all."""
        if watched:
            where = replace(where or MovieFilter(), exclude=(*(where.exclude if where else ()), *watched))
        return self._catalogue.allowed(where) if where else None

    def _in_base(self, allowed: BoolArray | None) -> BoolArray | None:
        """Return a mask of catalogue rows as a mask of the snapshot's rows, without movies deleted since."""
        if self._catalogue is self._base:
            return allowed
        if self._only_appended:
            return None if allowed is None else allowed[: len(self._base.ids)]
        rows = self._row_of_base
        return (rows >= 0) if allowed is None else (rows >= 0) & allowed[rows]

    def _evidence(self, user: UserOrRatings, watched: Sequence[int]) -> list[int]:
        """Return the watched movies that the snapshot has, the first ones: a ranker reads a row for each."""
        rated = 0 if isinstance(user, int) else len(user)
        return [each for each in watched if each in self._base.ids][: max(_MOST_EVIDENCE - rated, 0)]

    def _likeness(self, rows: Int64Array) -> Float32Array:
        """Return the percentiles of the blended scores of movies with each other, (m, m), by rows of the snapshot."""
        return self._blend.percentiles_among(self._row_of_base[rows])

    def explain(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Explanation]:
        """Return the contributions of the rated movies to the prediction for each movie, in the given order.

        Raises:
            UnknownUser, UnknownMovie, NotComparable, InvalidInput: as in ``predict``.
        """
        for movie_id in movie_ids:
            self._check_predictable(movie_id)
        explanations = self._explain(self._without_new_movies(user), movie_ids)
        return [self._without_deleted_movies(each) for each in explanations]

    def _predict(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Prediction]:
        """Return predictions by the rating model and by content, each with its share."""
        new_movies = self.new_movies
        if new_movies is None:
            return self._model.predict(user, movie_ids)
        self._model.check_predicts()
        if not movie_ids:
            return []
        share = own_share(new_movies.counts(movie_ids))
        own = np.zeros((2, share.size))
        known = np.flatnonzero(share)
        # Of no movie, too, for its errors.
        own[:, known] = self._model.moments(user, [movie_ids[at] for at in known.tolist()])
        found = self._by_content(new_movies, user, movie_ids)
        mean, variance = share * own + (1 - share) * np.array([found.mean, found.variance])
        return self._model.predictions(movie_ids, mean, variance)

    def _explain(self, user: UserOrRatings, movie_ids: Sequence[int]) -> list[Explanation]:
        """Return the predictions of ``_predict`` as sums."""
        new_movies = self.new_movies
        if new_movies is None:
            return self._model.explain(user, movie_ids)
        shares = own_share(new_movies.counts(movie_ids)).tolist()
        known = [movie_id for movie_id, share in zip(movie_ids, shares, strict=True) if share]
        own = {each.movie_id: each for each in self._model.explain(user, known)}
        if not movie_ids:
            return []
        found = self._by_content(new_movies, user, movie_ids)
        by_rated, rated = found.by_rated, self._rated_by(user)
        explained = []
        for at, (movie_id, share) in enumerate(zip(movie_ids, shares, strict=True)):
            content = 1 - share
            by_content = content * by_rated[at]
            before = own.get(movie_id) or Explanation(movie_id, 0.0, 0.0, ())
            watched = {part.movie_id: (share * part.watched, share * part.rated) for part in before.contributions}
            contributions = []
            for (rated_id, given), more in zip(rated, by_content.tolist(), strict=True):
                of_watched, of_rated = watched.get(rated_id, (0.0, 0.0))
                contributions.append(Contribution(rated_id, given, of_watched, of_rated + more))
            contributions.sort(key=lambda part: -abs(part.watched + part.rated))
            rating = share * before.rating + content * float(found.mean[at])
            base = share * before.base + content * float(found.mean[at]) - float(by_content.sum())
            explained.append(Explanation(movie_id, rating, base, tuple(contributions), found.parts(at, content)))
        return explained

    def _by_content(self, new_movies: NewMovies, user: UserOrRatings, movie_ids: Sequence[int]) -> ColdPredictions:
        content, ratings = new_movies.content(movie_ids), new_movies.ratings(movie_ids)
        return new_movies.cold.predict(new_movies.user(user), content, ratings)

    def _rated_by(self, user: UserOrRatings) -> list[tuple[int, float]]:
        """Return the movies that a user rated and the ratings, in the order of the cold-start model's rated movies."""
        if not isinstance(user, int):
            return list(user.items())
        rows, values = self._model.rated(user)
        return list(zip(self._base.ids.values[rows].tolist(), values.tolist(), strict=True))

    @cached_property
    def _only_appended(self) -> bool:
        """True if the snapshot's movies are the catalogue's first rows, so that masks need no look-up of every id."""
        return self._catalogue.ids.after(self._base.ids) is not None

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
        if self.new_movies is None and movie_id not in self._base.ids:
            raise NotComparable(f"{movie} (id {movie_id}) is new: its ratings can be predicted from the next build on")

    def _without_new_movies(self, user: UserOrRatings) -> UserOrRatings:
        """Drop ratings of movies added since the build, which the model does not contain."""
        if isinstance(user, int):
            return user
        for movie_id in user:
            self._catalogue.movie(movie_id)  # raises if unknown
        return {movie_id: rating for movie_id, rating in user.items() if movie_id in self._base.ids}
