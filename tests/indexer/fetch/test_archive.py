from __future__ import annotations

import contextlib
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.core.errors import InvalidInput
from indexer.fetch.archive import Limits, unzip
from tests.indexer.fetch.conftest import tree
from tests.indexer.fetch.standins import zipped

GOOD = {"ml-x/README.txt": b"Terms", "ml-x/ratings.csv": b"1,2,3\n" * 500}


def unpack(data: bytes, folder: Path, limits: Limits | None = None) -> dict[str, bytes]:
    (folder / "x.zip").write_bytes(data)
    (folder / "out").mkdir()
    unzip(folder / "x.zip", folder / "out", "ml-x", limits or Limits())
    return tree(folder / "out")


def test_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    assert unpack(zipped({"ml-x/": b"", **GOOD}), tmp_path) == GOOD


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../x", "ml-x/../../x", "ml-x\\..\\x", "C:/x", "other/x", "ml-x/../y", "x", "./x", "", "ml-x/a\0b"],
)
def test_nothing_comes_out_elsewhere(name: str, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("placeholder")
    member.filename = name  # zipfile would normalise it
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(InvalidInput, match="not in its folder ml-x"):
        unpack(stream.getvalue(), tmp_path)
    assert {file.name for file in tmp_path.rglob("*")} == {"x.zip", "out"}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_nothing_but_files_comes_out(kind: int, tmp_path: Path) -> None:
    member = zipfile.ZipInfo("ml-x/link")
    member.external_attr = (kind | 0o777) << 16
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(member, b"/etc/passwd")
    with pytest.raises(InvalidInput, match="not a regular file"):
        unpack(stream.getvalue(), tmp_path)


@pytest.mark.parametrize("names", [("ml-x/a", "ml-x/a"), ("ml-x/a", "ml-x/A"), ("ml-x/a", "ml-x//a")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_name_comes_twice(names: tuple[str, str], tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    with pytest.raises(InvalidInput, match="two members"):
        unpack(stream.getvalue(), tmp_path)


def test_no_file_is_a_folder_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="below a file"):
        unpack(zipped({"ml-x/a/b": b"x", "ml-x/a": b"x"}), tmp_path)


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(members=1), "has 2 members"),
        (Limits(size=1000), "extracts to more than 1e-06 GB"),
        (Limits(ratio=2), "more than its size or the limit"),
    ],
)
def test_no_more_comes_out_than_is_believable(limits: Limits, why: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=why):
        unpack(zipped(GOOD), tmp_path, limits)


def test_a_bomb_that_lies_about_its_size_is_stopped_while_it_unpacks(tmp_path: Path) -> None:
    bomb = zipped({"ml-x/bomb": bytes(50_000_000)})
    size = (50_000_000).to_bytes(4, "little")
    assert bomb.count(size) == 2
    for declared in (size, (100).to_bytes(4, "little")):
        folder = tmp_path / str(declared[0])
        folder.mkdir()
        with pytest.raises(InvalidInput):
            unpack(bomb.replace(size, declared), folder)
        assert sum(len(data) for data in tree(folder / "out").values()) < 10_000_000


def test_an_encrypted_member_is_told(tmp_path: Path) -> None:
    data = bytearray(zipped({"ml-x/a": b"x"}))
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidInput, match="encrypted"):
        unpack(bytes(data), tmp_path)


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    at = len("ml-x/README.txt") + 32  # in the first member's content
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"PK\x05\x06"])
def test_a_damaged_zip_is_told(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the zip file"):
        unpack(damage(zipped(GOOD)), tmp_path)


@given(st.integers(0, len(zipped(GOOD)) - 1), st.integers(1, 255))
def test_whatever_byte_is_wrong_nothing_but_an_error_or_files_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: int
) -> None:
    folder = tmp_path_factory.mktemp("zip")
    data = bytearray(zipped(GOOD))
    data[at] ^= change
    with contextlib.suppress(InvalidInput):
        unpack(bytes(data), folder)
    assert {file.relative_to(folder / "out").parts[0] for file in (folder / "out").rglob("*")} <= {"ml-x"}
