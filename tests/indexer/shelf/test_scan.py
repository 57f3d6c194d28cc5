"""Tests of scans of folders: every film once, every file accounted for, nothing written there."""

from __future__ import annotations

import csv
import os
from collections import Counter
from pathlib import Path

import pytest

from index.core.errors import InvalidInput, PosterityError
from index.core.files import locked
from indexer.datasets.movielens import Own, read_dataset
from indexer.datasets.sources import shelf_folder
from indexer.shelf.scan import Summary, scan
from tests.conftest import write_ratings
from tests.indexer.shelf.libraries import HABITS, JPEG, film, make_library, nfo


def make(root: Path, *paths: str, **content: str) -> Path:
    """Write empty files, a picture for each .jpg, and the content given by path."""
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content[path].encode() if path in content else JPEG if path.endswith(".jpg") else b"")
    return root


def scanned(root: Path, data: Path, ratings: Path | None = None) -> Summary:
    return scan([str(root)], data, ratings=ratings, environment={})


def rows(data: Path, name: str = "shelf.csv") -> list[dict[str, str]]:
    with (shelf_folder(data) / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def titles(data: Path) -> list[str]:
    return sorted(f"{row['title']} ({row['year']})" if row["year"] else row["title"] for row in rows(data))


def report(data: Path) -> list[dict[str, str]]:
    return rows(data, "scan/report.csv")


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return mode, time of change and content of every file and folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in [folder, *sorted(folder.rglob("*"))]
    }


def test_every_film_in_five_habits_is_found_once_with_its_ids_facts_and_poster(tmp_path: Path) -> None:
    made = make_library(tmp_path / "films", 50)
    summary = scanned(tmp_path / "films", tmp_path / "data")
    assert titles(tmp_path / "data") == sorted(each.named for each in made)
    assert (summary.films, summary.posters) == (50, 50)
    outcomes = Counter(line["outcome"] for line in report(tmp_path / "data"))
    assert outcomes == {"film": 50, "version": 10, "part": 10, "skipped": 20}
    assert sum(len(files) for *_, files in os.walk(tmp_path / "films")) > sum(outcomes.values())  # pictures and NFOs
    ids = {row["title"]: (row["imdb_id"], row["tmdb_id"]) for row in rows(tmp_path / "data")}
    for each in made:
        by_habit = {
            "jellyfin": (each.imdb_id, str(each.tmdb_id)),
            "kodi": (each.imdb_id, str(each.tmdb_id)),
            "plex": ("", str(each.tmdb_id)),
            "emby": ("", str(each.tmdb_id)),
            "radarr": ("", ""),
        }
        assert ids[each.title] == by_habit[HABITS[each.number % 5].__name__]
    facts = {row["movieId"]: row for row in rows(tmp_path / "data", "facts.csv")}
    kodi = next(row for row in rows(tmp_path / "data") if row["title"] == film(1).title)
    assert facts[kodi["id"]]["collection"] == "Collection 1"
    assert facts[kodi["id"]]["overview"].startswith("Somebody")
    assert all(Path(row["poster"]).is_file() for row in rows(tmp_path / "data"))


