from pathlib import Path

import pytest

from index.core.errors import InvalidInput
from index.core.ids import Ids
from indexer.spaces.poster_files import copy_posters, find_posters

IDS = Ids([1, 2, 3])


def files(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_posters_are_found_by_id(tmp_path: Path) -> None:
    found, warnings = find_posters(files(tmp_path, "3.webp", "1.jpg", "2.PNG", ".DS_Store"), IDS)
    assert {movie_id: file.name for movie_id, file in found.items()} == {1: "1.jpg", 2: "2.PNG", 3: "3.webp"}
    assert list(found) == [1, 2, 3]
    assert warnings == []


def test_files_that_are_nobodys_are_counted(tmp_path: Path) -> None:
    found, warnings = find_posters(files(tmp_path, "1.jpg", "1.png", "9.jpg", "8.jpg", "cover.jpg", "2.gif"), IDS)
    assert found == {1: tmp_path / "1.jpg"}
    messages = "\n".join(warnings)
    assert "2 files left out, not named <movie id>.jpg, .jpeg, .png or .webp (such as 2.gif, cover.jpg)" in messages
    assert "2 files left out, of movies not in the data set (such as 8.jpg, 9.jpg)" in messages
    assert "1 file left out, the movie has another file (such as 1.png)" in messages


def test_a_folder_without_posters_says_how_to_name_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="name the files <movie id>"):
        find_posters(files(tmp_path, "cover.jpg"), IDS)
    with pytest.raises(InvalidInput, match="no poster folder"):
        find_posters(tmp_path / "nowhere", IDS)


def test_posters_are_kept_under_their_id_and_replaced_when_they_change(tmp_path: Path) -> None:
    source = files(tmp_path / "source", "1.JPG", "2.png")
    found, _ = find_posters(source, IDS)
    kept = tmp_path / "kept"
    assert copy_posters(found, kept) == {1: "1.jpg", 2: "2.png"}
    (source / "1.JPG").write_bytes(b"new")
    copy_posters(found, kept)
    assert (kept / "1.jpg").read_bytes() == b"new"
    assert sorted(file.name for file in kept.iterdir()) == ["1.jpg", "2.png"]


def test_posters_that_are_there_already_stay(tmp_path: Path) -> None:
    found, _ = find_posters(files(tmp_path, "1.jpg"), IDS)
    assert copy_posters(found, tmp_path) == {1: "1.jpg"}
    assert (tmp_path / "1.jpg").read_bytes() == b"1.jpg"


def test_a_poster_of_the_library_keeps_its_name(tmp_path: Path) -> None:
    kept = files(tmp_path / "kept", "1.jpg", "1-0123456789abcdef.png")
    assert copy_posters({1: kept / "1-0123456789abcdef.png"}, kept) == {1: "1-0123456789abcdef.png"}
    assert (kept / "1.jpg").read_bytes() == b"1.jpg"


@pytest.mark.parametrize("name", ["01.jpg", "0000001.jpg", "1_0.jpg", "+1.jpg", "١.jpg", " 1.jpg", "1.0.jpg"])
def test_a_file_name_that_only_looks_like_an_id_is_no_movies(tmp_path: Path, name: str) -> None:
    found, warnings = find_posters(files(tmp_path, "2.jpg", name), Ids([1, 2, 10]))
    assert list(found) == [2]
    assert name in warnings[0]
