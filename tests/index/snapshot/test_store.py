import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from index.core.errors import BadSnapshot, PosterityError, UnknownSnapshot
from index.snapshot.store import FORMAT, Manifest, SnapshotStore


def publish(store: SnapshotStore, content: str, now: datetime | None = None) -> Manifest:
    with store.writing() as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "vectors.npy").write_text(content)
        return store.publish(
            folder,
            now=now,
            version="1",
            dataset={"name": "tiny"},
            spaces={},
            blend={},
            ratings={},
            posters={},
            warnings=("one left out",),
        )


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "data")


def test_a_published_snapshot_is_current_and_whole(store: SnapshotStore) -> None:
    manifest = publish(store, "one")
    assert store.current_id() == manifest.id
    assert store.verify() == manifest
    assert store.manifest(manifest.id).warnings == ("one left out",)


def test_of_damaged_snapshots_the_newest_sound_one_is_found(store: SnapshotStore) -> None:
    published = [publish(store, content) for content in ("one", "two", "three")]
    assert store.check_newest_sound() == (store.check(published[2].id), None)
    for manifest in published[1:]:
        (store.path(manifest.id) / "inner" / "vectors.npy").write_text("damaged")
    checked, damage = store.check_newest_sound()
    assert checked.id == published[0].id
    assert published[2].id in str(damage)
    (store.path(published[0].id) / "inner" / "vectors.npy").unlink()
    with pytest.raises(BadSnapshot, match=published[2].id):
        store.check_newest_sound()


def test_nothing_published_says_what_to_run(store: SnapshotStore) -> None:
    assert store.current_id() is None
    assert store.ids() == []
    with pytest.raises(UnknownSnapshot, match="posterity build"):
        store.verify()


def test_an_unknown_snapshot_is_named(store: SnapshotStore) -> None:
    publish(store, "one")
    with pytest.raises(UnknownSnapshot, match="'yesterday'"):
        store.verify("yesterday")


def test_a_flipped_byte_is_refused_by_file_name(store: SnapshotStore) -> None:
    file = store.path(publish(store, "one").id) / "inner" / "vectors.npy"
    file.write_text("onE")
    with pytest.raises(BadSnapshot, match=r"inner/vectors\.npy is damaged"):
        store.verify()


def test_a_missing_file_is_refused_by_name(store: SnapshotStore) -> None:
    (store.path(publish(store, "one").id) / "inner" / "vectors.npy").unlink()
    with pytest.raises(BadSnapshot, match=r"inner/vectors\.npy is missing"):
        store.verify()


def test_an_edited_manifest_is_refused(store: SnapshotStore) -> None:
    file = store.path(publish(store, "one").id) / "manifest.json"
    file.write_text(file.read_text().replace("tiny", "tall"))
    with pytest.raises(BadSnapshot, match=r"manifest\.json is damaged"):
        store.verify()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "1"}', "\x00"])
def test_a_manifest_that_is_none_is_refused(store: SnapshotStore, content: str) -> None:
    file = store.path(publish(store, "one").id) / "manifest.json"
    file.write_text(content)
    with pytest.raises(BadSnapshot, match=r"manifest\.json"):
        store.verify()
    file.unlink()
    with pytest.raises(BadSnapshot, match=r"manifest\.json is missing"):
        store.verify()


def test_another_format_version_says_what_to_do(store: SnapshotStore) -> None:
    file = store.path(publish(store, "one").id) / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": FORMAT + 1}))
    with pytest.raises(BadSnapshot, match=f"format version {FORMAT + 1}.*build the snapshot again"):
        store.verify()


def test_a_build_that_fails_leaves_nothing_behind_and_the_old_one_current(store: SnapshotStore) -> None:
    old = publish(store, "one")

    def fail() -> None:
        with store.writing() as folder:
            (folder / "half").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.ids() == [old.id]
    assert store.current_id() == old.id
    assert [path.name for path in (store.data / "snapshots").iterdir()] == [old.id]


