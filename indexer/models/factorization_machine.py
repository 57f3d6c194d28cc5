"""A Bayesian factorisation machine with implicit feedback on both sides, by Gibbs sampling.

A user is their id and the movies they rated; a movie is its id, the users who rated it, its genres and the five
years it came out in. Every feature belongs to one side, so each posterior sample s predicts exactly

    global_bias_s + user_bias_s + movie_bias_s + <user_factors_s, movie_factors_s>

where a side's bias takes its first-order terms and the interactions within the side. The posterior mean is the mean
of that over samples: one inner product of vectors laid end to end.

Source: Rendle, "Scaling Factorization Machines to Relational Data", VLDB 2013 (relation blocks); Rendle, Zhang and
Koren, "On the Difficulty of Evaluating Baselines", 2019 (implicit features on both sides). Sampler: ``myfm``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from myfm._myfm import FM, ConfigBuilder, FMHyperParameters, RelationBlock, TaskType, create_train_fm

from index.catalogue import Movie
from index.track import Track, silent
from indexer.models.contract import Array, Rows, Training

YEARS_PER_BUCKET = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """How the machine is fitted."""

    factors: int = 10
    iterations: int = 300
    burn_in: int = 20  # first iterations that are thrown away
    implicit: bool = True  # what a user rated and who rated a movie are features too
    facts: bool = True  # genres and year of release are


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior samples of every user's and every movie's side, in the order they were drawn."""

    global_bias: Array  # (samples,)
    user_bias: Array  # (samples, n_users)
    movie_bias: Array  # (samples, n_movies)
    user_factors: Array  # (samples, n_users, factors)
    movie_factors: Array  # (samples, n_movies, factors)
    noise_variance: Array  # (samples,) of a rating about its prediction

    def predict(self, users: Rows, movies: Rows) -> Array:
        """Posterior mean ratings, (m,), of user rows and movie rows (m,) each."""
        total = np.zeros(users.size)
        for s in range(self.global_bias.size):
            total += self.user_bias[s, users] + self.movie_bias[s, movies] + self.global_bias[s]
            total += np.einsum("ij,ij->i", self.user_factors[s, users], self.movie_factors[s, movies])
        return total / self.global_bias.size


@dataclass(frozen=True, slots=True)
class Side:
    """One side's design matrix: a row for each user (or movie), features in groups of one kind."""

    features: sp.csr_matrix  # (n, n_features) float64
    groups: tuple[int, ...]  # how many features of each kind; each kind has priors of its own

    def project(self, weights: Array, factors: Array) -> tuple[Array, Array]:
        """The side's bias (n,) and factors (n, f), from its features' weights (m,) and factors (m, f)."""
        latent = self.features @ factors
        squares = self.features.multiply(self.features) @ np.square(factors).sum(axis=1)
        return self.features @ weights + (np.square(latent).sum(axis=1) - squares) / 2, latent


def sides(training: Training, settings: Settings) -> tuple[Side, Side]:
    """The user side and the movie side, in the training's order of rows."""
    n_users, n_movies = training.shape
    of_user: list[sp.csr_matrix] = [sp.identity(n_users, format="csr")]
    of_movie: list[sp.csr_matrix] = [sp.identity(n_movies, format="csr")]
    if settings.implicit:
        ones = np.ones(training.values.size)
        rated = sp.csr_matrix((ones, (training.user_rows, training.movie_rows)), shape=training.shape)
        of_user.append(_unit_rows(rated))
        of_movie.append(_unit_rows(rated.T.tocsr()))
    if settings.facts:
        of_movie += _facts(training.movies)
    return _side(*of_user), _side(*of_movie)


def fit(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Posterior:
    """The posterior given the training's ratings."""
    settings = settings or Settings()
    user_side, movie_side = sides(training, settings)
    n_user_features = user_side.features.shape[1]
    kept: list[tuple[float, Array, Array, Array, Array, float]] = []
    steps = iter(track(range(settings.iterations), "Sampling the rating model", settings.iterations))

    def keep(iteration: int, machine: FM, hyper: FMHyperParameters, _history: object) -> bool:
        next(steps, None)
        if iteration >= settings.burn_in:
            weights, factors = np.asarray(machine.w), np.asarray(machine.V)
            user_bias, user_factors = user_side.project(weights[:n_user_features], factors[:n_user_features])
            movie_bias, movie_factors = movie_side.project(weights[n_user_features:], factors[n_user_features:])
            kept.append((machine.w0, user_bias, movie_bias, user_factors, movie_factors, 1 / hyper.alpha))
        return False

    # The function under myfm's estimator: the estimator draws a progress bar of its own, whatever the caller wants.
    create_train_fm(
        settings.factors,
        0.1,
        sp.csr_matrix((training.values.size, 0)),
        [
            RelationBlock(training.user_rows.tolist(), user_side.features),
            RelationBlock(training.movie_rows.tolist(), movie_side.features),
        ],
        training.values,
        int(rng.integers(2**31)),
        _config(settings, user_side.groups + movie_side.groups),
        keep,
    )
    next(steps, None)  # lets the progress bar see its end
    return Posterior(*(np.array(column) for column in zip(*kept, strict=True)))


def _config(settings: Settings, groups: Sequence[int]) -> object:
    """myfm's own default priors; every kind of feature has its own mean and precision."""
    config = ConfigBuilder()
    config.set_alpha_0(1.0)
    config.set_beta_0(1.0)
    config.set_gamma_0(1.0)
    config.set_mu_0(0.0)
    config.set_reg_0(1.0)
    config.set_fit_w0(True)
    config.set_fit_linear(True)
    config.set_group_index([kind for kind, size in enumerate(groups) for _ in range(size)])
    config.set_task_type(TaskType.REGRESSION)
    config.set_n_iter(settings.iterations)
    config.set_n_kept_samples(1)  # ``keep`` keeps what is needed; the library must keep one
    return config.build()


def _side(*blocks: sp.spmatrix) -> Side:
    """One design matrix from one block of features a kind; kinds without features are left out."""
    kinds = [block for block in blocks if block.shape[1]]
    return Side(sp.hstack(kinds).tocsr().astype(np.float64), tuple(block.shape[1] for block in kinds))


def _unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Each row of a 0/1 matrix divided by the root of its count."""
    counts = np.maximum(np.diff(matrix.indptr), 1)
    unit: sp.csr_matrix = sp.diags(1 / np.sqrt(counts)) @ matrix
    return unit


def _facts(movies: Sequence[Movie]) -> list[sp.csr_matrix]:
    """Genres (n, n_genres) and release years in buckets (n, n_buckets), 0/1; a movie without a year has none."""
    return [
        _one_hot([movie.genres for movie in movies]),
        _one_hot([() if movie.year is None else (movie.year // YEARS_PER_BUCKET,) for movie in movies]),
    ]


def _one_hot(values: Sequence[Sequence[str] | Sequence[int]]) -> sp.csr_matrix:
    """(n, number of distinct values), 1 where the row has the value; columns in sorted order."""
    names = sorted({name for row in values for name in row})
    column = {name: at for at, name in enumerate(names)}
    rows = [at for at, row in enumerate(values) for _ in row]
    columns = [column[name] for row in values for name in row]
    return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(values), len(names)))
