from __future__ import annotations

import codecs
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.core.errors import InvalidInput
from index.imports.export import Entry, Export
from index.imports.read import read_export
from index.imports.values import imdb_id_in, rating_of, scale_of, tmdb_id_in
from tests.index.imports import samples


def rated(export: Export) -> dict[str, float | None]:
    return {entry.title or str(entry): entry.rating for entry in export.of_kind("rated")}


def titles(entries: list[Entry]) -> set[str]:
    return {entry.title for entry in entries}


def test_letterboxd_s_archive_is_read_whole_and_each_film_counts_once() -> None:
    export = read_export(samples.letterboxd(), "letterboxd-someone-2024.zip")
    assert export.format == "Letterboxd"
    # By the latest rating, and rated rather than watched.
    assert rated(export) == {"Starship 3": 5, "Wedding, The 12": 0.5, "A Film Nobody Has": 3, "Starship 5": 3.5}
    assert titles(export.of_kind("watched")) == {"Starship 4", "Starship 6"}
    assert titles(export.of_kind("watchlist")) == {"Starship 7"}
    assert [(each.place, each.reason) for each in export.skipped] == [
        ("ratings.csv, row 2", "it is rated again: ratings.csv, row 4")
    ]
    assert export.scale is not None
    assert (export.scale.low, export.scale.high) == (0.5, 5)
    assert export.scale.mapped(4.5, 0.5, 5) == 4.5
    assert export.scale.mapped(4.5, 1, 10) == 9
    assert export.scale.mapped(0.5, 1, 5) == 1


