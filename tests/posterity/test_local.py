"""The local index: follows snapshots and the library, as a server does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import posterity
from index.catalogue.catalogue import Movie
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.publication.state import OWN_FOLDER
from index.snapshot.store import SnapshotStore
from indexer.build import build
from indexer.config import Plan
from posterity import Index, errors
from tests.conftest import QUICK, World


def test_a_newly_published_snapshot_is_followed_unless_it_stays_at_one(world: World, data: Path) -> None:
    with posterity.open(str(data)) as index, posterity.open(data, snapshot=world.manifest.id) as pinned:
        assert index.similar(3, by="poster")
        newest = build(Plan(world.ratings, data, settings=QUICK))  # without posters
        assert index.snapshot()["id"] == newest.id
        assert newest.id in repr(index)
        with pytest.raises(errors.UnknownSpace):
            index.similar(3, by="poster")
        assert pinned.snapshot()["id"] == world.manifest.id
        assert pinned.similar(3, by="poster")
        SnapshotStore(data).rollback()
        assert index.similar(3, by="poster")


def test_a_damaged_new_snapshot_is_told_once_and_not_used(
    world: World, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with posterity.open(data) as index:
        damaged = build(Plan(world.ratings, data, settings=QUICK))
        (SnapshotStore(data).path() / "movies.json").write_text("{}")
        for _ in range(3):
            assert index.snapshot()["id"] == world.manifest.id
    assert caplog.text.count(f"snapshot {damaged.id} cannot be opened; {world.manifest.id} is used on") == 1
    with pytest.raises(errors.BadSnapshot, match=r"movies\.json is damaged"):
        posterity.open(data)


def test_nothing_to_open_says_what_to_run(tmp_path: Path, world: World) -> None:
    with pytest.raises(errors.UnknownSnapshot, match="run posterity build"):
        posterity.open(tmp_path)
    with pytest.raises(errors.UnknownSnapshot, match="no snapshot 'monday'"):
        posterity.open(world.data, snapshot="monday")


@pytest.mark.parametrize(
    "change",
    [
        lambda index: index.add_movie("New"),
        lambda index: index.add_movies([{"title": "New"}]),
        lambda index: index.replace_movie(3, "Other"),
        lambda index: index.update_movie(3, title="Other"),
        lambda index: index.replace_poster(3, b"\xff\xd8"),
        lambda index: index.delete_movie(3),
        lambda index: index.rate(1, 3, 4.0),
        lambda index: index.rate_all(1, {3: 4.0}),
        lambda index: index.delete_ratings(1),
        lambda index: index.delete_rating(1, 3),
    ],
)
def test_a_directory_that_follows_a_storage_is_not_changed(data: Path, change: Callable[[Index], object]) -> None:
    (data / OWN_FOLDER).mkdir()
    with posterity.open(data) as index:
        before = (index.movie(3), index.rated(1))
        with pytest.raises(errors.InvalidInput, match="follows a storage"):
            change(index)
        assert (index.movie(3), index.rated(1)) == before
    library = Library.open(data)
    assert not library.changes_since(0, vectors=False).movies
    assert not RatingLog(library.database).changes().user_ids.size


def test_changes_by_others_are_seen_at_once(data: Path) -> None:
    with posterity.open(data) as index:
        library = Library.open(data)
        movie_id = library.add(Movie(0, "Elsewhere"), above=23)
        assert index.movie(movie_id)["title"] == "Elsewhere"
        library.remove(movie_id)
        with pytest.raises(errors.UnknownMovie):
            index.movie(movie_id)
        RatingLog(library.database).put(4000, 1, 4.5)
        assert index.rated(4000) == {1: 4.5}


def test_threads_may_share_an_index(data: Path) -> None:
    with posterity.open(data) as index:
        expected, failed = index.similar(3, by="taste"), []

        def ask(user_id: int) -> None:
            for movie in (1, 2, 3):
                index.rate(user_id, movie, 4)
                if index.similar(3, by="taste") != expected or movie not in index.rated(user_id):
                    failed.append(user_id)

        threads = [threading.Thread(target=ask, args=(4000 + number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failed


def test_a_poster_that_is_gone_or_damaged_is_not_found(data: Path) -> None:
    with posterity.open(data) as index:
        (data / "posters" / "1.jpg").unlink()
        (data / "posters" / "2.jpg").write_bytes(b"damaged")
        assert index.poster(2) == b"damaged"
        for movie, width in ((1, None), (1, 120), (2, 120)):
            with pytest.raises(errors.NotComparable):
                index.poster(movie, width=width)  # type: ignore[arg-type]
        assert index.similar(3, by="poster")._repr_html_().count("<img") >= 1
