"""Simulated users: a latent taste model whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from index.core.arrays import Float64Array, Int64Array
from indexer.sample.catalogue import FAMILIES, films

USERS = 300
FACTORS = 6
NOISE = 0.6  # standard deviation of one rating around what the model expects, in stars

_MEAN_STARS = 3.4
_MEAN_COUNT = 60  # ratings of one user
_FAMILY_PART = 0.82  # of the length of a movie's traits; the rest is its own
_TASTE_SPREAD = 0.7  # standard deviation of <taste, traits>, in stars
_DRAWN_TO = 0.9  # how strongly users rate what they expect to like


@dataclass(frozen=True, slots=True)
class Truth:
    """The model that the sample's ratings are drawn from."""

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
        """(n_users, n_movies) ratings before noise, rounding and clipping."""
        biases = self.global_mean + self.user_biases[:, None] + self.item_biases
        expected: Float64Array = biases + self.user_factors @ self.item_factors.T
        return expected


@dataclass(frozen=True, slots=True)
class Ratings:
    """One row a rating, in order of user; user ``u`` is row ``u - 1`` of the truth."""

    user_ids: Int64Array  # (n,)
    movie_ids: Int64Array  # (n,)
    stars: Float64Array  # (n,), 0.5 to 5.0 in halves
    timestamps: Int64Array  # (n,), seconds since 1970


@cache
def truth(seed: int = 2017) -> Truth:
    """The latent model of a seed. Users are 1 to 300 in order of row."""
    rng = np.random.default_rng([seed, 2])
    catalogue = films(seed)
    centres = rng.normal(size=(len(FAMILIES), FACTORS))
    own = rng.normal(size=(len(catalogue), FACTORS))
    family_rows = [FAMILIES.index(film.family) for film in catalogue]
    traits = _FAMILY_PART * centres[family_rows] + np.sqrt(1 - _FAMILY_PART**2) * own
    ranks = rng.permutation(len(catalogue)) + 1
    popularity = 1 / (ranks + 10.0)  # Zipf with a flattened head, so that no film is seen by all
    return Truth(
        movie_ids=np.array([film.movie_id for film in catalogue], dtype=np.int64),
        global_mean=_MEAN_STARS,
        user_biases=rng.normal(0, 0.3, USERS),
        item_biases=rng.normal(0, 0.3, len(catalogue)),
        user_factors=rng.normal(0, _TASTE_SPREAD / np.sqrt(FACTORS), (USERS, FACTORS)),
        item_factors=traits,
        popularity=popularity / popularity.sum(),
        noise=NOISE,
    )


def ratings(seed: int = 2017) -> Ratings:
    """What the users of a seed gave: each (user, movie) at most once."""
    rng = np.random.default_rng([seed, 3])
    model = truth(seed)
    expected = model.expected
    n_users, n_movies = expected.shape
    appeal = np.log(model.popularity) + _DRAWN_TO * expected + rng.gumbel(size=expected.shape)
    order = np.argsort(-appeal, axis=1)  # Gumbel noise turns the order into draws without replacement
    counts = np.clip(rng.gamma(6, _MEAN_COUNT / 6, size=USERS).astype(np.int64), 20, n_movies // 2)
    user_rows = np.repeat(np.arange(n_users), counts)
    movie_rows = np.concatenate([order[row, :count] for row, count in enumerate(counts)])
    noisy = expected[user_rows, movie_rows] + rng.normal(0, model.noise, len(user_rows))
    return Ratings(
        user_ids=(user_rows + 1).astype(np.int64),
        movie_ids=model.movie_ids[movie_rows],
        stars=np.clip(np.round(noisy * 2) / 2, 0.5, 5.0),
        timestamps=rng.integers(1_672_531_200, 1_735_689_600, len(user_rows)),  # 2023 and 2024
    )
