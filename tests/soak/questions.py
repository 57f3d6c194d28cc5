"""Clients that send all kinds of requests, and checks of each response: it is of one edition, the one it names."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import numpy as np

from tests.serving import Serving
from tests.soak.editions import NAME, OWN
from tests.soak.processes import holder

IDLE = 1.0  # seconds before a client opens a new connection; the server closes idle ones after 2
RENEWED = 500  # requests per connection
CONDITIONAL = 0.1  # share of repeated requests sent with If-None-Match
TIMEOUT = 120.0

_ID = re.compile(r"\d{8}T\d{9}-[0-9a-f]{8}")
_BASE = "/api/v1"
_BY = ("poster", "taste", "facts", "blend")
_MOVIES = range(1, 20)  # ids with a poster and ratings


@dataclass(frozen=True)
class Question:
    kind: str
    path: str
    body: bytes | None = None
    content_type: str = "application/json"
    statuses: tuple[int, ...] = (200,)
    names_snapshot: bool = True
    repeats: bool = True  # the response is the same for the same edition, except the snapshot's id


class Questions:
    """A random mix of requests.

    Args:
        rng: seeds each caller's own mix.
        posters: folder of images to upload.
        uploads: include uploads.
    """

    def __init__(self, rng: np.random.Generator, posters: Path, *, uploads: bool) -> None:
        self._seed = rng
        self._pictures = [file.read_bytes() for file in sorted(posters.iterdir())]
        self._uploads = uploads

    def warm_up(self, server: Serving, workers: Sequence[int]) -> None:
        """Send each worker an image, so that it loads the network."""
        for pid in workers:
            connection = connect(server, workers, pid)
            connection.request("POST", f"{_BASE}/posters/similar", self._pictures[0])
            reply = connection.getresponse()
            if reply.status != 200:
                raise RuntimeError(f"the first upload was answered by {reply.status}: {reply.read()!r}")
            connection.close()

    def all(self) -> Iterator[Question]:
        """Yield requests without end, different ones for each caller."""
        (rng,) = self._seed.spawn(1)
        kinds, shares = zip(*self._kinds(), strict=True)
        weights = np.array(shares) / sum(shares)
        while True:
            yield kinds[rng.choice(len(kinds), p=weights)](rng)

    def _kinds(self) -> list[tuple[Callable[[np.random.Generator], Question], float]]:
        kinds = [
            (_similar, 30),
            (_several, 10),
            (_batch, 8),
            (_search, 8),
            (_movie, 8),
            (_own, 4),
            (_explanation, 4),
            (_prediction, 5),
            (_predictions, 5),
            (_recommendations, 6),
            (_snapshot, 2),
            (_openapi, 1),
            (_home, 3),
            (_film, 5),
            (_poster, 4),
            (_ready, 5),
        ]
        return [*kinds, (self._upload, 0.3), (_picture, 0.3)] if self._uploads else kinds

    def _upload(self, rng: np.random.Generator) -> Question:
        picture = self._pictures[rng.integers(len(self._pictures))]
        return Question("upload", f"{_BASE}/posters/similar", picture, "image/jpeg", (200, 503))


def _similar(rng: np.random.Generator) -> Question:
    more = rng.choice(["", "&limit=30", "&genre=Romance", "&fields=ids", "&limit=5&offset=5"])
    return Question("similar", f"{_BASE}/movies/{rng.choice(_MOVIES)}/similar?by={rng.choice(_BY)}{more}")


def _several(rng: np.random.Generator) -> Question:
    like = rng.choice(_MOVIES, 2, replace=False).tolist()
    return _posted("similar POST", "similar", {"like": like, "by": str(rng.choice(_BY))})


def _batch(rng: np.random.Generator) -> Question:
    movies = [*rng.choice(_MOVIES, 5).tolist(), *OWN.values()]
    return _posted("batch", "similar/batch", {"movies": movies, "by": str(rng.choice(_BY))})


def _search(rng: np.random.Generator) -> Question:
    return Question("search", f"{_BASE}/movies?limit=40{rng.choice(['', '&q=wedding', '&q=own%20film'])}")


def _movie(rng: np.random.Generator) -> Question:
    return Question("movie", f"{_BASE}/movies/{rng.choice(_MOVIES)}")


def _own(rng: np.random.Generator) -> Question:
    return Question("own movie", f"{_BASE}/movies/{rng.choice(list(OWN.values()))}", statuses=(200, 404))


def _explanation(rng: np.random.Generator) -> Question:
    first, second = rng.choice(_MOVIES, 2, replace=False)
    return Question("explanation", f"{_BASE}/movies/{first}/explanations/{second}")


def _picture(rng: np.random.Generator) -> Question:
    first, second = rng.choice(_MOVIES[:3], 2, replace=False)
    return Question("picture", f"{_BASE}/movies/{first}/explanations/{second}/picture", statuses=(200, 503))


def _prediction(rng: np.random.Generator) -> Question:
    explain = rng.choice(["", "?explain=true"])
    return Question("prediction", f"{_BASE}/users/{rng.integers(1, 41)}/predictions/{rng.choice(_MOVIES)}{explain}")


def _predictions(rng: np.random.Generator) -> Question:
    asked = {"user_ids": rng.integers(1, 41, 3).tolist()} if rng.random() < 0.5 else {"ratings": _rated(rng)}
    return _posted("predictions", "predictions", {**asked, "movies": [*rng.choice(_MOVIES, 4).tolist(), *OWN.values()]})


def _recommendations(rng: np.random.Generator) -> Question:
    if rng.random() < 0.5:
        return Question("recommendations", f"{_BASE}/users/{rng.integers(1, 41)}/recommendations")
    return _posted("recommendations", "recommendations", {"ratings": _rated(rng)})


def _snapshot(_: np.random.Generator) -> Question:
    return Question("snapshot", f"{_BASE}/snapshot", repeats=False)


def _openapi(_: np.random.Generator) -> Question:
    return Question("openapi", f"{_BASE}/openapi.json")


def _home(rng: np.random.Generator) -> Question:
    return Question("home page", str(rng.choice(["/", "/?q=starship"])))


def _film(rng: np.random.Generator) -> Question:
    return Question("film page", f"/movies/{rng.choice(_MOVIES)}")


def _poster(rng: np.random.Generator) -> Question:
    return Question("poster", f"{_BASE}/movies/{rng.choice(_MOVIES)}/poster", names_snapshot=False)


def _ready(_: np.random.Generator) -> Question:
    return Question("readyz", "/readyz")


def _rated(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [{"movie": int(movie), "rating": 4.5} for movie in rng.choice(_MOVIES, 3, replace=False)]


def _posted(kind: str, path: str, document: Mapping[str, Any]) -> Question:
    return Question(kind, f"{_BASE}/{path}", json.dumps(document).encode())


@dataclass
class Verdicts:
    """Counts and times of requests, and failed checks."""

    asked: Counter[str] = field(default_factory=Counter)
    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    slowest: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    busy: int = 0  # 503 for uploads
    wrong: Counter[str] = field(default_factory=Counter)


class Seen:
    """Checks of responses, against fixed rules and earlier responses.

    Args:
        editions: suffix of a snapshot's id -> edition.
        secret: text that no response may contain.
        verdicts: receives the results.
    """

    def __init__(self, editions: Mapping[str, str], secret: str, verdicts: Verdicts) -> None:
        self.first: dict[tuple[int, str], float] = {}  # worker, snapshot -> monotonic time of the first response
        self.refused: dict[tuple[int, str], str] = {}  # worker, snapshot -> reason
        self._editions = editions
        self._secret = secret
        self._verdicts = verdicts
        self._answers: dict[tuple[Question, str], bytes] = {}
        self._lock = Lock()

    def took(self, question: Question, seconds: float, status: int) -> None:
        with self._lock:
            self._verdicts.asked[question.kind] += 1
            self._verdicts.spent[question.kind] += seconds
            self._verdicts.slowest[question.kind] = max(self._verdicts.slowest[question.kind], seconds)
            self._verdicts.busy += status == 503

    def wrong(self, question: Question, what: str) -> None:
        with self._lock:
            self._verdicts.wrong[f"{question.kind}, {question.path}: {what}"] += 1

    def check(self, question: Question, pid: int, status: int, etag: str, content: bytes, known: str) -> str | None:
        """Check a response, and return the snapshot that it names, if any.

        Args:
            question: the request.
            pid: the worker.
            status: of the response.
            etag: of the response.
            content: of the response.
            known: ETag of the request's If-None-Match; may be empty.
        """
        text = content.decode(errors="replace")
        if self._secret in text:
            self.wrong(question, "the response contains the data directory")
        if status == 304 and known:
            if etag != known or content:
                self.wrong(question, f"304 for {known} with the ETag {etag} and {len(content)} bytes")
            return None
        if status not in question.statuses:
            self.wrong(question, f"{status}: {text[:200]}")
        if status != 200 or not question.names_snapshot:
            return None
        if known and etag == known:
            self.wrong(question, f"200 though {known} is current")
        if question.kind == "readyz":
            return self._check_ready(pid, json.loads(content))
        ids = {*_ID.findall(etag), *_ID.findall(text)}
        if len(ids) != 1:
            self.wrong(question, f"it names {len(ids)} snapshots, {sorted(ids)}, with the ETag {etag!r}")
            return None
        (snapshot_id,) = ids
        edition = self._editions[snapshot_id.rpartition("-")[2]]
        names = set(NAME.findall(text))
        if names - {edition}:
            self.wrong(question, f"{snapshot_id} is {edition}, but the response names {', '.join(sorted(names))}")
        same = content.replace(snapshot_id.encode(), b"")
        if question.repeats and self._answers.setdefault((question, edition), same) != same:
            self.wrong(question, f"different responses of the same edition, {edition}")
        with self._lock:
            self.first.setdefault((pid, snapshot_id), time.monotonic())
        return snapshot_id

    def _check_ready(self, pid: int, document: Any) -> str:
        part = document["parts"]["snapshot"]
        with self._lock:
            self.first.setdefault((pid, part["id"]), time.monotonic())
            if part["refused"] is not None:
                self.refused[pid, part["refused"]["id"]] = part["refused"]["reason"]
        return str(part["id"])


def connect(server: Serving, workers: Sequence[int], pid: int) -> http.client.HTTPConnection:
    """Return a connection that a given worker accepted."""
    others = []
    try:
        for _ in range(200):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
            connection.request("GET", "/livez")
            connection.getresponse().read()
            if holder(list(workers), connection.sock.getsockname()[1]) == pid:
                return connection
            others.append(connection)
    finally:
        for other in others:
            other.close()
    raise RuntimeError(f"worker {pid} accepts no connections")


@contextmanager
def asking(
    server: Serving, workers: Sequence[int], questions: Questions, seen: Seen, clients: int
) -> Iterator[Callable[[], bool]]:
    """Run clients, equally many per worker; yield a function that returns True if all are still running."""
    stop = Event()

    def run(pid: int, mix: Iterator[Question]) -> None:
        while not stop.is_set():
            _ask(connect(server, workers, pid), pid, mix, seen, stop)

    threads = [Thread(target=run, args=(workers[at % len(workers)], questions.all())) for at in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: all(thread.is_alive() for thread in threads)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _ask(connection: http.client.HTTPConnection, pid: int, mix: Iterator[Question], seen: Seen, stop: Event) -> None:
    """Send requests over one connection until it is idle, worn or broken."""
    last, etags = "", {}
    free = time.monotonic()
    rng = np.random.default_rng(pid)
    for question, _ in zip(mix, range(RENEWED), strict=False):
        begin = time.monotonic()
        if stop.is_set() or begin - free > IDLE:
            break
        known = etags.get(question.path, "") if question.body is None and rng.random() < CONDITIONAL else ""
        headers = {"Content-Type": question.content_type} | ({"If-None-Match": known} if known else {})
        try:
            connection.request("GET" if question.body is None else "POST", question.path, question.body, headers)
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            seen.wrong(question, f"{type(error).__name__}: {error}")
            break
        free = time.monotonic()
        seen.took(question, free - begin, reply.status)
        etag = reply.headers.get("ETag", "")
        if reply.status == 200 and etag:
            etags[question.path] = etag
        now = seen.check(question, pid, reply.status, etag, content, known)
        if now is not None and now < last:
            seen.wrong(question, f"{now} after {last} by the same worker")
        last = now or last
    connection.close()
