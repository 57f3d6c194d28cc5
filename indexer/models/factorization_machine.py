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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from myfm._myfm import FM, ConfigBuilder, FMHyperParameters, RelationBlock, TaskType, create_train_fm
from pydantic import NonNegativeInt, PositiveInt

from index.catalogue.catalogue import Movie
from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from indexer.datasets.training import Training

YEARS_APART = 4.0  # movies so many years apart share exp(-1/4) of what their years say
THINNED = 32  # samples that are kept whole, for intervals and to fold in
# What ``suited_to`` lets through.
WORK = 1e9  # ratings times iterations of all chains: about half an hour on one processor
ROOM = 4e9  # bytes of samples


@dataclass(frozen=True, slots=True)
class Settings:
    """How the machine is fitted."""

    factors: PositiveInt = 16
    chains: PositiveInt = 4  # short ones from different starts: together they predict better than one of their length
    iterations: PositiveInt = 100  # of each chain
    burn_in: NonNegativeInt = 20  # first iterations of a chain that are thrown away
    ids: bool = True  # movies have parameters of their own; without, new movies are known as well as any
    implicit: bool = True  # what a user rated and who rated a movie are features too
    facts: bool = True  # genres and year of release are

    def __post_init__(self) -> None:
        """Refuses a chain that keeps nothing."""
        if self.iterations <= self.burn_in:
            raise InvalidInput(
                f"{self.iterations} iterations of which the first {self.burn_in} are thrown away leave none"
            )


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior samples of every user's and every movie's side, in the order they were drawn."""

    global_bias: Float64Array  # (samples,)
    user_bias: Float32Array  # (samples, n_users)
    movie_bias: Float32Array  # (samples, n_movies)
    user_factors: Float32Array  # (samples, n_users, factors)
    movie_factors: Float32Array  # (samples, n_movies, factors)
    noise_variance: Float64Array  # (samples,) of a rating about its prediction
    thinned: Int64Array  # (thinned,) which samples stand for all
    rated_features: Float32Array  # (thinned, n_movies, f + 1) factors, then weight, of having rated a movie; else zeros
    user_prior: Float64Array  # (thinned, 2, f + 1) mean and precision of a user's own factors, then weight

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Posterior mean ratings, (m,), of user rows and movie rows (m,) each."""
        total = np.zeros(users.size)
        for ratings in self.samples(users, movies):
            total += ratings
        return total / self.global_bias.size

    def samples(self, users: Int64Array, movies: Int64Array) -> Iterator[Float64Array]:
        """Each sample's ratings, (m,), in turn."""
        for s in range(self.global_bias.size):
            of_users, of_movies = self.user_factors[s, users], self.movie_factors[s, movies]
            inner = np.einsum("ij,ij->i", of_users, of_movies, dtype=np.float64)
            yield self.global_bias[s] + self.user_bias[s, users] + self.movie_bias[s, movies] + inner


