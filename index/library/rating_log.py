"""Ratings added, updated and deleted online, stored durably in the library."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index.core.arrays import Float32Array, Int64Array
from index.library.checks import Expected, expect
from index.library.database import Database, next_seq


@dataclass(frozen=True, slots=True)
class RatingChanges:
    """Latest state of every rating changed in the library, by ascending user, then movie."""

    user_ids: Int64Array  # (n,)
    movie_ids: Int64Array  # (n,)
    values: Float32Array  # (n,) NaN for deleted ratings
    timestamps: Int64Array  # (n,) seconds since 1970, of the change
    names: Mapping[int, str]  # user id -> name of each user who came with one

    def __len__(self) -> int:
        """Return the number of changed ratings."""
        return int(self.values.size)


class RatingLog:
    """Ratings of a library. Threads may share it.

    Args:
        database: of the library.
        clock: returns seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def of(self, user_id: int, *, since: int = 0) -> dict[int, float | None]:
        """Return the user's ratings changed after sequence number ``since``: movie id -> rating, None if deleted.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self._database.reading() as db:
            if db is None:
                return {}
            query = "SELECT movie_id, rating FROM ratings WHERE user_id = ? AND seq > ?"
            return dict(db.execute(query, (user_id, since)).fetchall())

    def of_movies(self, movie_ids: Sequence[int], *, since: int = 0, limit: int) -> dict[int, dict[int, float | None]]:
        """Return movies' ratings changed after sequence number ``since``: movie id -> user id -> rating.

        None for a deleted rating; movies without changes are left out.

        Args:
            movie_ids: of the movies.
            since: sequence number.
            limit: number of ratings per movie at most, the latest; deleted ones are returned besides.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self._database.reading() as db:
            query = "SELECT movie_id, user_id, rating FROM ratings WHERE seq > ? ORDER BY seq DESC"
            rows = () if db is None else db.execute(query, (since,))
            found: dict[int, dict[int, float | None]] = {}
            left = dict.fromkeys(movie_ids, limit)
            for movie_id, user_id, rating in rows:
                if movie_id in left and (rating is None or left[movie_id]):
                    found.setdefault(movie_id, {})[user_id] = rating
                    left[movie_id] -= rating is not None
        return found

    def changed(self, user_id: int) -> int | None:
        """Return the time of the latest change of a user's ratings, in seconds since 1970; None without one.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self._database.reading() as db:
            query = "SELECT max(rated) FROM ratings WHERE user_id = ?"
            found: int | None = None if db is None else db.execute(query, (user_id,)).fetchone()[0]
        return found

    def changes(self) -> RatingChanges:
        """Return all changed ratings, in one consistent read.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self._database.reading() as db:
            query = "SELECT user_id, movie_id, rating, rated FROM ratings ORDER BY user_id, movie_id"
            rows = [] if db is None else db.execute(query).fetchall()
            names = {} if db is None else dict(db.execute("SELECT user_id, name FROM user_names").fetchall())
        users, movies, values, stamps = zip(*rows, strict=True) if rows else ((), (), (), ())
        return RatingChanges(
            np.array(users, np.int64),
            np.array(movies, np.int64),
            np.array([np.nan if value is None else value for value in values], np.float32),
            np.array(stamps, np.int64),
            names,
        )

    def name(self, user_id: int) -> str | None:
        """Return the name that a user came with; None without one.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self._database.reading() as db:
            query = "SELECT name FROM user_names WHERE user_id = ?"
            row = None if db is None else db.execute(query, (user_id,)).fetchone()
        return None if row is None else str(row[0])

    def put(
        self,
        user_id: int,
        movie_id: int,
        rating: float,
        *,
        expected: Expected | None = None,
        name: str | None = None,
    ) -> int:
        """Add or update a rating; return the sequence number of the change, or of the earlier one that made it so.

        Args:
            user_id: of the user.
            movie_id: of the movie.
            rating: the new one.
            expected: tells if to go on, from the number of the rating's latest change, 0 for none, and its existence,
                True if the log does not know it.
            name: to keep of a new user.

        Raises:
            Changed: the rating is not as expected.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self._database.writing() as db:
            _keep_name(db, user_id, name)
            return self._change(db, user_id, movie_id, rating, expected)

    def remove(self, user_id: int, movie_id: int, *, expected: Expected | None = None) -> int:
        """Delete a rating, of the library or a data set; return the sequence number as ``put`` does.

        With the last rating here goes the name that the user came with.

        Raises:
            Changed: the rating is not as expected.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self._database.writing() as db:
            seq = self._change(db, user_id, movie_id, None, expected)
            left = "SELECT 1 FROM ratings WHERE user_id = ? AND rating NOT NULL"
            if db.execute(left, (user_id,)).fetchone() is None:
                _drop_name(db, user_id)
            return seq

    def put_all(self, user_id: int, ratings: Mapping[int, float], *, name: str | None = None) -> int:
        """Add or update ratings of a user in one transaction; return the sequence number of the latest of them.

        Args:
            user_id: of the user.
            ratings: by movie id.
            name: to keep of a new user.

        Raises:
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self._database.writing() as db:
            _keep_name(db, user_id, name)
            return max((self._change(db, user_id, *each) for each in ratings.items()), default=0)

    def remove_all(self, user_id: int, movie_ids: Iterable[int]) -> None:
        """Delete a user's name and ratings in one transaction: those of the library, and of these movies in a data set.

        Raises:
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self._database.writing() as db:
            rows = db.execute("SELECT movie_id FROM ratings WHERE user_id = ? AND rating NOT NULL", (user_id,))
            for movie_id in sorted({*movie_ids, *(each for (each,) in rows.fetchall())}):
                self._change(db, user_id, movie_id, None)
            _drop_name(db, user_id)

    def _change(
        self,
        db: sqlite3.Connection,
        user_id: int,
        movie_id: int,
        rating: float | None,
        expected: Expected | None = None,
    ) -> int:
        """Write a rating, None to delete it, in a transaction; return the sequence number as ``put`` does."""
        query = "SELECT seq, rating FROM ratings WHERE user_id = ? AND movie_id = ?"
        known = db.execute(query, (user_id, movie_id)).fetchone()
        seq, exists = (0, True) if known is None else (int(known[0]), known[1] is not None)
        expect(expected, f"user {user_id}'s rating of movie {movie_id}", seq, exists)
        if known is not None and known[1] == rating:
            return int(known[0])
        seq = next_seq(db)
        row = (user_id, movie_id, seq, rating, int(self._clock()))
        db.execute("REPLACE INTO ratings VALUES (?, ?, ?, ?, ?)", row)
        return seq


def _keep_name(db: sqlite3.Connection, user_id: int, name: str | None) -> None:
    if name is not None:
        db.execute("INSERT OR IGNORE INTO user_names VALUES (?, ?)", (user_id, name))


def _drop_name(db: sqlite3.Connection, user_id: int) -> None:
    db.execute("DELETE FROM user_names WHERE user_id = ?", (user_id,))
