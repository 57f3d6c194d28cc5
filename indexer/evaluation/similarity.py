"""Metrics of movie similarity, each on data that the space does not use.

co_liked: triplet accuracy on held-out ratings. The anchor and the positive movie were liked by the same user; the
    negative one was liked by other users, was not rated by this one, and has about as many ratings as the positive.
    Ties count half.
series, people: triplet accuracy on movies of one series, and on movies that share two people (``evidence``).
genres, tags: mean similarity with the ten nearest neighbours that have genres or tags (Jaccard; Tanimoto for tf-idf).
    A space of tags or people is judged by them as made without them.
judged: AUC of pairs labelled alike against pairs labelled not alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.spaces.faiss_index import top_rows
from indexer.datasets.training import Training
from indexer.evaluation.candidates import CandidateSpace, iter_scores, nearest, pair_scores
from indexer.evaluation.evidence import Triplets, evidence
from indexer.evaluation.judgements import JudgedPairs
from indexer.metrics.bootstrap import RESAMPLES, Estimate, interval, resample_means
from indexer.spaces.facts import Labels, facts_vectors

_TRIPLETS_PER_USER = 50  # at most, so that heavy raters do not dominate
_WINDOW = 0.01  # share of all positives, by popularity rank, from which a negative is drawn, to either side
_MIN_WINDOW = 20
_REDRAWS = 100  # of a negative that the user has rated
_MIN_COVERAGE = 0.5  # spaces that score at least this share of the triplets are compared on the same ones
_MIN_RATINGS = 8  # of a movie whose neighbours' genres are compared
_NEAREST = 10  # neighbours compared
_SHOWN_NEIGHBOURS, _SHOWN_MOVIES = 5, 6  # in the report


@dataclass(frozen=True, slots=True)
class PartialEstimate(Estimate):
    """An estimate from those questions, movies or judged pairs that a space can answer."""

    coverage: float  # their share


@dataclass(frozen=True, slots=True)
class SpaceScore:
    """Metrics of one space; None if the space uses the metric's own data, or has no score for it."""

    space: str
    co_liked: PartialEstimate | None  # over users
    genres: PartialEstimate | None  # over movies
    tags: PartialEstimate | None  # over movies
    series: PartialEstimate | None  # over first movies
    people: PartialEstimate | None  # over first movies
    judged: PartialEstimate | None  # over pairs
    nearest: Mapping[str, tuple[str, ...]]  # title -> titles of its nearest neighbours, best first


def compare(
    spaces: Mapping[str, CandidateSpace],
    training: Training,
    test: Training,
    rng: np.random.Generator,
    *,
    tags: Mapping[int, Sequence[str]],
    labels: Labels | None = None,
    judged: JudgedPairs | None = None,
    shown: Sequence[int] = (),
    track: Track = silent,
) -> list[SpaceScore]:
    """Return the metrics of every space.

    Args:
        spaces: name -> space, made from ``training``.
        training: the training ratings.
        test: the held-out ratings, of the same users and movies.
        rng: for triplets and resamples.
        tags: movie id -> tags.
        labels: kind -> movie id -> labels.
        judged: pairs labelled alike or not.
        shown: ids of movies whose neighbours are returned; by default a few popular ones.
        track: reports progress.

    Raises:
        InvalidInput: the test ratings give no triplet.
        UnknownMovie: a movie in ``shown`` is not in the catalogue.
    """
    shown_rows = [training.movie_ids.row(movie_id) for movie_id in shown] or popular_movies(training)
    triplets = co_liked_triplets(training, test, rng)
    correct = {
        name: correct_triplets(*pair_scores(space, triplets.anchors, triplets.others))
        for name, space in track(spaces.items(), "Co-liked movies", len(spaces))
    }
    correct = _on_the_same(correct)
    rated_enough = np.bincount(training.movie_rows, minlength=training.shape[1]) >= _MIN_RATINGS
    genre_table, tag_table = _genre_table(training), _tag_table(training, tags)
    with_genres = np.flatnonzero(genre_table.any(axis=1) & rated_enough)
    with_tags = np.flatnonzero(tag_table.any(axis=1))
    titles = [str(movie) for movie in training.movies]
    others = evidence(training, tags, labels or {}, rng)
    by_genres = _on_the_same(
        {
            name: _shared(space, genre_table, with_genres)
            for name, space in spaces.items()
            if "genres" not in space.facts
        }
    )
    by_tags = _on_the_same(
        {name: _shared(by, tag_table, with_tags) for name, space in spaces.items() if (by := space.judged_by("tags"))}
    )
    seed = int(rng.integers(2**31))  # the same resamples for all spaces
    return [
        SpaceScore(
            name,
            partial_estimate(correct[name], triplets.groups, seed),
            None if name not in by_genres else partial_estimate(by_genres[name], with_genres, seed),
            None if name not in by_tags else partial_estimate(by_tags[name], with_tags, seed),
            triplet_accuracy(space, "series", others.get("series"), seed),
            triplet_accuracy(space, "people", others.get("people"), seed),
            None if judged is None else _judged_auc(space, judged, seed),
            {
                titles[row]: tuple(titles[neighbour] for neighbour in nearest(space, row, _SHOWN_NEIGHBOURS))
                for row in shown_rows
            },
        )
        for name, space in track(spaces.items(), "Neighbours", len(spaces))
    ]


