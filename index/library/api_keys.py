"""API keys: who may write. Made, listed, revoked, recognised; of a secret only its hash is kept.

A key reads ``pst_<key id>_<secret>``. The secret has 256 random bits, so a plain hash of it cannot be guessed from.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from index.core.errors import InvalidInput, UnknownKey
from index.library.database import Database

Scope = Literal["read", "write"]  # whoever may write may read

_FORM = re.compile(r"pst_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODY = bytes(32)  # no secret is known to have this hash
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key."""

    key_id: str
    name: str
    scope: Scope
    created: int  # seconds since 1970
    revoked: int | None = None


class Keys:
    """The keys of a library. Threads may share it.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str, scope: Scope = "write") -> tuple[Key, str]:
        """A new key, and the text of it, which is told this once and kept nowhere.

        Raises:
            InvalidInput: a name that cannot be used.
            BadLibrary, Busy: none was made.
        """
        name = name.strip()
        if not name or len(name) > _MAX_NAME or not name.isprintable():
            raise InvalidInput(f"the name {name!r} is no name for a key: give up to {_MAX_NAME} characters on one line")
        key = Key(secrets.token_hex(6), name, scope, int(self._clock()))
        secret = secrets.token_urlsafe(32)
        with self._database.writing() as db:
            row = (key.key_id, name, scope, _digest(secret), key.created)
            db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)", row)
        return key, f"pst_{key.key_id}_{secret}"

    def all(self) -> list[Key]:
        """Every key there ever was, oldest first.

        Raises:
            BadLibrary: the file cannot be read.
        """
        with self._database.reading() as db:
            query = "SELECT key_id, name, scope, created, revoked FROM keys ORDER BY created, key_id"
            return [] if db is None else [Key(*row) for row in db.execute(query)]

    def revoke(self, key_id: str) -> Key:
        """The key, which is of no use from now on; revoked twice is revoked once.

        Raises:
            UnknownKey: there is none of that id.
            BadLibrary, Busy: nothing was changed.
        """
        with self._database.writing() as db:
            db.execute("UPDATE keys SET revoked = ifnull(revoked, ?) WHERE key_id = ?", (int(self._clock()), key_id))
        found = [key for key in self.all() if key.key_id == key_id]
        if not found:
            raise UnknownKey(f"there is no key {key_id!r}: see posterity keys list")
        return found[0]

    def recognise(self, text: str) -> Key | None:
        """The key that a text is, if it is one that is of use. Takes as long for a wrong secret as for a right one.

        Raises:
            BadLibrary: the file cannot be read.
        """
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        with self._database.reading() as db:
            query = "SELECT name, scope, created, revoked, secret_sha256 FROM keys WHERE key_id = ?"
            found = None if db is None else db.execute(query, (form[1],)).fetchone()
        right = hmac.compare_digest(_digest(form[2]), _NOBODY if found is None else found[4])
        if found is None or not right or found[3] is not None:
            return None
        return Key(form[1], *found[:3])


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
