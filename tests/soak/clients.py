"""Clients that write at random, and remember acknowledged and unanswered writes."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import urllib3
from PIL import Image
from urllib3.exceptions import HTTPError, NewConnectionError

from index.library.database import FIRST_ID

KINDS = ("add", "replace", "remove", "rate", "take back")
GENRES = ("Action", "Comedy", "Romance", "Sci-Fi", "Très noir")
PATIENCE = 120.0  # seconds; the first upload loads TensorFlow
_MANY = 60  # movies of a client; with more, it removes more often than it adds
_HOW = {"add": ("POST", 201), "replace": ("PUT", 200), "remove": ("DELETE", 204)}
_HOW |= {"rate": ("PUT", 200), "take back": ("DELETE", 204)}


@dataclass(frozen=True, slots=True)
class Film:
    """The expected state of a movie."""

    title: str
    year: int | None
    genres: tuple[str, ...]
    poster: str | None  # SHA-256 of its bytes


Place = int | tuple[int, int]  # movie id; or user id and movie id of a rating
State = Film | float | None  # None: absent


@dataclass(frozen=True, slots=True)
class Write:
    """A request that changes one place."""

    kind: str
    place: Place | None  # None: in the response
    after: State
    picture: bytes | None = None
    key: str | None = None  # idempotency key, for a retry

    @property
    def name(self) -> str:
        """Name for the counts."""
        return self.kind + (" with poster" if self.picture else "") + (" with key" if self.key else "")


class WrongAnswer(Exception):
    """A response with the wrong status."""


def connected(port: int) -> urllib3.HTTPConnectionPool:
    """Return a new connection without automatic retries."""
    return urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, retries=False, timeout=PATIENCE)


class Client:
    """A client that writes to movies it added, to its share of the data set's movies, and to ratings of its own users.

    Args:
        number: distinguishes titles and keys.
        rng: for all choices.
        token: API key.
        kept: initial state of its places.
    """

    def __init__(self, number: int, rng: np.random.Generator, token: str, kept: dict[Place, State]) -> None:
        self.number = number
        self.kept = kept  # latest acknowledged state
        self._posters = {
            place: film.poster for place, film in kept.items() if isinstance(film, Film)
        }  # also of deleted
        self.touched: set[Place] = set()  # since the last check
        self.lost: list[Write] = []  # without a response; the client leaves their places alone
        self.acknowledged: Counter[str] = Counter()
        self.wrong: list[str] = []  # messages about wrong responses
        self._rng = rng
        self._token = token
        self._made = 0

    def work(self, port: int, stop: threading.Event, *, pictures: bool) -> None:
        """Write until the server has ended or ``stop`` is set."""
        with connected(port) as http:
            while not stop.is_set():
                write = self._next(pictures)
                try:
                    self.send(http, write)
                except NewConnectionError:
                    return  # no request was sent
                except HTTPError:
                    self.lost.append(write)
                except WrongAnswer as error:
                    self.wrong.append(str(error))

    def send(self, http: urllib3.HTTPConnectionPool, write: Write) -> Place:
        """Send a write and return its acknowledged place.

        Raises:
            HTTPError: no complete response.
            WrongAnswer: another status than expected.
        """
        method, status = _HOW[write.kind]
        path, headers = "/api/v1/movies", {"Authorization": f"Bearer {self._token}"}
        if isinstance(write.place, tuple):
            path = "/api/v1/users/{}/ratings/{}".format(*write.place)
        elif write.place is not None:
            path = f"{path}/{write.place}"
        if write.key is not None:
            headers["Idempotency-Key"] = write.key
        body = _body(write)
        if write.picture is not None:
            fields: list[Any] = [(name, str(value)) for name, value in body.items() if name != "genres"]
            fields += [("genres", genre) for genre in body["genres"]]
            fields.append(("poster", ("poster.png", write.picture, "image/png")))
            reply = http.request(method, path, headers=headers, fields=fields)
        else:
            reply = http.request(method, path, headers=headers, json=body or None)
        if reply.status != status:
            raise WrongAnswer(f"{write}: {reply.status} {reply.data.decode(errors='replace')}")
        place: Place = json.loads(reply.data)["movie"]["movie_id"] if write.place is None else write.place
        self.acknowledged[write.name] += 1
        self.adopt(place, write.after)
        return place

    def adopt(self, place: Place, state: State) -> None:
        """Set the expected state of a place."""
        self.kept[place] = state
        if isinstance(state, Film):
            self._posters[place] = state.poster
        self.touched.add(place)

    def _next(self, pictures: bool) -> Write:
        rng = self._rng
        unsure = {write.place for write in self.lost}
        places = [place for place in self.kept if place not in unsure]
        films = [place for place in places if isinstance(place, int)]
        added = [place for place in films if place >= FIRST_ID and self.kept[place] is not None]
        share = (0.1, 0.2, 0.3, 0.25, 0.15) if len(added) > _MANY else (0.35, 0.2, 0.1, 0.2, 0.15)
        kind = str(rng.choice(KINDS, p=share))
        if kind == "remove" and not added:
            kind = "add"
        if kind == "remove":
            return Write(kind, _any(rng, added), None)
        if kind in {"rate", "take back"}:
            place = _any(rng, [place for place in places if isinstance(place, tuple)])
            return Write(kind, place, float(rng.integers(4, 11)) / 2 if kind == "rate" else None)
        self._made += 1
        picture = _picture(rng) if pictures and rng.random() < 0.3 else None
        sha256 = None if picture is None else hashlib.sha256(picture).hexdigest()
        title = f"Reel {self.number}x{self._made}"  # unique over all clients
        year = None if rng.random() < 0.2 else int(rng.integers(1900, 2030))
        genres = tuple(rng.choice(GENRES, int(rng.integers(0, 4)), replace=False).tolist())
        if kind == "add":
            key = f"{self.number}-{self._made}" if rng.random() < 0.5 else None
            return Write(kind, None, Film(title, year, genres, sha256), picture, key)
        place = _any(rng, added if added and rng.random() < 0.7 else films)
        # A movie keeps its poster, also if it was deleted meanwhile.
        return Write(kind, place, Film(title, year, genres, sha256 or self._posters.get(place)), picture)


def _any(rng: np.random.Generator, places: list[Any]) -> Any:
    return places[int(rng.integers(len(places)))]


def _body(write: Write) -> dict[str, Any]:
    if isinstance(write.after, Film):
        body = {"title": write.after.title, "year": write.after.year, "genres": list(write.after.genres)}
        return {name: value for name, value in body.items() if value is not None}
    return {} if write.after is None else {"rating": write.after}


def _picture(rng: np.random.Generator) -> bytes:
    """Return a small random PNG."""
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (60, 40, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()
