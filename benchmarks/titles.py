"""Share of the movies of a data set that title search finds by their titles, as they are and spoilt mechanically."""

from __future__ import annotations

import csv
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

import click
from anyascii import anyascii

from index.catalogue.catalogue import Catalogue, Movie
from index.catalogue.title_forms import NUMERALS, alternatives, parse_title, words
from indexer.datasets.movielens import read_dataset
from posterity.cli.console import print_table, shown_progress

_TOP = 3
_ARTICLE = re.compile(r"^(The|A|An|Le|La|Les|El|Los|Las|Il|Der|Die|Das|Den|Det) (.+)$")


@click.command()
@click.argument("dataset", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Spoil the titles of every so many movies; all as they are.",
)
@click.option("--failures", type=click.IntRange(0), default=0, help="Print so many titles of each row that fail.")
def main(dataset: Path, every: int, failures: int) -> None:
    """Search for every movie of DATASET by its "Title (Year)", and by its main title if no other movie has it."""
    read = read_dataset(dataset)
    counts = Counter(read.ratings.movie_ids.tolist())
    movies = tuple(sorted(read.movies, key=lambda movie: movie.movie_id))
    none = (None,) * len(movies)
    catalogue = Catalogue(movies, tuple(counts[movie.movie_id] for movie in movies), none, none)
    twins = Counter(map(str, movies))
    mains = Counter(name for movie in movies for name in {" ".join(words(each)) for each in _names(movie)})
    dated = [(movie, str(movie)) for movie in movies]
    alone = [
        (movie, main)
        for movie in movies
        if (main := alternatives(movie.title)[0]) and mains[" ".join(words(main))] == 1
    ]
    rows = []
    begun, asked = process_time(), 0
    with shown_progress() as track:
        for name, spoil in track(SPOILINGS.items(), "Searching", len(SPOILINGS)):
            cells, failed = [], []
            for queries in (dated, alone):
                chosen = queries if spoil is _same else queries[::every]
                spoilt = [(movie, spoil(title)) for movie, title in chosen if spoil is _same or spoil(title) != title]
                ranks = [_rank(catalogue, movie, query, twins) for movie, query in spoilt]
                asked += len(ranks)
                cells += [f"{len(ranks):,}", _share(ranks, 1), _share(ranks, _TOP)]
                failed += [query for (_, query), rank in zip(spoilt, ranks, strict=True) if rank > _TOP]
            rows.append((name, *cells))
            for query in failed[:failures]:
                click.echo(f"{name}: {query}", err=True)
        if (dataset / "movies.csv").is_file():
            rows.insert(1, ("as in movies.csv", *_as_written(catalogue, dataset / "movies.csv", twins), "", "", ""))
    columns = [(heading, "right") for heading in ("Movies", "First", "Top 3", "Title alone", "First", "Top 3")]
    repeated = sum(count for count in twins.values() if count > 1)
    print_table(
        f"Movies of {read.name} found by title",
        [("Title", "left"), *columns],
        rows,
        f"{len(movies):,} movies; {repeated} share title and year with another, and either counts. Title alone: main"
        f" titles that no other movie has. {1000 * (process_time() - begun) / asked:.1f} ms of processor time a movie.",
    )


def _names(movie: Movie) -> Iterator[str]:
    main, others = alternatives(movie.title)
    yield from (main, *others, movie.title)


def _rank(catalogue: Catalogue, movie: Movie, query: str, twins: Counter[str]) -> int:
    """Return the place of a movie among the results of a query; beyond the last if it is not among the first few."""
    wanted = str(movie)
    for limit in (1, _TOP):
        found = catalogue.search(query, limit)
        for place, each in enumerate(found, start=1):
            if each.movie_id == movie.movie_id or (twins[wanted] > 1 and str(each) == wanted):
                return place
    return _TOP + 1


def _share(ranks: list[int], place: int) -> str:
    return f"{sum(rank <= place for rank in ranks) / len(ranks):.2%}" if ranks else ""


def _as_written(catalogue: Catalogue, file: Path, twins: Counter[str]) -> tuple[str, str, str]:
    with file.open(encoding="utf-8", newline="") as stream:
        written = {int(row["movieId"]): row["title"].strip() for row in csv.DictReader(stream)}
    ranks = [_rank(catalogue, movie, written[movie.movie_id], twins) for movie in catalogue.movies]
    return f"{len(ranks):,}", _share(ranks, 1), _share(ranks, _TOP)


def _same(title: str) -> str:
    return title


def _without_accents(title: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c))


def _other_numerals(title: str) -> str:
    """Return a title with roman numerals for arabic ones and the other way round, but for its first word and "I"."""

    def other(found: re.Match[str]) -> str:
        word = found[0]
        return NUMERALS.get(word.lower(), word).upper() if word.isupper() or word.isdecimal() else word

    return re.sub(r"(?<=[^\w'’]) *\b(?!I\b)(?:[IVX]+|[0-9]{1,2})\b(?!['’/.,0-9½])", lambda found: other(found), title)


def _article_moved(title: str) -> str:
    plain, year = parse_title(title)
    main, bracket, others = plain.partition(" (")
    found = _ARTICLE.match(main)
    moved = plain if found is None else f"{found[2]}, {found[1]}{bracket}{others}"
    return moved if year is None else f"{moved} ({year})"


def _article_dropped(title: str) -> str:
    found = _ARTICLE.match(title)
    return title if found is None else found[2]


def _typing_error(title: str) -> str:
    """Return a title with one letter of its main title left out, doubled, replaced, or swapped with the next."""
    rng = random.Random(title)  # noqa: S311
    main = alternatives(title)[0]
    places = [at for at, letter in enumerate(main) if letter.isalpha()]
    if len(places) < _TOP:
        return title
    at = rng.choice(places)
    before, letter, after = title[:at], title[at], title[at + 1 :]
    changed = [
        before + after,
        before + letter + letter + after,
        before + rng.choice("abcdefghijklmnopqrstuvwxyz") + after,
        before + after[:1] + letter + after[1:] if after[:1].isalpha() else before + after,
    ]
    return rng.choice(changed)


def _other_and(title: str) -> str:
    return re.sub(r" ([Aa]nd|&|\+) ", lambda found: " and " if found[1] in "&+" else " & ", title)


def _without_punctuation(title: str) -> str:
    main, year = parse_title(title)
    plain = "".join(c for c in main if c.isalnum() or c.isspace() or unicodedata.category(c)[0] == "M")
    return plain if year is None else f"{plain} {year}"


SPOILINGS: dict[str, Callable[[str], str]] = {
    "as it is": _same,
    "upper case": str.upper,
    "lower case": str.lower,
    "accents removed": _without_accents,
    "in ASCII": anyascii,
    "apostrophes curly": lambda title: title.replace("'", "’"),
    "apostrophes left out": lambda title: re.sub("['’]", "", title),
    "numerals roman for arabic, arabic for roman": _other_numerals,
    "article moved to the end": _article_moved,
    "article left out": _article_dropped,
    "one typing error": _typing_error,
    "& for and, and for & and +": _other_and,
    "punctuation left out": _without_punctuation,
    "punctuation as spaces": lambda title: re.sub(r"[^\w\s()]", " ", title),
    "digits joined to the word before": lambda title: re.sub(r"(?<=[^\W\d]) (?=\d)", "", title),
    "spaces left out": lambda title: re.sub(r" (?!\()", "", title),
}


if __name__ == "__main__":
    main()
