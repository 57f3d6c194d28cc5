"""A server killed during concurrent writes, started again and checked."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import urllib3

from index.core.progress import Track, silent
from index.library.api_keys import Keys
from index.library.database import Database
from tests.serving import Serving, serving
from tests.soak.clients import PATIENCE, Client, Film, Place, State, Write, WrongAnswer, connected
from tests.soak.files import Files, sha256
from tests.soak.tally import Tally

CLIENTS = 4
_UPLOADS_EVERY = 5  # rounds; each waits for TensorFlow
_UPLOADS = 3  # acknowledged in such a round before the kill
_MOMENTS = (0.05, 2.0)  # seconds until a kill
_ONE_WORKER = 0.25  # share of rounds that kill one worker first

Movies = dict[int, dict[str, Any]]


def kill_servers(data: Path, kills: int, rng: np.random.Generator, folder: Path, *, track: Track = silent) -> Tally:
    """Kill servers under load, and check all acknowledged writes after each kill.

    Args:
        data: a data directory with a snapshot; the servers change it.
        kills: number of kills.
        rng: for all choices.
        folder: an empty folder, for the log and temporary files.
        track: reports progress.
    """
    tally, files = Tally(), Files(data)
    _, token = Keys(Database(data)).create("soak")
    with _started(data, folder) as server, connected(server.port) as http:
        clients = writing_clients(http, rng, token)
        files.remember()
    for number in track(range(kills), "killing servers", kills):
        with _started(data, folder) as server:
            look_through(server, clients, files, tally)
            _kill(server, clients, rng, tally, pictures=number % _UPLOADS_EVERY == 0)
    with _started(data, folder) as server:
        look_through(server, clients, files, tally, everything=True)
    for client in clients:
        tally.counts.update({f"acknowledged: {name}": n for name, n in client.acknowledged.items()})
        tally.failures += client.wrong
    tally.check(server.process.returncode == 0, f"the last server ended with {server.process.returncode}")
    files.count(tally)
    tally.counts["leftovers in TMPDIR of killed servers"] = len(list((folder / "tmp").iterdir()))
    return tally


@contextmanager
def _started(data: Path, folder: Path) -> Iterator[Serving]:
    """Start a server, and yield it once it answers."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    limits = [text for name in ("read", "write", "upload") for text in (f"--{name}-limit", "")]
    with (
        (folder / "log").open("a") as log,
        serving(
            "serve", "--data", data, "--workers", 2, *limits, stderr=log, environment={"TMPDIR": str(temporary)}
        ) as server,
    ):
        with connected(server.port) as http:
            assert http.request("GET", "/livez").status == 200
        yield server


def writing_clients(http: urllib3.HTTPConnectionPool, rng: np.random.Generator, token: str) -> list[Client]:
    """Return clients, each with its share of movies and users."""
    movies = _movies(http)
    kept: list[dict[Place, State]] = [{} for _ in range(CLIENTS)]
    for movie_id, movie in movies.items():
        poster = sha256(_poster(http, movie_id)) if movie["has_poster"] else None
        kept[movie_id % CLIENTS][movie_id] = Film(movie["title"], movie["year"], tuple(movie["genres"]), poster)
    for user in (*range(1, 2 * CLIENTS + 1), *range(1000, 1000 + CLIENTS)):  # some are new
        ratings = _ratings(http, user)
        kept[user % CLIENTS].update({(user, movie_id): ratings.get(movie_id) for movie_id in movies})
    return [Client(number, own, token, kept[number]) for number, own in enumerate(rng.spawn(CLIENTS))]


def _kill(server: Serving, clients: list[Client], rng: np.random.Generator, tally: Tally, *, pictures: bool) -> None:
    """Kill the server while clients write, in some rounds one worker before."""
    stop = threading.Event()
    begun = _uploads(clients)
    with ThreadPoolExecutor(len(clients)) as pool:
        working = [
            pool.submit(client.work, server.port, stop, pictures=pictures and client.number % 2 == 0)
            for client in clients
        ]
        try:
            deadline = time.monotonic() + PATIENCE
            while pictures and _uploads(clients) < begun + _UPLOADS and time.monotonic() < deadline:
                stop.wait(0.02)
            stop.wait(rng.uniform(*_MOMENTS))
            if rng.random() < _ONE_WORKER:
                os.kill(int(rng.choice(server.workers())), signal.SIGKILL)
                tally.counts["kills of one worker"] += 1
                stop.wait(rng.uniform(*_MOMENTS))
            server.kill()
            tally.counts["kills of the server"] += 1
        finally:
            stop.set()
    for each in working:
        each.result()
    if pictures:
        tally.check(_uploads(clients) >= begun + _UPLOADS, "too few posters were acknowledged")


