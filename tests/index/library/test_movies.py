from __future__ import annotations

import hashlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.catalogue.catalogue import Movie
from index.core.errors import BadImage, BadLibrary, Conflict, InvalidInput, ReusedRequest
from index.library.database import FIRST_ID, copy
from index.library.entries import MovieChanges, Poster, checked_movie
from index.library.movies import Library, Request
from index.library.rating_log import RatingLog
from tests.paths import GOLDEN

HEAT = Movie(6, "Heat", 1995, ("Action", "Crime"), "tt0113277", 949)
JPEG = b"\xff\xd8\xff and whatever follows"


def unit_vector(seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    vector = np.random.default_rng(seed).random(25088, dtype=np.float32)
    unit: np.ndarray[tuple[int], np.dtype[np.float32]] = vector / np.linalg.norm(vector)
    return unit


def test_an_empty_library_has_no_file_and_no_changes(tmp_path: Path) -> None:
    library = Library.open(tmp_path / "data")
    assert library.version() == 0
    assert library.changes_since(0) == MovieChanges(0, (), frozenset())
    assert not (tmp_path / "data").exists()


def test_a_movie_comes_back_whole(tmp_path: Path) -> None:
    vector = unit_vector()
    assert Library.open(tmp_path).put(HEAT, Poster(JPEG, vector, "abc")) == 1
    changes = Library.open(tmp_path).changes_since(0)
    (entry,) = changes.movies
    assert (changes.version, changes.deleted) == (1, frozenset())
    assert entry.movie == HEAT
    assert entry.poster_sha256 == hashlib.sha256(JPEG).hexdigest()
    assert entry.poster == f"6-{entry.poster_sha256[:16]}.jpg"
    assert (tmp_path / "posters" / entry.poster).read_bytes() == JPEG
    assert entry.weights_sha256 == "abc"
    assert entry.vector is not None
    assert (entry.vector.shape, entry.vector.dtype) == ((25088,), np.float16)
    assert entry.vector.astype(np.float32) == pytest.approx(vector, rel=1e-3, abs=1e-6)
    assert not entry.vector.flags.writeable
    (without,) = Library.open(tmp_path).changes_since(0, vectors=False).movies
    assert without.vector is None


def test_only_what_changed_since_is_told(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    numbers = [library.put(HEAT), library.put(Movie(3, "Ronin")), library.remove(9), library.put(Movie(6, "Heat 2"))]
    assert numbers == [1, 2, 3, 4]
    assert library.version() == 4
    every = library.changes_since(0)
    assert [entry.movie.title for entry in every.movies] == ["Ronin", "Heat 2"]  # by id
    assert every.deleted == {9}
    assert [entry.movie.title for entry in library.changes_since(2).movies] == ["Heat 2"]
    assert library.changes_since(3).deleted == frozenset()
    assert library.changes_since(4) == MovieChanges(4)
    assert library.changes_since(99) == MovieChanges(4)


def test_a_movie_that_is_replaced_keeps_its_poster_until_it_gets_another(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    library.put(HEAT, Poster(JPEG, unit_vector(), "abc"))
    (before,) = library.changes_since(0).movies
    library.put(Movie(6, "Heat"))
    (entry,) = library.changes_since(0).movies
    assert entry.movie == Movie(6, "Heat")
    assert (entry.poster, entry.poster_sha256, entry.weights_sha256) == (
        before.poster,
        before.poster_sha256,
        before.weights_sha256,
    )
    assert entry.vector is not None
    assert before.vector is not None
    assert entry.vector.tolist() == before.vector.tolist()
    library.put(Movie(6, "Heat"), Poster(JPEG + b"another"))
    (entry,) = library.changes_since(0).movies
    assert entry.poster != before.poster
    assert (entry.vector, entry.weights_sha256) == (None, None)


def test_what_is_so_already_is_no_change(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    assert [library.put(HEAT, Poster(JPEG)) for _ in range(2)] == [1, 1]
    assert library.put(HEAT) == 1
    assert [library.remove(6) for _ in range(2)] == [2, 2]
    assert library.put(HEAT) == 3
    (entry,) = library.changes_since(0).movies
    assert entry.poster is not None  # kept for the movie that comes back


def test_a_request_adds_a_movie_once(tmp_path: Path) -> None:
    library, request = Library.open(tmp_path), Request("abc", "of Heat")
    assert library.added_by(request) is None
    for _ in range(2):
        assert library.add(HEAT, Poster(JPEG), above=7, request=request) == FIRST_ID
    assert Library.open(tmp_path).add(HEAT, above=7, request=request) == FIRST_ID
    assert library.added_by(request) == FIRST_ID
    with pytest.raises(ReusedRequest, match="with another movie"):
        library.add(Movie(0, "Ronin"), above=7, request=Request("abc", "of Ronin"))
    assert library.add(Movie(0, "Ronin"), above=7, request=Request("def", "of Ronin")) == FIRST_ID + 1
    assert library.add(Movie(0, "Ronin"), above=7) == FIRST_ID + 2
    assert [entry.movie.title for entry in library.changes_since(0).movies] == ["Heat", "Ronin", "Ronin"]


def test_a_request_that_many_make_at_once_adds_a_movie_once(tmp_path: Path) -> None:
    library, request = Library.open(tmp_path), Request("abc", "of Heat")
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: library.add(HEAT, Poster(JPEG), above=7, request=request), range(8)))
    assert len(set(added)) == 1
    assert len(library.changes_since(0).movies) == 1


def test_a_library_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "library-1.db", tmp_path / "library.db")
    library = Library.open(tmp_path)
    assert library.version() == 3
    changes = library.changes_since(0)
    assert [entry.movie for entry in changes.movies] == [HEAT]
    assert changes.deleted == {9}
    assert library.knows(9)
    assert not library.knows(10)
    ratings = RatingLog(library.database)
    assert ratings.put(1, 6, 4.5) == 4
    assert library.version() == 4
    assert library.movies_version() == 3
    assert len(library.identity()) == 32
    assert Library.open(tmp_path).identity() == library.identity()


def test_added_removed_and_brought_back(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    movie_id = library.next_id(10)
    library.put(Movie(movie_id, "Night Train"), Poster(JPEG))
    library.remove(movie_id)
    assert library.changes_since(0) == MovieChanges(2, (), frozenset({movie_id}))
    library.put(Movie(movie_id, "Night Train"))
    changes = library.changes_since(0)
    assert (changes.version, changes.deleted) == (3, frozenset())
    assert [entry.movie.movie_id for entry in changes.movies] == [movie_id]


def test_ids_of_new_movies_are_nobodys(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    assert library.next_id(193_609) == FIRST_ID == 1_000_000_000
    assert library.next_id(193_609) == FIRST_ID + 1
    library.put(Movie(FIRST_ID + 5, "By hand"))
    library.remove(FIRST_ID + 5)
    assert library.next_id(0) == FIRST_ID + 6
    assert library.next_id(2 * FIRST_ID) == 2 * FIRST_ID + 1
    assert library.version() == 2  # reserving an id is no change


def test_changes_apply_to_movies(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    library.put(Movie(6, "Heat, again"))
    library.put(Movie(FIRST_ID, "New"))
    library.remove(2)
    library.remove(77)
    after = library.changes_since(0).applied_to([Movie(2, "Gone"), Movie(4, "Stays"), HEAT])
    assert after == (Movie(4, "Stays"), Movie(6, "Heat, again"), Movie(FIRST_ID, "New"))


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (JPEG, ".jpg"),
        (b"\x89PNG\r\n\x1a\n...", ".png"),
        (b"RIFF\n\x00\x00\x00WEBPVP8 ", ".webp"),
        (b"GIF89a", ".gif"),
    ],
)
def test_a_poster_is_named_by_its_content(tmp_path: Path, content: bytes, suffix: str) -> None:
    library = Library.open(tmp_path)
    library.put(HEAT, Poster(content))
    (file,) = (tmp_path / "posters").iterdir()
    assert file.suffix == suffix
    assert library.changes_since(0).movies[0].poster == file.name


def test_a_snapshots_poster_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "posters").mkdir()
    (tmp_path / "posters" / "6.jpg").write_bytes(b"of the snapshot")
    Library.open(tmp_path).put(HEAT, Poster(JPEG))
    assert (tmp_path / "posters" / "6.jpg").read_bytes() == b"of the snapshot"
    assert len(list((tmp_path / "posters").iterdir())) == 2


def test_bytes_in_no_known_format_change_nothing(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    with pytest.raises(BadImage, match="no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC"):
        library.put(HEAT, Poster(b"<svg>"))
    assert library.version() == 0


def test_a_vector_belongs_to_weights_and_has_its_shape() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Poster(JPEG, unit_vector())
    with pytest.raises(ValueError, match=r"not \(3,\)"):
        Poster(JPEG, np.ones(3), "abc")


@pytest.mark.parametrize(
    ("movie", "message"),
    [
        (Movie(1, " \t "), "the title is empty"),
        (Movie(1, "x" * 501), "the title has 501 characters; at most 500"),
        (Movie(1, "Heat\x00"), "holds control characters"),
        (Movie(1, "Heat \udce9"), "is no Unicode"),
        (Movie(1, "Heat", 19955), "the year is 19955; it must be from 1800 to 2200"),
        (Movie(1, "Heat", None, ("Crime", "")), "the genre is empty"),
        (Movie(1, "Heat", None, (), "113277"), "'113277' is no IMDb id: write tt"),
        (Movie(1, "Heat", None, (), "tt٠١١٣٢٧٧"), "is no IMDb id"),
        (Movie(1, "Heat", None, (), None, -949), "-949 is no TMDB id"),
    ],
)
def test_what_is_no_movie_is_told_and_changes_nothing(tmp_path: Path, movie: Movie, message: str) -> None:
    library = Library.open(tmp_path)
    with pytest.raises(InvalidInput, match=message):
        library.put(movie)
    assert library.version() == 0


def test_space_around_words_and_genres_given_twice_do_not_count() -> None:
    assert checked_movie(Movie(1, " Heat ", None, ("Crime ", "Crime"))) == Movie(1, "Heat", None, ("Crime",))


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40).filter(str.strip)
MOVIES = st.builds(
    Movie,
    st.integers(1, 2**62),
    WORDS,
    st.none() | st.integers(1800, 2200),
    st.lists(WORDS, max_size=4).map(tuple),
    st.none() | st.integers(1, 10**9).map(lambda number: f"tt{number:07d}"),
    st.none() | st.integers(1, 10**18 - 1),
)


@settings(max_examples=60)
@given(
    movies=st.lists(
        MOVIES,
        min_size=1,
        max_size=5,
        unique_by=(lambda movie: movie.imdb_id or object(), lambda movie: movie.tmdb_id or object()),
    )
)
def test_any_movie_comes_back_as_it_was(movies: list[Movie]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        library = Library.open(Path(folder))
        for movie in movies:
            assert library.put(movie) <= library.version()
        found = {entry.movie.movie_id: entry.movie for entry in library.changes_since(0).movies}
    for movie in {movie.movie_id: movie for movie in movies}.values():  # the latest of each id
        kept = found.pop(movie.movie_id)
        assert kept.title == movie.title.strip()
        assert kept.genres == tuple(dict.fromkeys(genre.strip() for genre in movie.genres))
        assert (kept.year, kept.imdb_id, kept.tmdb_id) == (movie.year, movie.imdb_id, movie.tmdb_id)
    assert not found


ACTIONS = st.lists(st.tuples(st.integers(1, 6), st.sampled_from(["put", "remove", "look"])), max_size=30)


@settings(max_examples=30)
@given(actions=ACTIONS)
def test_whoever_follows_the_changes_has_the_same_movies(actions: list[tuple[int, str]]) -> None:
    base = [Movie(movie_id, "of the data set") for movie_id in (2, 4)]
    with tempfile.TemporaryDirectory() as folder:
        writer, reader = Library.open(Path(folder)), Library.open(Path(folder))
        version, followed, numbers = 0, tuple(base), [0]
        for movie_id, action in actions:
            if action == "put":
                title = f"put as number {len(numbers)}"
                numbers.append(max(numbers[-1], writer.put(Movie(movie_id, title))))
            elif action == "remove":
                numbers.append(max(numbers[-1], writer.remove(movie_id)))  # deleting twice is one change
            else:
                changes = reader.changes_since(version)
                version, followed = changes.version, changes.applied_to(followed)
                assert followed == writer.changes_since(0).applied_to(base)
            assert reader.version() == writer.version() == numbers[-1]
        assert numbers == sorted(numbers)


def test_threads_share_a_library(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    given_ids, numbers = set[int](), set[int]()

    def work() -> None:
        for _ in range(10):
            movie_id = library.next_id(0)
            number = library.put(Movie(movie_id, "Added"), Poster(JPEG + str(movie_id).encode()))
            assert library.version() >= number
            given_ids.add(movie_id)
            numbers.add(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == set(range(1, 41))
    assert {entry.movie.movie_id for entry in library.changes_since(0).movies} == given_ids
    assert len(given_ids) == 40


def test_a_library_that_another_thread_begins_meanwhile_was_not_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library, real, paused = Library.open(tmp_path), Path.exists, list[Path]()

    def begin_and_read() -> None:
        assert library.put(Movie(7, "Of the other thread")) == library.version() == 1

    def exists(path: Path) -> bool:
        found = real(path)
        if path.name == "library.db" and not paused:
            paused.append(path)
            with ThreadPoolExecutor(1) as another:
                another.submit(begin_and_read).result()
        return found

    monkeypatch.setattr(Path, "exists", exists)
    assert library.put(Movie(8, "Of this thread")) == 2
    assert paused
    assert {entry.movie.movie_id for entry in library.changes_since(0).movies} == {7, 8}


# Subprocess that adds movies and prints the id of each after its write has returned.
ADDER = """
import sys
from pathlib import Path
import numpy as np
from index.catalogue.catalogue import Movie
from index.library.entries import Poster
from index.library.movies import Library

library = Library.open(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    movie_id = library.next_id(0)
    picture = b"\\xff\\xd8\\xff" + str(movie_id).encode() * 5000
    vector = np.zeros(25088, np.float32)
    vector[movie_id % 1000 :][:25] = 0.2
    library.put(Movie(movie_id, f"Movie {movie_id}"), Poster(picture, vector, "abc"))
    print(movie_id, flush=True)
"""


def adder(data: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", ADDER, str(data), str(count)], stdout=subprocess.PIPE, text=True)


def assert_whole(data: Path, acknowledged: set[int]) -> None:
    """Assert that every acknowledged movie is complete, and that SQLite's integrity check passes."""
    entries = {entry.movie.movie_id: entry for entry in Library.open(data).changes_since(0).movies}
    assert acknowledged <= entries.keys()
    for movie_id, entry in entries.items():  # one may exist without having been acknowledged
        assert entry.movie.title == f"Movie {movie_id}"
        assert entry.poster is not None
        content = (data / "posters" / entry.poster).read_bytes()
        assert content == b"\xff\xd8\xff" + str(movie_id).encode() * 5000
        assert entry.poster_sha256 == hashlib.sha256(content).hexdigest()
        assert entry.vector is not None
        numbers = np.flatnonzero(entry.vector)
        assert numbers.tolist() == list(range(movie_id % 1000, movie_id % 1000 + 25))
    with closing(sqlite3.connect(data / "library.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_processes_write_side_by_side_and_see_each_other(tmp_path: Path) -> None:
    watcher = Library.open(tmp_path)  # opened before the file exists
    adders = [adder(tmp_path, 15) for _ in range(3)]
    printed = [process.communicate()[0].split() for process in adders]
    assert [process.returncode for process in adders] == [0, 0, 0]
    movie_ids = [int(line) for lines in printed for line in lines]
    assert len(set(movie_ids)) == len(movie_ids) == 45
    assert watcher.version() == 45
    assert_whole(tmp_path, set(movie_ids))


@pytest.mark.parametrize("kills", [6, pytest.param(30, marks=pytest.mark.long)])
def test_whatever_was_acknowledged_survives_a_kill(tmp_path: Path, kills: int) -> None:
    rng = np.random.default_rng(0)
    acknowledged: set[int] = set()
    watcher = Library.open(tmp_path)
    for _ in range(kills):
        process = adder(tmp_path, 10_000)
        assert process.stdout is not None
        for _ in range(rng.integers(1, 6)):
            acknowledged.add(int(process.stdout.readline()))
        time.sleep(rng.uniform(0, 0.01))  # to kill it at a random point of its next write
        process.send_signal(signal.SIGKILL)
        acknowledged |= {int(line) for line in process.stdout.read().split()}
        process.stdout.close()
        assert process.wait() == -signal.SIGKILL
        assert watcher.version() >= len(acknowledged)
    assert len(acknowledged) >= kills
    assert_whole(tmp_path, acknowledged)
    (last,) = {Library.open(tmp_path).version(), watcher.version()}
    assert Library.open(tmp_path).put(HEAT) == last + 1 == watcher.version()


def test_an_id_belongs_to_one_movie_however_it_is_written(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    library.put(HEAT)
    for write in (lambda: library.put(replace(HEAT, movie_id=7)), lambda: library.add(HEAT)):
        with pytest.raises(Conflict, match=r"imdb:tt0113277 is Heat \(1995\) \(id 6\)"):
            write()
    with closing(sqlite3.connect(tmp_path / "library.db")) as db, pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        db.execute("INSERT INTO movies (movie_id, seq, deleted, title, genres, tmdb_id) VALUES (7, 9, 0, 'X', '', 949)")
    library.remove(6)
    assert library.put(replace(HEAT, movie_id=7)) == 3
    with pytest.raises(Conflict, match="id 7"):
        library.put(HEAT)


def test_a_library_with_an_id_of_two_movies_is_migrated_to_one(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    library.put(HEAT)
    for movie_id in (7, 8):
        library.put(Movie(movie_id, "Heat again"))
    with closing(sqlite3.connect(tmp_path / "library.db")) as db:
        db.executescript(
            "DROP INDEX one_imdb_id; DROP INDEX one_tmdb_id; DROP TABLE own_ids; DROP TABLE user_names; PRAGMA user_version = 2"
        )
        db.execute("UPDATE movies SET imdb_id = 'tt0113277', tmdb_id = 949")
        db.commit()
    migrated = Library.open(tmp_path).changes_since(3)
    assert [entry.movie for entry in migrated.movies] == [Movie(7, "Heat again"), Movie(8, "Heat again")]
    assert next(entry.movie for entry in Library.open(tmp_path).changes_since(0).movies) == HEAT
    assert migrated.version > 3  # so that every reader of changes sees it


def test_a_replaced_file_is_noticed_by_every_process_that_has_it_open(tmp_path: Path) -> None:
    readers = [Library.open(tmp_path) for _ in range(2)]
    readers[0].put(HEAT)
    copied = tmp_path / "copy.db"
    copy(tmp_path / "library.db", copied)
    for number in range(3):
        readers[0].put(Movie(7, f"After {number}"))
    assert [reader.version() for reader in readers] == [4, 4]
    identity = readers[0].identity()
    copied.replace(tmp_path / "library.db")
    assert [reader.version() for reader in readers] == [1, 1]
    assert readers[0].identity() == readers[1].identity() != identity  # its numbers are counted anew
    readers[1].put(Movie(8, "In the new file"))
    assert {entry.movie.movie_id for entry in readers[0].changes_since(0).movies} == {6, 8}
    (tmp_path / "library.db").rename(tmp_path / "away.db")
    with pytest.raises(BadLibrary, match="was moved away"):
        readers[0].put(HEAT)
    assert not (tmp_path / "library.db").exists()


def test_a_newer_library_is_refused(tmp_path: Path) -> None:
    library = Library.open(tmp_path)
    library.put(HEAT)
    with closing(sqlite3.connect(tmp_path / "library.db")) as db:
        db.execute("PRAGMA user_version = 6")
    message = r"library\.db has schema version 6, this version of Posterity reads 5: use the version that wrote it"
    with pytest.raises(BadLibrary, match=message):
        Library.open(tmp_path)
    with pytest.raises(BadLibrary, match=message):
        library.put(HEAT)


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is no library"), (b"no database at all" * 100, "file is not a database")]
)
def test_a_file_that_is_no_library_is_refused_and_left_alone(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "library.db").write_bytes(content)
    with pytest.raises(BadLibrary, match=message):
        Library.open(tmp_path)
    with pytest.raises(BadLibrary, match=message):
        Library(tmp_path).put(HEAT)
    assert (tmp_path / "library.db").read_bytes() == content


def test_nothing_but_the_library_is_left_behind(tmp_path: Path) -> None:
    Library.open(tmp_path).put(HEAT, Poster(JPEG))
    assert {file.name for file in tmp_path.iterdir()} == {"library.db", "posters"}
    with closing(sqlite3.connect(tmp_path / "library.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