@pytest.mark.parametrize(
    ("content", "service", "ratings", "skipped"),
    [
        (samples.LETTERBOXD_RATINGS, "Letterboxd", [5, 0.5, 3], 1),
        (samples.LETTERBOXD_DIARY, "Letterboxd", [3.5], 0),
        (samples.IMDB_2024, "IMDb", [9, 2], 1),
        (samples.IMDB_2018, "IMDb", [9, 2], 2),
        (samples.IMDB_2016, "IMDb", [9], 1),
        (samples.TRAKT_CSV, "Trakt", [9], 1),
        (samples.PLEX, "table", [9], 1),
        (samples.encoded(samples.TRAKT_DUMP).decode(), "Trakt", [9], 2),
        (samples.MOVIELENS, "MovieLens", [4.5, 1], 0),
        (samples.TMDB, "TMDB", [9], 1),
        (samples.SIMKL_CSV, "Simkl", [9], 2),
        (samples.encoded(samples.TRAKT).decode(), "Trakt", [9], 1),
        (samples.encoded(samples.SIMKL).decode(), "Simkl", [9], 1),
        (samples.TABLE, "table", [4.5, 1, 3], 0),
        (samples.TABLE_OF_TEN, "table", [9, 2], 0),
        (samples.THUMBS, "table", [4, 2], 0),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_service_is_known_by_content(
    content: str, service: str, ratings: list[float], skipped: int, encoding: str
) -> None:
    export = read_export(content.encode(encoding), "x")
    assert export.format == service
    assert [entry.rating for entry in export.of_kind("rated")] == ratings
    assert len(export.skipped) == skipped
    for each in export.skipped:
        assert each.place
        assert each.reason


def test_ids_and_years_are_read() -> None:
    (first, second) = read_export(samples.MOVIELENS.encode()).entries
    assert (first.title, first.year, first.tmdb_id, first.own_id) == ("Starship 3", 1973, "1003", "3")
    assert first.imdb_id == second.imdb_id[:-2] + "03" if second.imdb_id else True
    (entry, _) = read_export(samples.IMDB_2024.encode()).entries
    assert (entry.imdb_id, entry.year, entry.date) == ("tt0000003", 1973, "2020-05-01")


def test_what_is_on_a_watchlist_and_what_was_watched() -> None:
    assert read_export(samples.IMDB_WATCHLIST.encode()).entries[0].kind == "watchlist"
    assert read_export(samples.LETTERBOXD_WATCHLIST.encode(), "watchlist.csv").entries[0].kind == "watchlist"
    assert read_export(samples.LETTERBOXD_WATCHED.encode(), "watched.csv").entries[0].kind == "watched"
    assert read_export(samples.encoded(samples.TRAKT_WATCHED)).entries[0].kind == "watched"
    assert read_export(samples.encoded(samples.TRAKT_WATCHLIST)).entries[0].kind == "watchlist"
    assert [each.kind for each in read_export(samples.SIMKL_CSV.encode()).entries] == ["rated", "watchlist"]
    archive = samples.packed(
        ratings_json=samples.encoded(samples.TRAKT).decode(),
        watched_json=samples.encoded(samples.TRAKT_WATCHED).decode(),
        watchlist_json=samples.encoded(samples.TRAKT_WATCHLIST).decode(),
        settings_json='{"user": {"name": "someone"}}',
    )
    assert [each.kind for each in read_export(archive, "trakt.zip").entries] == ["rated", "watched", "watchlist"]


def kinds(export: Export) -> dict[str, str]:
    return {entry.title: entry.kind for entry in export.entries}


def test_trakt_s_archive_has_more_than_what_was_watched() -> None:
    export = read_export(samples.trakt(), "export.zip")
    assert kinds(export) == {
        "Starship 3": "rated",
        "Starship 4": "watched",
        "Starship 5": "watched",
        "Starship 7": "watchlist",
        "Starship 9": "watched",  # a favourite
    }
    assert len(export.skipped) == 2  # a show and an episode
    dump = read_export(samples.encoded(samples.TRAKT_DUMP), "dump.json")
    assert kinds(dump) == {"Starship 3": "rated", "Starship 5": "watched", "Starship 7": "watchlist"}


def test_lists_with_the_columns_of_ratings_are_watchlists() -> None:
    assert kinds(read_export(samples.TMDB_WATCHLIST.encode(), "x.csv")) == {"Starship 7": "watchlist"}
    assert kinds(read_export(samples.TMDB_WATCHLIST.encode(), "favorites.csv")) == {"Starship 7": "watched"}
    assert kinds(read_export(samples.MOVIELENS_WISHLIST.encode(), "movielens-wishlist.csv")) == {
        "Starship 7": "watchlist"
    }
    export = read_export(samples.LETTERBOXD_LIST.encode(), "for-winter.csv")
    assert (export.format, export.scale) == ("Letterboxd", None)
    assert kinds(export) == {"Starship 7": "watchlist", "Starship 8": "watchlist"}
    assert [entry.place for entry in export.entries] == ["for-winter.csv, row 8", "for-winter.csv, row 9"]


def test_tables_of_media_servers_say_what_was_played_and_which_film_it_is() -> None:
    plex = read_export(samples.PLEX.encode(), "movies.csv")
    assert kinds(plex) == {"Starship 3": "rated", "Starship 4": "watched"}
    assert [(entry.imdb_id, entry.tmdb_id) for entry in plex.entries] == [("tt0000003", None), (None, "1004")]
    assert [each.reason for each in plex.skipped] == ["it was never played (0)"]
    jellyfin = read_export(samples.JELLYFIN.encode(), "playback.csv")
    assert [(entry.title, entry.year, entry.kind) for entry in jellyfin.entries] == [("Starship 3", 1973, "watched")]
    assert [each.reason for each in jellyfin.skipped] == ["a Episode is no film"]


def test_a_rating_that_is_none_is_named_with_its_row() -> None:
    export = read_export(b"title,year,rating\nHeat,1995,5\nRonin,1998,often\nAlien,1979,\nBrazil,1985,0\n", "mine.csv")
    (skipped,) = export.skipped
    assert (skipped.place, skipped.text) == ("mine.csv, row 3", "Ronin often")
    assert "'often' is no number" in skipped.reason
    assert titles(export.of_kind("watched")) == {"Alien", "Brazil"}
    (too_high,) = read_export(samples.LETTERBOXD_RATINGS.replace("0.5", "45").encode()).skipped[:1]
    assert "not between 0.5 and 5" in too_high.reason


def test_a_slip_in_one_row_changes_no_other_rating() -> None:
    table = "title,year,rating\nHeat,1995,4\nFargo,1996,45\nRonin,1998,3.5\nWedding, The,2002,4\n"
    export = read_export(table.encode(), "mine.csv")
    assert rated(export) == {"Heat": 4, "Ronin": 3.5}
    assert [(each.place, each.reason) for each in export.skipped] == [
        ("mine.csv, row 5", "it has 4 fields, not 3: quote texts with commas"),
        ("mine.csv, row 3", "the rating 45 is not between 0.5 and 5"),
    ]
    more = read_export(b"title,year,rating\nHeat,1995,4,seen twice\n")  # the columns that count are sound
    assert rated(more) == {"Heat": 4}


@pytest.mark.parametrize("column", ["title", "movie_id"])
def test_a_text_too_long_to_compare_is_named(column: str) -> None:
    (skipped,) = read_export(f"{column},year,rating\n{'x' * 100_000},1990,4\n".encode(), "mine.csv").skipped
    assert (skipped.place, skipped.reason) == ("mine.csv, row 2", "its title or id has more than 1,000 characters")


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("1700000000", "1600000000"),
        ("1700000000000", "1600000000000"),
        ("2024-01-01T20:00:00.000Z", "2024-01-01T10:00:00.000Z"),
        ("2024-01-01 20:00", "2024-01-01"),
        ("Mon Jan  1 20:00:00 2024", "Sun Dec 31 20:00:00 2023"),
    ],
)
def test_of_a_film_rated_twice_the_later_rating_counts_and_the_other_is_named(later: str, earlier: str) -> None:
    for rows in ([(later, 5), (earlier, 2)], [(earlier, 2), (later, 5)]):
        lines = "".join(f"tt0113277,{rating},{time}\n" for time, rating in rows)
        export = read_export(f"imdb_id,rating,timestamp\n{lines}".encode(), "mine.csv")
        assert [entry.rating for entry in export.entries] == [5]
        (skipped,) = export.skipped
        assert skipped.text == "tt0113277 2"
        assert skipped.reason.startswith("it is rated again: mine.csv, row ")


