"""How well each space tells which movies are alike.

A space is judged by what it was not made from:
    co-liked: a user liked two movies; is the second more like the first than one, rated about as often, which other
        users liked and this one never rated? The share of such questions answered right, ties by half; all of it is
        held-out ratings.
    genres, tags: how much of them a movie shares with its ten nearest that have any (Jaccard; Tanimoto for tf-idf).
    judged: the chance that a pair which people called alike scores higher than one which they did not.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, for the percentile intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.spaces.faiss_index import top_rows
from indexer.datasets.training import Training
from indexer.evaluation.candidates import CandidateSpace, nearest, pair_scores, score_lines
from indexer.evaluation.judgements import JudgedPairs
from indexer.spaces.facts import facts_vectors

_QUESTIONS = 50  # a user: those who rate a lot are not to speak for all
_REACH = 0.01  # share of liked movies, in the order of how often they are rated, to either side of what one stands for
_LEAST_REACH = 20
_REDRAWS = 100  # of a movie that the user turns out to have rated
_WIDE = 0.5  # spaces that can answer that share of all questions are asked the same ones
_KNOWN = 8  # ratings of a movie whose neighbours' genres are looked at
_NEAREST = 10  # neighbours looked at
_SHOWN, _FILMS = 5, 6  # neighbours shown, and of how many films
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and its 95% bootstrap interval."""

    value: float
    low: float
    high: float
    coverage: float  # share of the questions, movies or judged pairs that it was made from


@dataclass(frozen=True, slots=True)
class SpaceScore:
    """How one space did; a figure is None where the space was made from what it would be judged by, or covers none."""

    space: str
    co_liked: Estimate | None  # over users
    genres: Estimate | None  # over movies
    tags: Estimate | None  # over movies
    judged: Estimate | None  # over pairs
    nearest: Mapping[str, tuple[str, ...]]  # film -> those most like it, best first


@dataclass(frozen=True, slots=True)
class Questions:
    """Which of two movies is more like a first one? In rows."""

    users: Int64Array  # (q,)
    first: Int64Array  # (q,) the user liked it
    second: Int64Array  # (2, q) what the user liked too, and what others liked and this one never rated


def compare(
    spaces: Mapping[str, CandidateSpace],
    training: Training,
    test: Training,
    rng: np.random.Generator,
    *,
    tags: Mapping[int, Sequence[str]],
    judged: JudgedPairs | None = None,
    films: Sequence[int] = (),
    track: Track = silent,
) -> list[SpaceScore]:
    """The score of every space.

    Args:
        spaces: made from ``training``, which has the users and movies of ``test`` and none of its ratings.
        tags: movie id -> tags.
        films: ids of movies whose neighbours are shown; by default a few that many people rated.

    Raises:
        InvalidInput: no questions can be made of the test ratings.
        UnknownMovie: one of ``films`` is not there.
    """
    shown = [training.movie_ids.row(film) for film in films] or well_known(training)
    asked = co_liked(training, test, rng)
    answers = {
        name: right_answers(*pair_scores(space, asked.first, asked.second))
        for name, space in track(spaces.items(), "Co-liked movies", len(spaces))
    }
    missing = [np.isnan(answer) for answer in answers.values()]
    passed = np.logical_or.reduce([gap for gap in missing if gap.mean() <= 1 - _WIDE], initial=False)
    known = np.bincount(training.movie_rows, minlength=training.shape[1]) >= _KNOWN
    genres, tagged = _genres(training), _tags(training, tags)
    with_genres, with_tags = np.flatnonzero(genres.any(axis=1) & known), np.flatnonzero(tagged.any(axis=1))
    titles = [str(movie) for movie in training.movies]
    seed = int(rng.integers(2**31))  # all spaces meet the same resamples
    return [
        SpaceScore(
            name,
            figure_of(np.where(passed, np.nan, answers[name]), asked.users, seed),
            None if "genres" in space.facts else _agreement(space, genres, with_genres, seed),
            None if "tags" in space.facts else _agreement(space, tagged, with_tags, seed),
            None if judged is None else _judged(space, judged, seed),
            {titles[row]: tuple(titles[near] for near in nearest(space, row, _SHOWN)) for row in shown},
        )
        for name, space in track(spaces.items(), "Neighbours", len(spaces))
    ]


def co_liked(training: Training, test: Training, rng: np.random.Generator) -> Questions:
    """Questions from what users liked among test ratings: those at or above their mean training rating.

    The third movie is one of the second movies of all questions, drawn from those rated about as often as the second
    of its own: otherwise popular movies would be the answer, as a user has rated most of those already.

    Raises:
        InvalidInput: nobody liked two movies, or everyone rated them all.
    """
    n_users, n_movies = training.shape
    sums, counts = np.zeros((2, 2, n_users))
    for at, part in enumerate((training, test)):
        sums[at] = np.bincount(part.user_rows, part.values, n_users)
        counts[at] = np.bincount(part.user_rows, minlength=n_users)
    means = np.where(counts[0] > 0, *sums / np.maximum(counts, 1))
    liked = test.values >= means[test.user_rows]
    of_user, of_movie = test.user_rows[liked], test.movie_rows[liked]
    order = np.argsort(of_user, kind="stable")
    names, starts = np.unique(of_user[order], return_index=True)
    pairs = [_pairs(movies, rng) for movies in np.split(of_movie[order], starts[1:])]
    users = np.repeat(names, [pair.shape[1] for pair in pairs])
    first, second = np.hstack(pairs)

    rated = np.concatenate([part.user_rows * n_movies + part.movie_rows for part in (training, test)])
    popularity = np.bincount(training.movie_rows, minlength=n_movies)[second]
    ordered = np.lexsort((rng.random(second.size), popularity))
    place = np.argsort(ordered)
    reach = max(round(_REACH * second.size), _LEAST_REACH)
    low, high = np.maximum(place - reach, 0), np.minimum(place + reach + 1, second.size)
    other, left = np.zeros_like(second), np.arange(second.size)
    for _ in range(_REDRAWS):
        other[left] = second[ordered[rng.integers(low[left], high[left])]]
        left = left[np.isin(users[left] * n_movies + other[left], rated)]
    kept = np.delete(np.arange(second.size), left)
    if not kept.size:
        raise InvalidInput(
            "no user likes two movies of the held-out ratings and leaves one unrated: hold out more ratings"
        )
    return Questions(users[kept], first[kept], np.stack([second, other])[:, kept])


