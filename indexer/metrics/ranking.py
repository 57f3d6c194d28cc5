"""Ranking metrics of recommendations on held-out ratings.

The full catalogue is ranked, without the movies that the user rated in training. Users without held-out ratings are
skipped. Every held-out rating counts as relevant, whatever its value, except for the ``liked`` metric: there, only
ratings at or above the user's mean.

Source: Krichene and Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020 (why nothing is sampled); Zhou et
al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010 (novelty).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float64Array
from index.spaces.faiss_index import top_rows
from indexer.datasets.training import Scorer, Training

LENGTHS = (1, 2, 5, 10, 20, 50)  # of lists

RANKING_METRICS = (
    *(f"{name}_{k}" for name in ("ndcg", "recall", "hit") for k in LENGTHS), "liked_ndcg_10", "novelty_10",
)  # fmt: skip

_DISCOUNTS = 1 / np.log2(np.arange(2, LENGTHS[-1] + 2))


def measure_ranking(
    scorer: Scorer, training: Training, test: Training
) -> tuple[dict[str, Float64Array], dict[str, Any]]:
    """Return the measures and facts of a FoldResult."""
    rated, relevant = training.user_items, test.user_items
    popularity = np.bincount(training.movie_rows, minlength=training.shape[1])
    # Self-information of each movie, in bits; a movie without ratings counts as rated once.
    surprise = -np.log2(np.maximum(popularity, 1) / max(training.values.size, 1))
    recommended = np.zeros(training.shape[1], dtype=np.bool_)
    rows = []
    for user in np.unique(test.user_rows).tolist():
        trained = slice(*rated.indptr[user : user + 2])
        scores = scorer.scores(user)
        scores[rated.indices[trained]] = -np.inf
        top = top_rows(scores, LENGTHS[-1])
        recommended[top[:10]] = True
        held_out = slice(*relevant.indptr[user : user + 2])
        movies, values = relevant.indices[held_out], relevant.data[held_out]
        mean = rated.data[trained].mean() if rated.data[trained].size else values.mean()
        liked = movies[values >= mean]
        hits = np.isin(top, movies)
        rows.append(
            [
                *(ndcg(hits, movies.size, k) for k in LENGTHS),
                *(hits[:k].sum() / movies.size for k in LENGTHS),
                *(float(hits[:k].any()) for k in LENGTHS),
                ndcg(np.isin(top, liked), liked.size, 10) if liked.size else np.nan,
                surprise[top[:10]].mean(),
            ]
        )
    values = np.array(rows).T
    known = ~np.isnan(values)
    measures = np.stack([np.where(known, values, 0), known], axis=1)
    return dict(zip(RANKING_METRICS, measures, strict=True)), {"catalogue_10": float(recommended.mean())}


def ndcg(hits: BoolArray, relevant: int, k: int) -> float:
    """Return nDCG@k of a list: its discounted gain, divided by that of the best possible list.

    Args:
        hits: (n,) True for relevant movies of the list, best first.
        relevant: number of relevant movies.
        k: length of the list.
    """
    first = hits[:k]
    return float(_DISCOUNTS[: first.size] @ first / _DISCOUNTS[: min(relevant, k)].sum())
