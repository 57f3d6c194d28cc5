"""Simulated ratings, drawn from a known latent factor model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from index.core.arrays import Float64Array, Int64Array
from indexer.sample.catalogue import FAMILIES, sample_movies

USERS = 300
FACTORS = 6
NOISE = 0.6  # standard deviation of a rating around the expected one, in stars

_MEAN_STARS = 3.4
_MEAN_COUNT = 60  # ratings per user
_FAMILY_WEIGHT = 0.82  # of the family's centre in a movie's unit-variance factors
_TASTE_SPREAD = 0.7  # standard deviation of <user factors, item factors>, in stars
_SELECTION = 0.9  # log odds of rating a movie, per expected star


@dataclass(frozen=True, slots=True)
class LatentModel:
    """The latent factor model of the sample's ratings."""

    movie_ids: Int64Array  # (n_movies,)
    global_mean: float
    user_biases: Float64Array  # (n_users,)
    item_biases: Float64Array  # (n_movies,)
    user_factors: Float64Array  # (n_users, factors)
    item_factors: Float64Array  # (n_movies, factors)
    popularity: Float64Array  # (n_movies,), sums to 1
    noise: float  # standard deviation around ``expected``, in stars

    @property
    def expected(self) -> Float64Array:
        """Ratings (n_users, n_movies) before noise, rounding and clipping."""
        biases = self.global_mean + self.user_biases[:, None] + self.item_biases
        expected: Float64Array = biases + self.user_factors @ self.item_factors.T
        return expected


@dataclass(frozen=True, slots=True)
class SimulatedRatings:
    """Simulated ratings by ascending user; user ``u`` is row ``u - 1`` of the latent model."""

    user_ids: Int64Array  # (n,)
    movie_ids: Int64Array  # (n,)
    stars: Float64Array  # (n,), 0.5 to 5.0 in steps of 0.5
    timestamps: Int64Array  # (n,), seconds since 1970


@cache
def latent_model(seed: int = 2017) -> LatentModel:
    """Return the latent model of a seed."""
    rng = np.random.default_rng([seed, 2])
    catalogue = sample_movies(seed)
    centres = rng.normal(size=(len(FAMILIES), FACTORS))
    offsets = rng.normal(size=(len(catalogue), FACTORS))
    family_rows = [FAMILIES.index(movie.family) for movie in catalogue]
    item_factors = _FAMILY_WEIGHT * centres[family_rows] + np.sqrt(1 - _FAMILY_WEIGHT**2) * offsets
    ranks = rng.permutation(len(catalogue)) + 1
    popularity = 1 / (ranks + 10.0)  # Zipf with a flattened head, so that not everyone rates the same movie
    return LatentModel(
        movie_ids=np.array([movie.movie_id for movie in catalogue], dtype=np.int64),
        global_mean=_MEAN_STARS,
        user_biases=rng.normal(0, 0.3, USERS),
        item_biases=rng.normal(0, 0.3, len(catalogue)),
        user_factors=rng.normal(0, _TASTE_SPREAD / np.sqrt(FACTORS), (USERS, FACTORS)),
        item_factors=item_factors,
        popularity=popularity / popularity.sum(),
        noise=NOISE,
    )


def simulated_ratings(seed: int = 2017) -> SimulatedRatings:
    """Draw the ratings of a seed; a user rates a movie at most once."""
    rng = np.random.default_rng([seed, 3])
    model = latent_model(seed)
    expected = model.expected
    n_users, n_movies = expected.shape
    log_odds = np.log(model.popularity) + _SELECTION * expected
    order = np.argsort(-(log_odds + rng.gumbel(size=expected.shape)), axis=1)  # Gumbel: draws without replacement
    counts = np.clip(rng.gamma(6, _MEAN_COUNT / 6, size=USERS).astype(np.int64), 20, n_movies // 2)
    user_rows = np.repeat(np.arange(n_users), counts)
    movie_rows = np.concatenate([order[row, :count] for row, count in enumerate(counts)])
    noisy = expected[user_rows, movie_rows] + rng.normal(0, model.noise, len(user_rows))
    return SimulatedRatings(
        user_ids=(user_rows + 1).astype(np.int64),
        movie_ids=model.movie_ids[movie_rows],
        stars=np.clip(np.round(noisy * 2) / 2, 0.5, 5.0),
        timestamps=rng.integers(1_672_531_200, 1_735_689_600, len(user_rows)),  # 2023 and 2024
    )
