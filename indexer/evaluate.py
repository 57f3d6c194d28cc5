"""How well ratings are predicted: cross-validation of the model that is served, baselines beside it.

Protocol: ratings are shuffled once (seed 0) and cut into folds of equal size; each fold is predicted from the others.
The folds are those of scikit-learn's ``KFold(folds, shuffle=True, random_state=0)``, which other libraries' published
figures use. A held-out rating is scored as the server would answer it: reduced factors, predictions kept to the
scale, the 80% interval from the kept posterior samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import numpy.typing as npt

from index.errors import BadData
from index.ids import Ids
from index.ratings import RatingModel
from index.track import Track, silent
from indexer.build import noise_variance, rating_scale
from indexer.dataset import Dataset, Ratings
from indexer.models import factorization_machine
from indexer.models.factorization_machine import Settings
from indexer.taste import rating_arrays

_DAMPING = 5.0  # ratings' worth of pull towards the mean in the bias baseline
_BIAS_SWEEPS = 10

FloatArray = npt.NDArray[np.float32]
Predict = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.floating]]


@dataclass(frozen=True, slots=True)
class Score:
    """How one method did on one fold."""

    method: str
    fold: int  # from 1
    rmse: float
    mae: float
    coverage: float | None  # share of ratings inside their 80% interval; None for a method without
    seconds: float  # to fit


SERVED = "factorisation machine (served)"


def cross_validate(
    dataset: Dataset, *, folds: int = 5, seed: int = 0, settings: Settings | None = None, track: Track = silent
) -> Iterator[Score]:
    """The scores of every method, fold by fold, as they become known.

    Raises:
        BadData: there are fewer ratings than folds.
    """
    ratings = dataset.ratings
    if len(ratings) < folds:
        raise BadData(f"{len(ratings)} ratings cannot be cut into {folds} folds: give fewer folds or more ratings")
    users = Ids(np.unique(ratings.user_ids))
    movie_ids = Ids([movie.movie_id for movie in dataset.movies])
    rngs = np.random.default_rng(seed).spawn(folds)
    for fold, test in enumerate(kfold(len(ratings), folds), start=1):
        train = ratings.take(~test)
        held_out = ratings.take(test)
        rows = users.find(held_out.user_ids), movie_ids.find(held_out.movie_ids)
        for name, predict in _baselines(train, users, movie_ids).items():
            start = perf_counter()
            predicted = predict(*rows)
            yield Score(name, fold, *_errors(held_out.values, predicted), None, perf_counter() - start)
        start = perf_counter()
        posterior = factorization_machine.fit(train, users, dataset.movies, rngs[fold - 1], settings, track=track)
        model = RatingModel(
            rating_arrays(posterior, train, users, movie_ids),
            movie_ids,
            noise_variance=noise_variance(posterior),
            scale=rating_scale(ratings),
        )
        seconds = perf_counter() - start
        predicted, low, high = model.predict_rows(*rows)
        inside = float(np.mean((held_out.values >= low) & (held_out.values <= high)))
        yield Score(SERVED, fold, *_errors(held_out.values, predicted), inside, seconds)


def kfold(n: int, folds: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Masks (n,) of the ratings held out in each fold."""
    order = np.arange(n)
    np.random.RandomState(0).shuffle(order)  # scikit-learn's generator: the folds must be the same
    for held_out in np.array_split(order, folds):
        mask = np.zeros(n, dtype=np.bool_)
        mask[held_out] = True
        yield mask


def mean_score(scores: list[Score]) -> Score:
    """The mean over folds of one method's scores; fold is 0."""
    covered = [score.coverage for score in scores if score.coverage is not None]
    return Score(
        scores[0].method,
        0,
        float(np.mean([score.rmse for score in scores])),
        float(np.mean([score.mae for score in scores])),
        float(np.mean(covered)) if covered else None,
        float(np.mean([score.seconds for score in scores])),
    )


def _baselines(train: Ratings, users: Ids, movie_ids: Ids) -> dict[str, Predict]:
    """What any model must beat, fitted on ``train``."""
    user, movie = users.find(train.user_ids), movie_ids.find(train.movie_ids)
    mean = float(train.values.mean())
    residual = train.values.astype(np.float64) - mean
    user_mean = _damped_mean(residual, user, len(users), 0.0)
    of_user, of_movie = np.zeros(len(users)), np.zeros(len(movie_ids))
    for _ in range(_BIAS_SWEEPS):
        of_movie = _damped_mean(residual - of_user[user], movie, len(movie_ids), _DAMPING)
        of_user = _damped_mean(residual - of_movie[movie], user, len(users), _DAMPING)
    return {
        "global mean": lambda u, _m: np.full(u.size, mean),
        "user mean": lambda u, _m: mean + user_mean[u],
        "user and movie biases": lambda u, m: mean + of_user[u] + of_movie[m],
    }


def _damped_mean(
    values: npt.NDArray[np.float64], group: npt.NDArray[np.int64], n: int, damping: float
) -> npt.NDArray[np.float64]:
    sums = np.bincount(group, weights=values, minlength=n)
    counts = np.bincount(group, minlength=n) + damping
    means: npt.NDArray[np.float64] = np.divide(sums, counts, out=np.zeros(n), where=counts > 0)
    return means


def _errors(actual: FloatArray, predicted: npt.NDArray[np.floating]) -> tuple[float, float]:
    """RMSE and MAE."""
    error = predicted.astype(np.float64) - actual
    return float(np.sqrt(np.mean(error**2))), float(np.mean(np.abs(error)))
