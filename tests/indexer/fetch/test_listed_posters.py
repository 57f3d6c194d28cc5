from __future__ import annotations

import io
from pathlib import Path

from indexer.datasets.sources import listed_posters_folder
from indexer.fetch.listed_posters import listed_posters
from indexer.fetch.web import HttpClient
from tests.conftest import poster
from tests.indexer.fetch.standins import PAGE, StandIns


def picture(movie: int) -> bytes:
    stream = io.BytesIO()
    poster(movie).save(stream, "PNG")
    return stream.getvalue()


def test_paths_are_relative_to_the_folders_in_order(tmp_path: Path) -> None:
    beside, other = tmp_path / "beside", tmp_path / "other"
    for folder in (beside, other):
        folder.mkdir()
    (beside / "a.png").write_bytes(b"1")
    for name in ("a.png", "b.png"):
        (other / name).write_bytes(b"2")
    listed = {3: "b.png", 1: "a.png", 2: str(other / "a.png"), 4: "c.png", 5: "x" * 300}
    found, warnings = listed_posters(listed, [beside, other], tmp_path)
    assert list(found.items()) == [(1, beside / "a.png"), (2, other / "a.png"), (3, other / "b.png")]
    (told,) = warnings
    assert "posters that are no file" in told
    assert ": 2 (such as movie 4: 'c.png')" in told


def test_addresses_are_downloaded_once_and_what_fails_costs_no_other(
    site: StandIns, client: HttpClient, tmp_path: Path
) -> None:
    site.files |= {"/p/1.png": picture(1), "/p/2": picture(2), "/p/3.png": PAGE, "/p/5.png": b"no picture"}
    listed = {number: f"{site.address}/p/{name}" for number, name in ((1, "1.png"), (2, "2"), (3, "3.png"),
                                                                     (4, "4.png"), (5, "5.png"))}  # fmt: skip
    found, warnings = listed_posters(listed, [tmp_path], tmp_path, client=client)
    folder = listed_posters_folder(tmp_path)
    assert found == {1: folder / "1.png", 2: folder / "2.png"}
    assert found[2].read_bytes() == picture(2)
    (told,) = warnings
    assert "2 found, 1 missing, 2 failed" in told
    assert "answers 404" in told
    asked = len(site.seen)
    again, _ = listed_posters({1: listed[1], 2: listed[2]}, [tmp_path], tmp_path, client=client)
    assert again == found
    assert len(site.seen) == asked
    moved, _ = listed_posters({1: listed[2]}, [tmp_path], tmp_path, client=client)
    assert moved[1].read_bytes() == picture(2)
