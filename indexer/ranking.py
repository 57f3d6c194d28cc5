"""How well the movies that a user rated next are ranked, among all that there are.

Protocol: the folds of ``evaluate``. Every held-out rating counts as relevant, whatever its value; what a user rated in
training is left out of their list; users without held-out ratings are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index.space import best
from index.track import Track, silent
from indexer.dataset import Dataset
from indexer.evaluate import kfold
from indexer.methods import SERVED, methods
from indexer.models import ease
from indexer.models.contract import Training
from indexer.models.factorization_machine import Settings

FloatArray = npt.NDArray[np.float32]
Scores = Callable[[int], FloatArray]  # user row -> (n_movies,)

_LENGTH = 20  # of the lists that are judged


@dataclass(frozen=True, slots=True)
class RankingScore:
    """How good one method's lists were on one fold, as means over users."""

    method: str
    fold: int  # from 1; 0 for the mean of all
    ndcg_10: float
    recall_10: float
    recall_20: float
    hit_rate_10: float  # share of users with anything relevant among ten
    catalogue_10: float  # share of movies that stand in anyone's ten
    seconds: float  # to fit


def evaluate_ranking(
    dataset: Dataset, *, folds: int = 5, seed: int = 0, settings: Settings | None = None, track: Track = silent
) -> Iterator[RankingScore]:
    """The scores of every ranker, fold by fold, as they become known."""
    for fold, held_out in enumerate(kfold(len(dataset.ratings), folds), start=1):
        training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
        for name, fit in _rankers(settings).items():
            start = perf_counter()
            scores = fit(training, np.random.default_rng([seed, fold]), track)
            seconds = perf_counter() - start
            yield RankingScore(name, fold, *_judge(scores, training, test), seconds)


def _rankers(settings: Settings | None) -> Mapping[str, Callable[[Training, np.random.Generator, Track], Scores]]:
    def popularity(training: Training, _rng: np.random.Generator, _track: Track) -> Scores:
        counts = np.bincount(training.movie_rows, minlength=training.shape[1]).astype(np.float32)
        return lambda _user: counts.copy()

    def predicted_rating(training: Training, rng: np.random.Generator, track: Track) -> Scores:
        model = methods(settings)[SERVED](training, rng, track)
        movies = np.arange(training.shape[1])
        return lambda user: model.predict(np.full(movies.size, user), movies).astype(np.float32)

    return {
        "popularity": popularity,
        "predicted-rating": predicted_rating,
        "ease": lambda training, rng, track: ease.fit(training, rng, track=track).scores,
    }


def _judge(scores: Scores, training: Training, test: Training) -> tuple[float, float, float, float, float]:
    """The figures of a RankingScore, in its order."""
    discounts = 1 / np.log2(np.arange(2, 12))
    rated, relevant = training.user_items, test.user_items
    figures, shown = [], np.zeros(training.shape[1], dtype=np.bool_)
    for user in np.unique(test.user_rows).tolist():
        row = scores(user)
        row[rated.indices[rated.indptr[user] : rated.indptr[user + 1]]] = -np.inf
        top = best(row, _LENGTH)
        shown[top[:10]] = True
        wanted = relevant.indices[relevant.indptr[user] : relevant.indptr[user + 1]]
        hits = np.isin(top, wanted)
        ideal = discounts[: min(10, wanted.size)].sum()
        figures.append(
            (
                discounts[: hits[:10].size] @ hits[:10] / ideal,
                hits[:10].sum() / wanted.size,
                hits.sum() / wanted.size,
                float(hits[:10].any()),
            )
        )
    ndcg, recall_10, recall_20, hit_rate = np.mean(figures, axis=0).tolist()
    return ndcg, recall_10, recall_20, hit_rate, float(shown.mean())
