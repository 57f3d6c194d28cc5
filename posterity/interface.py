"""The interface that an index and a client share: the same methods, keyword arguments and results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias, overload, runtime_checkable

from typing_extensions import TypedDict, Unpack

from index.answers.schemas import AddedAnswer, BlendAnswer, ImportAnswer, LookAnswer, MovieAnswer, TasteAnswer
from index.ratings.group_ways import Lists, Together
from posterity.results import GroupPicks, Matches, Movies, Predictions

__all__ = [
    "By",
    "Export",
    "Filters",
    "Format",
    "Lists",
    "MovieId",
    "MovieService",
    "MovieUpdate",
    "NewMovie",
    "Person",
    "Ratings",
    "Together",
    "UserId",
    "Width",
]

_MOST_RATINGS = 2000  # of someone new

MovieId: TypeAlias = int | str  # 6, "imdb:tt0113277", "tmdb:949", or the data set's own "B000EXAMPL"
UserId: TypeAlias = int | str  # 1, or the data set's own "maria"
Ratings: TypeAlias = Mapping[int, float] | Mapping[str, float] | Mapping[MovieId, float]  # movie -> rating
Export: TypeAlias = bytes | str | PathLike[str]  # content of a file, or its path
By: TypeAlias = Literal["poster", "taste", "facts", "blend"]
Width: TypeAlias = Literal[120, 240, 360, 480]  # pixels
Format: TypeAlias = Literal["webp", "jpeg"]


@dataclass(frozen=True, slots=True)
class Person:
    """A member of a group.

    Args:
        user: id of a user, or ratings by movie of someone new.
        watched: movies that were watched and not rated, up to 10,000.
        watchlist: movies to watch, up to 10,000.
    """

    user: UserId | Ratings
    watched: Iterable[MovieId] = ()
    watchlist: Iterable[MovieId] = ()

    @classmethod
    def of(cls, found: ImportAnswer) -> Person:
        """Return the person whose export was imported, by certain matches; of ratings the latest 2,000."""
        rated, watched, watchlist = (
            {each["movie"]["movie_id"]: each["rating"] for each in found[name]}
            for name in ("matched", "watched", "watchlist")
        )
        ratings = {movie_id: rating for movie_id, rating in rated.items() if rating is not None}
        return cls(
            dict(islice(ratings.items(), _MOST_RATINGS)), [*watched, *list(ratings)[_MOST_RATINGS:]], [*watchlist]
        )


class Filters(TypedDict, total=False):
    """Keyword arguments that filter a list of movies by rank: see ``MovieService``."""

    limit: int
    offset: int
    genre: str | Iterable[str]
    year_from: int | None
    year_to: int | None
    exclude: Iterable[MovieId]
    among: Iterable[MovieId] | None
    owned: bool | None


class MovieUpdate(TypedDict, total=False):
    """Changes of a movie's metadata: omitted members stay, None deletes."""

    title: str
    year: int | None
    genres: Iterable[str] | None
    imdb_id: str | None
    tmdb_id: int | None


class NewMovie(TypedDict, total=False):
    """A movie to add; it needs a title."""

    id: int | str  # one's own
    title: str
    year: int | None
    genres: Iterable[str] | None
    imdb_id: str | None
    tmdb_id: int | None


