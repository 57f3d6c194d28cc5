"""Content of movies as features, and its similarity, on hand-checkable movies."""

from __future__ import annotations

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.ratings.content import (
    LOOK,
    Vocabulary,
    centred_looks,
    compact_looks,
    facts_similarity,
    look_similarity,
    usual_look,
    year_centres,
    year_features,
)

WESTERN = Movie(1, "A", 1970, ("Western",))
LATER = Movie(2, "B", 1978, ("Western",))
BOTH = Movie(3, "C", 1970, ("Western", "Comedy"))
UNDATED = Movie(4, "D", None, ("Western",))
BARE = Movie(5, "E", None, ())
MOVIES = (WESTERN, LATER, BOTH, UNDATED, BARE)


def test_features_are_genres_and_years() -> None:
    vocabulary = Vocabulary.of(MOVIES)
    features = vocabulary.features(MOVIES)
    assert vocabulary.names == ("Comedy", "Western", "1970", "1973", "1976")
    assert features[:, :2].tolist() == [[0, 1], [0, 1], [1, 1], [0, 1], [0, 0]]
    np.testing.assert_allclose(np.linalg.norm(features[:3, 2:], axis=1), 1)
    assert not features[3:, 2:].any()
    assert not vocabulary.features([Movie(6, "F", None, ("Opera",))]).any()  # a genre that nothing is known of


def test_a_movie_of_the_future_has_the_features_of_the_latest_year() -> None:
    centres = year_centres(MOVIES)
    latest, future = year_features(np.array([1978.0, 2090.0]), centres)
    np.testing.assert_array_equal(latest, future)


def test_movies_are_similar_in_genres_and_years() -> None:
    vocabulary = Vocabulary.of(MOVIES)
    similar = facts_similarity(vocabulary.facts([WESTERN]), vocabulary.facts(MOVIES))[0]
    assert similar[0] == pytest.approx(1)
    assert similar[1] == pytest.approx(0.1 + 0.9 * np.exp(-0.5))  # one standard deviation of years apart
    assert similar[2] < similar[1]  # the rarer comedy is half of it and more
    assert similar[3] == pytest.approx(0.5)
    assert similar[4] == 0


def test_a_compact_look_forgets_places_and_weighs_small_channels_up() -> None:
    embedding = np.zeros((1, 49, LOOK), dtype=np.float32)
    embedding[0, 3, 7] = 49.0
    moved = np.roll(embedding, 5, axis=1)
    look = compact_looks(embedding.reshape(1, -1))
    assert look[0, 7] == pytest.approx(1)
    assert np.count_nonzero(look) == 1
    np.testing.assert_array_equal(look, compact_looks(moved.reshape(1, -1)))


def test_movies_without_posters_look_like_none() -> None:
    looks = np.zeros((3, LOOK), dtype=np.float32)
    looks[0, :2], looks[1, :2] = (3, 1), (1, 3)
    centred = centred_looks(looks, looks[:2].mean(axis=0))
    assert not centred[2].any()
    np.testing.assert_allclose(look_similarity(centred, centred), [[1, 0, 0], [0, 1, 0], [0, 0, 0]], atol=1e-6)


def test_the_usual_look_is_the_mean_similarity_of_two_posters() -> None:
    rng = np.random.default_rng(0)
    looks = centred_looks(rng.random((5, LOOK), dtype=np.float32), np.full(LOOK, 0.5, dtype=np.float32))
    pairs = [look_similarity(looks[[i]], looks[[j]])[0, 0] for i in range(5) for j in range(5) if i != j]
    assert usual_look(np.vstack([looks, np.zeros((3, LOOK))])) == pytest.approx(np.mean(pairs), rel=1e-4)
    assert usual_look(looks[:1]) == usual_look(np.zeros((0, LOOK))) == 1.0