def co_liked_triplets(training: Training, test: Training, rng: np.random.Generator) -> Triplets:
    """Draw triplets from liked test ratings: those at or above the user's mean training rating.

    The negative is drawn from the positives of all triplets with a similar number of ratings. Without that, popular
    movies would always be positives, since a user has rated most of them.

    Raises:
        InvalidInput: no user likes two test movies and leaves another unrated.
    """
    n_users, n_movies = training.shape
    sums, counts = np.zeros((2, 2, n_users))
    for at, part in enumerate((training, test)):
        sums[at] = np.bincount(part.user_rows, part.values, n_users)
        counts[at] = np.bincount(part.user_rows, minlength=n_users)
    means = np.where(counts[0] > 0, *sums / np.maximum(counts, 1))
    liked = test.values >= means[test.user_rows]
    liked_users, liked_movies = test.user_rows[liked], test.movie_rows[liked]
    order = np.argsort(liked_users, kind="stable")
    distinct_users, starts = np.unique(liked_users[order], return_index=True)
    pairs = [_random_pairs(movies, rng) for movies in np.split(liked_movies[order], starts[1:])]
    users = np.repeat(distinct_users, [pair.shape[1] for pair in pairs])
    anchors, positives = np.hstack(pairs)

    rated = np.concatenate([part.user_rows * n_movies + part.movie_rows for part in (training, test)])
    popularity = np.bincount(training.movie_rows, minlength=n_movies)[positives]
    by_popularity = np.lexsort((rng.random(positives.size), popularity))
    rank = np.argsort(by_popularity)
    window = max(round(_WINDOW * positives.size), _MIN_WINDOW)
    low, high = np.maximum(rank - window, 0), np.minimum(rank + window + 1, positives.size)
    negatives, undrawn = np.zeros_like(positives), np.arange(positives.size)
    for _ in range(_REDRAWS):
        negatives[undrawn] = positives[by_popularity[rng.integers(low[undrawn], high[undrawn])]]
        undrawn = undrawn[np.isin(users[undrawn] * n_movies + negatives[undrawn], rated)]
    drawn = np.delete(np.arange(positives.size), undrawn)
    if not drawn.size:
        raise InvalidInput(
            "no user likes two movies of the held-out ratings and leaves one unrated: hold out more ratings"
        )
    return Triplets(users[drawn], anchors[drawn], np.stack([positives, negatives])[:, drawn])


def popular_movies(training: Training, among: BoolArray | None = None) -> list[int]:
    """Return rows of a few movies with many ratings, most first, no two with a common genre.

    Args:
        training: the ratings and movies.
        among: mask (n_movies,) of the movies to choose from; None for all.
    """
    counts = np.bincount(training.movie_rows, minlength=training.shape[1])
    if among is not None:
        counts = counts * among
    least = max(1, min(_MIN_RATINGS, counts.max()))
    chosen: list[int] = []
    chosen_genres: set[str] = set()
    for row in np.argsort(-counts, kind="stable").tolist():
        genres = training.movies[row].genres
        if counts[row] >= least and len(chosen) < _SHOWN_MOVIES and chosen_genres.isdisjoint(genres):
            chosen.append(row)
            chosen_genres.update(genres)
    return chosen


def auc(higher: Float64Array | Float32Array, lower: Float64Array | Float32Array) -> float:
    """Return the probability that a value of ``higher`` exceeds one of ``lower``; ties count half."""
    ordered = np.sort(lower)
    below, not_above = (np.searchsorted(ordered, higher, side).mean() for side in ("left", "right"))
    return float((below + not_above) / 2 / lower.size)