@runtime_checkable
class MovieService(Protocol):
    """Similarity, predictions and recommendations from a snapshot. Threads may share it.

    A movie is given as its number, ``"imdb:tt0113277"``, ``"tmdb:949"`` or the data set's own id; a user as a number or
    the data set's own id. Keyword arguments of several methods:

        limit: number of results at most, 1 to 100.
        offset: number of results to skip: up to 10,000 of titles, up to 500 of a list by rank.
        genre: only movies that have all these genres; a single one may be given as it is.
        year_from, year_to: only movies of these years, both included.
        exclude: leave out these movies, up to 10,000.
        among: only these movies, 1 to 10,000; None for all.
        owned: only movies of one's shelf, or with False only others; None for all. The catalogue must tell them.
        filters: ``limit``, ``offset``, ``genre``, ``year_from``, ``year_to``, ``exclude``, ``among`` and ``owned``.
        by: the space to compare in, or the blend of all.
        distinct: list movies with the same picture as poster once: the best match, with the number of its ``copies``.
        weights: weight of each space in the blend, 0 to 1000; None for the snapshot's own.
        poster, image: content of a JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC file of at most 10 MiB.

    Unknown ids in ``exclude``, ``among`` and other lists of movies are ignored. The methods raise the errors listed in
    ``posterity.errors`` and no others. ``InvalidInput`` and those about connections or files may come from any method.
    """

    def movies(
        self,
        q: str | None = None,
        *,
        limit: int = 10,
        offset: int = 0,
        after: int | None = None,
        owned: bool | None = None,
    ) -> Movies:
        """Search titles for words or their beginnings, best match first; without ``q`` list movies by ascending id.

        With ``after``, instead of ``q`` and ``offset``, the list has the movies with larger ids than this one.
        """

    def all_movies(self) -> Iterator[MovieAnswer]:
        """Yield every movie by ascending id.

        If movies are added or deleted meanwhile, each is yielded at most once, and each that stays is yielded.
        """

    def movie(self, movie: MovieId) -> MovieAnswer:
        """Return a movie's metadata.

        Raises:
            NotFound: there is no such movie.
        """

    def poster(self, movie: MovieId, *, width: Width | None = None, format: Format | None = None) -> bytes:  # noqa: A002
        """Return the content of a movie's poster file, or a thumbnail of at most ``width`` pixels across.

        A thumbnail is a WebP by default.

        Raises:
            InvalidCombination: a format without a width.
            NotFound: there is no such movie.
            NotComparable: it has no poster.
        """

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
        """Return the nearest neighbours of a movie, most similar first.

        With ``explain`` each match has its explanation, as ``explain`` returns it; by poster or blend only.

        Raises:
            NotFound: there is no such movie or space.
            NotComparable: the movie has no vector in the space.
        """

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
        """Return the movies most similar to several and least similar to others. None of these is among them.

        ``like`` has 1 to 100 movies, ``unlike`` up to 100.

        Raises:
            NotFound: all ids in ``like`` are unknown, or there is no such space.
            NotComparable: a movie has no vector in the space.
        """

    def similar_to_each(
        self,
        movies: Iterable[MovieId],
        *,
        by: By = "blend",
        weights: Mapping[str, float] | None = None,
        distinct: bool = False,
        **filters: Unpack[Filters],
    ) -> dict[int, Matches]:
        """Return the nearest neighbours of each of several movies by movie id, in the order given.

        ``movies`` has 1 to 100 movies. Movies without a vector in the space are left out, like unknown ones.
        """

    def similar_to_poster(
        self,
        image: bytes,
        *,
        distinct: bool = False,
        **filters: Unpack[Filters],
    ) -> Matches:
        """Return the movies whose posters are most similar to an image. Nothing is stored.

        Raises:
            InvalidInput: the bytes are no image, or no usable one.
            NotFound: the snapshot has no poster space.
        """

    @overload
    def explain(self, movie: MovieId, other: MovieId, *, by: Literal["poster"] = "poster") -> LookAnswer: ...

    @overload
    def explain(self, movie: MovieId, other: MovieId, *, by: Literal["taste"]) -> TasteAnswer: ...

    @overload
    def explain(
        self, movie: MovieId, other: MovieId, *, by: Literal["blend"], weights: Mapping[str, float] | None = None
    ) -> BlendAnswer: ...

    def explain(
        self,
        movie: MovieId,
        other: MovieId,
        *,
        by: Literal["poster", "taste", "blend"] = "poster",
        weights: Mapping[str, float] | None = None,
    ) -> LookAnswer | TasteAnswer | BlendAnswer:
        """Explain the similarity of two movies: their posters part by part, how many users like both, or a blend.

        The contributions of the spaces to a blended score add up to it. Only a blend has ``weights``.

        Raises:
            NotFound: there is no such movie or space.
            NotComparable: a movie has no poster, or no ratings; or they share no space of the blend.
        """

    def predict(self, user: UserId | Ratings, movies: Iterable[MovieId], *, explain: bool = False) -> Predictions:
        """Predict the ratings of 1 to 100 movies with their 80% interval, in the order given.

        ``user`` is the id of a user, or up to 2,000 ratings by movie of someone new, which are not stored. With
        ``explain`` each prediction has the contribution of every rated movie.

        Raises:
            NotFound: there is no such user, or the data set has no ratings, only who watched what.
            NotComparable: a movie was added after the build, and the snapshot is of an earlier version, without a model
                of movies without ratings.
        """

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
        """Recommend movies that a user has not rated, best first, with predicted ratings. ``user``: see ``predict``.

        The predicted ratings are None if the data set has no ratings, only who watched what. ``diversity``, 0 to 1,
        ranks movies lower that are like those above them. With ``new``, return only movies without ratings in the
        snapshot, added ones among them. ``explain`` adds the contributions to each rating, and those to each rank if
        the snapshot learned to rank. ``watched`` are up to 10,000 movies that the user watched and did not rate, the
        latest first: they are left out, and the ranker takes them for liked; predicted ratings do not depend on them.

        Raises:
            NotFound: there is no such user.
        """

    def recommend_together(
        self,
        people: Iterable[Person | UserId | Ratings],
        *,
        together: Together = "mean",
        watchlist: Lists | None = None,
        seen: bool = False,
        **filters: Unpack[Filters],
    ) -> GroupPicks:
        """Recommend movies to 2 to 10 people together, best first, with the predicted rating of each.

        The list is chosen from the 200 movies that each would likeliest watch and like. ``together`` orders it by the
        ``"mean"`` of what all would give, by the lowest (``"least-misery"``), or so that in any beginning of the list
        all are equally served (``"fair"``). ``watchlist`` returns only movies on ``"any"`` or on ``"all"`` of their
        watchlists. Movies that any of them rated or watched are left out; with ``seen`` only those that all did, and a
        rating that a person gave counts in place of the predicted one.

        Raises:
            NotFound: there is no such user.
        """

    def import_ratings(self, export: Export, *, name: str = "") -> ImportAnswer:
        """Read an export of ratings, match it with the catalogue and return both. Nothing is stored.

        ``export`` is a file of Letterboxd, IMDb, Trakt, MovieLens, TMDB or Simkl, or a table of titles or ids and
        ratings: its path, or its content as bytes with its ``name``. It has at most 50 MiB. The ratings of ``matched``
        are on the scale of the snapshot: give them to ``recommend`` by movie id, and ``watched`` to its ``exclude``.
        """

    def rated(self, user_id: UserId) -> dict[int, float]:
        """Return every rating of a user by ascending movie id.

        Raises:
            NotFound: there is no such user.
        """

    def snapshot(self) -> dict[str, Any]:
        """Return the manifest of the snapshot: its inputs, settings and evaluation."""

    def add_movie(
        self,
        title: str,
        *,
        year: int | None = None,
        genres: Iterable[str] = (),
        imdb_id: str | None = None,
        tmdb_id: int | None = None,
        poster: bytes | None = None,
        id: int | str | None = None,  # noqa: A002  as in ``NewMovie``
    ) -> MovieAnswer:
        """Add a movie to the library and return it with its new id.

        ``title`` is without the year, ``genres`` are as the data set writes them, ``imdb_id`` is such as ``tt0113277``,
        ``id`` is one of your own, a number or a text.

        Raises:
            Conflict: another movie has one of the ids.
        """

    def add_movies(self, movies: Iterable[NewMovie], *, update: bool = False) -> list[AddedAnswer]:
        """Add any number of movies without posters, 1,000 at a time; return the outcome of each, in the order given.

        A movie is here already if its own ``id`` is, its IMDb or TMDB id, or, without different ids, its title with its
        year; then nothing changes, unless ``update`` replaces its metadata. So the call may be repeated. A movie that
        is refused is returned with the reason, and costs no other.
        """

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
        """Replace a movie's metadata, or add a deleted one again. Its ratings stay, and its poster if none is given.

        Raises:
            NotFound: there is no such movie, and never was.
            Conflict: another movie has the IMDb or TMDB id.
        """

    def update_movie(self, movie: MovieId, **changes: Unpack[MovieUpdate]) -> MovieAnswer:
        """Change some of a movie's metadata: ``title``, ``year``, ``genres``, ``imdb_id`` or ``tmdb_id``.

        Those not given stay as they are, None deletes one; a movie always has a title.

        Raises:
            NotFound: there is no such movie.
            Conflict: another movie has the IMDb or TMDB id.
        """

    def replace_poster(self, movie: MovieId, poster: bytes) -> MovieAnswer:
        """Replace a movie's poster.

        Raises:
            NotFound: there is no such movie.
        """

    def delete_movie(self, movie: MovieId) -> None:
        """Delete a movie with its ratings. A deleted movie may be deleted again by its number.

        Raises:
            NotFound: there is no such movie, and never was.
        """

    def rate(self, user_id: UserId, movie: MovieId, rating: float) -> None:
        """Store a user's rating of a movie, on the scale of the data set. A new ``user_id`` is a new user.

        Anyone may read it from a server, by the user's id, unless the server runs with ``--user-keys``.

        Raises:
            NotFound: there is no such movie.
        """

    def rate_all(self, user_id: UserId, ratings: Ratings) -> list[str]:
        """Store 1 to 10,000 ratings of a user, all or none, as ``rate`` does; return the ids that no movie has."""

    def delete_ratings(self, user_id: UserId) -> None:
        """Delete all ratings of a user, those of the data set, too. Deleting them again changes nothing."""

    def delete_rating(self, user_id: UserId, movie: MovieId) -> None:
        """Delete a user's rating of a movie, if there is one.

        Raises:
            NotFound: there is no such movie.
        """

    def close(self) -> None:
        """Release connections and files. Later calls raise ``Closed``."""

    def __enter__(self) -> Self:
        """Return the service itself; the end of the ``with`` block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the service."""
        self.close()