def test_what_a_killed_build_left_is_invisible_and_swept_by_the_next(store: SnapshotStore) -> None:
    old = publish(store, "one")
    left = store.data / "snapshots" / ".unfinished-123"
    left.mkdir()
    (left / "half").write_text("half")
    assert store.ids() == [old.id]
    publish(store, "two")
    assert not left.exists()


def test_two_builds_at_once_are_refused(store: SnapshotStore) -> None:
    with store.writing(), pytest.raises(PosterityError, match="another build is running"), store.writing():
        pass


def test_rollback_serves_the_one_before_and_back(store: SnapshotStore) -> None:
    first, second = publish(store, "one"), publish(store, "two")
    assert store.rollback().id == first.id == store.current_id()
    with pytest.raises(UnknownSnapshot, match="nothing to roll back to"):
        store.rollback()
    assert store.rollback(second.id).id == second.id == store.current_id()


def test_rollback_to_a_damaged_snapshot_is_refused_and_changes_nothing(store: SnapshotStore) -> None:
    first, second = publish(store, "one"), publish(store, "two")
    shutil.rmtree(store.path(first.id) / "inner")
    with pytest.raises(BadSnapshot):
        store.rollback()
    assert store.current_id() == second.id


def test_pruning_keeps_the_newest_and_the_current(store: SnapshotStore) -> None:
    made = [publish(store, str(n)).id for n in range(4)]
    store.rollback(made[0])
    assert store.prune(keep=1) == made[1:3]
    assert store.ids() == [made[0], made[3]]
    assert store.prune(keep=5) == []


def test_pruning_keeps_the_newest_that_verifies(store: SnapshotStore) -> None:
    made = [publish(store, str(n)).id for n in range(4)]
    for damaged in made[2:]:
        (store.path(damaged) / "inner" / "vectors.npy").write_text("X")
    assert store.prune(keep=1) == [made[0], made[2]]
    assert store.rollback().id == made[1]


def test_pruning_keeps_what_is_open_and_no_longer_what_a_killed_process_had_open(store: SnapshotStore) -> None:
    made = [publish(store, str(n)).id for n in range(3)]
    holds = (
        "import sys; from pathlib import Path; from index.snapshot.store import SnapshotStore\n"
        f"with SnapshotStore(Path({str(store.data)!r})).holding({made[0]!r}): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        assert store.prune(keep=1) == [made[1]]
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert store.prune(keep=1) == [made[0]]


def test_pruning_waits_for_no_build_and_deletes_nothing_under_it(store: SnapshotStore) -> None:
    made = [publish(store, str(n)).id for n in range(2)]
    with store.writing(), pytest.raises(PosterityError, match="another build is running"):
        store.prune(keep=1)
    assert store.ids() == made


def test_whatever_is_no_snapshot_is_left_alone(store: SnapshotStore) -> None:
    made = publish(store, "one").id
    (store.data / "snapshots" / "notes.txt").write_text("mine")
    (store.data / "snapshots" / "lost+found").mkdir()
    (store.data / "snapshots" / f"{made[:-1]}x").mkdir()
    assert store.ids() == [made]
    assert store.prune(keep=1) == []
    assert (store.data / "snapshots" / "notes.txt").exists()


def test_ids_ascend_although_the_clock_was_set_back(store: SnapshotStore) -> None:
    now = datetime(2026, 3, 1, 0, 0, 0, 999_999, UTC)
    made = [publish(store, str(n), now - timedelta(days=n)).id for n in range(3)]
    assert store.ids() == made
    assert store.rollback().id == made[1]


def test_only_files_that_have_changed_since_are_read_again(store: SnapshotStore) -> None:
    publish(store, "one")
    file = store.path() / "inner" / "vectors.npy"
    checked = store.check()
    assert store.verify(checked=checked).id == checked.id
    file.write_text("onE")  # as long as before
    os.utime(file, ns=(0, 0))
    with pytest.raises(BadSnapshot, match=r"vectors\.npy is damaged"):
        store.verify(checked=checked)
