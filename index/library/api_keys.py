"""API keys: create, list, revoke, authenticate. Only the hash of a secret is stored.

The text of a key is ``pst_<key id>_<secret>``. The secret has 256 random bits, so an unsalted SHA-256 is safe.
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

Scope = Literal["read", "write"]  # write includes read

_KEY_FORMAT = re.compile(r"pst_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_NO_DIGEST = bytes(32)  # no known secret hashes to this
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Key:
    """API key, without its secret."""

    key_id: str
    name: str
    scope: Scope
    created: int  # seconds since 1970
    revoked: int | None = None


class Keys:
    """API keys of a library. Threads may share it.

    Args:
        database: of the library.
        clock: returns seconds since 1970.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(self, name: str, scope: Scope = "write") -> tuple[Key, str]:
        """Create a key; return it with its text, which is not stored.

        Raises:
            InvalidInput: the name is empty, too long or has control characters.
            BadLibrary, Busy: the library could not be written; no key was created.
        """
        name = name.strip()
        if not name or len(name) > _MAX_NAME or not name.isprintable():
            raise InvalidInput(f"the name {name!r} is no name for a key: give 1 to {_MAX_NAME} characters on one line")
        key = Key(secrets.token_hex(6), name, scope, int(self._clock()))
        secret = secrets.token_urlsafe(32)
        with self._database.writing() as db:
            row = (key.key_id, name, scope, _digest(secret), key.created)
            db.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)", row)
        return key, f"pst_{key.key_id}_{secret}"

    def all(self) -> list[Key]:
        """Return every key, revoked ones included, oldest first.

        Raises:
            BadLibrary: the library cannot be read.
        """
        with self._database.reading() as db:
            query = "SELECT key_id, name, scope, created, revoked FROM keys ORDER BY created, key_id"
            return [] if db is None else [Key(*row) for row in db.execute(query)]

    def revoke(self, key_id: str) -> Key:
        """Revoke a key and return it. Revoking again changes nothing.

        Raises:
            UnknownKey: there is no key of this id.
            BadLibrary, Busy: the library could not be written; nothing changed.
        """
        with self._database.writing() as db:
            db.execute("UPDATE keys SET revoked = ifnull(revoked, ?) WHERE key_id = ?", (int(self._clock()), key_id))
        for key in self.all():
            if key.key_id == key_id:
                return key
        raise UnknownKey(f"there is no key {key_id!r}: see posterity keys list")

    def authenticate(self, text: str) -> Key | None:
        """Return the key with this text; None if it is unknown or revoked. Secrets are compared in constant time.

        Raises:
            BadLibrary: the library cannot be read.
        """
        parts = _KEY_FORMAT.fullmatch(text)
        if parts is None:
            return None
        with self._database.reading() as db:
            query = "SELECT name, scope, created, revoked, secret_sha256 FROM keys WHERE key_id = ?"
            row = None if db is None else db.execute(query, (parts[1],)).fetchone()
        matches = hmac.compare_digest(_digest(parts[2]), _NO_DIGEST if row is None else row[4])
        if row is None or not matches or row[3] is not None:
            return None
        return Key(parts[1], *row[:3])


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
