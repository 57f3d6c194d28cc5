"""Publication and following, over a folder and over a stand-in of S3."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from index.core.errors import BadSnapshot, InvalidInput, PosterityError, StorageUnavailable, UnknownSnapshot
from index.core.files import locked
from index.publication import follow as following
from index.publication import storage as storages
from index.publication.file_list import FileList, publications_in, read_file_list
from index.publication.follow import Follower, follow
from index.publication.publish import publish_snapshot
from index.publication.state import State, check_not_following, read_state
from index.publication.storage import Storage
from index.snapshot.store import SnapshotStore
from tests.index.publication.conftest import build, files_of, objects, publish
from tests.paths import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The data directory of a follower."""
    return tmp_path / "copy"


def current(storage: Storage) -> str:
    content = storage.read("current.json", 2**16)
    assert content is not None
    return publications_in(content)[0].snapshot


def object_of(storage: Storage, path: str) -> Path:
    """Return the file behind an object of a storage in a folder, by the path that the current file list has."""
    content = storage.read("current.json", 2**16)
    assert content is not None
    file = read_file_list(storage, publications_in(content)[0]).files[path]
    return Path(storage.shown.removeprefix("file://")) / file.object


def test_a_follower_has_what_was_published(data: Path, storage: Storage, copy: Path) -> None:
    done = publish(data, storage)
    follower = Follower(storage, copy)
    assert follower.look() == done.snapshot == SnapshotStore(copy).current_id()
    assert files_of(copy) == files_of(data)
    assert SnapshotStore(copy).verify().id == done.snapshot
    assert follower.look() is None
    assert Follower(storage, copy).look() is None


def test_only_files_that_are_lacking_are_copied(data: Path, storage: Storage, copy: Path) -> None:
    first = publish(data, storage)
    assert (first.files, first.copied, first.changed) == (6, 6, True)
    follower, counted = Follower(storage, copy, keep=1), []
    follower.look()
    again = publish(data, storage)
    assert (again.copied, again.changed) == (0, False)
    build(data, "second", posters=(1, 3))
    second = publish(data, storage)
    assert second.copied == 4  # a file, the table of movies, a poster, the manifest
    assert (
        sum(file.stat().st_size for file in (data / "current/taste/vectors.npy", data / "posters/3.jpg")) < second.bytes
    )
    follower = Follower(storage, copy, keep=1, count=lambda done, total: counted.append((done, total)))
    assert follower.look() == second.snapshot
    assert counted[-1] == (second.bytes, second.bytes)
    assert {name: content for name, content in files_of(data).items() if name != "posters/2.jpg"} == files_of(copy)


def test_a_half_published_snapshot_is_not_followed_and_the_next_run_goes_on(
    data: Path, storage: Storage, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = publish(data, storage)
    follower = Follower(storage, copy)
    follower.look()
    build(data, "second", posters=tuple(range(1, 40)))
    upload, uploaded = storage.upload, []

    def failing(file: Path, name: str) -> None:
        if len(uploaded) == 20:
            raise StorageUnavailable("the line was cut")
        uploaded.append(name)
        upload(file, name)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "upload", failing)
        with pytest.raises(StorageUnavailable, match="the line was cut"):
            publish(data, storage)
    assert len(objects(storage)) >= 7 + 20
    assert current(storage) == first.snapshot
    assert follower.look() is None
    second = publish(data, storage)
    assert second.files - second.copied >= 20
    assert follower.look() == second.snapshot
    assert files_of(copy) == files_of(data)