def _random_pairs(movies: Int64Array, rng: np.random.Generator) -> Int64Array:
    """Draw distinct pairs (2, p) of a user's movies, in random order within each pair."""
    pairs = np.array(np.triu_indices(movies.size, 1))
    chosen = rng.permutation(pairs.shape[1])[:_TRIPLETS_PER_USER]
    return rng.permuted(movies[pairs[:, chosen]], axis=0)


def correct_triplets(positive: Float64Array | Float32Array, negative: Float64Array | Float32Array) -> Float64Array:
    """Return 1, 0 or (tied) 0.5 for each triplet, from the scores (q,) with the anchor; NaN if a score is missing."""
    correct = (positive > negative) + 0.5 * (positive == negative)
    return np.where(np.isfinite(positive) & np.isfinite(negative), correct, np.nan)


def triplet_accuracy(space: CandidateSpace, kind: str, triplets: Triplets | None, seed: int) -> PartialEstimate | None:
    """Estimate the triplet accuracy of a space on one kind of evidence; None without it, or if the space uses it."""
    judged = space.judged_by(kind)
    if triplets is None or judged is None:
        return None
    correct = correct_triplets(*pair_scores(judged, triplets.anchors, triplets.others))
    return partial_estimate(correct, triplets.groups, seed)


def _on_the_same(values: Mapping[str, Float64Array]) -> dict[str, Float64Array]:
    """Return the values (q,) of spaces with NaN wherever a space of good coverage has none: all compare on the same."""
    missing = [np.isnan(each) for each in values.values()]
    covering = [gap for gap in missing if gap.sum() <= (1 - _MIN_COVERAGE) * gap.size]
    skipped = np.logical_or.reduce(covering, initial=False)
    return {name: np.where(skipped, np.nan, each) for name, each in values.items()}


def _shared(space: CandidateSpace, table: Float64Array, rows: Int64Array) -> Float64Array:
    """Return the mean Tanimoto similarity (m,) of movies with their nearest neighbours, by ``table`` (n_movies, d).

    It is NaN for a movie without neighbours.
    """
    nonzero, squares = table.any(axis=1), np.square(table).sum(axis=1)
    similarity = np.full(rows.size, np.nan)
    for at, (row, scores) in enumerate(zip(rows.tolist(), iter_scores(space, rows), strict=True)):
        neighbours = top_rows(np.where(nonzero, scores, np.float32(-np.inf)), _NEAREST)
        if neighbours.size:
            inner = table[neighbours] @ table[row]
            similarity[at] = np.mean(inner / (squares[neighbours] + squares[row] - inner))
    return similarity


def _genre_table(training: Training) -> Float64Array:
    """Return genre indicators (n_movies, n_genres), 0 or 1."""
    names = sorted({genre for movie in training.movies for genre in movie.genres})
    return np.array([[float(name in movie.genres) for name in names] for movie in training.movies])


def _tag_table(training: Training, tags: Mapping[int, Sequence[str]]) -> Float64Array:
    """Return tf-idf unit vectors (n_movies, d); zeros for a movie without a shared tag."""
    rows, vectors = facts_vectors([replace(movie, year=None, genres=()) for movie in training.movies], tags)
    table = np.zeros((training.shape[1], vectors.shape[1]))
    table[rows] = vectors
    return table


def _judged_auc(space: CandidateSpace, judged: JudgedPairs, seed: int) -> PartialEstimate | None:
    """Estimate the AUC of judged pairs; None if no pair of one kind has a score."""
    scores = pair_scores(space, judged.first, judged.second)
    known = np.isfinite(scores)
    alike, unlike = scores[known & judged.alike], scores[known & ~judged.alike]
    if not alike.size or not unlike.size:
        return None
    rng = np.random.default_rng(seed)
    means = [auc(rng.choice(alike, alike.size), rng.choice(unlike, unlike.size)) for _ in range(RESAMPLES)]
    return PartialEstimate(auc(alike, unlike), *interval(means), float(known.mean()))


def partial_estimate(values: Float64Array, groups: Int64Array, seed: int) -> PartialEstimate | None:
    """Return the mean of values (q,), NaN left out, with an interval over groups (q,); None if all are NaN."""
    known = ~np.isnan(values)
    if not known.any():
        return None
    means = resample_means(values[None], groups, seed)
    return PartialEstimate(float(values[known].mean()), *interval(means), float(known.mean()))
