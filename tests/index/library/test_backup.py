from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from index.catalogue.catalogue import Movie
from index.core.errors import BadLibrary, InvalidInput, PosterityError
from index.library.api_keys import Keys
from index.library.backup import Contents, export_library, import_library
from index.library.database import Database, check
from index.library.entries import Poster
from index.library.movies import Library
from index.library.rating_log import RatingLog
from index.movie_index import MovieIndex
from indexer.build import build
from indexer.config import Plan
from posterity.cli.main import main
from tests.conftest import QUICK, World
from tests.index.library.test_movies import adder, assert_whole
from tests.paths import GOLDEN

JPEG = b"\xff\xd8\xff"
MOVIE = 1_000_000_000


def filled(data: Path, posters: int = 2) -> str:
    """Fill a library with movies, a deleted one, ratings and a key; return the text of the key."""
    library = Library.open(data)
    for number in range(posters):
        movie = Movie(library.next_id(0), f"Movie {number}", 2001, ("Drama",))
        library.put(movie, Poster(JPEG + bytes([number]) * 3000, np.full(25088, 25088**-0.5), "abc"))
    library.put(Movie(6, "Heat"))
    library.remove(3)
    ratings = RatingLog(library.database, clock=lambda: 1000)
    ratings.put(1, 6, 4.5)
    ratings.put(1, MOVIE, 2.0)
    ratings.remove(2, 6)
    _, text = Keys(library.database).create("the website")
    return text


