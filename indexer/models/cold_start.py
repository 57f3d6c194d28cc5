"""The cold-start model that snapshots store: fit, and choose by validation whether people and posters take part.

See ``index.ratings.cold_start`` for the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from index.core.progress import Track, silent
from index.ratings.cold_start import (
    ColdStart,
    ColdStartArrays,
    ColdStartFacts,
    common_terms,
    mean_of_peers,
)
from index.ratings.content import LOOK, SharedPeople, Vocabulary, centred_looks, usual_look
from index.ratings.fold_in import FoldInArrays
from index.ratings.model import INTERVAL
from indexer.datasets.training import Training
from indexer.models import factorization_machine
from indexer.models.all_users import SolveUsers, solve_all_users, subsample_users
from indexer.models.factorization_machine import Posterior
from indexer.models.rating_model import fit_noise, fold_in_arrays

CHAINS = 2  # at most
SHARES = (0.0, 0.5, 1.0, 1.5)  # candidates of the weight of posters
PEOPLE_SHARES = (0.0, 1.0, 2.0, 3.0)  # of people
FOLDS = 5  # one of which validates
MIN_RATINGS = 200  # with fewer, nothing is held out and posters take no part
MAX_VALIDATED = 1_000_000  # ratings; of a larger data set, a sample of users
_VALIDATION_ITERATIONS = 60  # at most; more change the choice no more
_INFLATIONS = np.round(np.geomspace(0.4, 2.5, 74), 4)  # candidates
_BLOCK = 200_000  # ratings per block
_LEAST_VARIANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Looks:
    """Compact looks of the movies with posters."""

    rows: Int64Array  # (p,) movie rows, ascending
    values: Float32Array  # (p, 512)


@dataclass(frozen=True, slots=True)
class FittedColdStart:
    """The model, with the manifest's entry."""

    arrays: ColdStartArrays
    fold_in: FoldInArrays
    facts: ColdStartFacts
    validation: Mapping[str, Any]
    people: SharedPeople | None = None

    def model(self, training: Training) -> ColdStart:
        """Return the model, as the server would load it."""
        counts = np.bincount(training.movie_rows, minlength=training.shape[1])
        return ColdStart(self.arrays, self.fold_in, self.facts, counts, self.people)

    def entry(self) -> dict[str, Any]:
        """Return the manifest's entry."""
        chosen = {"people": self.facts.people_share, "poster": self.facts.look_share}
        kinds = ["genres", "year", *(kind for kind, share in chosen.items() if share)]
        return {"uses": kinds, "validation": dict(self.validation), **self.facts.as_manifest()}


def fit(
    training: Training,
    looks: Looks | None,
    rng: np.random.Generator,
    settings: factorization_machine.Settings,
    *,
    people: SharedPeople | None = None,
    solve: SolveUsers = solve_all_users,
    track: Track = silent,
) -> FittedColdStart:
    """Fit the model, and its settings on held-out movies.

    Args:
        training: ratings.
        looks: of the movies with posters; None without any.
        rng: draws the held-out movies and the samples.
        settings: of the served factorisation machine.
        people: movies that share people; None without people.
        solve: draws the parameters of all users, of a model that was fitted to some.
        track: reports progress.
    """
    settings = replace(settings, ids=False, chains=min(settings.chains, CHAINS))
    shares, inflation, validation = _validated(training, looks, people, rng, settings, solve, track)
    return _fitted(training, looks, people, rng, settings, shares, inflation, validation, solve, track)