def test_a_scan_writes_nothing_to_the_folder(tmp_path: Path) -> None:
    make_library(tmp_path / "films", 10)
    folders = [path for path in [tmp_path / "films", *(tmp_path / "films").rglob("*")] if path.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    before = tree(tmp_path / "films")
    try:
        scanned(tmp_path / "films", tmp_path / "data")
        scanned(tmp_path / "films", tmp_path / "data")
        assert tree(tmp_path / "films") == before
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_second_scan_reads_only_what_changed(tmp_path: Path) -> None:
    made = make_library(tmp_path / "films", 20)
    data = tmp_path / "data"
    assert (scanned(tmp_path / "films", data).read, scanned(tmp_path / "films", data).read) == (8, 0)
    files = {name: (shelf_folder(data) / name).stat().st_mtime_ns for name in ("shelf.csv", "facts.csv")}
    assert not scanned(tmp_path / "films", data).changed
    assert files == {name: (shelf_folder(data) / name).stat().st_mtime_ns for name in files}
    changed = next((tmp_path / "films").rglob("movie.nfo"))
    changed.write_text(changed.read_text().replace("<title>", "<title>New ", 1))
    summary = scanned(tmp_path / "films", data)
    assert (summary.read, summary.changed) == (1, True)
    assert [title for title in titles(data) if title.startswith("New ")]
    assert len(titles(data)) == len(made)


def test_a_new_poster_of_the_same_name_is_a_change(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995)/Heat (1995).mkv", "Heat (1995)/poster.jpg")
    scanned(root, tmp_path / "data")
    (root / "Heat (1995)" / "poster.jpg").write_bytes(JPEG + b"\0")
    assert scanned(root, tmp_path / "data").changed


def test_films_that_left_the_folder_leave_the_shelf_and_keep_their_ids_in_it(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995)/Heat (1995).mkv", "Fargo (1996)/Fargo (1996).mkv")
    scanned(root, tmp_path / "data")
    (before,) = [row for row in rows(tmp_path / "data") if row["title"] == "Heat"]
    (root / "Fargo (1996)" / "Fargo (1996).mkv").unlink()
    scanned(root, tmp_path / "data")
    assert rows(tmp_path / "data") == [before]


def test_an_empty_folder_leaves_the_shelf_as_it_is(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995)/Heat (1995).mkv")
    scanned(root, tmp_path / "data")
    (root / "Heat (1995)" / "Heat (1995).mkv").unlink()
    with pytest.raises(InvalidInput, match="is the disk mounted"):
        scanned(root, tmp_path / "data")
    assert titles(tmp_path / "data") == ["Heat (1995)"]


CASES = [
    # Flat folders, several films in one folder, versions, parts, discs.
    (["Heat (1995).mkv", "Fargo (1996).mp4", "Heat (1995).nfo"], ["Fargo (1996)", "Heat (1995)"], {}),
    (["Mann/Heat (1995).mkv", "Mann/Thief (1981).mkv", "Mann/poster.jpg"], ["Heat (1995)", "Thief (1981)"], {}),
    (["Heat (1995)/Heat (1995) - 1080p.mkv", "Heat (1995)/Heat (1995) - 2160p.mkv"], ["Heat (1995)"], {"version": 1}),
    (["Heat (1995)/a-cd1.avi", "Heat (1995)/a-cd2.avi"], ["Heat (1995)"], {"part": 1}),
    (["Heat (1995)/VIDEO_TS/VTS_01_1.VOB", "Heat (1995)/VIDEO_TS/VIDEO_TS.IFO"], ["Heat (1995)"], {}),
    (["Heat (1995)/BDMV/STREAM/00000.m2ts", "Heat (1995)/BDMV/index.bdmv"], ["Heat (1995)"], {}),
    (["Heat (1995)/movie.mkv"], ["Heat (1995)"], {}),
    (["Alien (1979)/Alien.mkv", "Alien (1979)/Aliens (1986).mkv"], ["Alien (1979)", "Aliens (1986)"], {}),
    (["A/Heat (1995)/Heat (1995).mkv", "B/Heat (1995)/Heat (1995).mkv"], ["Heat (1995)"], {"version": 1}),
    # Extras, samples, trailers, series.
    (["Heat (1995)/Heat.mkv", "Heat (1995)/Heat-trailer.mp4"], ["Heat (1995)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Heat (1995)/Shorts/x.mkv", "Shorts/Luxo Jr (1986).mkv"],
     ["Heat (1995)", "Luxo Jr (1986)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Lost/Season 1/Lost S01E01.mkv", "Lost/Season 1/Lost S01E02.mkv"],
     ["Heat (1995)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Lost/tvshow.nfo", "Lost/1.mkv"], ["Heat (1995)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Friends S01E01.mkv"], ["Heat (1995)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Gone (1999)/movie.nfo"], ["Heat (1995)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Home/.nomedia", "Home/birthday.mp4"], ["Heat (1995)"], {"skipped": 1}),
    (["Heat (1995)/Heat.mkv", "Heat (1995)/@eaDir/Heat.mkv", ".Trash/Old (1990).mkv"], ["Heat (1995)"], {}),
    (["Heat (1995)/Heat.mkv", "---/---.mkv"], ["Heat (1995)"], {"skipped": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("paths", "expected", "others"), CASES)
def test_files_are_grouped_into_films(
    tmp_path: Path, paths: list[str], expected: list[str], others: dict[str, int]
) -> None:
    root = make(tmp_path / "films", *paths)
    (root / "Heat (1995).nfo").unlink(missing_ok=True)
    scanned(root, tmp_path / "data")
    assert titles(tmp_path / "data") == expected
    outcomes = Counter(line["outcome"] for line in report(tmp_path / "data"))
    assert outcomes == {"film": len(expected), **others}
    assert all(line["reason"] for line in report(tmp_path / "data") if line["outcome"] == "skipped")


def test_a_series_is_named_as_such(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995).mkv", "Lost/Season 1/a.mkv", "Lost/Season 2/b.mkv")
    summary = scanned(root, tmp_path / "data")
    (line,) = [line for line in report(tmp_path / "data") if line["outcome"] == "skipped"]
    assert line["reason"] == "a series; it has Season 1; 2 videos"
    assert summary.skipped == {"a series": 1}
    assert any("Skipped 1: a series (such as" in text for text in summary.lines())


def test_the_poster_of_a_folder_is_of_its_only_film(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995)/Heat.mkv", "Heat (1995)/FOLDER.jpg", "M/A (1990).mkv", "M/B (1991).mkv",
                "M/folder.jpg", "M/B (1991)-poster.jpg")  # fmt: skip
    scanned(root, tmp_path / "data")
    posters = {row["title"]: row["poster"].rpartition("/")[2] for row in rows(tmp_path / "data")}
    assert posters == {"Heat": "FOLDER.jpg", "A": "", "B": "B (1991)-poster.jpg"}


def test_damaged_nfo_files_and_wrong_ids_are_named_and_the_film_is_kept(tmp_path: Path) -> None:
    root = make(
        tmp_path / "films", "Heat (1995)/Heat.mkv", "Heat (1995)/movie.nfo", "Fargo (1996) [tmdbid-x]/Fargo.mkv"
    )
    (root / "Heat (1995)" / "movie.nfo").write_text("<movie><title>Hea")
    summary = scanned(root, tmp_path / "data")
    assert titles(tmp_path / "data") == ["Fargo (1996)", "Heat (1995)"]
    assert summary.notes == {"the NFO file cannot be used: its XML is damaged": 1}
    reasons = {line["file"].rpartition("/")[2]: line["reason"] for line in report(tmp_path / "data")}
    assert "[tmdbid-x] is no id" in reasons["Fargo.mkv"]


def test_ids_that_disagree_are_named(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995) {imdb-tt0000001}/Heat.mkv", "Heat (1995) {imdb-tt0000001}/movie.nfo")
    next(root.rglob("movie.nfo")).write_text(nfo(film(3)))
    scanned(root, tmp_path / "data")
    (line,) = report(tmp_path / "data")
    assert "the name has the IMDb id tt0000001, the NFO file tt9000003, which is taken" in line["reason"]


def test_names_that_are_no_text_are_reported(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995).mkv")
    (Path(os.fsdecode(os.fsencode(root) + b"/Caf\xe9 (1990).mkv"))).touch()
    scanned(root, tmp_path / "data")
    assert len(rows(tmp_path / "data")) == 2
    assert any("Caf\\xe9" in line["file"] for line in report(tmp_path / "data"))
    assert not scanned(root, tmp_path / "data").changed


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "A/Heat (1995).mkv")
    elsewhere = make(tmp_path / "elsewhere", "Fargo (1996).mkv")
    (root / "B").symlink_to(elsewhere)
    (root / "C").symlink_to(elsewhere)
    (root / "A" / "up").symlink_to(root)
    scanned(root, tmp_path / "data")
    assert titles(tmp_path / "data") == ["Fargo (1996)", "Heat (1995)"]
    assert Counter(line["outcome"] for line in report(tmp_path / "data")) == {"film": 2, "skipped": 2}


def test_a_missing_folder_and_a_data_directory_inside_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        scanned(tmp_path / "nowhere", tmp_path / "data")
    root = make(tmp_path / "films", "Heat (1995).mkv")
    with pytest.raises(InvalidInput, match="is only read: give another --data"):
        scanned(root, root / "data")
    assert [path.name for path in root.iterdir()] == ["Heat (1995).mkv"]


def test_two_scans_at_a_time_are_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995).mkv")
    scanned(root, tmp_path / "data")
    with (
        locked(shelf_folder(tmp_path / "data") / "scan" / "lock", None),
        pytest.raises(PosterityError, match="another scan"),
    ):
        scanned(root, tmp_path / "data")


