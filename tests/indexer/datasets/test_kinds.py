"""Files as people have them: each test names a kind, with the siblings of the instance that went wrong."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from index.core.errors import InvalidInput
from index.core.source_ids import FIRST_NAMED
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset

HEAD = "userId,movieId,rating\n"


def read(folder: Path, **files: str | bytes) -> Dataset:
    """Read a folder of CSV files, given by their names."""
    for name, content in files.items():
        (folder / f"{name}.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return read_dataset(folder)


def read_file(file: Path, content: str | bytes) -> Dataset:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_dataset(file)


def triples(dataset: Dataset) -> set[tuple[str, str, float]]:
    """Return users and movies as the file has them, with the ratings."""
    movies = {movie.movie_id: movie.source_id or str(movie.movie_id) for movie in dataset.movies}
    ratings = dataset.ratings
    return {
        (dataset.user_names.get(user, str(user)), movies[movie], value)
        for user, movie, value in zip(
            ratings.user_ids.tolist(), ratings.movie_ids.tolist(), ratings.values.tolist(), strict=True
        )
    }


def titles(dataset: Dataset) -> list[str]:
    return [str(movie) for movie in dataset.movies]


SOME = {("1", "31", 2.5), ("2", "31", 3.0)}


@pytest.mark.parametrize(
    "content",
    [
        "user,item,rating,note\n1,10,5,\"A\n2,10,4,B\n3,10,3,\"C\n",
        "user,item,rating,note\n1,10,5,\"A\n2,10,4,B\n3,10,3,C\"\n",
        "user\titem\trating\tnote\n1\t10\t5\t\"A\n2\t10\t4\tB\n3\t10\t3\t\"C\n",
        "user;item;rating;note\n1;10;5;5\" disc\n2;10;4;\"B\"\n3;10;3;\"7\" or 8\"\"\n",
        "user,item,rating,note\n1,10,5,\"A\n2,10,4,B\n3,10,3,C\n",
        "note,user,item,rating\n\"A,1,10,5\nB,2,10,4\n\"\"C,3,10,3\n",
        "user,item,rating,title\n1,10,5,\"A\n2,10,4,B\n3,10,3,\"C\n",
    ],
)  # fmt: skip
def test_an_unbalanced_quote_swallows_no_row(tmp_path: Path, content: str) -> None:
    dataset = read_file(tmp_path / "ratings.tsv", content)
    assert triples(dataset) == {("1", "10", 5), ("2", "10", 4), ("3", "10", 3)}


def test_an_unbalanced_quote_in_a_title_swallows_no_movie(tmp_path: Path) -> None:
    movies = 'movieId,title,genres\n1,"Heat (1995),Crime\n2,Alpha (1990),Drama\n3,"Good, the Bad, The (1966)",Western\n'
    dataset = read(tmp_path, ratings=HEAD + "1,1,3\n1,2,4\n1,3,5\n", movies=movies)
    assert titles(dataset) == ['"Heat (1995)', "Alpha (1990)", "The Good, the Bad (1966)"]


def test_texts_over_several_lines_are_one_row(tmp_path: Path) -> None:
    text = 'user,item,rating,review\n1,10,5,"Good.\n\nSee it, twice, with ""friends""."\n2,10,4,"Fine"\n'
    assert triples(read_file(tmp_path / "a.csv", text)) == {("1", "10", 5), ("2", "10", 4)}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_usual_encoding_and_line_end_is_read(tmp_path: Path, encoding: str, end: str) -> None:
    files = {"ratings": HEAD + "1,31,2.5\n2,31,3\n", "movies": "movieId,title,genres\n31,Amélie (2001),Comedy\n"}
    dataset = read(tmp_path, **{name: text.replace("\n", end).encode(encoding) for name, text in files.items()})
    assert triples(dataset) == SOME
    assert titles(dataset) == ["Amélie (2001)"]
    assert any("not UTF-8" in warning for warning in dataset.warnings) == (encoding == "cp1252")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_files_with_double_colons_are_utf_8_or_latin_1(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "ratings.dat").write_text("1::29::3.5::838985046\n")
    (tmp_path / "movies.dat").write_bytes("29::Cité des enfants perdus, La (1995)::Drama\n".encode(encoding))
    dataset = read_dataset(tmp_path)
    assert titles(dataset) == ["La Cité des enfants perdus (1995)"]
    assert not any("UTF-8" in warning for warning in dataset.warnings)


@pytest.mark.parametrize(
    "content",
    [
        "userId,movieId,rating\n1,31,2.5\n2,31,3\n",
        "userId\tmovieId\trating\n1\t31\t2.5\n2\t31\t3\n",
        "userId;movieId;rating\n1;31;2,5\n2;31;3\n",
        "sep=;\nuserId;movieId;rating\n1;31;2,5\n2;31;3\n",
        '"sep=|"\nuserId|movieId|rating\n1|31|2.5\n2|31|3\n',
        "userId|movieId|rating\n1|31|2.5\n2|31|3\n",
        "userId::movieId::rating\n1::31::2.5\n2::31::3\n",
        "userId movieId rating\n1 31 2.5\n2  31 3\n",
        "1 31 2.5\n2 31 3\n",
        "1\t31\t2.5\t874965758\n2\t31\t3\t876893171\n",
        "1::31::2.5::874965758\n2::31::3::876893171\n",
        "1,31,2.5\n2,31,3\n",
        "1;31;2,5\n2;31;3,0\n",
        '"userId","movieId","rating"\n"1","31","2.5"\n"2","31","3"\n',
        '"","userId","movieId","rating"\n"1",1,31,2.5\n"2",2,31,3\n',
        'userId,movieId,rating\n1,31,"2,5"\n2,31,"3,0"\n',
        "\n\nuserId,movieId,rating\n\n1,31,2.5\n\n2,31,3\n\n",
        "userId,movieId,rating,\n1,31,2.5,\n2,31,3,\n",
        "userId,movieId,rating\n1,31,2.5,,\n2,31,3,,\n",
        "user_id:token\titem_id:token\trating:float\n1\t31\t2.5\n2\t31\t3.0\n",
        "User ID,Movie ID,Rating\n1.0,31.0,2.5\n2.0,31.0,3\n",
        "reviewerID,asin,overall\n1,31,2.5\n2,31,3\n",
        "uid;film_id;stars\n1;31;2.5\n2;31;3\n",
        "movie,user,score\n31,1,2.5\n31,2,3\n",
        "rating,userid,itemid,id\n2.5,1,31,900\n3,2,31,901\n",
    ],
)
def test_delimiters_headers_and_spellings_do_not_matter(tmp_path: Path, content: str) -> None:
    assert triples(read_file(tmp_path / "mine.csv", content)) == SOME


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        (("1260759144", "1260759205"), (1260759144, 1260759205)),
        (("1260759144.0", "1260759205.7"), (1260759144, 1260759205)),
        (("1260759144000", "1260759205000"), (1260759144, 1260759205)),
        (("1260759144000000", "1260759205000000"), (1260759144, 1260759205)),
        (("2009-12-14 02:52:24", "2009-12-14 02:53:25"), (1260759144, 1260759205)),
        (("2009-12-14T02:52:24Z", "2009-12-14T03:53:25+01:00"), (1260759144, 1260759205)),
        (("2009-12-14", "2009-12-15"), (1260748800, 1260835200)),
        (("14 Dec 2009", "15 December 2009"), (1260748800, 1260835200)),
        (("12/14/2009", "12/15/2009"), (1260748800, 1260835200)),
        (("12.11.2009", "12.12.2009 02:52:24"), (1257984000, 1260586344)),  # the day is first
        (("2009.12.11", "2009.12.12"), (1260489600, 1260576000)),
    ],
)
def test_times_are_read_as_they_are_written(tmp_path: Path, times: tuple[str, str], seconds: tuple[int, int]) -> None:
    content = "userId,movieId,rating,timestamp\n" + "".join(f'{at},31,3,"{time}"\n' for at, time in enumerate(times, 1))
    dataset = read_file(tmp_path / "ratings.csv", content)
    assert dataset.ratings.timestamps is not None
    assert dataset.ratings.timestamps.tolist() == list(seconds)


def test_a_time_that_cannot_be_read_costs_no_rating_and_is_named(tmp_path: Path) -> None:
    dataset = read_file(tmp_path / "ratings.csv", "userId,movieId,rating,timestamp\n1,31,2.5,soon\n2,31,3,\n3,32,4,9\n")
    assert len(dataset.ratings) == 3
    assert any("times that cannot be read, taken as the earliest: 2 (such as line 2)" in w for w in dataset.warnings)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("maria", "maria"), ("A1EXAMPLE00001", "A1EXAMPLE00001"), ("0000000000", "0000000000"),
        ("9148955329465708066", "9148955329465708066"), ("9007199254740993", "9007199254740993"),
        ("4503599627370496", "4503599627370496"), ("99999999999999999999", "99999999999999999999"), ("31.0", "31"),
        ("+31", "31"), ("1e+05", "100000"), ("-5", "-5"), ("3.5", "3.5"), ("tt0113277", "tt0113277"),
        (" spaced ", "spaced"), ("naïve ©", "naïve ©"), ("a/b", "a/b"), ("x" * 200, "x" * 200),
    ],
)  # fmt: skip
def test_an_id_is_kept_as_it_is_beside_its_number(tmp_path: Path, written: str, known: str) -> None:
    for column in ("user", "movie"):
        other = {"user": "7", "movie": "7"} | {column: written}
        content = f"user,movie,rating\n{other['user']},{other['movie']},4\nzoe,B000,2\n"
        dataset = read_file(tmp_path / "a.csv", content)
        found = next(triple for triple in triples(dataset) if triple[2] == 4)
        assert found[0 if column == "user" else 1] == known


@pytest.mark.parametrize("column", ["user", "movie"])
def test_ids_that_a_spreadsheet_rounded_are_named_instead_of_merged(tmp_path: Path, column: str) -> None:
    rows = [{"user": "7", "movie": "8"} | {column: rounded} for rounded in ("9.78031E+12", "1E+11", "1.2E+16")]
    kept = [(str(user), str(user + 1), 4.0) for user in range(1, 300)]
    content = "user,movie,rating\n" + "".join(f"{user},{movie},4\n" for user, movie, _ in kept)
    dataset = read_file(tmp_path / "a.csv", content + "".join(f"{row['user']},{row['movie']},3\n" for row in rows))
    assert triples(dataset) == set(kept)
    assert any("'9.78031E+12' is no id" in warning for warning in dataset.warnings), dataset.warnings


def test_large_ids_are_not_rounded_when_another_has_a_decimal_point(tmp_path: Path) -> None:
    content = (
        HEAD + "9148955329465708066,9148955329465708066,2.5\n1,31.0,4\n1,9007199254740993,3\n1,9007199254740992,2\n"
    )
    assert triples(read_file(tmp_path / "a.csv", content)) == {
        ("9148955329465708066", "9148955329465708066", 2.5), ("1", "31", 4), ("1", "9007199254740993", 3),
        ("1", "9007199254740992", 2),
    }  # fmt: skip


def test_numbers_of_texts_do_not_depend_on_order_and_stay_as_the_data_grows(tmp_path: Path) -> None:
    rows = [f"user{at % 7},B{at:05d},{at % 5 + 1}" for at in range(40)]

    def numbers(lines: list[str]) -> dict[str | None, int]:
        dataset = read_file(tmp_path / "a.csv", "\n".join([HEAD.strip(), *lines]))
        return {movie.source_id: movie.movie_id for movie in dataset.movies} | {
            name: user for user, name in dataset.user_names.items()
        }

    first = numbers(rows)
    assert numbers(rows[::-1]) == first
    grown = numbers(["anna,A0000,3", *rows, "zoe,Z9999,3", "7,31,3"])
    assert first.items() <= grown.items()
    assert all(FIRST_NAMED <= number < 2**53 for number in first.values())
    assert grown[None] == 31


def test_zeros_in_front_matter_only_beside_ids_that_are_no_numbers(tmp_path: Path) -> None:
    movies = "movieId,title\n0000012,Twelve (2012)\n"
    assert titles(read(tmp_path, ratings=HEAD + "1,12,3\n", movies=movies)) == ["Twelve (2012)"]
    asins = read_file(tmp_path / "b.csv", HEAD + "1,0000012,3\n1,12,4\n1,B012,5\n")
    assert triples(asins) == {("1", "0000012", 3), ("1", "12", 4), ("1", "B012", 5)}


def test_ids_of_movies_and_ratings_agree_when_only_one_file_has_texts(tmp_path: Path) -> None:
    movies = "movieId,title\n007,Bond (1962)\nB1,Bee (1990)\n31,Plain (1991)\n"
    dataset = read(tmp_path, ratings=HEAD + "1,007,3\n2,31,4\n", movies=movies)
    assert triples(dataset) == {("1", "007", 3), ("2", "31", 4)}
    assert sorted(titles(dataset)) == ["Bee (1990)", "Bond (1962)", "Plain (1991)"]


def test_minus_one_is_not_a_rating_beside_ratings_above_one(tmp_path: Path) -> None:
    dataset = read_file(tmp_path / "a.csv", HEAD + "1,1,-1\n1,2,4\n2,1,10\n2,2,-1\n3,1,1\n")
    assert dataset.ratings.scale == (1, 10)
    assert len(dataset.ratings) == 3
    assert any('ratings of -1, which are taken as "not rated": 2 (such as line 2: -1)' in w for w in dataset.warnings)


@pytest.mark.parametrize(("values", "scale"), [((-1, 1, -1), (-1, 1)), ((-1, 0, 1), (-1, 1)), ((-10, -1, 9), (-10, 9))])
def test_a_scale_with_negative_ratings_is_kept_and_warned_about(
    tmp_path: Path, values: tuple[int, ...], scale: tuple[float, float]
) -> None:
    rows = "".join(f"{at},{at},{value}\n" for at, value in enumerate(values))
    dataset = read_file(tmp_path / "a.csv", HEAD + rows)
    assert (len(dataset.ratings), dataset.ratings.scale) == (3, scale)
    assert any("the lowest rating is" in warning and "--scale" in warning for warning in dataset.warnings)


def test_constant_ratings_are_warned_about(tmp_path: Path) -> None:
    dataset = read_file(tmp_path / "a.csv", HEAD + "1,1,5\n2,1,5\n")
    assert any("every rating is 5" in warning for warning in dataset.warnings)


def test_a_given_scale_holds_and_what_is_off_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(HEAD + "1,1,3\n1,2,5\n2,1,99\n2,2,-1\n3,1,0\n")
    dataset = read_dataset(file, scale=(0.5, 5))
    assert (len(dataset.ratings), dataset.ratings.scale) == (2, (0.5, 5))
    assert any("ratings off the scale 0.5:5: 3 (such as line 4: 99)" in warning for warning in dataset.warnings)
    with pytest.raises(InvalidInput, match=r"no rating can be used, as all are from -1 to 99: give another --scale"):
        read_dataset(file, scale=(200, 300))


@pytest.mark.parametrize("empty", ["", "nan", "NaN", "NA", "null", "None", "\\N", " "])
def test_a_missing_rating_costs_its_row_and_is_named(tmp_path: Path, empty: str) -> None:
    dataset = read_file(tmp_path / "a.csv", HEAD + f"1,31,2.5\n1,32,{empty}\n2,31,3\n")
    assert triples(dataset) == SOME
    assert any("skipped rows without a rating: 1 (such as line 3)" in warning for warning in dataset.warnings)


def test_a_few_rows_that_cannot_be_read_are_named_and_many_refuse_the_file(tmp_path: Path) -> None:
    good = "".join(f"{at},31,3\n" for at in range(30))
    dataset = read_file(tmp_path / "a.csv", HEAD + good + "7,32,good\n,33,4\n8,34\n")
    assert len(dataset.ratings) == 30
    assert any(
        "skipped rows that cannot be read: 3 (such as line 34: 2 fields, 3 expected" in w for w in dataset.warnings
    )
    with pytest.raises(InvalidInput, match=r"a\.csv, line 34: 2 fields"):
        read_file(tmp_path / "a.csv", HEAD + good + "7,32,good\n,33,4\n8,34\n,,4\n")


def test_ratings_without_a_column_of_ratings_are_what_was_watched(tmp_path: Path) -> None:
    dataset = read_file(
        tmp_path / "events.csv", "user,item,timestamp\n1,31,1260759144\n1,32,1260759145\n2,31,1260759146\n"
    )
    assert dataset.ratings.implicit
    assert dataset.ratings.values.tolist() == [1, 1, 1]
    assert any(
        "no rating column among user, item, timestamp" in w and "predicted ratings are off" in w
        for w in dataset.warnings
    )


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("movieId,title,year,genres", '1,Heat,1995,"Action, Crime, Drama"'),
        ("movie_id,title,genres", "1,Heat (1995),Action|Crime|Drama"),
        ("Movie ID;Name;Release Year;Genre", "1;Heat;1995.0;Action; Crime"),
        ("id,title,release_date,genres", "1,Heat,1995-12-15,\"[{'id': 28, 'name': 'Action'}, {'id': 80, 'name': 'Crime'}, {'name': 'Drama'}]\""),
        ("movieId,title,genres", '1,Heat (1995),"[{""id"": 28, ""name"": ""Action""}, {""name"": ""Crime""}, {""name"": ""Drama""}]"'),
        ("movieId,title,genres", "1,Heat (1995),\"['Action', 'Crime', 'Drama']\""),
        ("movieId,title,genres", '1,Heat (1995),"Action;Crime;Drama"'),
        ("movieId,title,genres,extra", '1,"  Heat   (1995) "," Action | Crime|Crime|Drama|",x'),
        ("item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq", "1\tHeat\t1995\tAction Crime Drama"),
    ],
)  # fmt: skip
def test_years_and_genres_are_read_as_they_are_written(tmp_path: Path, header: str, row: str) -> None:
    if ";" in header:
        header, row = header.replace("Genre", '"Genre"'), row.replace("Action; Crime", '"Action; Crime; Drama"')
    dataset = read(tmp_path, ratings=HEAD + "1,1,3\n2,1,4\n", movies=f"{header}\n{row}\n")
    (movie,) = dataset.movies
    assert (movie.title, movie.year, movie.genres) == ("Heat", 1995, ("Action", "Crime", "Drama"))


def test_a_title_of_a_word_for_nothing_is_one_with_its_year_and_otherwise_costs_the_title_alone(tmp_path: Path) -> None:
    movies = "movieId,title,year,genres\n1,Nan (2020),,Drama\n2,NA,2010,Crime\n3,,1995,War\n"
    dataset = read(tmp_path, ratings=HEAD + "1,1,3\n2,2,4\n1,3,5\n", movies=movies)
    assert titles(dataset) == ["Nan (2020)", "Movie 2 (2010)", "Movie 3 (1995)"]
    assert [movie.genres for movie in dataset.movies] == [("Drama",), ("Crime",), ("War",)]
    assert any("movies without a title, named by their ids: 2 (such as line 3, movie 2)" in w for w in dataset.warnings)


def test_a_merged_file_keeps_its_titles(tmp_path: Path) -> None:
    content = "userId,movieId,rating,timestamp,title,genres\n1,31,2.5,1,Dangerous Minds (1995),Drama\n2,31,3,2,,\n"
    dataset = read(tmp_path, ratings=content)
    assert [(str(movie), movie.genres) for movie in dataset.movies] == [("Dangerous Minds (1995)", ("Drama",))]
    assert triples(dataset) == SOME


def test_ratings_without_movies_csv_have_their_links(tmp_path: Path) -> None:
    dataset = read(tmp_path, ratings=HEAD + "1,31,2.5\n2,31,3\n", links="movieId,imdbId,tmdbId\n31,1,2\n")
    (movie,) = dataset.movies
    assert (movie.title, movie.imdb_id, movie.tmdb_id) == ("Movie 31", "tt0000001", 2)


@pytest.mark.parametrize(
    ("imdb", "tmdb", "found", "told"),
    [
        ("tt0112682", "902.0", ("tt0112682", 902), ""), ("0112682", "902", ("tt0112682", 902), ""),
        ("tt5", "", ("tt0000005", None), ""), ("nm0000001", "902", (None, 902), "IMDb ids that are none: 1"),
        ("http://imdb", "x", (None, None), "TMDB ids that are none: 1"), ("0", "0", (None, None), "IMDb ids that"),
        ("114709.0", "9" * 30, ("tt0114709", None), "TMDB ids"), ("", "nan", (None, None), ""),
    ],
)  # fmt: skip
def test_a_bad_link_costs_that_link(
    tmp_path: Path, imdb: str, tmdb: str, found: tuple[str | None, int | None], told: str
) -> None:
    links = f"movieId,imdbId,tmdbId\n31,{imdb},{tmdb}\n"
    dataset = read(tmp_path, ratings=HEAD + "1,31,2.5\n2,31,3\n", links=links, movies="movieId,title\n31,Heat (1995)\n")
    (movie,) = dataset.movies
    assert (movie.imdb_id, movie.tmdb_id) == found
    assert told in "\n".join(dataset.warnings)
    assert ("none" in "\n".join(dataset.warnings)) == bool(told)


@pytest.mark.parametrize(
    "name",
    ["ratings.csv", "Ratings.CSV", "rating.csv", "ratings.tsv", "ratings.txt", "ratings.dat", "ratings_small.csv"],
)
@pytest.mark.parametrize("packed", ["", ".gz", ".bz2", ".xz"])
def test_file_names_vary_and_may_be_compressed(tmp_path: Path, name: str, packed: str) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[packed]
    content = HEAD + "1,31,2.5\n2,31,3\n"
    (tmp_path / (name + packed)).write_bytes(pack(content.encode()))
    (tmp_path / ("movie.csv" + packed)).write_bytes(pack(b"movieId,title\n31,Heat (1995)\n"))
    for path in (tmp_path, tmp_path / (name + packed)):
        dataset = read_dataset(path)
        assert triples(dataset) == SOME
        assert titles(dataset) == ["Heat (1995)"]


@pytest.mark.parametrize("inside", ["ratings.csv", "ml/ratings.csv", "a/b/ratings.csv"])
def test_a_zip_file_is_read_as_its_folder(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "mine.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(inside, HEAD + "1,31,2.5\n2,31,3\n2,32,\n")
        archive.writestr("__MACOSX/._ratings.csv", b"\0\1")
    if inside.count("/") > 1:
        with pytest.raises(InvalidInput, match=r"mine\.zip holds no ratings"):
            read_dataset(file)
        return
    dataset = read_dataset(file)
    assert triples(dataset) == SOME
    assert dataset.name == ("ml" if "ml/" in inside else "mine")
    assert all(str(file) in warning for warning in dataset.warnings)


def test_parquet_is_read(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    fastparquet = pytest.importorskip("fastparquet")
    frame = pd.DataFrame({
        "user_id": ["maria", "joe", "joe"], "item_id": [31, 31, 32], "rating": [2.5, 3, np.nan],
        "timestamp": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]),
    })  # fmt: skip
    fastparquet.write(str(tmp_path / "ratings.parquet"), frame)
    dataset = read_dataset(tmp_path)
    assert triples(dataset) == {("maria", "31", 2.5), ("joe", "31", 3)}
    assert dataset.ratings.timestamps is not None
    assert dataset.ratings.timestamps.tolist() == [1577836800, 1577923200]
    (tmp_path / "ratings.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InvalidInput, match=r"ratings\.parquet is no Parquet file"):
        read_dataset(tmp_path)


def test_parquet_may_have_nulls_in_columns_of_whole_numbers_and_an_index(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    fastparquet = pytest.importorskip("fastparquet")
    users = pd.array([1, None, *range(3, 40)], dtype="Int64")
    frame = pd.DataFrame({"userId": users, "movieId": 2**60 + 1, "rating": pd.array([None, *[4] * 38], dtype="Int8")})
    fastparquet.write(str(tmp_path / "ratings.parquet"), frame.set_index("movieId"))
    dataset = read_dataset(tmp_path)
    assert triples(dataset) == {(str(user), str(2**60 + 1), 4) for user in range(3, 40)}
    assert any("cannot be read: 1 (such as line 2: user '' is no id)" in told for told in dataset.warnings)
    assert any("without a rating: 1 (such as line 1)" in told for told in dataset.warnings)


def test_parts_of_parquet_are_one_table(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    fastparquet = pytest.importorskip("fastparquet")
    frame = pd.DataFrame({"userId": [1, 1, 2], "movieId": [5, 6, 5], "rating": [4.0, 2.5, 3.0]})
    folder = tmp_path / "data" / "ratings.parquet"
    folder.mkdir(parents=True)
    with pytest.raises(InvalidInput, match=r"ratings\.parquet holds no part of a table"):
        read_dataset(folder)
    fastparquet.write(str(folder / "part-00000.snappy.parquet"), frame[:2])
    fastparquet.write(str(folder / "part-00001.snappy.parquet"), frame[2:])
    (folder / "_SUCCESS").touch()
    (folder / "._part.parquet.crc").touch()
    for path in (folder, folder.parent):
        ratings = read_dataset(path).ratings
        assert (ratings.user_ids.tolist(), ratings.movie_ids.tolist()) == ([1, 1, 2], [5, 6, 5])
        assert ratings.values.tolist() == [4.0, 2.5, 3.0]


def test_parquet_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    (tmp_path / "ratings.parquet").write_bytes(b"PAR1")
    with pytest.raises(InvalidInput, match=r"pip install 'posterity\[parquet\]'"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    "row", ["A3R5OBKS7OM2IR,0000143502,5.0,1358380800", "0000143502,A3R5OBKS7OM2IR,5.0,1358380800"]
)
def test_amazons_files_name_the_reviewer_or_the_product_first(tmp_path: Path, row: str) -> None:
    others = row.replace("M2IR", "M2IS").replace("0000143502", "B000EXAMPL")
    dataset = read_file(tmp_path / "Movies_and_TV.csv", f"{row}\n{others}\n")
    assert triples(dataset) == {("A3R5OBKS7OM2IR", "0000143502", 5), ("A3R5OBKS7OM2IS", "B000EXAMPL", 5)}


def test_a_folder_of_several_tables_asks_for_one(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(HEAD + "1,31,2.5\n")
    with pytest.raises(InvalidInput, match=r"one\.csv, two\.csv could all be it: give one"):
        read_dataset(tmp_path)


def test_trakt_s_json_is_a_list_of_nested_films(tmp_path: Path) -> None:
    rows = [
        {"rated_at": f"2020-05-{n:02d}T20:00:00.000Z", "rating": 1 + n % 10, "type": "movie",
         "movie": {"title": f"Film {n}", "year": 1990 + n, "ids": {"trakt": n, "imdb": f"tt{n:07d}", "tmdb": n}}}
        for n in range(1, 21)
    ]  # fmt: skip
    rows.append({"rated_at": "2020-05-01", "rating": 3, "type": "show", "show": {"title": "Lost", "ids": {"trakt": 1}}})
    file = tmp_path / "ratings-movies.json"
    for indent in (None, 1):
        file.write_text(json.dumps(rows, indent=indent))
        dataset = read_dataset(file)
        found = {movie.source_id: (movie.title, movie.year, movie.imdb_id) for movie in dataset.movies}
        assert found == {f"tt{n:07d}": (f"Film {n}", 1990 + n, f"tt{n:07d}") for n in range(1, 21)}
        assert len(dataset.ratings) == 20
        assert dataset.ratings.scale == (1, 10)
        assert any("cannot be read: 1 (such as line 21: movie '' is no id)" in told for told in dataset.warnings)
        assert any("ratings of one person" in told for told in dataset.warnings)
