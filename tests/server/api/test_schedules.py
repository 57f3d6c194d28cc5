"""Random schedules of two writers and a reader against a model: no lost update, no duplicate id, no stale 304.

The second writer and the reader's rivals run inside a request of the first, paused at a seam.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from flask.testing import FlaskClient
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from werkzeug.test import TestResponse

from index.library.database import Database
from index.library.rating_log import RatingLog
from index.snapshot.store import Checked, SnapshotStore
from server.api import users
from server.app import create_app
from server.media.thumbnails import Thumbnails
from tests.conftest import unlimited
from tests.server.api.test_library import API, picture
from tests.server.api.test_writes import without_poster_space
from tests.server.conftest import interleaved, writer

USER = 4000
PICTURES = [picture(movie) for movie in (4, 14)]
# Places in the code where a request has read what it needs, and has not written or answered yet.
SEAMS: dict[str, tuple[object, str]] = {
    "before the transaction": (Database, "writing"),
    "before the rating": (RatingLog, "_write"),
    "before the answer": (Thumbnails, "get"),
}


@dataclass(frozen=True)
class Known:
    """A movie as the model has it."""

    title: str
    imdb_id: str | None
    poster: str | None  # SHA-256
    exists: bool = True
    changes: int = 0

    def changed(self, **members: Any) -> Known:
        after = replace(self, **members)
        return self if after == self else replace(after, changes=self.changes + 1)


@dataclass(frozen=True)
class Write:
    """A request that changes something; ``tag`` is the number of the remembered ETag that it depends on."""

    kind: str
    movie: int  # position among the movies that there ever were
    title: str
    imdb_id: str | None
    picture: int
    rating: float
    conditional: bool


WRITES = st.builds(
    Write,
    st.sampled_from(["put", "patch title", "patch id", "post", "delete", "poster", "rate", "take back"]),
    st.integers(0, 7),
    st.sampled_from(["Heat", "Ronin", "Thief", "Ali"]),
    st.sampled_from([None, "tt9999991", "tt9999992"]),
    st.integers(0, 1),
    st.sampled_from([1.0, 5.0]),
    st.booleans(),
)
Request: TypeAlias = Callable[[], TestResponse]


@dataclass
class Model:
    movies: dict[int, Known] = field(default_factory=dict)
    ratings: dict[int, float] = field(default_factory=dict)

    def taken(self, imdb_id: str | None, but: int | None) -> bool:
        others = (movie for movie_id, movie in self.movies.items() if movie_id != but and movie.exists)
        return imdb_id is not None and any(movie.imdb_id == imdb_id for movie in others)


class Schedules(RuleBasedStateMachine):
    """Two writers and a reader of one server."""

    template: Path  # a data directory without a library
    checked: Checked  # its snapshot

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        data = Path(self.folder.name)
        shutil.copytree(self.template / "posters", data / "posters")
        (data / "snapshots").symlink_to(self.template / "snapshots")  # never changed
        (data / "current").symlink_to((self.template / "current").readlink())
        self.client: FlaskClient = writer(create_app(unlimited(data), checked=self.checked), data)
        self.model = Model()
        for movie_id in (1, 2, 20):
            shown = self.client.get(f"{API}/movies/{movie_id}").get_json()["movie"]
            poster = self.client.get(f"{API}/movies/{movie_id}/poster")
            sha256 = hashlib.sha256(poster.data).hexdigest() if shown["has_poster"] else None
            self.model.movies[movie_id] = Known(shown["title"], shown["imdb_id"], sha256)
        self.tags: dict[int, tuple[str, int]] = {}  # of a movie: an ETag and the changes until then
        self.kept: dict[str, tuple[str, bytes]] = {}  # of an address: an ETag and the body that came with it

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(first=WRITES, second=st.none() | WRITES)
    def write(self, first: Write, second: Write | None) -> None:
        """The first writer's request, with the second writer's inside."""
        existed = self.exists(first)
        rival = (lambda: None) if second is None else (lambda: self.send_and_check(second, existed=self.exists(second)))
        seam = "before the rating" if first.kind in {"rate", "take back"} else "before the transaction"
        request = self.request(first)
        with interleaved(*SEAMS[seam], rival) as ran:
            reply = request()
        if not ran():
            rival()  # the first request was refused before it came to the seam
            self.check(first, reply, existed=existed, alone=True)
        else:
            self.check(first, reply, existed=existed)

    @rule(movie=st.integers(0, 7), rival=WRITES)
    def read_ratings(self, movie: int, rival: Write) -> None:
        """The reader's request, with a writer's inside; the invariant asks again with the ETag of what came."""
        path = f"{API}/users/{USER}/ratings"
        with interleaved(users, "page", lambda: self.send_and_check(rival, existed=self.exists(rival))):
            self.keep(path)
        self.keep(f"{API}/movies/{self.movie_id(movie)}")

    @rule(movie=st.integers(0, 7), rival=WRITES)
    def read_poster(self, movie: int, rival: Write) -> None:
        path = f"{API}/movies/{self.movie_id(movie)}/poster?width=120"
        with interleaved(*SEAMS["before the answer"], lambda: self.send_and_check(rival, existed=self.exists(rival))):
            self.keep(path)
        self.keep(f"{API}/movies/{self.movie_id(movie)}/poster")

    @rule(movie=st.integers(0, 7))
    def remember(self, movie: int) -> None:
        """A writer takes the ETag of a movie, for later."""
        movie_id = self.movie_id(movie)
        reply = self.client.get(f"{API}/movies/{movie_id}")
        if reply.status_code == 200:
            self.tags[movie_id] = reply.headers["ETag"], self.model.movies[movie_id].changes

    @invariant()
    def nothing_is_lost_or_stale(self) -> None:
        if not hasattr(self, "model"):
            return
        shown = {each["movie_id"]: each for each in self.client.get(f"{API}/movies?limit=100").get_json()["results"]}
        ids = [each["imdb_id"] for each in shown.values() if each["imdb_id"] is not None]
        assert len(ids) == len(set(ids)), "an id of two movies"
        for movie_id, movie in self.model.movies.items():
            assert (movie_id in shown) == movie.exists
            if movie.exists:
                found = (shown[movie_id]["title"], shown[movie_id]["imdb_id"], shown[movie_id]["has_poster"])
                assert found == (movie.title, movie.imdb_id, movie.poster is not None)
        for path, (tag, body) in self.kept.items():
            again, now = self.client.get(path, headers={"If-None-Match": tag}), self.client.get(path)
            if again.status_code == 304:
                assert now.data == body, f"a stale 304 of {path}"
            else:
                assert (again.status_code, again.data) == (now.status_code, now.data)
        given = self.client.get(f"{API}/users/{USER}/ratings?fields=ids").get_json()
        ratings = {each["movie"]["movie_id"]: each["rating"] for each in given.get("results", ())}
        assert ratings == {m: stars for m, stars in self.model.ratings.items() if self.model.movies[m].exists}

    def movie_id(self, position: int) -> int:
        movies = list(self.model.movies)
        return movies[position % len(movies)]

    def exists(self, write: Write) -> bool:
        return self.model.movies[self.movie_id(write.movie)].exists

    def keep(self, path: str) -> None:
        reply = self.client.get(path)
        if reply.status_code == 200:
            self.kept[path] = reply.headers["ETag"], reply.data

    def send_and_check(self, write: Write, *, existed: bool) -> None:
        self.check(write, self.request(write)(), existed=existed)

    def request(self, write: Write) -> Request:
        movie_id = self.movie_id(write.movie)
        tag = self.tags.get(movie_id) if write.conditional else None
        path, options = f"{API}/movies/{movie_id}", {} if tag is None else {"headers": {"If-Match": tag[0]}}
        rating = f"{API}/users/{USER}/ratings/{movie_id}"
        client, body = self.client, {"title": write.title, "imdb_id": write.imdb_id}
        self.asked = {**getattr(self, "asked", {}), id(write): (movie_id, None if tag is None else tag[1])}
        requests: dict[str, Request] = {
            "put": lambda: client.put(path, json=body, **options),
            "patch title": lambda: client.patch(path, json={"title": write.title}, **options),
            "patch id": lambda: client.patch(path, json={"imdb_id": write.imdb_id}, **options),
            "post": lambda: client.post(f"{API}/movies", json=body),
            "delete": lambda: client.delete(path, **options),
            "poster": lambda: client.put(f"{path}/poster", data=PICTURES[write.picture], **options),
            "rate": lambda: client.put(rating, json={"rating": write.rating}),
            "take back": lambda: client.delete(rating),
        }
        return requests[write.kind]

    def check(self, write: Write, reply: TestResponse, *, existed: bool, alone: bool = False) -> None:
        """Check the reply, and change the model as the request should have changed the movies."""
        movie_id, changes = self.asked[id(write)]
        movie, model = self.model.movies[movie_id], self.model
        status = reply.status_code
        if write.kind == "post":
            if model.taken(write.imdb_id, None) and not alone:
                assert status == 409
                return
            assert status == 201
            added = reply.get_json()["movie"]["movie_id"]
            assert added not in model.movies, "an id twice"
            model.movies[added] = Known(write.title, write.imdb_id, None, changes=1)
            return
        if write.kind not in {"put", "delete"} and not existed:
            assert status == 404
            return
        assert not alone, "only what is refused at once does not come to its seam"
        if write.kind == "rate":
            assert status == 200
            model.ratings[movie_id] = write.rating
            return
        if write.kind == "take back":
            assert status == 204
            model.ratings.pop(movie_id, None)
            return
        if changes is not None and changes != movie.changes:
            assert status == 412, f"a lost update: {status}"
            return
        if write.kind == "delete":
            assert status == 204
            model.movies[movie_id] = movie.changed(exists=False)
            return
        if write.kind != "put" and not movie.exists:
            assert status == 404
            return
        after = {
            "put": {"title": write.title, "imdb_id": write.imdb_id, "exists": True},
            "patch title": {"title": write.title},
            "patch id": {"imdb_id": write.imdb_id},
            "poster": {"poster": hashlib.sha256(PICTURES[write.picture]).hexdigest()},
        }[write.kind]
        imdb_id = after.get("imdb_id", movie.imdb_id)
        if model.taken(imdb_id, movie_id):
            assert status == 409
            return
        # The data set's movies have a year, genres and a TMDB id besides, which PUT deletes.
        full = write.kind == "put" and movie.changes == 0
        assert status == 200, reply.text
        model.movies[movie_id] = replace(movie.changed(**after), **({"changes": 1} if full else {}))
        self.tags[movie_id] = reply.headers["ETag"], model.movies[movie_id].changes


@pytest.mark.parametrize("examples", [6, pytest.param(1000, marks=pytest.mark.long)])
def test_any_schedule_of_writers_and_readers_is_as_the_model_says(data: Path, examples: int) -> None:
    without_poster_space(data)
    schedules = type("SchedulesOfData", (Schedules,), {"template": data, "checked": SnapshotStore(data).check()})
    run_state_machine_as_test(schedules, settings=settings(max_examples=examples, stateful_step_count=12))
