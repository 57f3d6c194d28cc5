from pathlib import Path

import pytest

from index.core.errors import InvalidInput
from index.core.ids import Ids
from index.posters.formats import SUFFIXES
from index.posters.images import decode_image
from indexer.spaces.poster_files import copy_posters, find_posters, shown_posters
from tests.index.posters.test_images import assert_halves, encoded, halves

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
    found, warnings = find_posters(files(tmp_path, "1.jpg", "1.png", "9.jpg", "8.jpg", "cover.jpg", "2.svg"), IDS)
    assert found == {1: tmp_path / "1.jpg"}
    messages = "\n".join(warnings)
    assert (
        "2 files left out, not named <movie id>.jpg, .png, .webp, .gif, .avif, .tif, .bmp or .heic (such as 2.svg, cover.jpg)"
        in messages
    )
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


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_posters_of_every_suffix_are_found_in_any_case(tmp_path: Path, suffix: str) -> None:
    name = f"1{suffix.upper()}"
    assert find_posters(files(tmp_path, name), IDS) == ({1: tmp_path / name}, [])


def test_posters_that_browsers_do_not_show_are_converted_once_by_content(tmp_path: Path) -> None:
    source, converted = tmp_path / "source", tmp_path / "converted"
    source.mkdir()
    content = {
        "1.jpg": encoded(halves(), "TIFF"),
        "2.jfif": encoded(halves(), "JPEG"),
        "3.avif": encoded(halves(), "BMP"),
    }
    content |= {"4.png": encoded(halves(), "AVIF"), "5.bmp": b"BM", "6.tif": b"no picture"}
    posters = {int(name[0]): source / name for name in content}
    for name, data in content.items():
        (source / name).write_bytes(data)
    found = shown_posters(posters, converted)
    assert {movie_id for movie_id, file in found.items() if file.parent == converted} == {1, 3}
    for movie_id in (1, 3):
        assert_halves(decode_image(found[movie_id].read_bytes()))
    assert copy_posters({1: found[1], 2: found[2]}, tmp_path / "kept")[1] == "1.png"
    times = {file: file.stat().st_mtime_ns for file in converted.iterdir()}
    assert shown_posters(posters, converted) == found
    assert {file: file.stat().st_mtime_ns for file in converted.iterdir()} == times
    shown_posters({2: posters[2], 3: posters[3]}, converted)
    assert list(converted.iterdir()) == [found[3]]
