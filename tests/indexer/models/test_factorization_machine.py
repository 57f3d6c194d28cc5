from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from myfm import MyFMRegressor, RelationBlock

from index.catalogue.catalogue import Movie
from index.core.errors import InvalidInput
from index.core.ids import Ids
from indexer.datasets.dataset import Ratings
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.linalg import truncated_product
from indexer.models.factorization_machine import Posterior, Settings, design_matrices, fit
from indexer.models.rating_model import PREDICTION_FACTORS, concatenate_samples, fit_noise, rating_model
from indexer.spaces.taste import taste_vectors
from tests.conftest import World

MOVIES = tuple(
    Movie(10 * i, f"Film {i}", 1950 + 3 * i if i % 4 else None, ("Drama",) if i % 2 else ("Comedy", "War"))
    for i in range(1, 13)
)
MOVIE_IDS = Ids([movie.movie_id for movie in MOVIES])
USERS = Ids(range(1, 16))
SETTINGS = Settings(factors=3, chains=1, iterations=12, burn_in=4)


@pytest.fixture(scope="module")
def ratings() -> Ratings:
    """Return ratings of all users but the last and of all movies but the last."""
    rng = np.random.default_rng(0)
    pairs = [(u, m.movie_id) for u in range(1, 15) for m in MOVIES[:-1] if rng.random() < 0.5]
    users, movies = np.array(pairs).T
    return Ratings(users, movies, rng.integers(1, 11, len(pairs)).astype(np.float32) / 2)


@pytest.fixture(scope="module")
def training(ratings: Ratings) -> Training:
    return Training(ratings, USERS, MOVIES)


@pytest.fixture(scope="module")
def posterior(training: Training) -> Posterior:
    return fit(training, np.random.default_rng(5), SETTINGS)


@pytest.fixture(scope="module")
def library(ratings: Ratings, training: Training) -> MyFMRegressor:
    """Return myfm's own estimator, fitted on the same design matrices from the same seed."""
    user_side, movie_side = design_matrices(training, SETTINGS)
    machine = MyFMRegressor(rank=SETTINGS.factors, random_seed=int(np.random.default_rng(5).integers(2**31)))
    return machine.fit(
        None,
        ratings.values.astype(np.float64),
        [
            RelationBlock(USERS.find(ratings.user_ids), user_side.features),
            RelationBlock(MOVIE_IDS.find(ratings.movie_ids), movie_side.features),
        ],
        n_iter=SETTINGS.iterations,
        n_kept_samples=SETTINGS.iterations - SETTINGS.burn_in,
        group_shapes=[*user_side.groups, *movie_side.groups],
        callback=None,
    )


def every_pair() -> tuple[np.ndarray, np.ndarray]:
    users, movies = np.divmod(np.arange(len(USERS) * len(MOVIES)), len(MOVIES))
    return users, movies


def test_inner_products_before_reduction_equal_the_librarys_own_predictions(
    training: Training, posterior: Posterior, library: MyFMRegressor
) -> None:
    users, movies = every_pair()
    user_side, movie_side = design_matrices(training, SETTINGS)
    expected = library.predict(
        None, [RelationBlock(users, user_side.features), RelationBlock(movies, movie_side.features)]
    )
    samples = posterior.global_bias.size
    inner = np.einsum(
        "ij,ij->i",
        concatenate_samples(posterior.user_factors)[users] / samples,
        concatenate_samples(posterior.movie_factors)[movies],
    )
    biases = posterior.user_bias[:, users] + posterior.movie_bias[:, movies] + posterior.global_bias[:, None]
    np.testing.assert_allclose(inner + biases.mean(axis=0), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(posterior.predict(users, movies), expected, rtol=0, atol=1e-6)


def test_the_served_model_predicts_the_posterior_mean(training: Training, posterior: Posterior) -> None:
    users, movies = every_pair()
    model = rating_model(posterior, training)
    np.testing.assert_allclose(model.distribution(users, movies)[0], posterior.predict(users, movies), atol=1e-4)


def test_what_each_user_rated_is_kept(ratings: Ratings, training: Training, posterior: Posterior) -> None:
    model = rating_model(posterior, training)
    for user in range(1, 16):
        rows, values = model.rated(user)
        mine = ratings.user_ids == user
        expected = dict(zip(ratings.movie_ids[mine].tolist(), ratings.values[mine].tolist(), strict=True))
        assert dict(zip(MOVIE_IDS.values[rows].tolist(), values.tolist(), strict=True)) == expected


def test_the_same_seed_gives_the_same_posterior(training: Training, posterior: Posterior) -> None:
    again = fit(training, np.random.default_rng(5), SETTINGS)
    np.testing.assert_array_equal(again.movie_factors, posterior.movie_factors)
    other = fit(training, np.random.default_rng(6), SETTINGS)
    assert not np.allclose(other.movie_factors, posterior.movie_factors)


def test_features_of_a_side_are_ids_who_rated_genres_and_years(ratings: Ratings, training: Training) -> None:
    user_side, movie_side = design_matrices(training, SETTINGS)
    assert user_side.groups == (15, 12)
    known = [movie.year for movie in MOVIES if movie.year is not None]
    centres = range(min(known), max(known) + 1, 3)
    assert movie_side.groups == (12, 15, 3, len(centres))
    years = movie_side.features[:, 30:].toarray()
    lengths = [0.0 if movie.year is None else 1.0 for movie in MOVIES]
    np.testing.assert_allclose(np.linalg.norm(years, axis=1), lengths)
    assert centres[int(years[0].argmax())] == MOVIES[0].year
    raters = movie_side.features[0, 12:27]
    count = int((ratings.movie_ids == 10).sum())
    assert raters.nnz == count
    np.testing.assert_allclose(raters.data, 1 / np.sqrt(count))
    assert movie_side.features[11, 12:27].nnz == 0  # nobody rated the last one


def test_a_sides_bias_holds_its_weights_and_its_inner_interactions(training: Training) -> None:
    _, side = design_matrices(training, SETTINGS)
    rng = np.random.default_rng(1)
    weights, factors = rng.normal(size=side.features.shape[1]), rng.normal(size=(side.features.shape[1], 3))
    bias, latent = side.project(weights, factors)
    row = np.asarray(sp.csr_matrix(side.features[2]).todense()).ravel()
    pairs = sum(row[i] * row[j] * factors[i] @ factors[j] for i in range(row.size) for j in range(i + 1, row.size))
    assert bias[2] == pytest.approx(row @ weights + pairs)
    np.testing.assert_allclose(latent[2], row @ factors)


def test_a_truncated_product_is_the_best_of_its_rank() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(30, 9)), rng.normal(size=(20, 9))
    whole = left @ right.T
    a, b = truncated_product(left, right, 9)
    np.testing.assert_allclose(a @ b.T, whole, atol=1e-9)
    a, b = truncated_product(left, right, 4)
    values = np.linalg.svd(whole, compute_uv=False)
    assert np.linalg.norm(whole - a @ b.T) == pytest.approx(np.linalg.norm(values[4:]))
    assert a.shape == (30, 4)
    assert PREDICTION_FACTORS == 64


