"""The HTTP client: the methods of ``MovieService``, answered by a Posterity server."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Literal, cast, overload
from urllib.parse import quote, urlencode

from typing_extensions import Unpack, override

from index.answers.schemas import AddedAnswer, BlendAnswer, ImportAnswer, LookAnswer, MovieAnswer, TasteAnswer
from index.core.errors import InvalidInput, UnknownUser
from posterity import arguments
from posterity.arguments import Json
from posterity.errors import BadResponse
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
from posterity.transport import Reply, Transport

__all__ = ["Client"]

_PAGE = 100
_LONGEST_QUERY = 3000  # characters; the server reads request lines of 4,094
_THUMBNAIL = 120  # pixels


class Client(MovieService):
    """A client of a Posterity server. It needs urllib3 alone, and threads may share it.

        with Client("http://localhost:8000", api_key="pst_…") as client:
            for match in client.similar("imdb:tt0113277", by="taste", limit=5):
                print(match["movie"]["title"], match["score"])

    Network errors, 429, 502, 503 and 504 are retried with exponential back-off; adding a movie is idempotent.

    Args:
        url: address of the server.
        api_key: needed for writes, and for reads if the server says so.
        retries: number of retries of a request.
        timeout: seconds to wait for a connection and for each part of a response.

    Raises:
        InvalidInput: one of the arguments cannot be used.
    """

    def __init__(self, url: str, *, api_key: str | None = None, retries: int = 5, timeout: float = 60) -> None:
        self._transport = Transport(url, api_key, retries, timeout)

    def __repr__(self) -> str:
        """Return the class and the address, without the API key."""
        return f"Client({self._transport.url!r})"

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
        reply = self._get("movies", arguments.listed(q, limit, offset, after, owned))
        return Movies(self._results(reply), self._thumbnail)

    @override
    def all_movies(self) -> Iterator[MovieAnswer]:
        for movie in self._listed("movies", {}):
            yield cast(MovieAnswer, movie)

    @override
    def movie(self, movie: MovieId) -> MovieAnswer:
        return self._movie(self._send("GET", f"movies/{_part(movie)}"))

    @override
    def poster(self, movie: MovieId, *, width: Width | None = None, format: Format | None = None) -> bytes:
        query = urlencode(arguments.small(width, format))
        reply = self._send("GET", f"movies/{_part(movie)}/poster{'?' if query else ''}{query}")
        if not reply.headers.get("Content-Type", "").startswith("image/"):
            raise self._bad_response()
        return reply.data

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
        path, explained = f"movies/{_part(movie)}/similar", arguments.flag("explain", explain)
        query = arguments.neighbours(by, weights, distinct, filters)
        asked = _query_string(query | ({"explain": True} if explained else {}))
        if asked is not None:
            return self._matches(self._results(self._json(self._send("GET", path + asked))))
        # Only a body can hold so much. The batch leaves out movies that cannot be compared, so ask for those first.
        self._get(path, {"by": by, "limit": 1, "explain": explained})
        reply = self._post("similar/batch", {"movies": [arguments.movie(movie)], **query})
        with self._expected():
            matches = self._results(reply["results"][0])
            for match in matches if explained else ():
                other = match["movie"]["movie_id"]
                if by == "blend":
                    blend = self.explain(movie, other, by="blend", weights=weights)
                    match["explanation"], match["score"] = blend, blend["score"]
                else:
                    match["explanation"] = self.explain(movie, other)
        return self._matches(matches)

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
        body = arguments.neighbours(by, weights, distinct, filters)
        sides = {"like": arguments.movie_ids("like", like), "unlike": arguments.movie_ids("unlike", unlike)}
        return self._matches(self._results(self._post("similar", body | sides)))

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
        body = arguments.neighbours(by, weights, distinct, filters)
        found = self._results(self._post("similar/batch", body | {"movies": arguments.movie_ids("movies", movies)}))
        with self._expected():
            return {each["movie"]["movie_id"]: self._matches(self._results(each)) for each in found}

    @override
    def similar_to_poster(
        self,
        image: bytes,
        *,
        distinct: bool = False,
        **filters: Unpack[Filters],
    ) -> Matches:
        members = []
        asked = arguments.filters(filters)
        for name, value in (asked | arguments.distinct(distinct)).items():
            text = _query_text(value)
            if not text:
                raise InvalidInput(f"{name}: one of {value} is empty, has a comma, or begins or ends with a space")
            members.append((name, text))
        file = ("poster", ("poster", arguments.content("image", image), "application/octet-stream"))
        reply = self._send("POST", "posters/similar", form=[*members, file])
        return self._matches(self._results(self._json(reply)))

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
        path = f"movies/{_part(movie)}/explanations/{_part(other)}"
        reply = self._get(path, arguments.comparison(by, weights))
        answer = {"taste": TasteAnswer, "blend": BlendAnswer}.get(by, LookAnswer)
        with self._expected():
            members = {name: reply[name] for name in answer.__annotations__}
            return cast(LookAnswer | TasteAnswer | BlendAnswer, members)

    @override
    def predict(self, user: UserId | Ratings, movies: Iterable[MovieId], *, explain: bool = False) -> Predictions:
        body = {"movies": arguments.movie_ids("movies", movies), "explain": arguments.flag("explain", explain)}
        return self._predictions("predictions", user, body)

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
        body = arguments.filters(filters)
        return self._predictions(
            "recommendations", user, body | arguments.recommended(explain, diversity, new, watched)
        )

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
        body = arguments.group(people, together, watchlist, seen, filters)
        return GroupPicks(self._results(self._post("groups/recommendations", body)), self._thumbnail)

    @override
    def import_ratings(self, export: Export, *, name: str = "") -> ImportAnswer:
        content, name = arguments.export(export, name)
        reply = self._json(self._send("POST", "imports", form=[("file", (name, content, "application/octet-stream"))]))
        with self._expected():
            return cast(ImportAnswer, {member: reply[member] for member in ImportAnswer.__annotations__})

    @override
    def rated(self, user_id: UserId) -> dict[int, float]:
        path = f"users/{_user_part(user_id)}/ratings"
        found = self._listed(path, {"fields": "ids"})
        with self._expected():
            return {each["movie"]["movie_id"]: each["rating"] for each in found}

    @override
    def snapshot(self) -> dict[str, Any]:
        manifest = self._get("snapshot", {})
        if "id" not in manifest:
            raise self._bad_response()
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
        metadata = arguments.metadata(title, year, genres, imdb_id, tmdb_id) | arguments.own_id(id)
        return self._write_movie("POST", "movies", metadata, poster, {"Idempotency-Key": secrets.token_hex(16)})

    @override
    def add_movies(self, movies: Iterable[NewMovie], *, update: bool = False) -> list[AddedAnswer]:
        added: list[AddedAnswer] = []
        for body in arguments.batches(movies, update):
            results = self._results(self._json(self._send("POST", "movies/batch", json=body, write=True)))
            with self._expected():
                added += [cast(AddedAnswer, each | {"index": len(added) + each["index"]}) for each in results]
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
        metadata = arguments.metadata(title, year, genres, imdb_id, tmdb_id)
        return self._write_movie("PUT", f"movies/{_part(movie)}", metadata, poster, {})

    @override
    def update_movie(self, movie: MovieId, **changes: Unpack[MovieUpdate]) -> MovieAnswer:
        patch = arguments.update(changes)
        return self._movie(self._send("PATCH", f"movies/{_part(movie)}", json=patch, write=True))

    @override
    def replace_poster(self, movie: MovieId, poster: bytes) -> MovieAnswer:
        content = arguments.content("poster", poster)
        return self._movie(self._send("PUT", f"movies/{_part(movie)}/poster", content=content, write=True))

    @override
    def delete_movie(self, movie: MovieId) -> None:
        self._delete(f"movies/{_part(movie)}")

    @override
    def rate(self, user_id: UserId, movie: MovieId, rating: float) -> None:
        path = f"users/{_user_part(user_id)}/ratings/{_part(movie)}"
        reply = self._json(self._send("PUT", path, json={"rating": arguments.real("rating", rating)}, write=True))
        if "rating" not in reply:
            raise self._bad_response()

    @override
    def rate_all(self, user_id: UserId, ratings: Ratings) -> list[str]:
        body, path = arguments.several_ratings(ratings), f"users/{_user_part(user_id)}/ratings"
        reply = self._json(self._send("POST", path, json=body, write=True))
        with self._expected():
            return [str(each) for each in reply["ignored"]]

    @override
    def delete_ratings(self, user_id: UserId) -> None:
        self._delete(f"users/{_user_part(user_id)}/ratings")

    @override
    def delete_rating(self, user_id: UserId, movie: MovieId) -> None:
        self._delete(f"users/{_user_part(user_id)}/ratings/{_part(movie)}")

    @override
    def close(self) -> None:
        self._transport.close()

    def _get(self, path: str, query: Json) -> Json:
        asked = _query_string(query)
        if asked is None:
            raise InvalidInput(f"{', '.join(query)}: more than {_LONGEST_QUERY} characters cannot be sent: be brief")
        return self._json(self._send("GET", path + asked))

    def _post(self, path: str, body: Json) -> Json:
        return self._json(self._send("POST", path, json=body))

    def _delete(self, path: str) -> None:
        if self._send("DELETE", path, write=True).status != 204:
            raise self._bad_response()

    def _send(self, method: str, path: str, **options: Any) -> Reply:
        return self._transport.send(method, path, **options)

    def _listed(self, path: str, query: Json) -> Iterator[Json]:
        """Yield the items of a list by ascending movie id, page by page; each page begins after the last movie."""
        last = -1
        while True:
            reply = self._get(path, query | {"limit": _PAGE} | ({"after": last} if last >= 0 else {}))
            yield from self._results(reply)
            with self._expected():
                following = reply["next"]
            if following is None:
                return
            if not isinstance(following, int) or following <= last:  # it would never end
                raise self._bad_response()
            last = following

    def _predictions(self, route: str, user: UserId | Ratings, body: Json) -> Predictions:
        asked = arguments.user_or_ratings(user)
        reply = self._post(route, body | asked)
        if "user_ids" in asked:
            with self._expected():
                if reply["ignored_users"]:
                    raise UnknownUser(f"there is no user {user} here, or all their ratings were deleted: add a rating")
                (reply,) = reply["users"]
        return Predictions(self._results(reply), self._thumbnail)

    def _write_movie(
        self, method: str, path: str, metadata: Json, poster: bytes | None, headers: Mapping[str, str]
    ) -> MovieAnswer:
        if poster is None:
            return self._movie(self._send(method, path, json=metadata, headers=headers, write=True))
        genres = metadata.pop("genres", [])
        if any("," in genre for genre in genres):
            raise InvalidInput(
                f"genres: one of {genres} has a comma, which cannot be sent beside a poster: use replace_poster"
            )
        members = [(name, str(value)) for name, value in metadata.items()] + [("genres", genre) for genre in genres]
        file = ("poster", ("poster", arguments.content("poster", poster), "application/octet-stream"))
        return self._movie(self._send(method, path, form=[*members, file], headers=headers, write=True))

    def _json(self, reply: Reply) -> Json:
        with self._expected():
            found = reply.json()
        if not isinstance(found, dict):
            raise self._bad_response()
        return found

    def _results(self, reply: Json) -> list[Any]:
        with self._expected():
            found = reply["results"]
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._bad_response()
        return found

    def _movie(self, reply: Reply) -> MovieAnswer:
        with self._expected():
            movie = self._json(reply)["movie"]
            movie["movie_id"]
        return cast(MovieAnswer, movie)

    def _matches(self, found: list[Any]) -> Matches:
        return Matches(found, self._thumbnail)

    def _thumbnail(self, movie_id: int) -> str:
        return f"{self._transport.url}/api/v1/movies/{movie_id}/poster?width={_THUMBNAIL}"

    @contextmanager
    def _expected(self) -> Iterator[None]:
        """Raise BadResponse if a response is no JSON, or lacks the members of the API."""
        try:
            yield
        except (LookupError, TypeError, ValueError, RecursionError) as error:
            raise self._bad_response() from error

    def _bad_response(self) -> BadResponse:
        url = self._transport.url
        return BadResponse(f"{url} sent something else than the API of Posterity does: is it the address of a server?")


def _part(movie: MovieId) -> str:
    """Return a movie id as a part of a path."""
    return quote(arguments.movie(movie), safe=":")


def _user_part(user: UserId) -> str:
    """Return a user id as a part of a path."""
    return quote(arguments.user(user), safe="")


def _query_string(query: Json) -> str | None:
    """Return the part of an address from ``?`` on; None if it is too long, or cannot express a value exactly."""
    found = []
    for name, value in query.items():
        text = _query_text(value)
        if text is None:
            return None
        found.append(f"{name}={quote(text, safe=',:')}")
    joined = "&".join(found)
    return f"?{joined}" if len(joined) <= _LONGEST_QUERY else None


def _query_text(value: Any) -> str | None:
    """Return a value as a query has it; None if it cannot express it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        written = [f"{name}:{format(Decimal(repr(weight)).normalize(), 'f')}" for name, weight in value.items()]
        valid = all(re.fullmatch(r"[a-z]+:([0-9]{1,3}(\.[0-9]{1,24})?|1000)", text) for text in written)
        return ",".join(written) if written and valid else None
    if isinstance(value, list):
        texts = [str(each) for each in value]
        return None if any("," in text or text != text.strip() for text in texts) else ",".join(texts)
    return str(value)