def predictions(
    model: ColdStart, training: Training, users: Int64Array, movies: Int64Array
) -> tuple[Float64Array, ...]:
    """Return predicted ratings of user rows (m,) and movie rows (m,) by parts, (m,) each.

    Those are the machine with the movie's ratings, the means of residuals by facts, by people and by posters, and the
    variance.
    """
    contents = model.of_snapshot(np.arange(training.shape[1]))
    order = np.argsort(training.user_rows, kind="stable")
    starts = np.searchsorted(training.user_rows[order], np.arange(training.shape[0] + 1))
    ratings = movie_residuals(model, training)
    machine, facts, people, looks, variance = (np.zeros(users.size) for _ in range(5))
    asked = np.argsort(users, kind="stable")
    bounds = np.searchsorted(users[asked], np.arange(training.shape[0] + 1))
    positions = served_positions(training)
    for row in np.unique(users).tolist():
        wanted, mine = asked[bounds[row] : bounds[row + 1]], order[starts[row] : starts[row + 1]]
        part = positions[mine]
        user = replace(model.user(row, training.movie_rows[mine], slice(0, 0)), residuals=model.residuals(part))
        of_movies = movies[wanted]
        found = model.predict(user, contents.take(of_movies), ratings[of_movies])
        facts[wanted], people[wanted] = found.by_facts.sum(axis=1), found.by_people.sum(axis=1)
        looks[wanted] = found.by_look.sum(axis=1)
        machine[wanted], variance[wanted] = found.mean - found.by_rated.sum(axis=1), found.variance
    return machine, facts, people, looks, variance


def taste_of_unrated(
    model: ColdStart, training: Training, rated: Int64Array, vectors: Float32Array
) -> tuple[Int64Array, Float32Array]:
    """Return rows (k,) and predicted taste vectors (k, d) of the movies without ratings; of those with peers alone.

    Args:
        model: of the training data.
        training: ratings.
        rated: (m,) rows of the rated movies, ascending.
        vectors: (m, d) their taste vectors.
    """
    unrated = np.setdiff1d(np.arange(training.shape[1]), rated)
    if not unrated.size or not rated.size:
        return unrated[:0], vectors[:0]
    rows, weights = model.peers(model.of_snapshot(unrated))
    predicted = mean_of_peers(vectors[np.searchsorted(rated, rows)], weights)
    known = predicted.any(axis=1)
    return unrated[known], predicted[known]


def served_positions(training: Training) -> Int64Array:
    """Return the position of each training rating (n,) among the ratings as snapshots store them."""
    order = np.lexsort((training.movie_rows, training.user_rows))
    positions = np.empty(order.size, dtype=np.int64)
    positions[order] = np.arange(order.size)
    return positions


def movie_residuals(model: ColdStart, training: Training) -> Float64Array:
    """Return the number and the mean residual of every movie's training ratings, (n_movies, 2)."""
    n_movies = training.shape[1]
    counts = np.bincount(training.movie_rows, minlength=n_movies)
    residuals = model.residuals(served_positions(training))
    sums = np.bincount(training.movie_rows, weights=residuals, minlength=n_movies)
    return np.column_stack([counts, sums / np.maximum(counts, 1)])


@dataclass(frozen=True, slots=True)
class _Shares:
    """Weights of the mean residuals by people and by posters."""

    people: float
    look: float