@pytest.fixture
def joined(tmp_path: Path) -> Path:
    """A shelf of which the data set of the small film world has some films: Starship 1 to 4, and Wedding 12."""
    root = make(
        tmp_path / "films",
        "Raumschiff (1971) [imdbid-tt0000001]/a.mkv",
        "Starship 2 {tmdb-1002}/a.mkv",
        "Starship 3 (1973)/Starship 3.mkv",
        "The Wedding 12 (2002)/a.mkv",
        "Starship 4 (1999) [imdbid-tt7777777]/a.mkv",  # another film of this name
        "Starship 5/Starship 5.mkv",  # without a year
    )
    write_ratings(tmp_path / "ratings")
    scanned(root, tmp_path / "data", tmp_path / "ratings")
    return tmp_path / "data"


def test_ratings_are_joined_by_ids_and_by_whole_title_with_year(joined: Path) -> None:
    ids = {int(row["id"]) for row in rows(joined)}
    assert {1, 2, 3, 12} < ids
    assert {each for each in ids if each < 10**12} == {1, 2, 3, 12}
    with (joined.parent / "ratings" / "ratings.csv").open() as stream:
        expected = Counter(row["movieId"] for row in csv.DictReader(stream) if int(row["movieId"]) in {1, 2, 3, 12})
    assert Counter(row["movieId"] for row in rows(joined, "ratings.csv")) == expected
    reasons = {line["film"]: line["reason"] for line in report(joined)}
    assert reasons["Raumschiff (1971)"] == "found in ratings by IMDb id"
    assert reasons["Starship 2"] == "found in ratings by TMDB id"
    assert reasons["Starship 3 (1973)"] == "found in ratings by title and year"
    assert reasons["Starship 4 (1999)"] == "not in ratings"
    assert "perhaps Starship 5 (1975)" in reasons["Starship 5"]