def test_each_file_of_an_archive_has_its_own_scale() -> None:
    archive = samples.packed(ratings_csv=samples.LETTERBOXD_RATINGS, imdb_csv=samples.IMDB_2024)
    scales = [(entry.rating, entry.scale.high) for entry in read_export(archive).entries if entry.scale]
    assert scales == [(5, 5), (0.5, 5), (3, 5), (9, 10), (2, 10)]


def test_ratings_are_read_as_people_write_them() -> None:
    text = 'title,year,rating\na,2000,★★★½\nb,2000,"3,5"\nc,2000,4/5\nd,2000,½\n'
    assert [entry.rating for entry in read_export(text.encode()).entries] == [3.5, 3.5, 4, 0.5]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("4", (4, None)),
        ("3,5", (3.5, None)),
        ("8/10", (8, 10)),
        ("4 / 5", (4, 5)),
        ("7 out of 10", (7, 10)),
        ("80%", (80, 100)),
        ("4 stars", (4, None)),
        ("4★", (4, None)),
        ("★★★½", (3.5, None)),
        ("★★★☆☆", (3, 5)),
        ("★★½☆☆", (2.5, 5)),
        ("⭐️⭐️⭐️", (3, None)),
        ("A+", None),
        ("8/ten", None),
        ("", None),
        ("☆☆☆☆☆", None),
        ("-1", None),
    ],
)
def test_a_rating_may_name_the_highest_one(written: str, expected: tuple[float, float | None] | None) -> None:
    assert rating_of(written) == expected


@pytest.mark.parametrize(
    ("column", "ratings", "expected", "high"),
    [
        ("rating", ["4/10", "3/10"], [4, 3], 10),  # none above 5, and yet of 10
        ("rating", ["8/10", "4/5", "80%"], [8, 8, 8], 10),
        ("rating", ["80%", "3%"], [80, 3], 100),
        ("rating", ["★★★☆☆", "★★★★★"], [3, 5], 5),
        ("Rating (out of 10)", ["4", "5"], [4, 5], 10),
        ("My Rating (1-10)", ["4", "5"], [4, 5], 10),
        ("Score /100", ["9", "10"], [9, 10], 100),
        ("rating10", ["4", "85"], [4, 85], 100),  # the column is wrong
    ],
)
def test_the_scale_is_the_one_that_ratings_or_their_column_name(
    column: str, ratings: list[str], expected: list[float], high: float
) -> None:
    rows = "\n".join(f"Film {at},2000,{rating}" for at, rating in enumerate(ratings))
    export = read_export(f"title,year,{column}\n{rows}\n".encode())
    assert [entry.rating for entry in export.entries] == expected
    assert export.scale is not None
    assert export.scale.high == high
    assert export.skipped == ()


