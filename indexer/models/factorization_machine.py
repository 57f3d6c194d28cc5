"""A Bayesian factorisation machine with implicit feedback on both sides, by Gibbs sampling.

Features of a user: id and rated movies. Features of a movie: id, users who rated it, genres and year of release. Every
feature belongs to one side, so each posterior sample s predicts exactly

    global_bias_s + user_bias_s + movie_bias_s + <user_factors_s, movie_factors_s>

where the bias of a side includes its first-order terms and the interactions within the side. The posterior mean is the
mean over samples: one inner product of concatenated posterior samples.

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

from index.core.arrays import Float32Array, Float64Array, Int64Array
from index.core.errors import InvalidInput
from index.core.progress import Track, silent
from index.ratings.content import year_centres, year_features, years_of
from indexer.datasets.training import Training
from indexer.linalg import unit_rows

THINNED = 32  # samples kept for intervals and for fold-in
# Limits of ``default_settings``.
MAX_WORK = 1e9  # ratings times iterations of all chains: about half an hour on one CPU
MAX_BYTES = 4e9  # of samples


@dataclass(frozen=True, slots=True)
class Settings:
    """Hyperparameters."""

    factors: PositiveInt = 16
    chains: PositiveInt = 4  # several short chains predict better than one long chain
    iterations: PositiveInt = 100  # per chain
    burn_in: NonNegativeInt = 20  # first iterations of a chain, discarded
    ids: bool = True  # movies have parameters of their own; without, new movies are predicted as well as others
    implicit: bool = True  # rated movies are features of a user, raters of a movie
    facts: bool = True  # genres and year of release are features of a movie

    def __post_init__(self) -> None:
        """Raise InvalidInput if burn-in discards every iteration."""
        if self.iterations <= self.burn_in:
            raise InvalidInput(
                f"{self.iterations} iterations are too few: the first {self.burn_in} are discarded; give more"
            )


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior samples of user and movie parameters, in the order drawn."""

    global_bias: Float64Array  # (samples,)
    user_bias: Float32Array  # (samples, n_users)
    movie_bias: Float32Array  # (samples, n_movies)
    user_factors: Float32Array  # (samples, n_users, factors)
    movie_factors: Float32Array  # (samples, n_movies, factors)
    noise_variance: Float64Array  # (samples,)
    thinned: Int64Array  # (thinned,) samples kept for intervals and fold-in
    rated_features: Float32Array  # (thinned, n_movies, f + 1) factors, then weight, of a rated movie; or zeros
    user_prior: Float64Array  # (thinned, 2, f + 1) mean and precision of a user id's factors, then weight
    fact_features: Float32Array  # (samples, n_facts, f + 1) factors, then weight, of genres and years; or (…, 0, f + 1)

    def predict(self, users: Int64Array, movies: Int64Array) -> Float64Array:
        """Return posterior mean ratings (m,) of user rows (m,) and movie rows (m,)."""
        total = np.zeros(users.size)
        for ratings in self.samples(users, movies):
            total += ratings
        return total / self.global_bias.size

    def samples(self, users: Int64Array, movies: Int64Array) -> Iterator[Float64Array]:
        """Yield the ratings (m,) by each posterior sample."""
        for s in range(self.global_bias.size):
            of_users, of_movies = self.user_factors[s, users], self.movie_factors[s, movies]
            inner = np.einsum("ij,ij->i", of_users, of_movies, dtype=np.float64)
            yield self.global_bias[s] + self.user_bias[s, users] + self.movie_bias[s, movies] + inner


