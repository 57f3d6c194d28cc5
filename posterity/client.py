"""A server's API in Python. It needs nothing but urllib3, and shares the types of the answers with who makes them.

    client = Client("http://localhost:8000", key="pst_…")
    for match in client.similar("imdb:tt0113277", by="taste", limit=5):
        print(match["movie"]["title"], match["score"])

What fails on the way, or is answered by 429 or 503, is tried again, later and later; what is added is added once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import urllib3
from urllib3.util import Retry, Timeout

from index.answers.schemas import LookAnswer, MatchAnswer, MovieAnswer, PredictionAnswer
from index.core.errors import PosterityError

__all__ = ["ApiError", "Client", "Unreachable"]

_AGAIN = (429, 502, 503, 504)
_WAIT = 0.25  # seconds before the second try; twice as long before each further one
_PAGE = 100


class ApiError(PosterityError):
    """A request that the server refused; ``status`` and ``detail`` are the problem's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {HTTPStatus(status).phrase}: {detail}")
        self.status = status
        self.detail = detail


class Unreachable(PosterityError):
    """A server that does not answer."""


class Client:
    """What a server answers, as the plain values of its JSON. Threads may share it.

    A movie is given as an id, ``"imdb:tt0113277"`` or ``"tmdb:949"``. Further parameters of each route, such as
    ``limit``, ``genre``, ``year_from`` or ``exclude``, are passed on by name. Every method raises:

        ApiError: the server refused.
        Unreachable: it did not answer, however often it was asked.

    Args:
        address: such as ``http://localhost:8000``.
        key: an API key, for whatever needs one.
        retries: how often a request is made again.
        timeout: seconds to wait for each answer.
    """

    def __init__(self, address: str, *, key: str | None = None, retries: int = 5, timeout: float = 60) -> None:
        self._address = address.rstrip("/")
        again = Retry(
            retries,
            backoff_factor=_WAIT,
            status_forcelist=_AGAIN,
            allowed_methods=None,  # all: each may be made twice
            raise_on_status=False,
        )
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._pool = urllib3.PoolManager(retries=again, timeout=Timeout(timeout), maxsize=8)

    def movies(self, q: str | None = None, **query: Any) -> list[MovieAnswer]:
        """Movies whose title has words like these; without words by id."""
        return cast(list[MovieAnswer], self._get("movies", q=q, **query)["results"])

    def all_movies(self) -> Iterator[MovieAnswer]:
        """Every movie once, by id, page by page; also where movies come and go meanwhile."""
        seen, offset, state = -1, 0, None
        while True:
            unchanged: dict[str, str] = {} if state is None else {"If-Match": state}
            reply = self._ask("GET", "movies", {"limit": _PAGE, "offset": offset}, headers=unchanged, fine=(412,))
            if reply.status == 412:  # the list has changed: from its beginning, without what came before
                offset, state = 0, None
                continue
            page = reply.json()["results"]
            yield from (movie for movie in page if movie["movie_id"] > seen)
            if len(page) < _PAGE:
                return
            seen, offset, state = page[-1]["movie_id"], offset + _PAGE, reply.headers["ETag"]

    def movie(self, movie: int | str) -> MovieAnswer:
        """What is known of a movie."""
        return cast(MovieAnswer, self._get(f"movies/{_part(movie)}")["movie"])

    def poster(self, movie: int | str) -> bytes:
        """Its poster's file."""
        return bytes(self._ask("GET", f"movies/{_part(movie)}/poster").data)

    def similar(self, movie: int | str, **query: Any) -> list[MatchAnswer]:
        """Movies like this one, by ``by="poster"``, ``"taste"``, ``"facts"`` or ``"blend"``."""
        return cast(list[MatchAnswer], self._get(f"movies/{_part(movie)}/similar", **query)["results"])

    def similar_to(self, like: Sequence[int | str], **body: Any) -> list[MatchAnswer]:
        """Movies like all of some and ``unlike`` others."""
        return cast(list[MatchAnswer], self._post("similar", like=like, **body)["results"])

    def similar_to_each(self, movies: Sequence[int | str], **body: Any) -> dict[int, list[MatchAnswer]]:
        """Movies like each of up to 100 others, by its id; those that nobody has or nothing compares are left out."""
        results = self._post("similar/batch", movies=movies, **body)["results"]
        return {each["movie"]["movie_id"]: each["results"] for each in results}

    def similar_to_poster(self, picture: bytes, **query: Any) -> list[MatchAnswer]:
        """Movies whose posters look like a picture (a JPEG, PNG, WebP or GIF file's content)."""
        reply = self._ask("POST", "posters/similar", query, content=picture)
        return cast(list[MatchAnswer], reply.json()["results"])

    def explain(self, movie: int | str, other: int | str) -> LookAnswer:
        """Why two posters look alike."""
        return cast(LookAnswer, self._get(f"movies/{_part(movie)}/explanations/{_part(other)}"))

    def predict(self, who: int | Mapping[int | str, float], movies: Sequence[int | str]) -> list[PredictionAnswer]:
        """How a user, or someone new with ratings by movie, would rate movies."""
        return self._for(who, "predictions", movies=movies)

    def recommend(self, who: int | Mapping[int | str, float], **body: Any) -> list[PredictionAnswer]:
        """What a user, or someone new with ratings by movie, would pick next."""
        return self._for(who, "recommendations", **body)

    def rated(self, user_id: int) -> dict[int, float]:
        """All that a user rated: movie id -> rating."""
        found: dict[int, float] = {}
        while True:
            page = self._get(f"users/{user_id}/ratings", fields="ids", limit=_PAGE, offset=len(found))["results"]
            found |= {each["movie"]["movie_id"]: each["rating"] for each in page}
            if len(page) < _PAGE:
                return found

    def snapshot(self) -> dict[str, Any]:
        """What is served."""
        return self._get("snapshot")

    def add_movie(self, title: str, *, poster: bytes | None = None, **facts: Any) -> MovieAnswer:
        """The movie as it was added, for good: with ``year``, ``genres``, ``imdb_id``, ``tmdb_id``."""
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return self._keep("POST", "movies", poster, {"title": title, **facts}, headers)

    def replace_movie(self, movie: int | str, title: str, *, poster: bytes | None = None, **facts: Any) -> MovieAnswer:
        """The movie as it is from now on; its poster stays where no other is given."""
        return self._keep("PUT", f"movies/{_part(movie)}", poster, {"title": title, **facts}, {})

    def replace_poster(self, movie: int | str, poster: bytes) -> MovieAnswer:
        """The movie with another poster."""
        return cast(MovieAnswer, self._ask("PUT", f"movies/{_part(movie)}/poster", content=poster).json()["movie"])

    def remove_movie(self, movie: int | str) -> None:
        """Removes a movie from every answer."""
        self._ask("DELETE", f"movies/{_part(movie)}")

    def rate(self, user_id: int, movie: int | str, rating: float) -> None:
        """Keeps how a user rates a movie."""
        self._ask("PUT", f"users/{user_id}/ratings/{_part(movie)}", body={"rating": rating})

    def take_rating_back(self, user_id: int, movie: int | str) -> None:
        """Forgets how a user rates a movie."""
        self._ask("DELETE", f"users/{user_id}/ratings/{_part(movie)}")

    def _for(self, who: int | Mapping[int | str, float], route: str, **body: Any) -> list[PredictionAnswer]:
        if isinstance(who, int):
            reply = self._post(route, user_ids=[who], **body)
            if reply["ignored_users"]:
                raise ApiError(404, f"user {who} has rated nothing here")
            return cast(list[PredictionAnswer], reply["users"][0]["results"])
        ratings = [{"movie": movie, "rating": rating} for movie, rating in who.items()]
        return cast(list[PredictionAnswer], self._post(route, ratings=ratings, **body)["results"])

    def _keep(
        self, method: str, path: str, poster: bytes | None, facts: Mapping[str, Any], headers: Mapping[str, str]
    ) -> MovieAnswer:
        if poster is None:
            reply = self._ask(method, path, body=facts, headers=headers)
        else:
            form = [(name, str(value)) for name, value in _flat(facts)]
            picture = ("poster", ("poster", poster, "application/octet-stream"))
            reply = self._ask(method, path, form=[*form, picture], headers=headers)
        return cast(MovieAnswer, reply.json()["movie"])

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return cast(dict[str, Any], self._ask("GET", path, query).json())

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        return cast(dict[str, Any], self._ask("POST", path, body=body).json())

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        form: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        fine: Sequence[int] = (),
    ) -> urllib3.BaseHTTPResponse:
        """The reply; one that is an error is raised, unless its status is ``fine``."""
        url = f"{self._address}/api/v1/{path}"
        if query:
            url += "?" + "&".join(f"{name}={quote(_text(value), safe=',:')}" for name, value in _given(query))
        sent: dict[str, Any] = {"headers": self._headers | dict(headers or {})}
        if form is not None:
            sent["fields"] = form
        elif content is not None:
            sent |= {"body": content, "headers": sent["headers"] | {"Content-Type": "application/octet-stream"}}
        elif body is not None:
            sent["json"] = body
        try:
            reply = self._pool.request(method, url, **sent)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(f"{self._address} does not answer: {error}") from error
        if reply.status >= 400 and reply.status not in fine:
            raise ApiError(reply.status, _detail(reply))
        return reply


def _detail(reply: urllib3.BaseHTTPResponse) -> str:
    try:
        return str(reply.json()["detail"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):  # of a proxy, say
        return reply.data[:200].decode(errors="replace")


def _part(movie: int | str) -> str:
    return quote(str(movie), safe=":")


def _given(query: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in query.items() if value is not None)


def _text(value: Any) -> str:
    """A parameter as a query has it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{weight:g}" for name, weight in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)


def _flat(facts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Members as a form has them: a list's one by one."""
    for name, value in _given(facts):
        if isinstance(value, Sequence) and not isinstance(value, str):
            yield from ((name, each) for each in value)
        else:
            yield name, value
