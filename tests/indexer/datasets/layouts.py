"""Small data sets of our own in the layouts of public ones. Taste is plain: fans of space, and fans of weddings.

``write`` writes one into a folder and returns the path to give to ``--ratings``.
"""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

SPACE = ("Étoile Noire", "Red Planet Run", "Star, the Last", "Orbit", "Moon Harvest", "Nova")
WEDDINGS = ("Bride's Day", "Two Vows", "The Ring", "Cake", "Amélie's Veil", "June")
TITLES = {at: (title, 1980 + at, "Sci-Fi|Action" if title in SPACE else "Romance|Comedy")
          for at, title in enumerate((*SPACE, *WEDDINGS), start=1)}  # fmt: skip
USERS = range(1, 31)
TIME = 1_100_000_000


def given() -> Iterator[tuple[int, int, int, int]]:
    """Yield user, movie, rating from 1 to 5, and time. Even users love space, odd ones weddings."""
    for user in USERS:
        for movie in TITLES:
            if (user * 7 + movie * 5) % 4:
                loved = (TITLES[movie][0] in SPACE) == (user % 2 == 0)
                yield user, movie, (4 if loved else 1) + (user + movie) % 2, TIME + 86400 * movie + user


def dated(title: str, year: int) -> str:
    return f"{title} ({year})"