def test_titles_and_genres_of_joined_films_are_the_data_sets_where_only_a_name_is_known(joined: Path) -> None:
    (row,) = [row for row in rows(joined) if row["id"] == "2"]
    assert (row["title"], row["year"], row["genres"]) == ("Starship 2", "1972", "Sci-Fi|Action")
    assert row["imdb_id"] == "tt0000002"


def fetched(data: Path) -> Path:
    """Write the small film world where a fetched edition of MovieLens is, with posters of two films."""
    folder = data / "fetched" / "movielens" / "ml-small"
    write_ratings(folder)
    make(data / "fetched" / "posters", "2.jpg", "11.jpg")
    return folder


def test_all_films_of_the_data_set_stay_and_those_of_the_shelf_are_marked(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "A/Starship 1 (1971) [imdbid-tt0000001]/a.mkv", "B/Starship 2 {tmdb-1002}/a.mkv",
                "B/Starship 2 {tmdb-1002}/poster.jpg", "C/Elsewhere (1999).mkv")  # fmt: skip
    data = tmp_path / "data"
    folder = fetched(data)
    summary = scan([str(root)], data, ratings=None, everything=True, environment={})
    assert (summary.films, summary.others, summary.posters) == (3, 21, 1)
    assert any("Its 21 other films are in the catalogue, too" in line for line in summary.lines())
    marks = {row["id"]: row["owned"] for row in rows(data)}
    assert {each for each in marks if marks[each] == "yes"} == {"1", "2", max(marks, key=int)}
    assert len(marks) == 24
    assert len(rows(data, "ratings.csv")) == len((folder / "ratings.csv").read_text().splitlines()) - 1
    posters = {row["id"]: row["poster"] for row in rows(data) if row["poster"]}
    assert {each: Path(file).name for each, file in posters.items()} == {"2": "poster.jpg", "11": "11.jpg"}
    dataset = read_dataset(shelf_folder(data), own=Own(shelf_folder(data) / "shelf.csv"))
    assert dataset.owned == {int(each) for each in marks if marks[each] == "yes"}
    assert len(dataset.movies) == 24
    # A film that left the folder loses its mark; a film of no data set leaves the catalogue.
    (root / "A" / "Starship 1 (1971) [imdbid-tt0000001]" / "a.mkv").unlink()
    (root / "C" / "Elsewhere (1999).mkv").unlink()
    scan([str(root)], data, ratings=None, everything=True, environment={})
    assert {row["id"] for row in rows(data) if row["owned"] == "yes"} == {"2"}
    assert len(rows(data)) == 23
    # The next scan of the shelf alone has no others, and takes fetched posters for films without one.
    (root / "B" / "Starship 2 {tmdb-1002}" / "poster.jpg").unlink()
    assert scan([str(root)], data, ratings=None, environment={}).others == 0
    (row,) = rows(data)
    assert (row["id"], row["owned"], Path(row["poster"])) == ("2", "yes", data / "fetched" / "posters" / "2.jpg")


def test_a_fetched_poster_is_a_change_and_those_of_another_data_set_are_not_taken(tmp_path: Path) -> None:
    root, data = make(tmp_path / "films", "Starship 1 (1971) [imdbid-tt0000001]/a.mkv"), tmp_path / "data"
    fetched(data)
    scan([str(root)], data, ratings=None, everything=True, environment={})
    assert not scan([str(root)], data, ratings=None, everything=True, environment={}).changed
    make(data / "fetched" / "posters", "1.jpg")
    assert scan([str(root)], data, ratings=None, everything=True, environment={}).changed
    assert [row["id"] for row in rows(data) if row["poster"]] == ["1", "2", "11"]
    write_ratings(tmp_path / "ratings")
    scan([str(root)], data, ratings=tmp_path / "ratings", everything=True, environment={})
    assert not [row["id"] for row in rows(data) if row["poster"]]


def test_all_films_of_no_data_set_are_refused(tmp_path: Path) -> None:
    root = make(tmp_path / "films", "Heat (1995).mkv")
    with pytest.raises(InvalidInput, match=r"no data set in .* to mark your films in: posterity fetch movielens"):
        scan([str(root)], tmp_path / "data", ratings=None, everything=True, environment={})
