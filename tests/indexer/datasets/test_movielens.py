from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from index.catalogue.catalogue import Movie
from index.catalogue.title_forms import parse_title
from index.core.errors import InvalidInput
from indexer.datasets.movielens import CITATION, read_dataset
from indexer.datasets.sources import SAMPLE

MOVIES = 'movieId,title,genres\n1,Toy Story (1995),Animation|Children\n6,"Heat, The (1995)",Crime\n9,Odd,(no genres listed)\n'
RATINGS = "userId,movieId,rating,timestamp\n1,1,4.0,100\n1,6,2.5,101\n2,1,5.0,102\n"
LINKS = "movieId,imdbId,tmdbId\n1,0114709,862\n6,113277,\n"
TAGS = 'userId,movieId,tag,timestamp\n1,1,pixar,1\n2,1,"toys, alive",2\n'


def edition(folder: Path, **files: str) -> Path:
    """Write a CSV edition; a keyword replaces the content of a file."""
    folder.mkdir(exist_ok=True)
    for name, content in {"movies": MOVIES, "ratings": RATINGS, "links": LINKS, "tags": TAGS, **files}.items():
        (folder / f"{name}.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def test_a_csv_edition_is_read_whole(tmp_path: Path) -> None:
    dataset = read_dataset(edition(tmp_path / "ml-tiny"))
    assert dataset.name == "ml-tiny"
    assert dataset.notice == CITATION
    assert dataset.movies == (
        Movie(1, "Toy Story", 1995, ("Animation", "Children"), "tt0114709", 862),
        Movie(6, "The Heat", 1995, ("Crime",), "tt0113277", None),
        Movie(9, "Odd"),
    )
    assert dataset.ratings.user_ids.tolist() == [1, 1, 2]
    assert dataset.ratings.movie_ids.tolist() == [1, 6, 1]
    assert dataset.ratings.values.tolist() == [4, 2.5, 5]
    assert dataset.ratings.values.dtype == np.float32
    assert dataset.ratings.timestamps is not None
    assert dataset.ratings.timestamps.tolist() == [100, 101, 102]
    assert dataset.tags == {1: ("pixar", "toys, alive")}
    assert dataset.warnings == ()


def test_byte_order_mark_carriage_returns_and_blank_lines_do_not_matter(tmp_path: Path) -> None:
    plain = read_dataset(edition(tmp_path / "ml-a"))
    odd = {
        name: "\ufeff" + text.replace("\n", "\r\n\r\n")
        for name, text in (("movies", MOVIES), ("ratings", RATINGS), ("links", LINKS))
    }
    again = read_dataset(edition(tmp_path / "ml-b", **odd))
    assert again.movies == plain.movies
    assert again.ratings.values.tolist() == plain.ratings.values.tolist()


def test_links_and_tags_may_be_missing(tmp_path: Path) -> None:
    folder = edition(tmp_path / "a")
    (folder / "links.csv").unlink()
    (folder / "tags.csv").unlink()
    dataset = read_dataset(folder)
    assert dataset.movies[0].imdb_id is None
    assert dataset.notice == ""


def test_ml_1m_is_read(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text("1::1193::5::978300760\n2::661::3::978302109\n")
    titles = (
        "661::James and the Giant Peach (1996)::Animation|Children's\n1193::Misérables, Les: Partie 1 (1975)::Drama\n"
    )
    (tmp_path / "movies.dat").write_bytes(titles.encode("latin-1"))
    (tmp_path / "README").write_text("SUMMARY\nThese files contain ratings from MovieLens. ml-1m\n")
    dataset = read_dataset(tmp_path)
    assert dataset.name == "ml-1m"
    assert [str(movie) for movie in dataset.movies] == [
        "James and the Giant Peach (1996)",
        "Misérables, Les: Partie 1 (1975)",
    ]
    assert dataset.ratings.values.tolist() == [5, 3]
    assert dataset.ratings.movie_ids.tolist() == [1193, 661]


def test_ml_100k_is_read(tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
    flags = "|".join("1" if at in (8, 16) else "0" for at in range(19))
    items = f"242|Kolya (1996)|24-Jan-1997||http://x|{flags}\n302|L.A. Café|01-Jan-1997||http://x|{flags}\n"
    (tmp_path / "u.item").write_bytes(items.encode("latin-1"))
    dataset = read_dataset(tmp_path)
    assert dataset.movies == (
        Movie(242, "Kolya", 1996, ("Drama", "Thriller")),
        Movie(302, "L.A. Café", 1997, ("Drama", "Thriller")),
    )
    assert dataset.ratings.user_ids.tolist() == [196, 186]


@pytest.mark.parametrize(
    "content",
    [
        "user,item,rating\n1,7,3\n2,8,4\n",
        "item_id;USER_ID;Score;note\n7;1;3;good\n8;2;4;\n",
        "user\tmovie\trating\n1.0\t7\t3\n2.0\t8\t4\n",
    ],
)
def test_any_csv_of_users_items_and_ratings_is_read(tmp_path: Path, content: str) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(content)
    for path in (file, tmp_path):
        dataset = read_dataset(path)
        assert [movie.title for movie in dataset.movies] == ["Movie 7", "Movie 8"]
        assert dataset.ratings.user_ids.tolist() == [1, 2]
        assert dataset.ratings.values.tolist() == [3, 4]
        assert dataset.ratings.timestamps is None
    assert read_dataset(file).name == "mine"


def test_the_ratings_file_of_an_edition_stands_for_its_folder(tmp_path: Path) -> None:
    folder = edition(tmp_path / "ml-tiny")
    assert read_dataset(folder / "ratings.csv").movies == read_dataset(folder).movies
    (folder / "movies.csv").unlink()
    assert read_dataset(folder / "ratings.csv").movies[0].title == "Movie 1"


def test_the_folder_around_an_edition_will_do(tmp_path: Path) -> None:
    edition(tmp_path / "ml-tiny")
    assert read_dataset(tmp_path).name == "ml-tiny"
    edition(tmp_path / "ml-other")
    with pytest.raises(InvalidInput, match=r"several data sets; give one: .*ml-other, .*ml-tiny"):
        read_dataset(tmp_path)


def test_the_sample_is_known_by_its_readme(tmp_path: Path) -> None:
    folder = edition(tmp_path / "whatever")
    (folder / "README.txt").write_text("Posterity sample: invented films\n")
    dataset = read_dataset(folder)
    assert dataset.name == SAMPLE
    assert "Invented" in dataset.notice


def test_of_a_movie_rated_twice_the_latest_counts_and_is_told(tmp_path: Path) -> None:
    again = RATINGS + "1,1,1.0,99\n2,1,3.0,103\n2,1,3.5,103\n"
    dataset = read_dataset(edition(tmp_path / "a", ratings=again))
    kept = dict(
        zip(zip(dataset.ratings.user_ids, dataset.ratings.movie_ids, strict=True), dataset.ratings.values, strict=True)
    )
    assert kept == {(1, 1): 4, (1, 6): 2.5, (2, 1): 3.5}
    (warning,) = dataset.warnings
    assert "kept the latest: 3 (such as line 5, user 1, movie 1)" in warning
    assert "ratings.csv" in warning


def test_what_names_unknown_movies_is_left_out_and_told(tmp_path: Path) -> None:
    folder = edition(
        tmp_path / "a",
        ratings=RATINGS + "\n3,777,4,1\n3,778,4,1\n",
        links=LINKS + "777,1,1\n",
        tags=TAGS + "1,777,x,1\n",
        movies=MOVIES + "6,Heat again (1996),Drama\n",
    )
    dataset = read_dataset(folder)
    assert len(dataset.ratings) == 3
    assert dataset.movies[1].title == "The Heat"
    messages = "\n".join(dataset.warnings)
    assert "movies.csv: duplicate movie ids, kept the first: 1 (such as line 5, movie 6)" in messages
    assert "links.csv: skipped links of unknown movies: 1 (such as line 4, movie 777)" in messages
    assert "tags.csv: skipped tags of unknown movies: 1 (such as line 4, movie 777)" in messages
    assert "ratings.csv: skipped ratings of unlisted movies: 2 (such as line 6, movie 777)" in messages


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ratings", RATINGS + "3,1,good,1\n", r"ratings\.csv, line 5: rating 'good' is not a number"),
        ("ratings", RATINGS + "3,1,inf,1\n", r"ratings\.csv, line 5: rating 'inf' is not a number"),
        ("ratings", RATINGS + "3,1,1e39,1\n", r"ratings\.csv, line 5: rating '1e39' is not a number"),
        ("ratings", RATINGS + ",1,3,1\n", r"ratings\.csv, line 5: user '' is no id"),
        ("ratings", RATINGS + "3,nan,3,1\n", r"ratings\.csv, line 5: movie 'nan' is no id"),
        ("ratings", RATINGS + f"3,{'9' * 201},3,1\n", r"ratings\.csv, line 5: movie '9{80}' is no id"),
        ("ratings", RATINGS + "3,1,3\n", r"ratings\.csv, line 5: 3 fields, 4 expected"),
        ("ratings", RATINGS + "3,1,3,1,7\n", r"ratings\.csv, line 5: 5 fields, 4 expected"),
        ("ratings", "user,item,rating\n1,1,3,9\n2,1,3,9\n", r"ratings\.csv, line 2: 4 fields, 3 expected"),
        (
            "ratings",
            "viewer,movieId,stars\n1,1,3\n",
            r"ratings\.csv, line 1: no user column among viewer, movieId, stars",
        ),
        ("ratings", "user,userId,item,rating\n1,1,1,3\n", r"line 1: user and userId could both be the user column"),
        ("ratings", "", r"ratings\.csv is empty"),
        ("ratings", "userId,movieId,rating,timestamp\n", r"ratings\.csv holds no ratings"),
        ("ratings", "userId,movieId,rating\n1,1,\n2,1,\n", r"ratings\.csv holds no ratings: .*without a rating: 2"),
        ("ratings", "userId,movieId,rating\n1,777,3\n", r"no rating is of a listed movie"),
        ("movies", MOVIES + "10,Ten,Drama,x\n", r"movies\.csv, line 5: 4 fields, 3 expected"),
        ("movies", MOVIES + ",Ten,Drama\n", r"movies\.csv, line 5: movie '' is no id"),
        ("movies", "number,title\n1,x\n", r"movies\.csv, line 1: no movie column among number, title"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    folder = edition(tmp_path / "a", **{name: content})
    with pytest.raises(InvalidInput, match=message):
        read_dataset(folder)


def test_a_path_without_a_data_set_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no folder or file"):
        read_dataset(tmp_path / "nowhere")
    with pytest.raises(InvalidInput, match="holds no ratings: expected"):
        read_dataset(tmp_path)
    (tmp_path / "ml-latest-small.zip").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match=r"ml-latest-small\.zip cannot be unzipped .*unzip it and give the folder"):
        read_dataset(tmp_path / "ml-latest-small.zip")
    (tmp_path / "ratings.xlsx").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match="save it as CSV"):
        read_dataset(tmp_path / "ratings.xlsx")


@pytest.mark.parametrize(
    ("written", "title", "year"),
    [
        ("Godfather, The (1972)", "The Godfather", 1972),
        ("Misérables, Les (1995) ", "Les Misérables", 1995),
        ("Avventura, L' (Adventure, The) (1960)", "L'Avventura (The Adventure)", 1960),
        ("Good, the Bad and the Ugly, The (Buono, il brutto, il cattivo, Il) (1966)",
         "The Good, the Bad and the Ugly (Il Buono, il brutto, il cattivo)", 1966),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("Stranger Things (2016-)", "Stranger Things", 2016),
        ("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975),
        ("Me, Myself & Irene (2000)", "Me, Myself & Irene", 2000),
        ("Babylon 5", "Babylon 5", None),
        ("(1972)", "(1972)", None),
    ],
)  # fmt: skip
def test_titles_read_as_people_say_them(written: str, title: str, year: int | None) -> None:
    assert parse_title(written) == (title, year)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.dictionaries(
        st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1)),
        st.floats(-1e6, 1e6, width=32).filter(lambda rating: rating != -1),  # "not rated"
        min_size=1,
        max_size=30,
    )
)
def test_ratings_written_are_the_ratings_read(tmp_path: Path, given_ratings: dict[tuple[int, int], float]) -> None:
    file = tmp_path / "any.csv"
    lines = [f"{user},{movie},{value!r}" for (user, movie), value in given_ratings.items()]
    file.write_text("\n".join(["user,item,rating", *lines]))
    dataset = read_dataset(file)
    ratings = dataset.ratings
    names = {movie.movie_id: int(movie.source_id or movie.movie_id) for movie in dataset.movies}
    users = [int(dataset.user_names.get(user, user)) for user in ratings.user_ids.tolist()]
    pairs = zip(users, [names[movie] for movie in ratings.movie_ids.tolist()], strict=True)
    assert dict(zip(pairs, ratings.values.tolist(), strict=True)) == given_ratings


@pytest.mark.realdata
def test_movielens_itself_is_read_to_the_last_rating(realdata: Path) -> None:
    dataset = read_dataset(realdata / "ml-latest-small-2016")
    assert len(dataset.ratings) == 100_004
    assert np.unique(dataset.ratings.user_ids).size == 671
    assert np.unique(dataset.ratings.movie_ids).size == 9_066
    assert len(dataset.movies) == 9_125
    assert sum(map(len, dataset.tags.values())) == 1_296
    heat = next(movie for movie in dataset.movies if movie.movie_id == 6)
    assert heat == Movie(6, "Heat", 1995, ("Action", "Crime", "Thriller"), "tt0113277", 949)
    assert dataset.warnings == ()
