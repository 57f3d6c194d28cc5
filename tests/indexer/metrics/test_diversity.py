from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest

from index.catalogue.movie import Movie
from index.core.ids import Ids
from index.ratings.diversity import diversify
from index.spaces.blend import Blend
from index.spaces.faiss_index import flat_index
from index.spaces.vectors import FlatVectors
from indexer.datasets.dataset import Ratings
from indexer.datasets.training import Training
from indexer.metrics.diversity import LEVELS, METRICS, measure_diversity, measure_lists, metric
from indexer.metrics.ranking import measure_ranking
from indexer.ranking.learned_ranker import blend_of

N = 30
MOVIES = tuple(Movie(i, str(i)) for i in range(N))


@dataclass
class Fixed:
    blend: Blend

    def scores(self, _user: int) -> np.ndarray:
        return -np.arange(N, dtype=np.float32)  # movies by id, 0 first


@pytest.fixture
def blend() -> Blend:
    """Three kinds of movies, ten of each: 0 to 9 are alike, 10 to 19, 20 to 29."""
    vectors = np.repeat(np.eye(3), 10, axis=0) + 0.1 * np.random.default_rng(0).standard_normal((N, 3))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    ids = Ids(np.arange(N))
    return blend_of({"taste": (ids, FlatVectors(flat_index(unit)))}, {"taste": 1.0}, ids)


def data(rows: list[tuple[int, int, float]]) -> Training:
    users, movies, values = zip(*rows, strict=True)
    return Training(Ratings(np.array(users), np.array(movies), np.array(values, np.float32)), Ids([1, 2]), MOVIES)


TRAINING = data([(1, 0, 3), (2, 29, 5)])
TEST = data([(1, 4, 4), (1, 15, 1), (2, 0, 3)])


def test_likeness_is_the_mean_of_all_pairs_of_the_list(blend: Blend) -> None:
    found = measure_diversity(Fixed(blend), blend, TRAINING, TEST, np.array([0]))
    for level in LEVELS:
        # User 1 rated movie 0, so the list begins with 1.
        unrated = np.arange(1, N)
        rows = diversify(unrated, 10, level, blend.percentiles_among(unrated)).tolist()
        pairs = [blend.explain(a, [b])[0].percentile for a, b in combinations(rows, 2)]
        assert found[metric("alike", level)] == pytest.approx(np.array([[np.mean(pairs)], [1]]), abs=2e-4)


def test_diverse_lists_are_less_alike_and_find_what_is_further_down(blend: Blend) -> None:
    found = measure_diversity(Fixed(blend), blend, TRAINING, TEST, np.array([0, 1]))
    value = {name: sums.sum() / counts.sum() for name, (sums, counts) in found.items()}
    assert list(found) == list(METRICS)
    assert value["diverse_0_alike_10"] > value["diverse_50_alike_10"]
    # Movie 15 is the fifteenth, of another kind than the first ten.
    best = 1 + 1 / np.log2(3)
    assert found["diverse_0_ndcg_10"][0] == pytest.approx([1 / np.log2(5) / best, 1])


def test_without_diversity_the_accuracy_is_that_of_the_ranking(blend: Blend) -> None:
    measures, facts = measure_lists(Fixed(blend), TRAINING, TEST)
    plain, plain_facts = measure_ranking(Fixed(blend), TRAINING, TEST)
    assert facts == plain_facts
    np.testing.assert_array_equal(measures["diverse_0_ndcg_10"], plain["ndcg_10"])
    assert set(measures) == {*plain, *METRICS}
