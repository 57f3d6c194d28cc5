"""How well the movies that a user rated next are ranked, among all that there are.

Protocol: the folds of ``evaluate``. Every held-out rating counts as relevant, whatever its value; what a user rated in
training is left out of their list; users without held-out ratings are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.space import best
from index.track import Track, silent
from indexer.dataset import Dataset
from indexer.evaluate import kfold
from indexer.methods import rating_model
from indexer.models import ease, factorization_machine
from indexer.models.contract import Training
from indexer.models.factorization_machine import Settings

FloatArray = npt.NDArray[np.float32]
Scores = Callable[[int], FloatArray]  # user row -> (n_movies,)

_LENGTH = 20  # of the lists that are judged
_DISCOUNTS = 1 / np.log2(np.arange(2, 12))  # of the first ten places


@dataclass(frozen=True, slots=True)
class RankingScore:
    """How good one method's lists were on one fold, as means over users."""

    method: str
    fold: int  # from 1; 0 for the mean of all
    ndcg_10: float
    recall_10: float
    recall_20: float
    hit_rate_10: float  # share of users with anything relevant among ten
    liked_ndcg_10: float  # where only ratings at or above the user's mean are relevant
    catalogue_10: float  # share of movies that stand in anyone's ten


def evaluate_ranking(
    dataset: Dataset, *, folds: int = 5, seed: int = 0, settings: Settings | None = None, track: Track = silent
) -> Iterator[RankingScore]:
    """The scores of every ranker, fold by fold, as they become known."""
    for fold, held_out in enumerate(kfold(len(dataset.ratings), folds), start=1):
        training, test = Training.of(dataset, ~held_out), Training.of(dataset, held_out)
        for name, scores in _rankers(training, np.random.default_rng([seed, fold]), settings, track):
            yield RankingScore(name, fold, *_judge(scores, training, test))


def _rankers(
    training: Training, rng: np.random.Generator, settings: Settings | None, track: Track
) -> Iterator[tuple[str, Scores]]:
    counts = np.bincount(training.movie_rows, minlength=training.shape[1]).astype(np.float32)
    yield "popularity", lambda _user: counts.copy()
    posterior = factorization_machine.fit(training, rng, settings, track=track)
    yield "predicted-rating", rating_model(posterior, training).ranking_scores
    ranker = ease.fit(training, rng, track=track)
    yield "ease", ranker.scores
    yield "ease-and-rating", rating_model(posterior, training, ranker).ranking_scores


def _judge(scores: Scores, training: Training, test: Training) -> tuple[float, ...]:
    """The figures of a RankingScore, in its order."""
    rated, relevant = training.user_items, test.user_items
    figures, shown = [], np.zeros(training.shape[1], dtype=np.bool_)
    for user in np.unique(test.user_rows).tolist():
        known = slice(*rated.indptr[user : user + 2])
        row = scores(user)
        row[rated.indices[known]] = -np.inf
        top = best(row, _LENGTH)
        shown[top[:10]] = True
        asked = slice(*relevant.indptr[user : user + 2])
        wanted, values = relevant.indices[asked], relevant.data[asked]
        hits = np.isin(top, wanted)
        mean = rated.data[known].mean() if rated.data[known].size else values.mean()
        liked = wanted[values >= mean]
        figures.append(
            (
                _ndcg(hits, wanted.size),
                hits[:10].sum() / wanted.size,
                hits.sum() / wanted.size,
                float(hits[:10].any()),
                _ndcg(np.isin(top, liked), liked.size) if liked.size else np.nan,
            )
        )
    return (*np.nanmean(figures, axis=0).tolist(), float(shown.mean()))


def _ndcg(hits: npt.NDArray[np.bool_], relevant: int) -> float:
    """Discounted gain of ten, as a share of what ``relevant`` movies could give."""
    found = hits[: _DISCOUNTS.size]
    return float(_DISCOUNTS[: found.size] @ found / _DISCOUNTS[:relevant].sum())
