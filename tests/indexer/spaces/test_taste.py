from __future__ import annotations

from dataclasses import replace

import numpy as np

from indexer.models.factorization_machine import Posterior
from indexer.spaces.taste import taste_vectors


def posterior(movie_factors: np.ndarray, user_factors: np.ndarray) -> Posterior:
    """Return a posterior of these samples (samples, n, f), without biases."""
    samples, users, movies = movie_factors.shape[0], user_factors.shape[1], movie_factors.shape[1]
    return Posterior(
        np.zeros(samples),
        np.zeros((samples, users), np.float32),
        np.zeros((samples, movies), np.float32),
        user_factors.astype(np.float32),
        movie_factors.astype(np.float32),
        np.ones(samples),
        np.arange(samples),
        np.zeros((samples, movies, movie_factors.shape[2] + 1), np.float32),
        np.ones((samples, 2, movie_factors.shape[2] + 1)),
        np.zeros((samples, 0, movie_factors.shape[2] + 1), np.float32),
    )


def test_centring_changes_likeness_but_no_prediction() -> None:
    """A vector added to all movies of a sample moves a user's predictions alike: a bias of that user undoes it."""
    rng = np.random.default_rng(0)
    movies, users = rng.normal(size=(5, 12, 3)), rng.normal(size=(5, 7, 3))
    common = 4 * rng.normal(size=(5, 1, 3))
    plain, moved = posterior(movies, users), posterior(movies + common, users)
    undone = replace(moved, user_bias=-np.einsum("suf,sxf->su", users, common).astype(np.float32))
    everyone, every_movie = (at.ravel() for at in np.meshgrid(np.arange(7), np.arange(12)))
    predicted = plain.predict(everyone, every_movie)
    np.testing.assert_allclose(undone.predict(everyone, every_movie), predicted, atol=1e-5)

    rows = np.arange(12)
    likeness = taste_vectors(plain, rows) @ taste_vectors(plain, rows).T
    np.testing.assert_allclose(taste_vectors(moved, rows) @ taste_vectors(moved, rows).T, likeness, atol=1e-5)
    samples = movies - movies.mean(axis=1, keepdims=True)
    whole = samples.transpose(1, 0, 2).reshape(12, -1)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    np.testing.assert_allclose(likeness, whole @ whole.T, atol=1e-5)


def test_only_the_movies_asked_for_make_the_mean() -> None:
    rng = np.random.default_rng(0)
    movies, users = rng.normal(size=(5, 12, 3)), rng.normal(size=(5, 7, 3))
    others = np.concatenate([movies[:, :8], 100 + movies[:, 8:]], axis=1)
    rows = np.arange(8)
    np.testing.assert_array_equal(
        taste_vectors(posterior(movies, users), rows), taste_vectors(posterior(others, users), rows)
    )


def test_a_single_movie_has_a_vector_of_zeros() -> None:
    one = posterior(np.ones((5, 1, 3)), np.ones((5, 2, 3)))
    assert not taste_vectors(one, np.array([0])).any()