@dataclass(frozen=True, slots=True)
class Side:
    """One side's design matrix: a row for each user (or movie), features in groups of one kind."""

    features: sp.csr_matrix  # (n, n_features) float64
    squares: sp.csr_matrix  # the same, squared
    groups: tuple[int, ...]  # how many features of each kind; each kind has priors of its own

    def project(self, weights: Float64Array, factors: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The side's bias (n,) and factors (n, f), from its features' weights (m,) and factors (m, f)."""
        latent = self.features @ factors
        squares = self.squares @ np.square(factors).sum(axis=1)
        return self.features @ weights + (np.square(latent).sum(axis=1) - squares) / 2, latent


def suited_to(training: Training) -> Settings:
    """The usual settings, with fewer chains where there are so many ratings, users and movies that all take too long.

    Each rating of many says less that the others do not, and so does each sample.
    """
    usual, n = Settings(), max(1, training.values.size)
    per_chain = 4 * sum(training.shape) * (usual.factors + 1) * (usual.iterations - usual.burn_in)
    chains = min(usual.chains, ROOM / per_chain, WORK / (n * usual.iterations))
    return replace(usual, chains=max(1, int(chains)))


def sides(training: Training, settings: Settings) -> tuple[Side, Side]:
    """The user side and the movie side, in the training's order of rows."""
    n_users, n_movies = training.shape
    of_user: list[sp.csr_matrix] = [sp.identity(n_users, format="csr")]
    of_movie: list[sp.csr_matrix] = [sp.identity(n_movies, format="csr")] if settings.ids else []
    rated = training.rated.astype(np.float64)
    if settings.implicit:
        of_user.append(_unit_rows(rated))
        if settings.ids:
            of_movie.append(_unit_rows(rated.T.tocsr()))
    if settings.facts:
        of_movie += [_one_hot([movie.genres for movie in training.movies]), _years(training.movies)]
    return _side(n_users, of_user), _side(n_movies, of_movie)


def fit(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Posterior:
    """The posterior given the training's ratings."""
    settings = settings or Settings()
    user_side, movie_side = sides(training, settings)
    (n_users, n_movies), of_users = training.shape, user_side.features.shape[1]
    samples = settings.chains * (settings.iterations - settings.burn_in)
    thinned = np.unique(np.linspace(0, samples - 1, THINNED).astype(int))
    # In float32, and each sample where it will stay: of a large data set they fill much of the memory.
    user_bias, movie_bias = (np.empty((samples, n), dtype=np.float32) for n in (n_users, n_movies))
    user_factors, movie_factors = (
        np.empty((samples, n, settings.factors), dtype=np.float32) for n in (n_users, n_movies)
    )
    drawn: list[tuple[float, float]] = []  # global bias and variance of the noise
    features: list[tuple[Float32Array, Float64Array]] = []  # of users but for their ids, and the prior of these
    total = settings.chains * settings.iterations
    steps = iter(track(range(total), "Sampling the rating model", total))

    def keep(iteration: int, machine: FM, hyper: FMHyperParameters, _history: object) -> bool:
        next(steps, None)
        if iteration < settings.burn_in:
            return False
        at, weights, factors = len(drawn), np.asarray(machine.w), np.asarray(machine.V)
        user_bias[at], user_factors[at] = user_side.project(weights[:of_users], factors[:of_users])
        movie_bias[at], movie_factors[at] = movie_side.project(weights[of_users:], factors[of_users:])
        if at in thinned:
            prior = [[*hyper.mu_V[0], hyper.mu_w[0]], [*hyper.lambda_V[0], hyper.lambda_w[0]]]
            shared = np.column_stack([factors, weights])[n_users:of_users]
            features.append((shared.astype(np.float32), np.array(prior)))
        drawn.append((machine.w0, 1 / hyper.alpha))
        return False

    for _ in range(settings.chains):
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
    bias, noise = np.array(drawn).T
    rated, prior = (np.array(column) for column in zip(*features, strict=True))
    if not settings.implicit:
        rated = np.zeros((thinned.size, n_movies, settings.factors + 1), dtype=np.float32)
    return Posterior(bias, user_bias, movie_bias, user_factors, movie_factors, noise, thinned, rated, prior)


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


def _side(n: int, blocks: Sequence[sp.csr_matrix]) -> Side:
    """One design matrix of ``n`` rows from one block of features a kind; kinds without features are left out."""
    kinds = [block for block in blocks if block.shape[1]]
    features = sp.hstack(kinds).tocsr() if kinds else sp.csr_matrix((n, 0))
    features = features.astype(np.float64)
    squares = sp.csr_matrix((np.square(features.data), features.indices, features.indptr), shape=features.shape)
    return Side(features, squares, tuple(block.shape[1] for block in kinds))


def _unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Each row of a 0/1 matrix divided by the root of its count."""
    counts = np.maximum(np.diff(matrix.indptr), 1)
    unit: sp.csr_matrix = sp.diags(1 / np.sqrt(counts)) @ matrix
    return unit


def _years(movies: Sequence[Movie]) -> sp.csr_matrix:
    """(n, centres) a bump of length 1 around the year of release; a movie without a year has none."""
    known = [movie.year for movie in movies if movie.year is not None]
    if not known:
        return sp.csr_matrix((len(movies), 0))
    years = np.array([np.nan if movie.year is None else movie.year for movie in movies])
    centres = np.arange(min(known), max(known) + 1, 3)
    bumps = np.exp(-(((years[:, None] - centres) / YEARS_APART) ** 2) / 2)
    bumps = np.where(bumps > 0.001, bumps, 0)  # also where there is no year
    return sp.csr_matrix(bumps / np.maximum(np.linalg.norm(bumps, axis=1, keepdims=True), 1e-9))


def _one_hot(values: Sequence[Sequence[str]]) -> sp.csr_matrix:
    """(n, number of distinct values), 1 where the row has the value; columns in sorted order."""
    names = sorted({name for row in values for name in row})
    column = {name: at for at, name in enumerate(names)}
    rows = [at for at, row in enumerate(values) for _ in row]
    columns = [column[name] for row in values for name in row]
    return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(values), len(names)))
