from dataclasses import dataclass

import numpy as np
import pytest

from index.catalogue.catalogue import Movie
from index.core.ids import Ids
from indexer.datasets.dataset import Dataset, Ratings
from indexer.datasets.movielens import read_dataset
from indexer.datasets.training import Training
from indexer.evaluation.contest import Contest, evaluate
from indexer.metrics.estimate import estimate_metrics
from indexer.metrics.ranking import RANKING_METRICS, measure_ranking, ndcg
from indexer.ranking.methods import SERVED_RANKER, ranking_methods
from tests.conftest import QUICK, World

MOVIES = tuple(Movie(i, str(i)) for i in range(6))


@dataclass
class Fixed:
    row: list[float]

    def scores(self, _user: int) -> np.ndarray:
        return np.array(self.row, dtype=np.float32)


def data(rows: list[tuple[int, int, float]]) -> Training:
    users, movies, values = zip(*rows, strict=True)
    return Training(Ratings(np.array(users), np.array(movies), np.array(values, np.float32)), Ids([1, 2]), MOVIES)


def test_lists_are_judged_by_hand() -> None:
    # User 1 rated movie 0; the list is 5 4 3 2 1. Movies 4 and 1 are held out; 4 is rated above the mean of 3.
    training = data([(1, 0, 3), (2, 0, 5), (2, 5, 5)])
    test = data([(1, 4, 4), (1, 1, 1)])
    measures, facts = measure_ranking(Fixed([9, 1, 2, 3, 4, 5]), training, test)
    value = {name: float(sums.sum() / counts.sum()) for name, (sums, counts) in measures.items()}
    best = 1 + 1 / np.log2(3)
    assert value["ndcg_1"] == 0
    assert value["ndcg_2"] == pytest.approx((1 / np.log2(3)) / best)
    assert value["ndcg_10"] == pytest.approx((1 / np.log2(3) + 1 / np.log2(6)) / best)
    assert value["recall_2"] == 0.5
    assert value["recall_5"] == 1
    assert (value["hit_1"], value["hit_2"]) == (0, 1)
    assert value["liked_ndcg_10"] == pytest.approx(1 / np.log2(3))
    # Movie 5 has one of three ratings, and the others count as having one: -log2(1/3) bits each.
    assert value["novelty_10"] == pytest.approx(np.log2(3))
    assert facts["catalogue_10"] == 5 / 6


def test_the_best_list_has_a_gain_of_one() -> None:
    hits = np.array([True, True, False])
    assert ndcg(hits, 2, 10) == 1
    assert ndcg(hits, 9, 2) == 1
    assert ndcg(~hits, 1, 2) == 0


def test_rankers_beat_popularity_on_a_world_with_taste(world: World) -> None:
    dataset = read_dataset(world.ratings)
    # All users rate movies at random, so relevance cannot be learned: keep high ratings only.
    loved = dataset.ratings.take(dataset.ratings.values >= 3.5)
    dataset = Dataset(dataset.name, "", dataset.movies, loved)
    contest = Contest(ranking_methods(QUICK), measure_ranking, RANKING_METRICS)
    results = list(evaluate(dataset, contest, folds=2))
    assert [result.method for result in results[: len(contest.methods)]] == list(contest.methods)
    value = {}
    for name in contest.methods:
        found = estimate_metrics([result for result in results if result.method == name], RANKING_METRICS)
        assert all(figure is not None and figure.low <= figure.value <= figure.high for figure in found.values())
        value[name] = found["ndcg_10"].value  # type: ignore[union-attr]
    for name in ("ease", "implicit-als", SERVED_RANKER):
        # The default regularization is chosen for larger data sets and shrinks implicit factors almost to zero.
        assert value[name] > value["popularity"] + (0.02 if name == "implicit-als" else 0.1), name
