from __future__ import annotations

import pytest

from index.core.addresses import split_address, without_user
from index.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("milvus://me:secret@host:19530/films", "milvus://host:19530/films"),
        ("milvus://me@host", "milvus://host"),
        ("milvus://me:se/cret@host:1", "milvus://host:1"),
        ("sftp://me:se?cret@host/x", "sftp://host/x"),
        ("ftp://me:se#cr@et@host/x", "ftp://host/x"),
        ("s3://bucket/folder/a@b", "s3://bucket/folder/a@b"),
        ("s3://bucket/folder/a:b@c", "s3://bucket/folder/a:b@c"),
        ("file:///folder/x@y", "file:///folder/x@y"),
        ("no address", "no address"),
    ],
)
def test_an_address_is_shown_without_user_name_and_password(url: str, shown: str) -> None:
    assert without_user(url) == shown


@pytest.mark.parametrize("character", "/?#")
def test_a_password_that_would_end_the_host_is_refused_without_being_shown(character: str) -> None:
    with pytest.raises(InvalidInput, match=r"the password for 'ftp://host/x' has /, \? or #: write %2F") as refused:
        split_address(f"ftp://me:se{character}cret@host/x")
    assert "cret" not in str(refused.value)
    parts = split_address("ftp://me:se%2Fcret@host/x")
    assert parts is not None
    assert parts.hostname == "host"


@pytest.mark.parametrize("url", ["milvus://[::1", "s3://[bad/x", "milvus://host:port", "milvus://host:99999"])
def test_a_host_or_a_port_that_is_none_has_no_parts(url: str) -> None:
    assert split_address(url) is None
