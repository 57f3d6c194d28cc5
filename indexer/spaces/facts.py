"""Facts vectors of movies: genres, year, tags, beginnings of titles, and labels such as directors and keywords."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg

from index.catalogue.movie import Movie
from index.catalogue.title_forms import alternatives, words
from index.core.arrays import Float32Array, Float64Array, Int64Array
from indexer.linalg import unit_rows

# Share of each kind of fact in the score of two movies that both have it; the year's, and its width, by
# `benchmarks.likeness`.
WEIGHTS = {"genres": 0.55, "year": 0.3, "tags": 0.15}
YEARS_APART = 2.0  # standard deviation of the similarity by year: movies this far apart keep exp(-1/2) of it
TAG_DIMENSION = 64
# Weights of labels that two movies share, beside a weight of 1 of all the above together. "series" is made from titles;
# that of collections by `benchmarks.collection_weight`.
LABEL_WEIGHTS = {
    "series": 0.3,
    "collections": 1.0,
    "directors": 0.3,
    "actors": 0.4,
    "keywords": 0.4,
    "writers": 0.3,
    "certificates": 0.1,
}
PEOPLE = ("directors", "actors", "writers")  # kinds of labels
OTHER_LABELS = 0.05  # weight of any other kind
LABEL_DIMENSION = 512
SERIES = "series"
_LONGEST_SERIES = 30  # movies; a beginning that more of them share is a common word
_LEAST_BUMP = 1e-7  # of 1: less changes no score in float32
_LEAST_PLURAL = 3  # letters of words that are none
_NO_GENRES = frozenset({"IMAX"})  # MovieLens lists this format among the genres


Labels = Mapping[str, Mapping[int, Sequence[str]]]  # kind -> movie id -> labels, each once


def facts_vectors(
    movies: Sequence[Movie],
    tags: Mapping[int, Sequence[str]],
    labels: Labels | None = None,
    weights: Mapping[str, float] | None = None,
    *,
    series: bool = False,
    shares: Mapping[str, float] = WEIGHTS,
    years_apart: float = YEARS_APART,
) -> tuple[Int64Array, Float32Array]:
    """Return the rows (m,) of the movies with any facts, and their vectors (m, d), of length 1 without labels.

    A movie without labels of some kind has a shorter vector, as labels are shared by few movies: to have none adds as
    much to its scores as to share none.

    Args:
        movies: of the catalogue.
        tags: movie id -> tags, repeats included.
        labels: of the movies that have some.
        weights: kind of label, one of ``labels`` -> weight; those missing are ``label_weights``.
        series: take the beginnings of titles for labels, too. They alone make no vector.
        shares: of genres, year and tags.
        years_apart: standard deviation of the similarity by year.
    """
    parts = {"genres": _genres(movies), "year": _years(movies, years_apart), "tags": _tags(movies, tags)}
    vectors = _unit(np.hstack([np.sqrt(shares[name]) * _unit(part) for name, part in parts.items()]))
    labels = labels or {}
    known = vectors.any(axis=1)
    for given in labels.values():
        known |= np.array([bool(given.get(movie.movie_id)) for movie in movies], dtype=np.bool_)
    if series:
        labels = {SERIES: series_labels(movies), **labels}
    if labels:
        of_kinds = label_weights(labels) | dict(weights or {})
        vectors = np.hstack([vectors, _labels(movies, labels, of_kinds)]) / np.sqrt(1 + sum(of_kinds.values()))
    rows = np.flatnonzero(known & vectors.any(axis=1))
    return rows, vectors[rows].astype(np.float32)


def series_labels(movies: Sequence[Movie]) -> dict[int, list[str]]:
    """Return the beginnings of titles that a few movies share: "toy" and "toy story" of "Toy Story 2".

    Sequels differ in the rest. The rarer a beginning, the more it counts, as all labels.
    """
    beginnings = {movie.movie_id: _beginnings(movie.title) for movie in movies}
    counts = Counter(each for found in beginnings.values() for each in found)
    return {
        movie_id: sorted(each for each in found if 1 < counts[each] <= _LONGEST_SERIES)
        for movie_id, found in beginnings.items()
    }


def _beginnings(title: str) -> set[str]:
    main, others = alternatives(title)
    split = ([_singular(word) for word in words(title)] for title in (main, *others))
    return {" ".join(each[:k]) for each in split for k in range(1, len(each) + 1)}


def _singular(word: str) -> str:
    """Return a word without the s of an English plural: *Aliens* follows *Alien*."""
    return word[:-1] if len(word) > _LEAST_PLURAL and word.endswith("s") and not word.endswith("ss") else word


def label_weights(kinds: Iterable[str]) -> dict[str, float]:
    """Return the default weight of each kind of label."""
    return {kind: LABEL_WEIGHTS.get(kind, OTHER_LABELS) for kind in kinds}


def _labels(movies: Sequence[Movie], labels: Labels, weights: Mapping[str, float]) -> Float64Array:
    """Return (n, d) labels that at least two movies share, by idf; each kind has its weight as squared length.

    Beyond ``LABEL_DIMENSION`` labels each is a random vector of signs, so that inner products are preserved but for
    noise: the deviation of a cosine is 1 / sqrt(d).

    Source: Achlioptas, "Database-friendly Random Projections", JCSS 2003.
    """
    kinds, names = [], []
    for kind, weight in weights.items():
        counts = [Counter(set(labels[kind].get(movie.movie_id, ()))) for movie in movies]
        shared = _shared(counts)
        kinds.append(np.sqrt(weight) * unit_rows(_idf(shared)))
        names += [f"{kind}\0{label}" for label in sorted({label for row in shared for label in row})]
    matrix = sp.hstack(kinds).tocsr()
    if len(names) <= LABEL_DIMENSION:
        dense: Float64Array = matrix.toarray()
        return dense
    projected: Float64Array = matrix @ (np.array([_signs(name) for name in names]) / np.sqrt(LABEL_DIMENSION))
    return projected


def people_matrix(movies: Sequence[Movie], labels: Labels) -> sp.csr_matrix:
    """Return (n, n_people) of rows of length 1: the people of each movie by idf, of those whom two movies share."""
    counts = [Counter({name for kind in PEOPLE for name in labels.get(kind, {}).get(m.movie_id, ())}) for m in movies]
    return unit_rows(_idf(_shared(counts)))


def _shared(counts: Sequence[Counter[str]]) -> list[Counter[str]]:
    """Leave out names that only one row has."""
    rows_with = Counter(name for row in counts for name in row)
    return [Counter({name: n for name, n in row.items() if rows_with[name] > 1}) for row in counts]


def _signs(name: str) -> Float32Array:
    """Return (LABEL_DIMENSION,) random signs of a name, always the same."""
    bits = np.unpackbits(
        np.frombuffer(hashlib.blake2b(name.encode(), digest_size=LABEL_DIMENSION // 8).digest(), np.uint8)
    )
    return np.where(bits, np.float32(1), np.float32(-1))


def _genres(movies: Sequence[Movie]) -> Float64Array:
    """Return the genres of each movie, (n, n_genres), weighted by their idf."""
    counts = [Counter(genre for genre in movie.genres if genre not in _NO_GENRES) for movie in movies]
    matrix: Float64Array = _idf(counts).toarray()
    return matrix


def _years(movies: Sequence[Movie], apart: float) -> Float64Array:
    """Return (n, centres) Gaussian bumps around the year: inner products are Gaussian in the difference of years."""
    known = [movie.year for movie in movies if movie.year is not None]
    if not known:
        return np.zeros((len(movies), 0))
    width = apart / np.sqrt(2)
    centres = np.arange(min(known) - 3 * width, max(known) + 3 * width, width / 2)
    years = np.array([np.nan if movie.year is None else movie.year for movie in movies])
    bumps = np.exp(-(((years[:, None] - centres) / width) ** 2) / 2)
    # Far from its centre a bump ends in subnormal numbers, which processors multiply many times slower than others.
    near: Float64Array = np.where(bumps > _LEAST_BUMP, bumps, 0)  # also NaN, of a missing year
    return near


def _tags(movies: Sequence[Movie], tags: Mapping[int, Sequence[str]]) -> Float64Array:
    """Return (n, d) tf-idf of the tags that at least two movies share, reduced to ``TAG_DIMENSION`` if more."""
    counts = [Counter(tag.strip().casefold() for tag in tags.get(movie.movie_id, ())) for movie in movies]
    matrix = _idf(_shared(counts))
    if min(matrix.shape) <= TAG_DIMENSION + 1:
        dense: Float64Array = matrix.toarray()
        return dense
    start = np.ones(min(matrix.shape))  # fixed: the solver starts at random by default
    _, _, axes = scipy.sparse.linalg.svds(matrix, k=TAG_DIMENSION, v0=start)
    reduced: Float64Array = matrix @ axes.T
    return reduced


def _idf(counts: Sequence[Counter[str]]) -> sp.csr_matrix:
    """Return (n, n_names) log(1 + count) times log((1 + n) / number of movies with the name)."""
    names = sorted({name for row in counts for name in row})
    column = {name: at for at, name in enumerate(names)}
    rows = [at for at, row in enumerate(counts) for _ in row]
    columns = [column[name] for row in counts for name in row]
    values = np.log1p([n for row in counts for n in row.values()])
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(len(counts), len(names)))
    counts_by_name = np.maximum(np.bincount(columns, minlength=len(names)), 1)
    weighted: sp.csr_matrix = matrix @ sp.diags(np.log((1 + len(counts)) / counts_by_name))
    return weighted


def _unit(vectors: Float64Array) -> Float64Array:
    """Scale each row to length 1; keep rows of zeros."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Float64Array = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0)
    return unit