def well_known(training: Training) -> list[int]:
    """Rows of a few movies that many people rated, most first, each sharing no genre with those before."""
    counts = np.bincount(training.movie_rows, minlength=training.shape[1])
    least = min(_KNOWN, counts.max())
    chosen: list[int] = []
    shown: set[str] = set()
    for row in np.argsort(-counts, kind="stable").tolist():
        genres = training.movies[row].genres
        if counts[row] >= least and len(chosen) < _FILMS and shown.isdisjoint(genres):
            chosen.append(row)
            shown.update(genres)
    return chosen


def auc(higher: Float64Array | Float32Array, lower: Float64Array | Float32Array) -> float:
    """The chance that one of ``higher`` is larger than one of ``lower``, ties by half."""
    ordered = np.sort(lower)
    below, not_above = (np.searchsorted(ordered, higher, side).mean() for side in ("left", "right"))
    return float((below + not_above) / 2 / lower.size)


def _pairs(movies: Int64Array, rng: np.random.Generator) -> Int64Array:
    """Some pairs (2, p) of a user's movies, either of which may come first."""
    every = np.array(np.triu_indices(movies.size, 1))
    chosen = rng.permutation(every.shape[1])[:_QUESTIONS]
    return rng.permuted(movies[every[:, chosen]], axis=0)


def right_answers(liked: Float64Array | Float32Array, other: Float64Array | Float32Array) -> Float64Array:
    """(q,) 1, 0 or a half; NaN where the space cannot compare."""
    answers = (liked > other) + 0.5 * (liked == other)
    return np.where(np.isfinite(liked) & np.isfinite(other), answers, np.nan)


def _agreement(space: CandidateSpace, table: Float64Array, rows: Int64Array, seed: int) -> Estimate | None:
    """How much of what ``table`` (n_movies, d) tells of movies some of them share with their nearest."""
    having, squares = table.any(axis=1), np.square(table).sum(axis=1)
    shared = np.full(rows.size, np.nan)
    for at, (row, line) in enumerate(zip(rows.tolist(), score_lines(space, rows), strict=True)):
        near = top_rows(np.where(having, line, np.float32(-np.inf)), _NEAREST)
        if near.size:
            inner = table[near] @ table[row]
            shared[at] = np.mean(inner / (squares[near] + squares[row] - inner))
    return figure_of(shared, rows, seed)


def _genres(training: Training) -> Float64Array:
    """(n_movies, n_genres) 0 or 1."""
    names = sorted({genre for movie in training.movies for genre in movie.genres})
    return np.array([[float(name in movie.genres) for name in names] for movie in training.movies])


def _tags(training: Training, tags: Mapping[int, Sequence[str]]) -> Float64Array:
    """(n_movies, d) unit vectors of tf-idf; zeros where a movie shares no tag with any."""
    rows, vectors = facts_vectors([replace(movie, year=None, genres=()) for movie in training.movies], tags)
    table = np.zeros((training.shape[1], vectors.shape[1]))
    table[rows] = vectors
    return table


def _judged(space: CandidateSpace, judged: JudgedPairs, seed: int) -> Estimate | None:
    scores = pair_scores(space, judged.first, judged.second)
    known = np.isfinite(scores)
    alike, unlike = scores[known & judged.alike], scores[known & ~judged.alike]
    if not alike.size or not unlike.size:
        return None
    rng = np.random.default_rng(seed)
    means = [auc(rng.choice(alike, alike.size), rng.choice(unlike, unlike.size)) for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return Estimate(auc(alike, unlike), low, high, float(known.mean()))


def figure_of(values: Float64Array, groups: Int64Array, seed: int) -> Estimate | None:
    """The mean of values (q,), NaN left out, with groups (q,) of them drawn again; None where there are none."""
    known = ~np.isnan(values)
    if not known.any():
        return None
    low, high = np.quantile(resampled(values, groups, seed), (0.025, 0.975)).tolist()
    return Estimate(float(values[known].mean()), low, high, float(known.mean()))


def resampled(values: Float64Array, groups: Int64Array, seed: int) -> Float64Array:
    """Means (r,) of values (q,), NaN left out, after whole groups (q,) were drawn again."""
    known = ~np.isnan(values)
    names, at = np.unique(groups, return_inverse=True)
    sums = np.bincount(at[known], values[known], names.size)
    counts = np.bincount(at[known], minlength=names.size)
    draws = np.random.default_rng(seed).multinomial(names.size, np.full(names.size, 1 / names.size), _RESAMPLES)
    drawn = draws @ counts
    means: Float64Array = (draws @ sums)[drawn > 0] / drawn[drawn > 0]
    return means