@pytest.fixture
def source(tmp_path: Path) -> Path:
    filled(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def archive(source: Path, tmp_path: Path) -> Path:
    export_library(source, tmp_path / "library.tar")
    return tmp_path / "library.tar"


def content_of(data: Path) -> tuple[object, ...]:
    """Return the whole content of a library, except its identity."""
    library = Library.open(data)
    changes = library.changes_since(0)
    movies = [
        (replace(entry, vector=None), None if entry.vector is None else entry.vector.tobytes())
        for entry in changes.movies
    ]
    rated = RatingLog(library.database).changes()
    ratings = [array.tobytes() for array in (rated.user_ids, rated.movie_ids, rated.values, rated.timestamps)]
    return changes.version, movies, changes.deleted, ratings, Keys(library.database).all()


def assert_nothing_was_imported(data: Path) -> None:
    assert {path.name for path in data.iterdir()} <= {".import.lock", "posters"}


def names(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


def rewritten(archive: Path, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> Path:
    """Rewrite the archive with ``change`` applied to every member; drop the members for which it returns None."""
    target = archive.with_name("changed.tar")
    with tarfile.open(archive) as tar, tarfile.open(target, "w") as into:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            changed = change(member, stream.read())
            if changed is not None:
                changed[0].size = len(changed[1])
                into.addfile(changed[0], io.BytesIO(changed[1]))
    return target


def with_member(archive: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    target = shutil.copy(archive, archive.with_name("changed.tar"))
    member.size = len(content)
    with tarfile.open(target, "a") as tar:
        tar.addfile(member, io.BytesIO(content))
    return target


def with_database(archive: Path, statement: str) -> Path:
    """Rewrite the archive with a statement executed on its library."""

    def change(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "library.db":
            file = archive.with_name("changed.db")
            file.write_bytes(content)
            with closing(sqlite3.connect(file)) as db:
                db.executescript(statement)
            content = file.read_bytes()
            member.pax_headers = {}  # drop the checksum, which has its own test
        return member, content

    return rewritten(archive, change)


def test_a_library_comes_back_whole_and_a_key_still_works(tmp_path: Path) -> None:
    text = filled(tmp_path / "source")
    file, target = tmp_path / "library.tar", tmp_path / "new" / "target"
    contents = Contents(movies=4, ratings=3, keys=1, posters=2)
    assert export_library(tmp_path / "source", file) == contents
    assert import_library(file, target) == contents
    assert content_of(target) == content_of(tmp_path / "source")
    key = Keys(Database(target)).authenticate(text)
    assert key is not None
    assert key.name == "the website"
    for poster in (tmp_path / "source" / "posters").iterdir():
        assert (target / "posters" / poster.name).read_bytes() == poster.read_bytes()
    before = Library.open(target).version()
    assert Library.open(target).put(Movie(7, "Sabrina")) == before + 1
    assert Library.open(target).next_id(0) == MOVIE + 2


def test_an_archive_holds_the_database_and_the_posters_that_it_names(source: Path, tmp_path: Path) -> None:
    (source / "posters" / "6.jpg").write_bytes(JPEG)  # of a data set
    Library.open(source).put(Movie(MOVIE, "Movie 0"), Poster(JPEG + b"another"))  # no longer names its first poster
    export_library(source, tmp_path / "library.tar")
    (database, *posters) = names(tmp_path / "library.tar")
    assert database == "library.db"
    named = [entry.poster for entry in Library.open(source).changes_since(0).movies if entry.poster]
    assert posters == [f"posters/{name}" for name in named]
    assert len(posters) == 2


def test_an_imported_library_is_another_one(archive: Path, source: Path, tmp_path: Path) -> None:
    import_library(archive, tmp_path / "one")
    import_library(archive, tmp_path / "two")
    identities = {Library.open(data).identity() for data in (source, tmp_path / "one", tmp_path / "two")}
    assert len(identities) == 3


def test_a_snapshot_of_the_old_library_shows_all_that_was_imported(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for number in range(5):  # more changes than the snapshot includes, so that sequence numbers alone would miss some
        Library.open(elsewhere).put(Movie(MOVIE + number, f"Movie {number}"))
    export_library(elsewhere, tmp_path / "library.tar")
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    before = MovieIndex.open(data)
    import_library(tmp_path / "library.tar", data)
    added = set(range(MOVIE, MOVIE + 5))
    assert not before.is_fresh()
    for index in (MovieIndex.open(data), before.refreshed()):
        assert added <= set(index.catalogue.ids.values.tolist())
        assert index.catalogue.movie(MOVIE).title == "Movie 0"


def test_a_snapshot_that_saw_the_old_library_takes_nothing_of_it_for_seen(world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    Library.open(data).put(Movie(MOVIE, "Seen"))
    build(Plan(world.ratings, data, settings=QUICK))
    Library.open(data).put(Movie(MOVIE + 1, "Not seen"))
    export_library(data, tmp_path / "library.tar")
    (data / "library.db").rename(tmp_path / "moved-away.db")
    import_library(tmp_path / "library.tar", data)
    index = MovieIndex.open(data)
    assert index.movies_version == 2
    assert {MOVIE, MOVIE + 1} <= set(index.catalogue.ids.values.tolist())
    Library.open(data).remove(MOVIE)
    assert MOVIE not in index.refreshed().catalogue.ids


def test_what_is_exported_while_another_process_writes_is_of_one_moment(tmp_path: Path) -> None:
    data = tmp_path / "source"
    process = adder(data, 10_000)
    assert process.stdout is not None
    acknowledged: set[int] = set()
    for number in range(3):
        acknowledged.add(int(process.stdout.readline()))
        export_library(data, tmp_path / f"{number}.tar")
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    sizes = []
    for number in range(3):
        target = tmp_path / f"target-{number}"
        import_library(tmp_path / f"{number}.tar", target)
        assert_whole(target, {MOVIE + i for i in range(number + 1)})
        changes = Library.open(target).changes_since(0)
        assert [entry.movie.movie_id for entry in changes.movies] == list(range(MOVIE, MOVIE + changes.version))
        sizes.append(changes.version)
    assert sizes == sorted(sizes)


def test_a_file_that_is_there_is_replaced_only_by_force(source: Path, tmp_path: Path) -> None:
    file = tmp_path / "library.tar"
    file.write_text("something dear")
    with pytest.raises(InvalidInput, match="exists already: give another name, or --force"):
        export_library(source, file)
    assert file.read_text() == "something dear"
    export_library(source, file, replace=True)
    assert names(file)[0] == "library.db"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library.tar", "source"]


def test_the_library_is_never_replaced_by_its_own_copy(source: Path) -> None:
    with pytest.raises(InvalidInput, match="is the library itself"):
        export_library(source, source / "library.db", replace=True)
    check(source / "library.db")


def test_a_library_without_changes_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no library to export"):
        export_library(tmp_path, tmp_path / "library.tar")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file or directory"):
        export_library(source, tmp_path / "nowhere" / "library.tar")


@pytest.mark.parametrize(("content", "why"), [(None, "is missing"), (JPEG + b"another", "is another picture")])
def test_a_poster_that_is_not_as_it_was_ends_an_export_by_the_movies_name(
    source: Path, tmp_path: Path, content: bytes | None, why: str
) -> None:
    (poster,) = (source / "posters").glob(f"{MOVIE + 1}-*")
    if content is None:
        poster.unlink()
    else:
        poster.write_bytes(content)
    with pytest.raises(BadLibrary, match=rf"the poster of Movie 1 \(id {MOVIE + 1}\), .* {why}"):
        export_library(source, tmp_path / "library.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("name", ["library.db", "library.db-wal", "library.db-journal"])
def test_a_library_that_is_there_is_named_and_stays(archive: Path, tmp_path: Path, name: str) -> None:
    data = tmp_path / "target"
    data.mkdir()
    (data / name).write_bytes(b"")
    with pytest.raises(InvalidInput, match=f"holds {name} already: move it away"):
        import_library(archive, data)
    assert [path.name for path in data.iterdir()] == [name]


def test_two_imports_do_not_meet(archive: Path, tmp_path: Path) -> None:
    data = tmp_path / "target"
    data.mkdir()
    with (data / ".import.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PosterityError, match="another import is running"):
            import_library(archive, data)
    import_library(archive, data)


def test_a_poster_that_is_there_stays_and_has_to_be_the_same(archive: Path, source: Path, tmp_path: Path) -> None:
    data = tmp_path / "target"
    shutil.copytree(source / "posters", data / "posters")
    first, second = sorted((data / "posters").iterdir())
    first.unlink()
    content = second.read_bytes()
    second.write_bytes(b"something else")
    with pytest.raises(InvalidInput, match=f"{second.name} exists with other content: move it away"):
        import_library(archive, data)
    assert second.read_bytes() == b"something else"
    assert not first.exists()
    assert_nothing_was_imported(data)
    second.write_bytes(content)
    import_library(archive, data)
    assert first.exists()


def link(name: str, kind: bytes, target: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def last(archive: Path) -> str:
    return names(archive)[-1]


def without(archive: Path, name: str) -> Path:
    return rewritten(archive, lambda member, content: None if member.name == name else (member, content))


def with_link(archive: Path, name: str) -> Path:
    """Rewrite the archive with a member replaced by a symbolic link out of it."""
    away = link(name, tarfile.SYMTYPE, "/etc/passwd")
    return rewritten(archive, lambda member, content: (away, b"") if member.name == name else (member, content))


def with_another_poster(archive: Path) -> Path:
    name = last(archive)
    return rewritten(archive, lambda member, content: (member, JPEG + b"x" if member.name == name else content))


def bytes_of(archive: Path, change: Callable[[bytes], bytes]) -> Path:
    archive.write_bytes(change(archive.read_bytes()))
    return archive


def cut_between_posters(archive: Path) -> Path:
    with tarfile.open(archive) as tar:
        start = tar.getmember(last(archive)).offset
    return bytes_of(archive, lambda content: content[:start])


def one_byte_of_the_database(archive: Path) -> Path:
    return bytes_of(archive, lambda content: content.replace(b"Movie 0", b"Movie O"))


def compressed(archive: Path) -> Path:
    target = archive.with_suffix(".gz")
    target.write_bytes(gzip.compress(archive.read_bytes()))
    return target


BROKEN = "is no whole archive of a library"
UNNAMED = "which its library does not name"
ODD = "as no export writes it"


@pytest.mark.parametrize(
    ("tamper", "message"),
    [
        pytest.param(tamper, message, id=name)
        for name, tamper, message in (
            ("no tar", lambda a: bytes_of(a, lambda _: b"something else" * 1000), BROKEN),
            ("empty", lambda a: bytes_of(a, lambda _: b""), BROKEN),
            ("an empty tar", lambda a: bytes_of(a, lambda _: bytes(10240)), "holds no library.db"),
            ("compressed", compressed, BROKEN),
            ("cut in the database", lambda a: bytes_of(a, lambda content: content[:5000]), BROKEN),
            ("cut in a poster", lambda a: bytes_of(a, lambda content: content[: content.rindex(b"\1" * 100)]), BROKEN),
            ("a byte of the database", one_byte_of_the_database, "its checksum differs"),
            ("cut between posters", cut_between_posters, "lacks the poster of Movie 1"),
            ("a path out", lambda a: with_member(a, tarfile.TarInfo("../escaped"), b"x"), UNNAMED),
            ("an absolute path", lambda a: with_member(a, tarfile.TarInfo("/escaped"), b"x"), UNNAMED),
            (
                "a poster's path out",
                lambda a: with_member(a, tarfile.TarInfo(f"posters/../../{last(a)}"), b"x"),
                UNNAMED,
            ),
            ("a poster that is a link", lambda a: with_link(a, last(a)), ODD),
            ("a database that is a link", lambda a: with_link(a, "library.db"), ODD),
            ("a hard link", lambda a: with_member(a, link("posters/more", tarfile.LNKTYPE, "library.db")), ODD),
            ("a device", lambda a: with_member(a, link("posters/more", tarfile.CHRTYPE, "")), ODD),
            ("a folder", lambda a: with_member(a, link("posters", tarfile.DIRTYPE, "")), ODD),
            ("one more file", lambda a: with_member(a, tarfile.TarInfo("README"), b"x"), UNNAMED),
            (
                "one more poster",
                lambda a: with_member(a, tarfile.TarInfo("posters/7-0123456789abcdef.jpg"), b"x"),
                UNNAMED,
            ),
            ("a file twice", lambda a: with_member(a, tarfile.TarInfo(last(a)), b"x"), ODD),
            ("a write-ahead log", lambda a: with_member(a, tarfile.TarInfo("library.db-wal"), b"x"), UNNAMED),
            ("no database", lambda a: without(a, "library.db"), "holds no library.db"),
            ("a poster less", lambda a: without(a, last(a)), "lacks the poster of Movie 1"),
            ("another poster", with_another_poster, "the poster of Movie 1 .* is another picture"),
        )
    ],
)
def test_a_bad_archive_is_refused_and_nothing_is_imported(
    archive: Path, tmp_path: Path, tamper: Callable[[Path], Path], message: str
) -> None:
    file = tamper(archive)
    around = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(InvalidInput, match=message):
        import_library(file, tmp_path / "target")
    assert_nothing_was_imported(tmp_path / "target")
    assert {path.name for path in tmp_path.iterdir()} == around | {"target"}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("PRAGMA user_version = 99", "has schema version 99, .* use the version that wrote it"),
        ("PRAGMA user_version = 0", "is no library"),
        ("DROP TABLE movies", "cannot be used"),
        ("DROP TABLE keys", "cannot be used"),
        ("DROP TABLE identity", "cannot be used"),
        (
            "UPDATE movies SET poster = '../../etc/passwd' WHERE movie_id = 1000000000",
            "names '../../etc/passwd' as the",
        ),
        ("UPDATE movies SET poster = movie_id || '-0123456789abcdef.jpg' WHERE poster IS NOT NULL", "tampered with"),
        ("UPDATE movies SET poster = 1, poster_sha256 = 2.5 WHERE movie_id = 1000000000", "tampered with"),
    ],
)
def test_a_bad_database_in_an_archive_is_refused(archive: Path, tmp_path: Path, statement: str, message: str) -> None:
    with pytest.raises(BadLibrary, match=message):
        import_library(with_database(archive, statement), tmp_path / "target")
    assert_nothing_was_imported(tmp_path / "target")


def test_an_archive_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    golden = GOLDEN / "library-1.db"
    with tarfile.open(tmp_path / "library.tar", "w") as tar:
        member = tarfile.TarInfo("library.db")
        member.size = golden.stat().st_size
        tar.addfile(member, io.BytesIO(golden.read_bytes()))
    contents = import_library(tmp_path / "library.tar", tmp_path / "target")
    assert (contents.ratings, contents.keys, contents.posters) == (0, 0, 0)
    assert RatingLog(Database(tmp_path / "target")).put(1, 6, 4.0) == Library.open(tmp_path / "target").version()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a library and its export, shared by tests that only read it."""
    folder = tmp_path_factory.mktemp("exported")
    filled(folder / "source", posters=1)
    export_library(folder / "source", folder / "library.tar")
    return folder


@given(st.data())
def test_changed_headers_are_refused_in_our_own_words_or_change_nothing(exported: Path, data: st.DataObject) -> None:
    content = bytearray((exported / "library.tar").read_bytes())
    with tarfile.open(exported / "library.tar") as tar:
        start = data.draw(st.sampled_from([member.offset for member in tar]))
    for _ in range(data.draw(st.integers(1, 4))):
        content[start + data.draw(st.integers(0, 511))] = data.draw(st.integers(0, 255))
    header = content[start : start + 512]  # correct the checksum, without which tarfile stops here
    header[148:156] = b" " * 8
    content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    with TemporaryDirectory() as folder:
        file, target = Path(folder) / "library.tar", Path(folder) / "target"
        file.write_bytes(content)
        try:
            import_library(file, target)
        except PosterityError:
            assert_nothing_was_imported(target)
        else:
            assert content_of(target) == content_of(exported / "source")
        assert {path.name for path in Path(folder).iterdir()} == {"target", "library.tar"}


# Subprocess that imports and kills itself at its n-th file operation; it prints their number.
IMPORTER = """
import os, signal, sys
from pathlib import Path
from index.library.backup import import_library

done, moment = 0, int(sys.argv[3])

def count(event, arguments):
    global done
    if event in {"open", "os.link", "os.mkdir", "os.remove", "os.rmdir", "os.rename", "sqlite3.connect"}:
        done += 1
        if done == moment:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
import_library(Path(sys.argv[1]), Path(sys.argv[2]))
print(done)
"""


def importer(archive: Path, data: Path, moment: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", IMPORTER, str(archive), str(data), str(moment)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_kill_at_any_moment_leaves_no_library_or_the_whole(archive: Path, source: Path, tmp_path: Path) -> None:
    moments = int(importer(archive, tmp_path / "unkilled", 0).stdout)
    assert moments > 20
    rng = np.random.default_rng(0)
    outcomes = set()
    for moment in sorted({*rng.choice(moments, 10, replace=False).tolist(), *range(moments - 3, moments)}):
        data = tmp_path / f"killed-{moment}"
        assert importer(archive, data, moment + 1).returncode == -signal.SIGKILL
        whole = (data / "library.db").exists()
        outcomes.add(whole)
        if not whole:
            assert import_library(archive, data) == Contents(movies=4, ratings=3, keys=1, posters=2)
        check(data / "library.db")
        assert content_of(data) == content_of(source)
        for entry in Library.open(data).changes_since(0).movies:
            if entry.poster is not None:
                content = (data / "posters" / entry.poster).read_bytes()
                assert hashlib.sha256(content).hexdigest() == entry.poster_sha256
        assert whole or not list(data.glob(".import-*"))  # the second import deleted the staging folder of the first
    assert outcomes == {True, False}


def run(data: Path, *arguments: object) -> Result:
    words = ["library", *(str(argument) for argument in arguments), "--data", str(data)]
    return CliRunner().invoke(main, words, prog_name="posterity")


def test_the_commands_tell_what_came_along(source: Path, tmp_path: Path) -> None:
    file, target = tmp_path / "library.tar", tmp_path / "target"
    told_of = "4 movies, 3 ratings, 1 key and 2 posters"
    assert run(source, "export", file).output == f"Exported {told_of} to {file}\n"
    assert run(source, "export", file, "--force").exit_code == 0
    assert run(target, "import", file).output == f"Imported {told_of} into {target}\n"
    for again in (run(source, "export", file), run(target, "import", file)):
        assert again.exit_code == 1
        assert len(again.stderr.splitlines()) == 1
    assert run(target, "import", tmp_path / "nowhere.tar").exit_code == 2


def test_an_export_called_as_the_library_is_whole_and_never_takes_its_place(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Library.open(data).put(Movie(6, "Heat"))
    (tmp_path / "elsewhere").mkdir()
    assert export_library(data, tmp_path / "elsewhere" / "library.db").movies == 1
    assert import_library(tmp_path / "elsewhere" / "library.db", tmp_path / "target").movies == 1
    (tmp_path / "link").symlink_to(data)
    for name in ("library.db", "library.db-wal", "library.db-shm"):
        for folder in (data, tmp_path / "link"):
            with pytest.raises(InvalidInput, match="is the library itself"):
                export_library(data, folder / name, replace=True)
    assert Library.open(data).version() == 1