def test_taste_is_the_cosine_of_centred_concatenated_samples(posterior: Posterior) -> None:
    rows = np.arange(11)
    whole = concatenate_samples(posterior.movie_factors[:, rows])
    whole -= whole.mean(axis=0)
    cosine = whole @ whole.T / np.outer(np.linalg.norm(whole, axis=1), np.linalg.norm(whole, axis=1))
    vectors = taste_vectors(posterior, rows)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors @ vectors.T, cosine, atol=1e-5)


def test_several_chains_are_kept_one_after_the_other(training: Training) -> None:
    both = fit(training, np.random.default_rng(5), replace(SETTINGS, chains=2))
    alone = fit(training, np.random.default_rng(5), SETTINGS)
    assert both.global_bias.size == 2 * alone.global_bias.size == 16
    np.testing.assert_array_equal(both.movie_factors[:8], alone.movie_factors)
    assert not np.allclose(both.movie_factors[8:], alone.movie_factors)
    assert both.thinned.tolist() == list(range(16))


def test_a_chain_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="20 iterations are too few: the first 20 are discarded"):
        Settings(iterations=20)


def test_a_known_user_folded_in_is_predicted_as_the_posterior_does(world: World) -> None:
    """Given all other parameters, samples of a user's own parameters scatter about their conditional mean."""
    training = Training.of(read_dataset(world.ratings))
    posterior = fit(training, np.random.default_rng(0), Settings(factors=4, chains=2, iterations=150))
    model = rating_model(posterior, training)
    everything = training.movie_ids.values.tolist()
    apart = []
    for user in training.users.values.tolist():
        rows, values = model.rated(user)
        ratings = dict(zip(training.movie_ids.values[rows].tolist(), values.tolist(), strict=True))
        known, folded = model.predict(user, everything), model.predict(ratings, everything)
        apart += [
            (a.rating - b.rating, (a.high - a.low) - (b.high - b.low)) for a, b in zip(known, folded, strict=True)
        ]
    ratings_apart, widths_apart = np.abs(apart).mean(axis=0)
    assert ratings_apart < 0.05
    assert widths_apart < 0.15


def test_noise_is_fitted_as_what_users_with_few_and_with_many_ratings_leave() -> None:
    counts = np.array([0, 5, 10, 20, 50, 200])
    noise = fit_noise(0.7, 0.5 * counts**2 / (counts + 3.0), counts)
    assert noise.residual == pytest.approx(0.5, rel=0.01)
    assert noise.shrinkage == pytest.approx(3, rel=0.15)
    np.testing.assert_allclose(noise.user_variances(0.5 * counts**2 / (counts + 3.0), counts), 0.7, rtol=0.02)
    nothing = fit_noise(0.7, np.zeros(2), np.array([4, 9]))  # constant ratings
    assert np.isfinite(nothing.user_variances(np.zeros(2), [4, 9])).all()


def test_without_ids_movies_of_the_same_facts_are_predicted_alike(training: Training) -> None:
    twin = replace(MOVIES[0], movie_id=999)
    data = Training(training.ratings, USERS, (*MOVIES, twin))
    posterior = fit(data, np.random.default_rng(0), replace(SETTINGS, ids=False))
    users = np.arange(15)
    first, last = (posterior.predict(users, np.full(15, row)) for row in (0, 12))
    np.testing.assert_allclose(first, last)


def test_features_can_be_left_out(training: Training) -> None:
    user_side, movie_side = design_matrices(training, replace(SETTINGS, implicit=False, facts=False))
    assert user_side.groups == (15,)
    assert movie_side.groups == (12,)
    user_side, movie_side = design_matrices(training, replace(SETTINGS, facts=False))
    assert user_side.groups == (15, 12)
    assert movie_side.groups == (12, 15)
