"""Checks of the files of a data directory during writes: they are complete, and there are no others."""

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
    """The files of one data directory."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._known: set[Path] = set()  # initial files, and posters found complete
        self._seen = 0  # number of the latest change that was checked

    def remember(self) -> None:
        """Accept all files that exist now."""
        self._known = set(self._data.rglob("*"))
        self._known |= {self._data / f"library.db{suffix}" for suffix in ("", "-wal", "-shm")}

    def check(self, kept: Mapping[Place, State], tally: Tally, *, everything: bool = False) -> None:
        """Check the integrity of the library, its rows against ``kept``, and its poster files.

        Args:
            kept: the expected states.
            tally: receives the results.
            everything: check all posters, not only those changed since the last check.
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
        """Count the leftovers of kills."""
        with closing(sqlite3.connect(self._data / "library.db")) as db:
            named = {name for (name,) in db.execute("SELECT poster FROM movies WHERE poster IS NOT NULL")}
        names = [file.name for file in (self._data / "posters").iterdir()]
        tally.counts["leftovers: hidden temporary posters"] = sum(name.startswith(".") for name in names)
        tally.counts["leftovers: posters of no movie"] = sum(
            _POSTER.fullmatch(name) is not None and name not in named for name in names
        )

    def _check_poster(
        self, movie_id: int, film: Film, name: str | None, digest: str | None, vector: int | None, tally: Tally
    ) -> None:
        if name is None:  # a movie of the data set may still have the data set's poster
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
            tally.check(form is not None, f"{file} is unexpected")
            if form is not None:
                tally.check(sha256(file.read_bytes()).startswith(form[2]), f"{file} is incomplete")
                self._known.add(file)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