@dataclass(frozen=True, slots=True)
class Side:
    """Design matrix of one side: a row per user (or movie), columns in groups of one kind of feature."""

    features: sp.csr_matrix  # (n, n_features) float64
    squares: sp.csr_matrix  # elementwise squares
    groups: tuple[int, ...]  # number of features per kind; each kind has its own prior

    def project(self, weights: Float64Array, factors: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Return bias (n,) and factors (n, f) of the side, from weights (m,) and factors (m, f) of its features."""
        latent = self.features @ factors
        squares = self.squares @ np.square(factors).sum(axis=1)
        return self.features @ weights + (np.square(latent).sum(axis=1) - squares) / 2, latent


def default_settings(training: Training) -> Settings:
    """Return the default settings, with fewer chains if the data set is large.

    More chains improve predictions less on larger data sets.
    """
    settings, n = Settings(), max(1, training.values.size)
    bytes_per_chain = 4 * sum(training.shape) * (settings.factors + 1) * (settings.iterations - settings.burn_in)
    chains = min(settings.chains, MAX_BYTES / bytes_per_chain, MAX_WORK / (n * settings.iterations))
    return replace(settings, chains=max(1, int(chains)))


def design_matrices(training: Training, settings: Settings) -> tuple[Side, Side]:
    """Return the user side and the movie side, with the rows of the training data."""
    n_users, n_movies = training.shape
    user_blocks: list[sp.csr_matrix] = [sp.identity(n_users, format="csr")]
    movie_blocks: list[sp.csr_matrix] = [sp.identity(n_movies, format="csr")] if settings.ids else []
    rated = training.rated.astype(np.float64)
    if settings.implicit:
        user_blocks.append(unit_rows(rated))
        if settings.ids:
            movie_blocks.append(unit_rows(rated.T.tocsr()))
    if settings.facts:
        movie_blocks += _fact_blocks(training)
    return _side(n_users, user_blocks), _side(n_movies, movie_blocks)


def fit(
    training: Training, rng: np.random.Generator, settings: Settings | None = None, *, track: Track = silent
) -> Posterior:
    """Sample from the posterior given the training ratings."""
    settings = settings or Settings()
    user_side, movie_side = design_matrices(training, settings)
    (n_users, n_movies), n_user_features = training.shape, user_side.features.shape[1]
    samples = settings.chains * (settings.iterations - settings.burn_in)
    thinned = np.unique(np.linspace(0, samples - 1, THINNED).astype(int))
    # Allocated once, in float32: the samples of a large data set fill much of the memory.
    user_bias, movie_bias = (np.empty((samples, n), dtype=np.float32) for n in (n_users, n_movies))
    user_factors, movie_factors = (
        np.empty((samples, n, settings.factors), dtype=np.float32) for n in (n_users, n_movies)
    )
    n_facts = sum(block.shape[1] for block in _fact_blocks(training)) if settings.facts else 0
    fact_features = np.empty((samples, n_facts, settings.factors + 1), dtype=np.float32)
    drawn: list[tuple[float, float]] = []  # global bias and noise variance
    features: list[tuple[Float32Array, Float64Array]] = []  # parameters of the rated movies, and the prior of user ids
    total = settings.chains * settings.iterations
    steps = iter(track(range(total), "Sampling the rating model", total))

    def keep(iteration: int, machine: FM, hyper: FMHyperParameters, _history: object) -> bool:
        next(steps, None)
        if iteration < settings.burn_in:
            return False
        at, weights, factors = len(drawn), np.asarray(machine.w), np.asarray(machine.V)
        user_bias[at], user_factors[at] = user_side.project(weights[:n_user_features], factors[:n_user_features])
        movie_bias[at], movie_factors[at] = movie_side.project(weights[n_user_features:], factors[n_user_features:])
        fact_features[at] = np.column_stack([factors, weights])[weights.size - n_facts :]
        if at in thinned:
            prior = [[*hyper.mu_V[0], hyper.mu_w[0]], [*hyper.lambda_V[0], hyper.lambda_w[0]]]
            shared = np.column_stack([factors, weights])[n_users:n_user_features]
            features.append((shared.astype(np.float32), np.array(prior)))
        drawn.append((machine.w0, 1 / hyper.alpha))
        return False

    for _ in range(settings.chains):
        # myfm's estimator always draws its own progress bar; this function below it does not.
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
    next(steps, None)  # ends the progress bar
    bias, noise = np.array(drawn).T
    rated, prior = (np.array(column) for column in zip(*features, strict=True))
    if not settings.implicit:
        rated = np.zeros((thinned.size, n_movies, settings.factors + 1), dtype=np.float32)
    return Posterior(
        bias, user_bias, movie_bias, user_factors, movie_factors, noise, thinned, rated, prior, fact_features
    )


def _config(settings: Settings, groups: Sequence[int]) -> object:
    """Return myfm's configuration with its default priors; every kind of feature has its own mean and precision."""
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
    config.set_n_kept_samples(1)  # ``keep`` stores the samples; myfm requires at least one
    return config.build()


def _side(n: int, blocks: Sequence[sp.csr_matrix]) -> Side:
    """Join one block of features per kind into a design matrix of ``n`` rows; skip kinds without features."""
    kinds = [block for block in blocks if block.shape[1]]
    features = sp.hstack(kinds).tocsr() if kinds else sp.csr_matrix((n, 0))
    features = features.astype(np.float64)
    squares = sp.csr_matrix((np.square(features.data), features.indices, features.indptr), shape=features.shape)
    return Side(features, squares, tuple(block.shape[1] for block in kinds))


def _fact_blocks(training: Training) -> list[sp.csr_matrix]:
    """Return the features of movies by genres and by year, (n_movies, …) each."""
    movies = training.movies
    years = year_features(years_of(movies), year_centres(movies))
    return [_one_hot([movie.genres for movie in movies]), sp.csr_matrix(years)]


def _one_hot(values: Sequence[Sequence[str]]) -> sp.csr_matrix:
    """Return (n, distinct values), 1 if the row has the value; columns in sorted order."""
    names = sorted({name for row in values for name in row})
    column = {name: at for at, name in enumerate(names)}
    rows = [at for at, row in enumerate(values) for _ in row]
    columns = [column[name] for row in values for name in row]
    return sp.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(values), len(names)))