def _validated(
    training: Training,
    looks: Looks | None,
    people: SharedPeople | None,
    rng: np.random.Generator,
    settings: factorization_machine.Settings,
    solve: SolveUsers,
    track: Track,
) -> tuple[_Shares, float, dict[str, Any]]:
    """Return the shares and the inflation of the noise that suit held-out movies best, and the figures.

    Posters must add to what people tell.
    """
    part = subsample_users(training, rng, MAX_VALIDATED)
    rated = np.unique(part.movie_rows)
    if part.values.size < MIN_RATINGS or rated.size < FOLDS:
        return _Shares(0.0, 0.0), 1.0, {"left_out": f"{part.values.size} ratings are too few to hold movies out"}
    out = np.isin(part.movie_rows, rng.permutation(rated)[: rated.size // FOLDS])
    rest, test = part.take(~out), part.take(out)
    settings = replace(
        settings,
        chains=1,
        iterations=min(settings.iterations, max(_VALIDATION_ITERATIONS, settings.burn_in + 1)),
    )
    fitted = _fitted(rest, looks, people, rng, settings, _Shares(1.0, 1.0), 1.0, {}, solve, track)
    predicted = predictions(fitted.model(rest), rest, test.user_rows, test.movie_rows)
    scale = training.ratings.scale
    known = np.isin(test.user_rows, rest.user_rows)
    machine, facts, by_people, by_look, variance = (part[known] for part in predicted)
    values, movies = test.values[known], test.movie_rows[known]
    with_people = np.zeros_like(movies, dtype=np.bool_) if people is None else np.diff(people.starts)[movies] > 0
    with_poster = np.isin(movies, looks.rows) if looks is not None else np.zeros_like(movies, dtype=np.bool_)

    def mean(shares: _Shares) -> Float64Array:
        return np.clip(machine + facts + shares.people * by_people + shares.look * by_look, *scale)

    def best(tried: Sequence[_Shares]) -> _Shares:
        """Return the shares of the lowest error, or the first ones, if they are not clearly worse."""
        squares = [np.square(mean(shares) - values) for shares in tried]
        at = int(np.argmin([each.mean() for each in squares]))
        return tried[at if at and _is_clear(squares[0] - squares[at], movies) else 0]

    shares = _Shares(0.0, 0.0)
    if with_people.any():
        shares = best([_Shares(each, 0.0) for each in PEOPLE_SHARES])
    before = shares
    if with_poster.any():
        shares = best([_Shares(shares.people, each) for each in SHARES])
    inflation = _inflation(mean(shares), variance, fitted.facts.movie_variance, values, scale)

    def rmse(shares: _Shares, of: BoolArray | None = None) -> float:
        errors = np.square(mean(shares) - values)
        return round(float(np.sqrt((errors if of is None else errors[of]).mean())), 4)

    figures: dict[str, Any] = {"held_out": int(known.sum()), "rmse": rmse(shares)}
    if with_people.any():
        figures["with_people"] = {
            "held_out": int(with_people.sum()),
            "rmse_by_facts": rmse(_Shares(0.0, 0.0), with_people),
            "rmse_by_facts_and_people": rmse(_Shares(before.people or PEOPLE_SHARES[1], 0.0), with_people),
        }
    if with_poster.any():
        figures["with_poster"] = {
            "held_out": int(with_poster.sum()),
            "rmse_by_facts": rmse(before, with_poster),
            "rmse_by_facts_and_poster": rmse(_Shares(before.people, shares.look or SHARES[2]), with_poster),
        }
    return shares, inflation, figures


def _is_clear(gains: Float64Array, movies: Int64Array) -> bool:
    """Return True if the mean gain (m,) of ratings is more than its standard error, as movies are drawn at random.

    Source: Breiman and others, "Classification and Regression Trees", 1984 (the rule of one standard error).
    """
    totals = np.bincount(movies, weights=gains - gains.mean())
    return float(gains.sum()) > float(np.sqrt(totals @ totals))


def _inflation(
    mean: Float64Array, variance: Float64Array, spread: float, values: Float64Array, scale: tuple[float, float]
) -> float:
    """Return the factor of the noise variance at which intervals of unseen movies cover their nominal share best.

    Args:
        mean: (m,) of the ratings of unseen movies.
        variance: (m,) of them: noise plus spread.
        spread: variance between movies.
        values: (m,) the ratings.
        scale: that intervals end at.
    """
    half = NormalDist().inv_cdf((1 + INTERVAL) / 2)

    def miss(factor: float) -> float:
        width = half * np.sqrt(factor * (variance - spread) + spread)
        low, high = np.clip(mean - width, *scale), np.clip(mean + width, *scale)
        return abs(float(((values >= low) & (values <= high)).mean()) - INTERVAL)

    return float(min(_INFLATIONS.tolist(), key=miss))


def _fitted(
    training: Training,
    looks: Looks | None,
    people: SharedPeople | None,
    rng: np.random.Generator,
    settings: factorization_machine.Settings,
    shares: _Shares,
    inflation: float,
    validation: Mapping[str, Any],
    solve: SolveUsers,
    track: Track,
) -> FittedColdStart:
    sample = subsample_users(training, rng)
    posterior = factorization_machine.fit(sample, rng, settings, track=track)
    full = posterior if sample is training else solve(posterior, training, rng, track=track)
    vocabulary = Vocabulary.of(training.movies)
    features = vocabulary.features(training.movies)
    parts = full.fact_features.astype(np.float64)
    factors, n_samples = parts[..., :-1], len(parts)
    weights = parts[..., -1].mean(axis=0)
    interactions = np.einsum("smf,snf->mn", factors, factors, optimize=True) / n_samples
    np.fill_diagonal(interactions, 0)
    preferences = _preferences(full, factors)

    common = common_terms(features, interactions, len(vocabulary.genres))
    of_movies = features @ weights + common.sum(axis=0)
    residuals = np.empty(training.values.size)
    for start in range(0, residuals.size, _BLOCK):
        users, movies = (rows[start : start + _BLOCK] for rows in (training.user_rows, training.movie_rows))
        personal = np.einsum("ij,ij->i", preferences[users, :-1], features[movies]) + preferences[users, -1]
        residuals[start : start + _BLOCK] = training.values[start : start + _BLOCK] - of_movies[movies] - personal

    movie_variance, movie_prior, shrunk = _movies(training, residuals)
    counts = np.bincount(training.user_rows, minlength=len(training.users))
    squares: Float64Array = np.bincount(
        training.user_rows, weights=np.square(residuals - shrunk[training.movie_rows]), minlength=counts.size
    ).astype(np.float64)
    variance = max(float(posterior.noise_variance.mean()) - movie_variance, _LEAST_VARIANCE)
    noise = fit_noise(variance, squares, counts)
    rated = np.bincount(training.movie_rows, minlength=len(training.movies))
    usual = rated @ features / max(rated.sum(), 1)
    usual_common = (common @ rated / max(rated.sum(), 1)).tolist()
    described = vocabulary.facts(training.movies)
    compact, centre = centred(looks if shares.look else None, len(training.movies))
    arrays = ColdStartArrays(
        weights=weights.astype(np.float32),
        interactions=interactions.astype(np.float32),
        preferences=preferences.astype(np.float32),
        user_noise=noise.user_variances(squares, counts).astype(np.float32),
        residuals=residuals[np.lexsort((training.movie_rows, training.user_rows))].astype(np.float32),
        samples=posterior.fact_features[posterior.thinned],
        usual=usual.astype(np.float32),
        genres=described.genres,
        years=described.years,
        looks=compact.astype(np.float16),
        look_centre=centre,
    )
    facts = ColdStartFacts(
        vocabulary,
        noise.as_manifest(),
        movie_variance,
        movie_prior,
        inflation,
        shares.look,
        (usual_common[0], usual_common[1]),
        shares.people,
        usual_look(compact) if shares.look else 0.0,
    )
    return FittedColdStart(arrays, fold_in_arrays(posterior), facts, validation, people if shares.people else None)


def _preferences(posterior: Posterior, factors: Float64Array) -> Float64Array:
    """Return the effect of every feature on each user's ratings, then the user's bias, (n_users, m + 1)."""
    n_samples, n_users = posterior.user_bias.shape
    effects = np.zeros((n_users, factors.shape[1]))
    for of_users, of_features in zip(posterior.user_factors, factors, strict=True):
        effects += of_users @ of_features.T
    bias = posterior.user_bias.mean(axis=0, dtype=np.float64) + posterior.global_bias.mean()
    return np.column_stack([effects / n_samples, bias])


def _movies(training: Training, residuals: Float64Array) -> tuple[float, float, Float64Array]:
    """Return variance of the movies' mean residuals, its worth in ratings, and the shrunk means (n_movies,).

    Moments of movies, each counted once, as new movies are no likelier to be popular.
    Source: Searle, Casella and McCulloch, "Variance Components", 1992, chapter 3.
    """
    counts = np.bincount(training.movie_rows, minlength=len(training.movies)).astype(np.float64)
    sums = np.bincount(training.movie_rows, weights=residuals, minlength=counts.size)
    means, rated = sums / np.maximum(counts, 1), counts > 0
    squares = float(residuals @ residuals) - float(counts @ means**2)
    within = max(squares / max(counts.sum() - rated.sum(), 1), _LEAST_VARIANCE)
    spread = float((means[rated] ** 2).mean() - within * (1 / counts[rated]).mean()) if rated.any() else 0.0
    variance = max(spread, _LEAST_VARIANCE)
    prior = float(within / variance)
    return variance, prior, sums / (counts + prior)


def centred(looks: Looks | None, n_movies: int) -> tuple[Float32Array, Float32Array]:
    """Return the centred looks of all movies, (n_movies, 512), and their centre; none without posters."""
    if looks is None or not looks.rows.size:
        return np.zeros((0, LOOK), np.float32), np.zeros(LOOK, np.float32)
    centre = looks.values.mean(axis=0)
    every = np.zeros((n_movies, LOOK), np.float32)
    every[looks.rows] = centred_looks(looks.values, centre)
    return every, centre