@pytest.mark.parametrize("command", ["publish", "follow"])
def test_a_killed_command_leaves_the_snapshot_before_and_goes_on(
    data: Path, folder: Storage, copy: Path, tmp_path: Path, command: str
) -> None:
    publish(data, folder)
    follower = Follower(folder, copy)
    first = follower.look()
    second = build(data, "second", posters=tuple(range(1, 80)))
    if command == "follow":
        publish(data, folder)
    arguments = {"publish": ["publish", "--data", data], "follow": ["follow", "--once", "--data", copy]}[command]
    process = subprocess.Popen([sys.executable, "-m", "posterity", *map(str, arguments), folder.shown], cwd=ROOT)
    growing = tmp_path / "published" / "files" if command == "publish" else copy / ".follow" / "files"
    whole = re.compile("[0-9a-f]{64}").fullmatch
    before = sum(1 for file in growing.iterdir() if whole(file.name))
    while sum(1 for file in growing.iterdir() if whole(file.name)) < before + 5 and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert SnapshotStore(copy).current_id() == first
    if command == "publish":
        assert current(folder) == first
        done = publish(data, folder)
        assert done.copied <= done.files - 5
    assert follower.look() == second
    assert files_of(copy) == files_of(data)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"), [(flip, "damaged"), (lambda file: file.write_bytes(b"ab"), "damaged"), (os.remove, "missing")]
)
@pytest.mark.parametrize("path", ["snapshots/{}/taste/vectors.npy", "snapshots/{}/manifest.json", "posters/3.jpg"])
def test_a_damaged_publication_is_refused_by_name_until_it_is_published_again(
    data: Path, folder: Storage, copy: Path, damage: Callable[[Path], None], said: str, path: str
) -> None:
    publish(data, folder)
    follower = Follower(folder, copy)
    first = follower.look()
    second = build(data, "second", posters=(1, 2, 3))
    publish(data, folder)
    named = path.format(second)
    damage(object_of(folder, named))
    for _ in range(2):
        with pytest.raises(BadSnapshot, match=rf"{named}\) is {said}.*posterity publish with --again"):
            follower.look()
    assert SnapshotStore(copy).current_id() == first
    assert SnapshotStore(copy).verify().id == first
    assert publish(data, folder, again=True).changed
    assert follower.look() == second
    assert files_of(copy) == files_of(data)


def test_a_damaged_publication_is_read_again_after_a_minute(data: Path, folder: Storage, copy: Path) -> None:
    now = [0.0]
    done = publish(data, folder)
    lost = object_of(folder, "posters/1.jpg")
    content = lost.read_bytes()
    lost.unlink()
    follower = Follower(folder, copy, clock=lambda: now[0])
    with pytest.raises(BadSnapshot, match="missing"):
        follower.look()
    lost.write_bytes(content)
    with pytest.raises(BadSnapshot, match="missing"):
        follower.look()
    now[0] = 61
    assert follower.look() == done.snapshot


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[: len(text) // 2], "no JSON"),
        (lambda _: "[]", "not Posterity's"),
        (
            lambda text: text.replace('"format": 1', '"format": 2'),
            "format version 2, this version of Posterity reads 1",
        ),
        (lambda text: text.replace('"sha256": "', '"sha256": "x'), "damaged"),
        (lambda text: text.replace('"snapshot": "', '"snapshot": "../../'), "damaged"),
        (lambda _: '{"format": 1, "publications": []}', "damaged"),
        (lambda _: " " * 2**17, "more than 65536 bytes"),
    ],
)
def test_a_pointer_that_cannot_be_used_is_refused_and_written_anew(
    data: Path, folder: Storage, copy: Path, tmp_path: Path, change: Callable[[str], str], said: str
) -> None:
    done = publish(data, folder)
    pointer = tmp_path / "published" / "current.json"
    pointer.write_text(change(pointer.read_text()))
    follower, warned = Follower(folder, copy), []
    with pytest.raises(BadSnapshot, match=said):
        follower.look()
    publish_snapshot(data, folder, warn=warned.append)
    assert "written anew" in warned[0]
    assert follower.look() == done.snapshot


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "posters/../library.db",
        "posters/a/b.jpg",
        "library.db",
        "weights/..",
        "snapshots/20200101T000000000-00000000/manifest.json",
        "posters/",
        ".follow/state.json",
    ],
)
def test_a_file_list_names_nothing_outside_its_folders(path: str) -> None:
    snapshot = "20260101T000000000-00000000"
    file = {"size": 1, "sha256": "0" * 64}
    content = json.dumps({"format": 1, "snapshot": snapshot, "files": {path: file}}).encode()
    with pytest.raises(BadSnapshot, match="which belongs to no snapshot"):
        FileList.from_bytes(content)


def test_an_earlier_snapshot_is_followed_back_without_copying(data: Path, storage: Storage, copy: Path) -> None:
    first = publish(data, storage)
    follower = Follower(storage, copy)
    follower.look()
    build(data, "second")
    publish(data, storage)
    follower.look()
    back = publish(data, storage, first.snapshot)
    assert (back.changed, back.copied) == (True, 0)
    assert follower.look() == first.snapshot == SnapshotStore(copy).current_id()


