"""The files of a data directory that is written to: whether they are whole, and no others lie about."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from index.library.database import FIRST_ID
from tests.soak.clients import Film, Place, State
from tests.soak.tally import Tally

_POSTER = re.compile(r"([0-9]+)-([0-9a-f]{16})\.png")
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}-[0-9]+-[0-9a-f]{16}\.png")


class Files:
    """Of one data directory."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._known: set[Path] = set()  # those that are there all along, and posters that were whole when last seen
        self._seen = 0  # the number of the latest change that was checked

    def remember(self) -> None:
        """What is there now may stay."""
        self._known = set(self._data.rglob("*"))
        self._known |= {self._data / f"library.db{suffix}" for suffix in ("", "-wal", "-shm")}

    def check(self, kept: Mapping[Place, State], tally: Tally, *, everything: bool = False) -> None:
        """Checks that SQLite finds nothing wrong, that rows are what was kept, and that posters are on the disk.

        Args:
            everything: rather than the posters that changed since the last time alone.
        """
        address = f"{(self._data / 'library.db').as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as db:
            found = db.execute("PRAGMA integrity_check").fetchall()
            tally.check(found == [("ok",)], f"library.db: {found}")
            movies = db.execute(
                "SELECT movie_id, seq, deleted, title, year, genres, poster, poster_sha256, length(vector) FROM movies"
            ).fetchall()
            ratings = db.execute("SELECT user_id, movie_id, rating FROM ratings").fetchall()
        for user_id, movie_id, rating in ratings:
            state = kept.get((user_id, movie_id))
            tally.check(rating == state, f"library.db: user {user_id} rates {movie_id} {rating}, not {state}")
        for movie_id, seq, deleted, title, year, genres, *poster in movies:
            state = kept.get(movie_id)
            if deleted:
                tally.check(state is None, f"library.db: {movie_id} is removed, not {state}")
                continue
            facts = (title, year, tuple(json.loads(genres)))
            wanted = (state.title, state.year, state.genres) if isinstance(state, Film) else None
            tally.check(facts == wanted, f"library.db: {movie_id} is {facts}, not {state}")
            if isinstance(state, Film) and (everything or seq > self._seen):
                self._check_poster(movie_id, state, *poster, tally)
        rows = {movie_id for movie_id, *_ in movies}
        added = {place for place in kept if isinstance(place, int) and place >= FIRST_ID}
        tally.check(added <= rows, f"library.db lacks {sorted(added - rows)}")
        self._seen = max((seq for _, seq, *_ in movies), default=0)
        self._check_names(tally)

    def count(self, tally: Tally) -> None:
        """Counts what kills have left."""
        with closing(sqlite3.connect(self._data / "library.db")) as db:
            named = {name for (name,) in db.execute("SELECT poster FROM movies WHERE poster IS NOT NULL")}
        names = [file.name for file in (self._data / "posters").iterdir()]
        tally.counts["left: hidden temporary posters"] = sum(name.startswith(".") for name in names)
        tally.counts["left: posters that no movie has, or has any more"] = sum(
            _POSTER.fullmatch(name) is not None and name not in named for name in names
        )

    def _check_poster(
        self, movie_id: int, film: Film, name: str | None, digest: str | None, vector: int | None, tally: Tally
    ) -> None:
        if name is None:  # a movie of the data set may have one all the same: the data set's
            right = film.poster is None if movie_id >= FIRST_ID else True
            tally.check(right and vector is None, f"library.db: {movie_id} has lost its poster, {film}")
            return
        file = self._data / "posters" / name
        whole = file.is_file() and sha256(file.read_bytes()) == digest == film.poster
        tally.check(whole and vector is not None, f"{file} is missing or differs: {movie_id}, {film}")

    def _check_names(self, tally: Tally) -> None:
        for file in set(self._data.rglob("*")) - self._known:
            if file.parent == self._data / "posters" and _TEMPORARY.fullmatch(file.name):
                continue
            form = _POSTER.fullmatch(file.name) if file.parent == self._data / "posters" else None
            tally.check(form is not None, f"{file} lies about")
            if form is not None:
                tally.check(sha256(file.read_bytes()).startswith(form[2]), f"{file} is not whole")
                self._known.add(file)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
