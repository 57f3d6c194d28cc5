"""Mutated files of ratings and movies: never a traceback, and never a row that is lost without a word."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from index.core.errors import InvalidInput
from indexer.datasets.dataset import Dataset
from indexer.datasets.movielens import read_dataset
from indexer.datasets.tables.delimited import sniff

HEADS = {
    "plain": ("userId,movieId,rating,timestamp", "{u},{m},{r},{t}"),
    "texts": ("user\titem\trating\ttitle", "u{u}\tB{m:05d}\t{r}\tFilm {m}, the ({m})"),
    "quoted": ('"user";"movie";"score";"review"', '"{u}";"{m}";"{r}";"so\n""good"", they said"'),
    "dated": ("user_id,parent_asin,rating,timestamp", "A{u},B{m},{r}.0,2020-01-{t:02d} 10:00:00"),
    "implicit": ("user,item", "{u},{m}"),
    "colons": ("", "{u}::{m}::{r}::{t}"),
}
JUNK = ['"', "'", ",", "\t", ";", "|", "::", "\n", "\r", "\r\n", "\0", " ", "-", "-1", "1e400", "nan", "é", "\ufeff", "\u2028", "\x1a",
        "9148955329465708066", "31.0", '"A', ",,,,", "\\", "", "sep=;\n", "{", "0", "٣", "🎬"]  # fmt: skip

Mutation = tuple[int, int, str]  # where, how many characters are replaced, and by what


@st.composite
def mutations(draw: st.DrawFn) -> tuple[str, list[Mutation], str]:
    kind = draw(st.sampled_from(sorted(HEADS)))
    edits = draw(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 12), st.sampled_from(JUNK)), max_size=6))
    return kind, edits, draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"]))


def content(kind: str) -> str:
    head, row = HEADS[kind]
    rows = [
        row.format(u=user, m=movie, r=(user + movie) % 5 + 1, t=user + movie)
        for user in range(1, 6) for movie in range(1, 6)
    ]  # fmt: skip
    return "\n".join([*([head] if head else []), *rows, ""])


def mutated(text: str, edits: list[Mutation], keep: int) -> str:
    """Apply the edits behind the first ``keep`` characters."""
    for at, length, new in edits:
        start = keep + at % (len(text) - keep + 1)
        text = text[:start] + new + text[start + length :]
    return text


def named(dataset: Dataset, file: Path) -> int:
    """Return the number of a file's rows that the warnings name."""
    told = [warning for warning in dataset.warnings if warning.startswith(f"{file}: ")]
    counts = [re.search(r": ([0-9,]+) \(such as", w) for w in told if re.search("skipped|kept the (latest|first)", w)]
    return sum(int(found[1].replace(",", "")) for found in counts if found)


def lines_of(text: str) -> list[str]:
    return [line for line in re.split("\r\n|\r|\n", text) if line.strip()]


def is_blank(line: str, delimiter: str) -> bool:
    """Return True if a line has only empty fields; another delimiter than the file's is text, such as ``;``."""
    return not line.replace(delimiter, "").strip()


def check(folder: Path, given_file: tuple[str, list[Mutation], str]) -> None:
    kind, edits, encoding = given_file
    head, _ = HEADS[kind]
    text = mutated(content(kind), edits, len(head) + bool(head))
    text = text.encode(encoding, "ignore").decode(encoding)
    file = folder / ("ratings.dat" if kind == "colons" else "table.csv")
    file.write_bytes(text.encode(encoding))
    try:
        dataset = read_dataset(file)
    except InvalidInput as error:
        assert str(file) in str(error)  # noqa: PT017  most files are read
        return
    accounted = len(dataset.ratings) + named(dataset, file)
    delimiter = sniff(file)[0].delimiter
    rows = [line for line in lines_of(text)[1 if head else 0 :] if not is_blank(line, delimiter)]
    assert accounted <= len(rows), (dataset, rows)
    if '"' not in text:
        assert accounted == len(rows), (dataset, rows)
        return
    alone = [line for line in rows if looks_whole(line, kind)]
    assert accounted >= len(alone), (dataset, alone)


def looks_whole(line: str, kind: str) -> bool:
    """Return True if a line is a row by itself, whatever is around it."""
    patterns = {
        "plain": r"\d+,\d+,\d,\d+", "texts": "u\\d+\tB\\d+\t\\d\t[^\t\"]+", "dated": r"A\d+,B\d+,\d\.0,[^,\"]+",
        "quoted": r"(?!x)x", "implicit": r"\d+,\d+", "colons": r"\d+::\d+::\d::\d+",
    }  # fmt: skip
    return re.fullmatch(patterns[kind], line) is not None


def fuzz(examples: int) -> Callable[..., Callable[..., None]]:
    return settings(max_examples=examples, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz(60)
@given(mutations())
@example(("implicit", [(0, 3, ";")], "utf-8"))  # a row of another delimiter alone
def test_no_row_of_a_mutated_file_is_lost_without_a_word(
    tmp_path: Path, given_file: tuple[str, list[Mutation], str]
) -> None:
    check(tmp_path, given_file)


@pytest.mark.long
@fuzz(10_000)
@given(mutations())
def test_no_row_of_ten_thousand_mutated_files_is_lost_without_a_word(
    tmp_path: Path, given_file: tuple[str, list[Mutation], str]
) -> None:
    check(tmp_path, given_file)


def check_bytes(folder: Path, kind: str, edits: list[tuple[int, int, bytes]], compress: str) -> None:
    """Mutate the bytes, header included, of a file of ratings and of one of movies."""
    import bz2
    import gzip

    movies = "movieId,title,year,genres,imdb_id\n" + "".join(
        f"{m},\"Film {m}, the\",{1990 + m},\"[{{'id': 1, 'name': 'Drama'}}]\",tt{m:07d}\n" for m in range(1, 6)
    )
    for name, text in (("ratings.csv", content(kind)), ("movies.csv", movies), ("links.csv", "movieId,imdbId\n1,5\n")):
        raw = text.encode()
        for at, length, new in edits:
            start = at % (len(raw) + 1)
            raw = raw[:start] + new + raw[start + length :]
        packed = {"gzip": gzip.compress, "bz2": bz2.compress}.get(compress, bytes)(raw)
        (folder / name).write_bytes(packed if compress != "torn" else gzip.compress(raw)[:-9])
    try:
        dataset = read_dataset(folder)
    except InvalidInput as error:
        assert str(folder) in str(error)  # noqa: PT017  most files are read
        return
    assert len(dataset.ratings)
    assert {movie.movie_id for movie in dataset.movies} >= set(dataset.ratings.movie_ids.tolist())


bytes_given = (
    st.sampled_from(sorted(HEADS)),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=4)), max_size=6),
    st.sampled_from(["", "", "", "gzip", "bz2", "torn"]),
)


@fuzz(40)
@given(*bytes_given)
def test_mutated_bytes_are_read_or_refused_by_name(
    tmp_path: Path, kind: str, edits: list[tuple[int, int, bytes]], compress: str
) -> None:
    check_bytes(tmp_path, kind, edits, compress)


@pytest.mark.long
@fuzz(10_000)
@given(*bytes_given)
def test_ten_thousand_files_of_mutated_bytes_are_read_or_refused_by_name(
    tmp_path: Path, kind: str, edits: list[tuple[int, int, bytes]], compress: str
) -> None:
    check_bytes(tmp_path, kind, edits, compress)