def test_old_snapshots_leave_the_copy_and_the_storage_with_the_files_only_they_have(
    data: Path, storage: Storage, copy: Path
) -> None:
    follower = Follower(storage, copy, keep=2)
    ids = []
    for number in range(1, 5):
        ids.append(build(data, f"content {number}", posters=(number, number + 1)))
        publish(data, storage, keep=2)
        follower.look()
        (data / "posters" / f"{number}.jpg").unlink()
    assert SnapshotStore(copy).ids() == ids[2:]
    assert sorted(path.name for path in (copy / "posters").iterdir()) == ["3.jpg", "4.jpg", "5.jpg"]
    content = storage.read("current.json", 2**16)
    assert content is not None
    kept = publications_in(content)
    assert [each.snapshot for each in kept] == ids[:1:-1]
    listed = {file.sha256 for each in kept for file in read_file_list(storage, each).files.values()}
    assert set(objects(storage)) == listed | {each.files.sha256 for each in kept}


def test_nothing_is_deleted_while_a_file_list_cannot_be_read(data: Path, folder: Storage, tmp_path: Path) -> None:
    for number in range(2):
        build(data, f"content {number}")
        publish(data, folder)
    content = folder.read("current.json", 2**16)
    assert content is not None
    earlier, warned = publications_in(content)[1], []
    (tmp_path / "published" / earlier.files.object).unlink()
    before = set(objects(folder))
    build(data, "third")
    assert publish_snapshot(data, folder, keep=3, warn=warned.append).deleted == 0
    assert "not deleted" in warned[0]
    assert before < set(objects(folder))


def test_a_file_damaged_on_the_follower_is_copied_again(data: Path, folder: Storage, copy: Path) -> None:
    done, counted = publish(data, folder), []
    Follower(folder, copy).look()
    flip(copy / "current" / "taste" / "vectors.npy")
    (copy / "posters" / "1.jpg").unlink()
    again = Follower(folder, copy, count=lambda done, total: counted.append((done, total)))
    assert again.look() == done.snapshot
    assert files_of(copy) == files_of(data)
    # The manifest is no file of itself, so it is copied, too.
    sizes = [(data / "current" / name).stat().st_size for name in ("taste/vectors.npy", "manifest.json")]
    assert counted[-1][0] == sum(sizes) + len(b"poster 1")


def test_a_directory_that_builds_is_not_followed_into(data: Path, folder: Storage) -> None:
    publish(data, folder)
    with pytest.raises(InvalidInput, match="snapshots that were built there"):
        Follower(folder, data)


def test_a_directory_that_follows_is_not_built_into_and_returns_to_what_is_published(
    data: Path, folder: Storage, copy: Path
) -> None:
    check_not_following(data)
    follower = Follower(folder, copy)
    with pytest.raises(InvalidInput, match="follows a storage: build, change the library, and choose"):
        check_not_following(copy)
    published = publish(data, folder).snapshot
    assert follower.look() == published
    build(copy, "made here")  # by an older version, or by hand
    assert SnapshotStore(copy).current_id() != published
    assert follower.look() == published == SnapshotStore(copy).current_id()
    assert follower.look() is None


@pytest.mark.long
@pytest.mark.parametrize("prefix", ["st*r", "sta?", "sta[rt]", "starr#1"])
def test_a_prefix_is_no_pattern(data: Path, s3_bucket: str, copy: Path, prefix: str) -> None:
    root = uuid4().hex
    other, odd = (Storage(f"{s3_bucket}/{root}/{name}") for name in ("star", prefix))
    for storage in (other, odd):
        publish(data, storage, keep=1)
    before = objects(other)
    build(data, "second")
    assert publish(data, odd, keep=1).deleted
    assert objects(other) == before
    assert Follower(odd, copy).look() == SnapshotStore(data).current_id()


def test_a_storage_that_never_answers_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "_S3_LIMITS", {**storages._S3_LIMITS, "read_timeout": 1})  # noqa: SLF001
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOFTESTS")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        begin = time.monotonic()
        with pytest.raises(StorageUnavailable, match="s3://films/hanging cannot be read"):
            Storage("s3://films/hanging").read("current.json", 2**16)
    assert time.monotonic() - begin < 30  # a few tries of a second, not of minutes


def test_nothing_is_published_into_the_memory_of_a_process(data: Path) -> None:
    with pytest.raises(InvalidInput, match="memory://films ends with this process"):
        publish(data, Storage("memory://films"))