def _uploads(clients: list[Client]) -> int:
    return sum(n for client in clients for name, n in client.acknowledged.copy().items() if "poster" in name)


def look_through(
    server: Serving,
    clients: list[Client],
    files: Files,
    tally: Tally,
    *,
    everything: bool = False,
    but: Set[int] = frozenset(),
) -> None:
    """Check changes since the last check, or everything but some movies, after resolving unanswered writes."""
    with connected(server.port) as http:
        movies = _movies(http)
        for client in clients:
            for write in client.lost:
                _settle(http, client, write, movies, tally)
            client.lost.clear()
        kept = {place: state for client in clients for place, state in client.kept.items()}
        films = {place: state for place, state in kept.items() if isinstance(place, int)}
        movies = _movies(http)
        for movie_id in (films.keys() | movies.keys()) - but:
            film = films.get(movie_id)
            tally.check(_is(movies.get(movie_id), film), f"movie {movie_id}: {movies.get(movie_id)}, not {film}")
        touched = set(kept) if everything else {place for client in clients for place in client.touched}
        for place in touched:
            if isinstance(place, int):
                _check_movie(http, place, films[place], tally)
        for user in {place[0] for place in touched if isinstance(place, tuple)}:
            wanted = {place[1]: state for place, state in kept.items() if isinstance(place, tuple) and place[0] == user}
            wanted = {movie_id: state for movie_id, state in wanted.items() if state is not None}
            rated = _ratings(http, user)
            tally.check(rated == wanted, f"user {user} rated {rated}, not {wanted}")
    files.check(kept, tally, everything=everything)
    for client in clients:
        client.touched.clear()


def _settle(http: urllib3.HTTPConnectionPool, client: Client, write: Write, movies: Movies, tally: Tally) -> None:
    """Determine the effect of an unanswered write; retry one with a key, which must not add twice."""
    tally.counts[f"in flight at a kill: {write.name}"] += 1
    if write.place is None:
        assert isinstance(write.after, Film)
        found = [movie_id for movie_id, movie in movies.items() if movie["title"] == write.after.title]
        tally.check(len(found) <= 1, f"{write}: added as {found}")
        done = bool(found)
        if write.key is not None:
            try:
                place = client.send(http, write)
            except WrongAnswer as error:
                tally.failures.append(str(error))
            else:
                tally.check(place in found or not done, f"{write}: added as {found}, then as {place}")
                tally.counts["retried with its key"] += 1
        elif done:
            client.adopt(found[0], write.after)
    elif isinstance(write.place, int):
        done = _is(movies.get(write.place), write.after)
    else:
        done = _ratings(http, write.place[0]).get(write.place[1]) == write.after
    if write.place is not None:
        # A state that is neither the new nor the old one fails in the following checks.
        client.adopt(write.place, write.after if done else client.kept[write.place])
    tally.counts[f"in flight at a kill and applied: {write.name}"] += done


def _check_movie(http: urllib3.HTTPConnectionPool, movie_id: int, state: State, tally: Tally) -> None:
    reply = http.request("GET", f"/api/v1/movies/{movie_id}")
    if state is None:
        tally.check(reply.status == 404, f"movie {movie_id} exists, though removed")
        return
    assert isinstance(state, Film)
    right = reply.status == 200 and _is(reply.json()["movie"], state)
    tally.check(right, f"movie {movie_id}: {reply.data.decode()}, not {state}")
    if right and state.poster is not None:
        tally.check(sha256(_poster(http, movie_id)) == state.poster, f"movie {movie_id} has another poster: {state}")


def _is(movie: dict[str, Any] | None, state: State) -> bool:
    if movie is None or not isinstance(state, Film):
        return movie is None and state is None
    facts = (movie["title"], movie["year"], tuple(movie["genres"]), movie["has_poster"])
    return facts == (state.title, state.year, state.genres, state.poster is not None)


def _movies(http: urllib3.HTTPConnectionPool) -> Movies:
    found: Movies = {}
    for offset in count(0, 100):
        part = http.request("GET", "/api/v1/movies", fields={"limit": "100", "offset": str(offset)}).json()["results"]
        found |= {movie["movie_id"]: movie for movie in part}
        if len(part) < 100:
            return found
    raise AssertionError


def _poster(http: urllib3.HTTPConnectionPool, movie_id: int) -> bytes:
    return http.request("GET", f"/api/v1/movies/{movie_id}/poster").data


def _ratings(http: urllib3.HTTPConnectionPool, user: int) -> dict[int, float]:
    reply = http.request("GET", f"/api/v1/users/{user}/ratings", fields={"limit": "100"})
    if reply.status == 404:
        return {}
    return {each["movie"]["movie_id"]: each["rating"] for each in reply.json()["results"]}
