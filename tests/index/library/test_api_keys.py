from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index.core.errors import InvalidInput, UnknownKey
from index.library.api_keys import Key, Keys
from index.library.database import Database


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(Database(tmp_path), clock=lambda: 1000.7)


def test_a_key_is_recognised_until_it_is_revoked(keys: Keys) -> None:
    key, text = keys.create("the website")
    assert key == Key(key.key_id, "the website", "write", 1000)
    assert keys.authenticate(text) == key
    reader, reading = keys.create("a screen", "read")
    assert keys.authenticate(reading) == reader
    assert keys.all() == sorted([key, reader], key=lambda each: each.key_id)
    assert keys.revoke(key.key_id) == Key(key.key_id, "the website", "write", 1000, 1000)
    assert keys.authenticate(text) is None
    assert keys.authenticate(reading) == reader
    assert keys.revoke(key.key_id).revoked == 1000


def test_another_process_recognises_it_at_once(keys: Keys, tmp_path: Path) -> None:
    other = Keys(Database(tmp_path))
    assert other.authenticate("pst_0123456789ab_" + 43 * "x") is None
    _, text = keys.create("the website")
    assert other.authenticate(text) is not None


def test_what_is_no_key_is_not_recognised(keys: Keys) -> None:
    key, text = keys.create("the website")
    _, another = keys.create("another")
    secret = text.rpartition("_")[2]
    wrong = (
        "",
        secret,
        key.key_id,
        text[:-1],
        text + "x",
        text.upper(),
        f"pst_{key.key_id}_{another[-43:]}",
        f"pst_{another[4:16]}_{text[-43:]}",
        f"pst_{12 * '0'}_{text[-43:]}",
        f"pst_{key.key_id}_{43 * 'é'}",
        f"pst_{key.key_id}_{bytes(32).hex()[:43]}",
    )
    assert [keys.authenticate(each) for each in wrong] == [None] * len(wrong)


def test_the_secret_is_not_on_the_disk(keys: Keys, tmp_path: Path) -> None:
    _, text = keys.create("the website")
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"the website" in stored
    assert text[-43:].encode() not in stored
    with closing(sqlite3.connect(tmp_path / "library.db")) as db:
        ((digest,),) = db.execute("SELECT secret_sha256 FROM keys").fetchall()
    assert len(digest) == 32


def test_no_two_keys_are_the_same(keys: Keys) -> None:
    texts = {keys.create("one of many")[1] for _ in range(20)}
    assert len(texts) == len({text[:16] for text in texts}) == 20


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", "a \x00"])
def test_a_name_is_one_line(keys: Keys, name: str) -> None:
    with pytest.raises(InvalidInput, match="is no name for a key"):
        keys.create(name)
    assert keys.all() == []


def test_an_unknown_key_cannot_be_revoked(keys: Keys) -> None:
    with pytest.raises(UnknownKey, match="no key 'abc'"):
        keys.revoke("abc")
