"""Tests of watching folders."""

from __future__ import annotations

import threading
from pathlib import Path

from watchdog.events import FileClosedNoWriteEvent, FileModifiedEvent, FileOpenedEvent

from indexer.shelf.watch import Changes, wait_for_change, watched


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_changes_count_once_nothing_has_changed_for_a_while() -> None:
    clock = Clock()
    changes = Changes(clock)
    assert not changes.take(30)
    changes.on_any_event(FileModifiedEvent("film.mkv"))
    clock.now = 20
    assert not changes.take(30)
    changes.on_any_event(FileModifiedEvent("film.mkv"))
    clock.now = 45
    assert not changes.take(30)
    clock.now = 50
    assert changes.take(30)
    assert not changes.take(30)


def test_a_folder_that_is_never_quiet_is_scanned_at_last() -> None:
    clock = Clock()
    changes = Changes(clock)
    taken = 0
    for second in range(2000):
        clock.now = float(second)
        changes.on_any_event(FileModifiedEvent("download.part"))
        taken += changes.take(30)
    assert taken == 3


def test_reading_is_no_change() -> None:
    changes = Changes()
    for event in (FileOpenedEvent("movie.nfo"), FileClosedNoWriteEvent("movie.nfo")):
        changes.on_any_event(event)
    assert not changes.take(0)


def test_a_new_file_below_a_watched_folder_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "Heat (1995)").mkdir()
    never = threading.Event()
    with watched([tmp_path]) as changes:
        (tmp_path / "Heat (1995)" / "Heat.mkv").touch()
        assert wait_for_change(changes, 0.05, 60, lambda seconds: not never.wait(seconds))


def test_the_wait_ends_in_time_and_on_a_signal() -> None:
    assert wait_for_change(Changes(), 1, 3, lambda _: True)
    assert not wait_for_change(Changes(), 1, 3, lambda _: False)
