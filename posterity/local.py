"""The local index: the methods of ``MovieService``, answered from a data directory without a server."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, overload

from typing_extensions import Unpack, override

from index.answers.additions import add_rows
from index.answers.imports import import_export, present_import
from index.answers.schemas import AddedAnswer, BlendAnswer, ImportAnswer, LookAnswer, MovieAnswer, TasteAnswer
from index.answers.serialize import (
    add_explanations,
    add_rankings,
    explained_matches,
    present_blend,
    present_group,
    present_look,
    present_matches,
    present_movie,
    present_predictions,
    present_taste,
    provenance,
)
from index.core.errors import BadImage, NotComparable, PosterityError, UnknownMovie, UnknownUser
from index.library.checks import existing
from index.library.entries import Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from index.posters.images import ENCODERS, decode_image, read_image
from index.publication.state import check_not_following
from index.ratings.model import Prediction, UserOrRatings
from index.spaces.space import Match
from posterity import arguments
from posterity.arguments import Json
from posterity.checks import checked, number_of_user, resolved_user
from posterity.following import Following
from posterity.interface import (
    By,
    Export,
    Filters,
    Format,
    Lists,
    MovieId,
    MovieService,
    MovieUpdate,
    NewMovie,
    Person,
    Ratings,
    Together,
    UserId,
    Width,
)
from posterity.results import GroupPicks, Matches, Movies, Predictions
from server.api.changes import MovieBody, MoviePatch, MoviesBody, NewMovieBody, RatingBody
from server.api.people import GroupBody, RatingsBody, group_picks, people_of
from server.api.requests import (
    BatchBody,
    DistinctQuery,
    ExplanationQuery,
    PosterQuery,
    PredictionsBody,
    RecommendationsBody,
    SearchQuery,
    SimilarBody,
    SimilarQuery,
    check_rating,
    identified,
    rated,
)

__all__ = ["Index"]

_CONTRIBUTIONS = 10  # named in an explanation, as by the server
_THUMBNAIL: Width = 120


class Index(MovieService):
    """The current snapshot of a data directory with its library, as a server would answer from it.

    Every call includes all movies and ratings added, updated and deleted so far, by any process. A newly published
    snapshot is opened by the first call after it; if it is damaged, the one before it is used on.

    Args:
        data: the data directory.
        snapshot: id of a snapshot to stay at; None for the current one.
        search: address of the Milvus that has the vectors; empty for none.

    Raises:
        UnknownSnapshot: there is no such snapshot, or none at all.
        BadSnapshot: a file of it is missing or damaged.
        BadLibrary: the library cannot be read.
    """

    def __init__(self, data: Path, snapshot: str | None = None, search: str = "") -> None:
        self._data = data
        self._library = Library.open(data)
        self._ratings = RatingLog(self._library.database)
        self._following = Following(data, snapshot, search)
        self._current = self._following.index
        self._embedding = Lock()  # one image at a time: each fills the processor

    def __repr__(self) -> str:
        """Return the class, the data directory and the snapshot."""
        return f"Index({str(self._data)!r}, snapshot={self._following.snapshot_id!r})"

    @override
    def movies(
        self,
        q: str | None = None,
        *,
        limit: int = 10,
        offset: int = 0,
        after: int | None = None,
        owned: bool | None = None,
    ) -> Movies:
        query = checked(SearchQuery, arguments.listed(q, limit, offset, after, owned))
        index = self._current()
        owned = query.known_owned(index.catalogue)
        if query.q is None:
            found = index.catalogue.listed(query.limit, query.offset, after=query.after, owned=owned)
        else:
            found = index.catalogue.search(query.q, query.limit, query.offset, owned=owned)
        return Movies((present_movie(index, movie) for movie in found), self._thumbnail)

    @override
    def all_movies(self) -> Iterator[MovieAnswer]:
        index = self._current()
        for movie in index.catalogue.movies:
            yield present_movie(index, movie)

    @override
    def movie(self, movie: MovieId) -> MovieAnswer:
        index = self._current()
        return present_movie(index, index.catalogue.identify(arguments.movie(movie)))

    @override
    def poster(self, movie: MovieId, *, width: Width | None = None, format: Format | None = None) -> bytes:
        wanted = checked(PosterQuery, arguments.small(width, format))
        index = self._current()
        found = index.catalogue.identify(arguments.movie(movie))
        file = index.poster(found.movie_id)
        try:
            if wanted.width is None:
                return file.read_bytes()
            return ENCODERS[wanted.format or "webp"](decode_image(read_image(file)), wanted.width)
        except (BadImage, OSError) as error:
            raise NotComparable(f"the poster of {found} (id {found.movie_id}) can no longer be read") from error

    @override
    def similar(
        self,
        movie: MovieId,
        *,
        by: By = "blend",
        weights: Mapping[str, float] | None = None,
        distinct: bool = False,
        explain: bool = False,
        **filters: Unpack[Filters],
    ) -> Matches:
        values = arguments.neighbours(by, weights, distinct, filters)
        query = checked(SimilarQuery, values | {"explain": arguments.flag("explain", explain)})
        index = self._current()
        movie_id = index.catalogue.identify(arguments.movie(movie)).movie_id
        where, _ = query.where(index.catalogue)
        k = query.offset + query.limit
        found = index.similar(movie_id, k, by=query.by, where=where, weights=query.weighed, distinct=query.distinct)[
            query.offset :
        ]
        if query.explain:
            return Matches(explained_matches(index, movie_id, found, query.by, query.weighed), self._thumbnail)
        return self._matches(index, found)

    @override
    def similar_to(
        self,
        like: Iterable[MovieId],
        *,
        unlike: Iterable[MovieId] = (),
        by: By = "blend",
        weights: Mapping[str, float] | None = None,
        distinct: bool = False,
        **filters: Unpack[Filters],
    ) -> Matches:
        values = arguments.neighbours(by, weights, distinct, filters)
        sides = {"like": arguments.movie_ids("like", like), "unlike": arguments.movie_ids("unlike", unlike)}
        body = checked(SimilarBody, values | sides)
        index = self._current()
        where, _ = body.where(index.catalogue)
        liked, _ = identified(body.like, index.catalogue)
        disliked, _ = identified(body.unlike, index.catalogue)
        if not liked:
            raise UnknownMovie(f"like: no movie here has the id {', '.join(body.like)}")
        k = body.offset + body.limit
        found = index.similar_to(
            liked, disliked, k, by=body.by, where=where, weights=body.weighed, distinct=body.distinct
        )
        return self._matches(index, found[body.offset :])

    @override
    def similar_to_each(
        self,
        movies: Iterable[MovieId],
        *,
        by: By = "blend",
        weights: Mapping[str, float] | None = None,
        distinct: bool = False,
        **filters: Unpack[Filters],
    ) -> dict[int, Matches]:
        values = arguments.neighbours(by, weights, distinct, filters)
        body = checked(BatchBody, values | {"movies": arguments.movie_ids("movies", movies)})
        index = self._current()
        where, _ = body.where(index.catalogue)
        wanted, _ = identified(body.movies, index.catalogue)
        k = body.offset + body.limit
        results = {}
        for movie_id in wanted:
            try:
                found = index.similar(
                    movie_id, k, by=body.by, where=where, weights=body.weighed, distinct=body.distinct
                )
            except NotComparable:
                continue
            results[movie_id] = self._matches(index, found[body.offset :])
        return results

    @override
    def similar_to_poster(
        self,
        image: bytes,
        *,
        distinct: bool = False,
        **filters: Unpack[Filters],
    ) -> Matches:
        values = arguments.filters(filters)
        query = checked(DistinctQuery, values | arguments.distinct(distinct))
        content = arguments.content("image", image)
        index = self._current()
        where, _ = query.where(index.catalogue)
        with self._embedding:
            found = index.similar_to_poster(content, query.offset + query.limit, where=where, distinct=query.distinct)
        return self._matches(index, found[query.offset :])

    @overload
    def explain(self, movie: MovieId, other: MovieId, *, by: Literal["poster"] = "poster") -> LookAnswer: ...

    @overload
    def explain(self, movie: MovieId, other: MovieId, *, by: Literal["taste"]) -> TasteAnswer: ...

    @overload
    def explain(
        self, movie: MovieId, other: MovieId, *, by: Literal["blend"], weights: Mapping[str, float] | None = None
    ) -> BlendAnswer: ...

    @override
    def explain(
        self,
        movie: MovieId,
        other: MovieId,
        *,
        by: Literal["poster", "taste", "blend"] = "poster",
        weights: Mapping[str, float] | None = None,
    ) -> LookAnswer | TasteAnswer | BlendAnswer:
        query = checked(ExplanationQuery, arguments.comparison(by, weights))
        index = self._current()
        first, second = (index.catalogue.identify(arguments.movie(each)).movie_id for each in (movie, other))
        if query.by == "taste":
            return present_taste(index.explainer.taste(first, second))
        if query.by == "blend":
            (blend,) = index.explain_blend(first, [second], query.weighed)
            return present_blend(blend)
        return present_look(index.explainer.look(first, second))

    @override
    def predict(self, user: UserId | Ratings, movies: Iterable[MovieId], *, explain: bool = False) -> Predictions:
        values: Json = {
            "movies": arguments.movie_ids("movies", movies),
            "explain": arguments.flag("explain", explain),
        }
        body = checked(PredictionsBody, arguments.user_or_ratings(user) | values)
        index = self._current()
        wanted, _ = identified(body.movies, index.catalogue)
        resolved = resolved_user(index, body)
        return self._predictions(index, resolved, index.users.predict(resolved, wanted), explain=body.explain)

    @override
    def recommend(
        self,
        user: UserId | Ratings,
        *,
        explain: bool = False,
        diversity: float = 0,
        new: bool = False,
        watched: Iterable[MovieId] = (),
        **filters: Unpack[Filters],
    ) -> Predictions:
        values = arguments.filters(filters)
        flags = arguments.recommended(explain, diversity, new, watched)
        body = checked(RecommendationsBody, arguments.user_or_ratings(user) | values | flags)
        index = self._current()
        where, _ = body.where(index.catalogue)
        resolved = resolved_user(index, body)
        unrated, _ = identified(body.watched, index.catalogue)
        k = body.offset + body.limit
        found = index.users.recommend(
            resolved, k, where=where, diversity=body.diversity, new=body.new, watched=unrated
        )[body.offset :]
        shown = self._predictions(index, resolved, found, explain=body.explain)
        if body.explain:
            add_rankings(index, resolved, shown, _CONTRIBUTIONS, unrated, where=where, new=body.new)
        return shown

    @override
    def recommend_together(
        self,
        people: Iterable[Person | UserId | Ratings],
        *,
        together: Together = "mean",
        watchlist: Lists | None = None,
        seen: bool = False,
        **filters: Unpack[Filters],
    ) -> GroupPicks:
        body = checked(GroupBody, arguments.group(people, together, watchlist, seen, filters))
        index = self._current()
        group, _ = people_of(index, body.members)
        return GroupPicks(present_group(index, group_picks(index, group, body)[0]), self._thumbnail)

    @override
    def import_ratings(self, export: Export, *, name: str = "") -> ImportAnswer:
        content, name = arguments.export(export, name)
        index = self._current()
        return present_import(index, import_export(index, content, name))

    @override
    def rated(self, user_id: UserId) -> dict[int, float]:
        index = self._current()
        rated = index.users.rated(number_of_user(index, user_id))
        if not rated:
            raise UnknownUser(f"there is no user {user_id} here, or all their ratings were deleted: add a rating")
        return rated

    @override
    def snapshot(self) -> dict[str, Any]:
        index = self._current()
        manifest: dict[str, Any] = json.loads(json.dumps(index.manifest.to_json() | provenance(index)))
        del manifest["files"]
        return manifest

    @override
    def add_movie(
        self,
        title: str,
        *,
        year: int | None = None,
        genres: Iterable[str] = (),
        imdb_id: str | None = None,
        tmdb_id: int | None = None,
        poster: bytes | None = None,
        id: int | str | None = None,
    ) -> MovieAnswer:
        body = checked(NewMovieBody, arguments.metadata(title, year, genres, imdb_id, tmdb_id) | arguments.own_id(id))
        row, index = body.row(), self._index_to_change()
        picture = self._embedded(index, poster)
        movie_id = self._library.add(row.movie, picture, own_id=row.own_id, catalogue=index.catalogue)
        return self.movie(movie_id)

    @override
    def add_movies(self, movies: Iterable[NewMovie], *, update: bool = False) -> list[AddedAnswer]:
        added: list[AddedAnswer] = []
        for each in arguments.batches(movies, update):
            body, index = checked(MoviesBody, each), self._index_to_change()
            added += add_rows(index, self._library, body.rows(), update=body.update, first=len(added))
        return added

    @override
    def replace_movie(
        self,
        movie: MovieId,
        title: str,
        *,
        year: int | None = None,
        genres: Iterable[str] = (),
        imdb_id: str | None = None,
        tmdb_id: int | None = None,
        poster: bytes | None = None,
    ) -> MovieAnswer:
        body = checked(MovieBody, arguments.metadata(title, year, genres, imdb_id, tmdb_id))
        index = self._index_to_change()
        movie_id = self._library.known_id(index.catalogue, arguments.movie(movie))
        self._library.put(body.movie(movie_id), self._embedded(index, poster), catalogue=index.catalogue)
        return self.movie(movie_id)

    @override
    def update_movie(self, movie: MovieId, **changes: Unpack[MovieUpdate]) -> MovieAnswer:
        body = checked(MoviePatch, arguments.update(changes))
        index = self._index_to_change()
        movie_id = index.catalogue.identify(arguments.movie(movie)).movie_id
        self._library.edit(movie_id, body.applied_to, catalogue=index.catalogue)
        return self.movie(movie_id)

    @override
    def replace_poster(self, movie: MovieId, poster: bytes) -> MovieAnswer:
        index = self._index_to_change()
        movie_id = index.catalogue.identify(arguments.movie(movie)).movie_id
        picture = self._embedded(index, arguments.content("poster", poster))
        self._library.edit(movie_id, existing, picture, catalogue=index.catalogue)
        return self.movie(movie_id)

    @override
    def delete_movie(self, movie: MovieId) -> None:
        self._library.remove(self._library.known_id(self._index_to_change().catalogue, arguments.movie(movie)))

    @override
    def rate(self, user_id: UserId, movie: MovieId, rating: float) -> None:
        body = checked(RatingBody, {"rating": arguments.real("rating", rating)})
        index = self._index_to_change()
        found = index.catalogue.identify(arguments.movie(movie))
        check_rating(body.rating, index.users.scale)
        number = number_of_user(index, user_id, new=True)
        name = index.users.new_name(user_id, number)
        self._ratings.put(number, found.movie_id, body.rating, name=name)

    @override
    def rate_all(self, user_id: UserId, ratings: Ratings) -> list[str]:
        body = checked(RatingsBody, arguments.several_ratings(ratings))
        index = self._index_to_change()
        known, ignored = rated(body.ratings, index.catalogue, index.users.scale)
        number = number_of_user(index, user_id, new=True)
        self._ratings.put_all(number, known, name=index.users.new_name(user_id, number))
        return ignored

    @override
    def delete_ratings(self, user_id: UserId) -> None:
        index = self._index_to_change()
        number = number_of_user(index, user_id, new=True)
        self._ratings.remove_all(number, index.users.rated(number))

    @override
    def delete_rating(self, user_id: UserId, movie: MovieId) -> None:
        index = self._index_to_change()
        found = index.catalogue.identify(arguments.movie(movie))
        self._ratings.remove(number_of_user(index, user_id, new=True), found.movie_id)

    @override
    def close(self) -> None:
        self._following.close()

    def _index_to_change(self) -> MovieIndex:
        """Return the index as it is now, unless changes are made elsewhere.

        Raises:
            InvalidInput: the data directory follows a storage.
        """
        check_not_following(self._data)
        return self._current()

    def _embedded(self, index: MovieIndex, poster: bytes | None) -> Poster | None:
        if poster is None:
            return None
        with self._embedding:
            return index.prepared(arguments.content("poster", poster))

    def _matches(self, index: MovieIndex, found: Iterable[Match]) -> Matches:
        return Matches(present_matches(index, found), self._thumbnail)

    def _predictions(
        self, index: MovieIndex, user: UserOrRatings, found: Sequence[Prediction], *, explain: bool
    ) -> Predictions:
        shown = present_predictions(index, found)
        if explain:
            add_explanations(index, user, shown, _CONTRIBUTIONS)
        return Predictions(shown, self._thumbnail)

    def _thumbnail(self, movie_id: int) -> str | None:
        try:
            content = self.poster(movie_id, width=_THUMBNAIL)
        except PosterityError:  # deleted since, or closed
            return None
        return f"data:image/webp;base64,{b64encode(content).decode()}"