def test_a_damaged_or_missing_snapshot_is_not_published(data: Path, folder: Storage, tmp_path: Path) -> None:
    flip(data / "current" / "taste" / "vectors.npy")
    with pytest.raises(BadSnapshot, match=r"vectors\.npy is damaged"):
        publish(data, folder)
    with pytest.raises(UnknownSnapshot, match="no snapshot yet"):
        publish(tmp_path / "nowhere", folder)
    assert objects(folder) == []


def test_a_missing_poster_is_named_and_the_rest_is_published(data: Path, folder: Storage, copy: Path) -> None:
    warned: list[str] = []
    (data / "posters" / "1.jpg").unlink()
    done = publish_snapshot(data, folder, warn=warned.append)
    assert "1 files are missing" in warned[0]
    assert "posters/1.jpg" in warned[0]
    assert Follower(folder, copy).look() == done.snapshot
    assert files_of(copy) == files_of(data)


def test_the_state_follows_the_storage_and_recovers_by_itself(
    data: Path, folder: Storage, copy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each step changes the storage, as an operator or an outage does, and names the state that follows."""
    caplog.set_level("INFO")
    published, away = tmp_path / "published", tmp_path / "away"
    poster = tmp_path / "poster"

    def damage() -> None:
        build(data, "second", posters=(1, 2, 9))
        publish(data, folder)
        object_of(folder, "posters/9.jpg").rename(poster)

    steps: list[tuple[Callable[[], object], str, str]] = [
        (lambda: publish(data, folder), "ok", "None"),
        (lambda: published.rename(away), "degraded", "the storage does not answer"),
        (lambda: away.rename(published), "ok", "None"),
        (damage, "degraded", r"refused: files/[0-9a-f]{64} in the storage \(posters/9.jpg\) is missing"),
        (lambda: publish(data, folder, again=True), "ok", "None"),
    ]
    seen: list[State] = []

    def sleep(seconds: float) -> bool:
        assert seconds <= 4
        seen.append(read_state(copy))
        if len(seen) > len(steps):
            return False
        steps[len(seen) - 1][0]()
        return True

    assert read_state(copy).status == "degraded"
    follow(Follower(folder, copy), copy, sleep)
    assert seen[0] == State("degraded", "the storage does not answer, or has no publication")
    for state, (_, status, reason) in zip(seen[1:], steps, strict=True):
        assert state.status == status
        assert re.search(reason, str(state.reason))
        assert str(tmp_path) not in str(state.reason)
    assert files_of(copy) == files_of(data)
    assert "the storage answers again" in caplog.text


def test_a_disk_without_room_is_told_before_anything_is_copied(
    data: Path, folder: Storage, copy: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish(data, folder)
    follower = Follower(folder, copy)
    usage = shutil.disk_usage(copy)
    with monkeypatch.context() as patch:
        patch.setattr(following.shutil, "disk_usage", lambda _: usage._replace(free=1))
        follow(follower, copy, lambda _: False)
    assert read_state(copy) == State("degraded", "the disk is full or read-only")
    assert "MB are needed, and 0 MB are free" in caplog.text
    assert list((copy / ".follow" / "files").iterdir()) == []
    assert follower.look() is not None


def test_a_storage_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StorageUnavailable, match=r"ftp://127\.0\.0\.1:1/films cannot be opened") as caught:
        Storage("ftp://operator:topsecret@127.0.0.1:1/films")
    assert "topsecret" not in str(caught.value)
    assert "operator" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("films", "write s3://bucket/prefix"),
        ("s4://bucket/films", "write s3://bucket/prefix"),
        ("s3://", "write s3://bucket/prefix"),
        ("file://films", "write file:///films"),
        ("simplecache::s3://bucket/films", "write s3://bucket/prefix"),
        ("gs://bucket/films", "needs the Python package gcsfs"),
        ("s4://user:topsecret@bucket/films", "'s4://bucket/films' is no storage"),
    ],
)
def test_an_address_that_cannot_be_used_says_how_to_write_it(url: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Storage(url)


def test_a_user_name_that_is_a_syllable_is_hidden_by_itself() -> None:
    with pytest.raises(StorageUnavailable, match=r"refused") as caught:
        Storage("ftp://u:geheim@127.0.0.1:1/films")
    assert "geheim" not in str(caught.value)


def test_two_publishers_of_one_directory_exclude_each_other(data: Path, folder: Storage) -> None:
    with locked(data / ".publish.lock", None), pytest.raises(PosterityError, match="another process publishes"):
        publish(data, folder)