def test_ids_are_read_as_spreadsheets_and_movielens_write_them() -> None:
    table = b"title,year,rating,tmdb_id,imdb_id\nHeat,1995.0,4.0,949.0,113277.0\n"
    (entry,) = read_export(table).entries
    assert (entry.year, entry.rating, entry.tmdb_id, entry.imdb_id) == (1995, 4, "949", "tt0113277")
    assert [imdb_id_in(text) for text in ("tt0113277", "0113277", "https://imdb.com/title/tt0113277/", "x", "0")] == [
        "tt0113277", "tt0113277", "tt0113277", None, None
    ]  # fmt: skip
    assert [tmdb_id_in(text) for text in ("949", "https://www.themoviedb.org/movie/949-heat", "0", "film")] == [
        "949", "949", None, None
    ]  # fmt: skip
    (plex,) = read_export(b"title,year,guid,rating\nHeat,1995,12345,8\n").entries  # a number of its own
    assert plex.imdb_id is None


def test_a_quote_that_is_never_closed_swallows_no_film() -> None:
    table = b'title,year,rating\n"Heat,1995,4\nFargo,1996,5\nThe 5" Man,1990,2\nJaws,1975,3\n'
    export = read_export(table)
    assert [(entry.title, entry.rating) for entry in export.entries] == [
        ('"Heat', 4), ("Fargo", 5), ('The 5" Man', 2), ("Jaws", 3)
    ]  # fmt: skip
    review = b'title,year,rating,review\nHeat,1995,4,"good,\nlong, and\n\nloud"\nFargo,1996,5,""\n'
    assert [entry.title for entry in read_export(review).entries] == ["Heat", "Fargo"]


def test_excel_s_separator_line_and_utf_16_without_a_mark_are_read() -> None:
    table = "sep=;\r\nTitle;Year;Rating\r\nAmélie;2001;4,5\r\n"
    for content in (table.encode("utf-8-sig"), table.encode("utf-16"), table.encode("utf-16-le")):
        (entry,) = read_export(content).entries
        assert (entry.title, entry.year, entry.rating, entry.place) == ("Amélie", 2001, 4.5, "the file, row 3")


def test_objects_are_rated_on_the_scale_of_the_member_that_rates_them() -> None:
    export = read_export(b'[{"title": "Heat", "score": 8}, {"title": "Fargo", "score": 9.5}]', "mine.json")
    assert rated(export) == {"Heat": 8, "Fargo": 9.5}


@pytest.mark.parametrize(
    ("ratings", "high"),
    [
        *[([1, 5], 5), ([0.5], 5), ([5.5], 10), ([10, 1], 10), ([11], 100), ([85, 3], 100), ([], 5)],
        *[([4, 45, 3.5, 5], 5), ([4, 2002], 5), ([8, 75, 6], 10), ([2002], 5)],  # slips
    ],
)
def test_an_unnamed_scale_is_guessed_by_the_highest_rating_and_says_so(ratings: list[float], high: float) -> None:
    scale = scale_of(map(str, ratings))
    assert scale.high == high
    used = [rating for rating in ratings if rating <= high]
    assert not used or f"{max(used):g}" in scale.reason


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (b"no table of anything", "no column of titles or ids"),
        (b"a,b,c\n1,2,3\n", "no column of titles or ids"),
        (b"[1, 2", "is no JSON"),
        (b'{"a": 1}', "holds no list of films"),
        (b"PK\x03\x04broken", "damaged or encrypted archive"),
        (samples.packed(profile_csv=samples.LETTERBOXD_PROFILE), "holds no ratings"),
        (b"x" * (50 * 2**20 + 1), "at most 52,428,800"),
        (b"[" * 100_000, "is no JSON"),
        (samples.packed(xl__workbook_xml="<workbook/>", xl__worksheets__sheet1_xml=""), "save it there as CSV"),
        (samples.packed(content_xml="<office/>"), "save it there as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "save it there as CSV"),
        (gzip.compress(samples.IMDB_2024.encode())[:-20], "is damaged"),
        (gzip.compress(b"x" * (51 * 2**20)), "unpacks to more than"),
        (b"userId,movieId,rating\n1,3,4\n2,3,5\n", "ratings of 2 people"),
    ],
)
def test_what_is_no_export_is_refused_with_its_name(content: bytes, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem) as refused:
        read_export(content, "mine.bin")
    assert "mine.bin" in str(refused.value)


@pytest.mark.parametrize("content", [samples.letterboxd(), samples.IMDB_2024.encode()])
def test_an_export_compressed_by_gzip_is_read(content: bytes) -> None:
    assert read_export(gzip.compress(content)) == read_export(content)


def test_an_archive_that_unzips_to_too_much_is_refused() -> None:
    with pytest.raises(InvalidInput, match="unzips to more than"):
        read_export(samples.packed(ratings_csv="x" * (51 * 2**20)), "bomb.zip")