def iso(time: int) -> str:
    return datetime.datetime.fromtimestamp(time, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def table(rows: object, delimiter: str = ",", *, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()


def movielens_100k(folder: Path) -> Path:
    (folder / "u.data").write_text(table(given(), "\t"))
    flags = {True: "0|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1|0|0|0", False: "0|0|0|0|0|1|0|0|0|0|0|0|0|0|1|0|0|0|0"}
    items = [
        f"{movie}|{dated(title, year)}|01-Jan-{year}||http://example.org/?{movie}|{flags[title in SPACE]}"
        for movie, (title, year, _) in TITLES.items()
    ]
    (folder / "u.item").write_bytes("\n".join(items).encode("latin-1"))
    (folder / "u1.base").write_text(table(list(given())[:-20], "\t"))
    return folder


def _with_colons(folder: Path, encoding: str, times: int = 1) -> None:
    ratings = (f"{user}::{movie}::{rating * times}::{time}\n" for user, movie, rating, time in given())
    (folder / "ratings.dat").write_text("".join(ratings))
    movies = (f"{movie}::{dated(title, year)}::{genres}\n" for movie, (title, year, genres) in TITLES.items())
    (folder / "movies.dat").write_bytes("".join(movies).encode(encoding))


def movielens_1m(folder: Path) -> Path:
    _with_colons(folder, "latin-1")
    (folder / "users.dat").write_text("1::F::1::10::48067\n2::M::56::16::70072\n")
    return folder


def movielens_10m(folder: Path) -> Path:
    _with_colons(folder, "utf-8")
    (folder / "tags.dat").write_text("1::2::red dust::1215184630\n")
    return folder


def kaggle_20m(folder: Path) -> Path:
    rows = [("userId", "movieId", "rating", "timestamp")]
    rows += [(user, movie, rating, iso(time)) for user, movie, rating, time in given()]  # type: ignore[misc]
    (folder / "rating.csv").write_text(table(rows, quoting=csv.QUOTE_NONNUMERIC))
    movies = [("movieId", "title", "genres"), *((m, dated(t, y), g) for m, (t, y, g) in TITLES.items())]
    (folder / "movie.csv").write_text(table(movies, quoting=csv.QUOTE_NONNUMERIC), encoding="utf-8")
    (folder / "link.csv").write_text("movieId,imdbId,tmdbId\n1,113497,8844\n2,tt0112682,902.0\n3,113228,\n")
    (folder / "tag.csv").write_text('userId,movieId,tag,timestamp\n18,2,"red dust","2009-04-24 18:19:40"\n')
    return folder


def latest_small(folder: Path) -> Path:
    (folder / "ratings.csv").write_text(table([("userId", "movieId", "rating", "timestamp"), *given()], end="\r\n"))
    movies = [("movieId", "title", "genres"), *((m, dated(t, y), g) for m, (t, y, g) in TITLES.items())]
    (folder / "movies.csv").write_text(table(movies, end="\r\n"), encoding="utf-8")
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\r\n1,0113497,8844\r\n")
    (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\r\n2,1,dark,1\r\n")
    return folder


def movie_tweetings(folder: Path) -> Path:
    """Ids are IMDb's with zeros in front, ratings from 0 to 10."""
    ratings = (f"{user}::{movie + 100:07d}::{2 * rating}::{time}\n" for user, movie, rating, time in given())
    (folder / "ratings.dat").write_text("".join(ratings))
    movies = (f"{movie + 100:07d}::{dated(title, year)}::{genres}\n" for movie, (title, year, genres) in TITLES.items())
    (folder / "movies.dat").write_text("".join(movies), encoding="utf-8")
    (folder / "users.dat").write_text("1::139564917\n")
    return folder


def asin(movie: int) -> str:
    return f"B{movie:09d}" if movie % 2 else f"{movie:010d}"


def amazon(folder: Path) -> Path:
    rows = [(f"A{user:013d}", asin(movie), float(rating), time) for user, movie, rating, time in given()]
    file = folder / "ratings_Movies_and_TV.csv"
    file.write_text(table(rows))
    return file


def netflix_prize(folder: Path) -> Path:
    (folder / "training_set").mkdir()
    for movie in TITLES:
        rows = [f"{user},{rating},{iso(time)[:10]}" for user, rated, rating, time in given() if rated == movie]
        (folder / "training_set" / f"mv_{movie:07d}.txt").write_text("\n".join([f"{movie}:", *rows, ""]))
    titles = [f"{movie},{year},{title}" for movie, (title, year, _) in TITLES.items()]
    (folder / "movie_titles.txt").write_bytes("\n".join(titles).encode("latin-1"))
    (folder / "probe.txt").write_text("1:\n30\n")
    return folder


def netflix_on_kaggle(folder: Path) -> Path:
    for part in (1, 2):
        lines = []
        for movie in [movie for movie in TITLES if movie % 2 == part % 2]:
            lines += [f"{movie}:"]
            lines += [f"{user},{rating},{iso(time)[:10]}" for user, rated, rating, time in given() if rated == movie]
        (folder / f"combined_data_{part}.txt").write_text("\n".join([*lines, ""]))
    titles = [f"{movie},{year}.0,{title}" for movie, (title, year, _) in TITLES.items()]
    (folder / "movie_titles.csv").write_bytes("\n".join(titles).encode("latin-1"))
    return folder


def letterboxd(folder: Path) -> Path:
    rows = [("Date", "Name", "Year", "Letterboxd URI", "Rating")]
    rows += [
        (f"2021-03-{movie:02d}", title, str(year), f"https://boxd.it/{movie:04x}", "4.5" if title in SPACE else "2")
        for movie, (title, year, _) in TITLES.items()
    ]
    (folder / "ratings.csv").write_text(table(rows), encoding="utf-8")
    (folder / "watched.csv").write_text(table([row[:4] for row in rows]), encoding="utf-8")
    (folder / "profile.csv").write_text("Date Joined,Username\n2021-01-01,someone\n")
    return folder


def imdb(folder: Path) -> Path:
    head = [
        "Const",
        "Your Rating",
        "Date Rated",
        "Title",
        "Original Title",
        "URL",
        "Title Type",
        "IMDb Rating",
        "Runtime (mins)",
        "Year",
        "Genres",
        "Num Votes",
        "Release Date",
        "Directors",
    ]
    rows = [
        (f"tt{movie + 100:07d}", 9 if title in SPACE else 3, f"2019-01-{movie:02d}", title, title,
         f"https://www.imdb.com/title/tt{movie + 100:07d}/", "Movie", 7.1, 100, year, genres.replace("|", ", "), 900,
         f"{year}-05-01", "Someone")
        for movie, (title, year, genres) in TITLES.items()
    ]  # fmt: skip
    file = folder / "ratings.csv"
    file.write_bytes(table([head, *rows]).encode("cp1252"))
    return file


Layout = Callable[[Path], Path]

PUBLIC: dict[str, Layout] = {
    "MovieLens 100K": movielens_100k,
    "MovieLens 1M": movielens_1m,
    "MovieLens 10M": movielens_10m,
    "MovieLens 20M on Kaggle": kaggle_20m,
    "MovieLens latest-small": latest_small,
    "MovieTweetings": movie_tweetings,
    "Amazon": amazon,
    "Netflix Prize": netflix_prize,
    "Letterboxd": letterboxd,
    "IMDb": imdb,
}
OF_ONE_USER = {"Letterboxd", "IMDb"}


def the_movies_dataset(folder: Path) -> Path:
    """Kaggle's, with TMDB's metadata instead of movies.csv."""
    (folder / "ratings.csv").write_text(table([("userId", "movieId", "rating", "timestamp"), *given()]))
    (folder / "links.csv").write_text(
        table([("movieId", "imdbId", "tmdbId"), *((m, f"{m + 100:07d}", f"{m + 9000}.0") for m in TITLES)])
    )
    head = ("adult", "budget", "genres", "id", "imdb_id", "original_title", "overview", "release_date", "title")
    rows = [
        ("False", 0, str([{"id": 1, "name": name} for name in genres.split("|")]), m + 9000, f"tt{m + 100:07d}",
         title, f'A film.\nIt is called "{title}", they say.', f"{year}-05-01", title)
        for m, (title, year, genres) in TITLES.items()
    ]  # fmt: skip
    (folder / "movies_metadata.csv").write_text(table([head, *rows]), encoding="utf-8")
    (folder / "keywords.csv").write_text("id,keywords\n9001,[]\n")
    return folder


def recbole(folder: Path) -> Path:
    rows = [("user_id:token", "item_id:token", "rating:float", "timestamp:float"), *given()]
    (folder / "tiny.inter").write_text(table(rows, "\t"))
    items = [("item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq")]
    items += [(str(m), title, str(year), genres.replace("|", " ")) for m, (title, year, genres) in TITLES.items()]
    (folder / "tiny.item").write_text(table(items, "\t"), encoding="utf-8")
    return folder


def merged(folder: Path) -> Path:
    head = ("userId", "movieId", "rating", "timestamp", "title", "genres")
    rows = [(*row, dated(*TITLES[row[1]][:2]), TITLES[row[1]][2]) for row in given()]
    file = folder / "all.csv"
    file.write_text(table([head, *rows]), encoding="utf-8")
    return file


def german_excel(folder: Path) -> Path:
    movies = [("movie_id", "title", "year", "genre"),
              *((m, t, y, g.replace("|", ", ")) for m, (t, y, g) in TITLES.items())]  # fmt: skip
    (folder / "Movies.csv").write_bytes(("sep=;\r\n" + table(movies, ";", end="\r\n")).encode("cp1252"))
    rows = [(u, m, f"{r},0", iso(t)) for u, m, r, t in given()]
    text = "sep=;\r\n" + table([("User ID", "Movie ID", "Rating", "Time"), *rows], ";", end="\r\n")
    (folder / "Ratings.csv").write_bytes(text.encode("utf-16"))
    return folder


def gzipped(folder: Path) -> Path:
    latest_small(folder)
    for name in ("ratings.csv", "movies.csv"):
        with gzip.open(folder / f"{name}.gz", "wb") as file:
            file.write((folder / name).read_bytes())
        (folder / name).unlink()
    return folder


def zipped(folder: Path) -> Path:
    (folder / "in").mkdir()
    latest_small(folder / "in")
    with zipfile.ZipFile(folder / "ml-tiny.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((folder / "in").iterdir()):
            archive.write(file, f"ml-tiny/{file.name}")
    return folder / "ml-tiny.zip"


OTHERS: dict[str, Layout] = {
    "Netflix Prize on Kaggle": netflix_on_kaggle,
    "The Movies Dataset": the_movies_dataset,
    "RecBole": recbole,
    "merged": merged,
    "Excel": german_excel,
    "gzip": gzipped,
    "zip": zipped,
}