SAMPLES = [
    samples.letterboxd(),
    *(
        text.encode()
        for text in (samples.LETTERBOXD_RATINGS, samples.IMDB_2024, samples.MOVIELENS, samples.TMDB, samples.SIMKL_CSV)
    ),
    samples.encoded(samples.TRAKT),
    samples.encoded(samples.SIMKL),
]


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=4)), max_size=6))
def test_a_damaged_export_is_read_or_refused_by_name(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(sample)
    for at, new in changes:
        start = at % len(content)
        content[start : start + 2] = new
        if not content:
            break
    try:
        export = read_export(bytes(content), "mine")
    except InvalidInput as error:
        assert "mine" in str(error) or "csv" in str(error)  # noqa: PT017
        return
    for entry in export.entries:
        assert entry.title or entry.imdb_id or entry.tmdb_id or entry.own_id
        assert (entry.rating is not None) == (entry.kind == "rated")


def test_every_mark_of_an_encoding_is_read() -> None:
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        export = read_export(mark + samples.TABLE.encode(encoding))
        assert len(export.entries) == 3
    windows = "title,year,rating\nAmélie,2001,5\n".encode("cp1252")
    assert read_export(windows).entries[0].title == "Amélie"


def test_the_scale_of_json_without_a_service_is_guessed_too() -> None:
    export = read_export(b'[{"title": "Heat", "year": 1995, "rating": 8}, {"title": "Ronin", "rating": 3}]')
    assert export.scale is not None
    assert (export.format, export.scale.high) == ("JSON", 10)
    assert rated(export) == {"Heat": 8, "Ronin": 3}


def test_a_rated_film_counts_whatever_list_it_is_on() -> None:
    dropped = {"status": "dropped", "movie": {"title": "Starship 3", "year": 1973, "ids": {"simkl": 1}}}
    (entry,) = read_export(samples.encoded({"movies": [{**dropped, "user_rating": 2}]})).entries
    assert (entry.kind, entry.rating) == ("rated", 2)
    (skipped,) = read_export(samples.encoded({"movies": [dropped]})).skipped
    assert skipped.reason == "it is on the list 'dropped'"


def test_films_among_simkl_s_anime_are_films() -> None:
    show = {"title": "Starship 3", "year": 1973, "ids": {"simkl": 1, "imdb": "tt0000003"}}
    anime = [{"anime_type": kind, "status": "completed", "user_rating": 9, "show": show} for kind in ("movie", "tv")]
    export = read_export(samples.encoded({"anime": anime}), "simkl.json")
    assert [(entry.title, entry.rating, entry.imdb_id) for entry in export.entries] == [("Starship 3", 9, "tt0000003")]
    assert [each.place for each in export.skipped] == ["simkl.json, anime 2"]


def test_a_list_of_series_alone_is_read_and_they_are_named() -> None:
    export = read_export(samples.encoded(samples.TRAKT[1:]), "ratings-shows.json")
    assert (export.format, export.entries) == ("Trakt", ())
    assert [each.text for each in export.skipped] == ["A Series"]


def test_what_is_no_film_in_a_list_of_films_is_named() -> None:
    export = read_export(
        samples.encoded([*samples.TRAKT[:1], None, 5, {"person": {}}, {"title": ["Heat"]}]), "mine.json"
    )
    assert len(export.entries) == 1
    assert [(each.place, each.reason) for each in export.skipped] == [
        ("mine.json, movies 2", "it is no film"),
        ("mine.json, movies 3", "it is no film"),
        ("mine.json, movies 4", "it is no film"),
        ("mine.json, movies 5", "it has neither a title nor an id"),
    ]


def test_the_scale_of_a_list_within_an_object_is_guessed_too() -> None:
    answer = {"page": 1, "results": [{"title": "Heat", "release_date": "1995-12-15", "rating": 8, "vote_average": 7.9}]}
    (entry,) = read_export(samples.encoded(answer)).entries
    assert (entry.year, entry.rating) == (1995, 8)
    assert entry.scale is not None
    assert entry.scale.high == 10


def test_an_address_at_tmdb_is_an_id() -> None:
    (entry,) = read_export(b"url,rating\nhttps://www.themoviedb.org/movie/949-heat,8\n").entries
    assert (entry.tmdb_id, entry.imdb_id) == ("949", None)


def test_an_empty_archive_is_an_archive() -> None:
    with pytest.raises(InvalidInput, match=r"mine\.zip holds no ratings"):
        read_export(samples.packed(), "mine.zip")
