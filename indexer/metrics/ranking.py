"""Lists of recommendations on held-out ratings: how near the top the movies stand that a user rated next.

The full catalogue is ranked; what a user rated in training is left out of their list; users without held-out ratings
are not asked. Every held-out rating counts as relevant, whatever its value; but for the ``liked`` figure, where only
those at or above the user's mean do.

Source: Krichene and Rendle, "On Sampled Metrics for Item Recommendation", KDD 2020 (why nothing is sampled); Zhou et
al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010 (novelty).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from index.core.arrays import BoolArray, Float64Array
from index.spaces.faiss_index import top_rows
from indexer.datasets.training import Scorer, Training

LENGTHS = (1, 2, 5, 10, 20, 50)  # of the lists that are judged

RANKING_FIGURES = (
    *(f"{name}_{k}" for name in ("ndcg", "recall", "hit") for k in LENGTHS), "liked_ndcg_10", "novelty_10",
)  # fmt: skip

_DISCOUNTS = 1 / np.log2(np.arange(2, LENGTHS[-1] + 2))


def judge_lists(scorer: Scorer, training: Training, test: Training) -> tuple[dict[str, Float64Array], dict[str, Any]]:
    """Measures and facts of an Outcome."""
    rated, relevant = training.user_items, test.user_items
    popularity = np.bincount(training.movie_rows, minlength=training.shape[1])
    # Bits that it takes to name a movie that so many know; one that nobody rated counts as rated once.
    surprise = -np.log2(np.maximum(popularity, 1) / max(training.values.size, 1))
    shown = np.zeros(training.shape[1], dtype=np.bool_)
    rows = []
    for user in np.unique(test.user_rows).tolist():
        known = slice(*rated.indptr[user : user + 2])
        scores = scorer.scores(user)
        scores[rated.indices[known]] = -np.inf
        top = top_rows(scores, LENGTHS[-1])
        shown[top[:10]] = True
        asked = slice(*relevant.indptr[user : user + 2])
        wanted, values = relevant.indices[asked], relevant.data[asked]
        mean = rated.data[known].mean() if rated.data[known].size else values.mean()
        liked = wanted[values >= mean]
        hits = np.isin(top, wanted)
        rows.append(
            [
                *(ndcg(hits, wanted.size, k) for k in LENGTHS),
                *(hits[:k].sum() / wanted.size for k in LENGTHS),
                *(float(hits[:k].any()) for k in LENGTHS),
                ndcg(np.isin(top, liked), liked.size, 10) if liked.size else np.nan,
                surprise[top[:10]].mean(),
            ]
        )
    values = np.array(rows).T
    there = ~np.isnan(values)
    measures = np.stack([np.where(there, values, 0), there], axis=1)
    return dict(zip(RANKING_FIGURES, measures, strict=True)), {"catalogue_10": float(shown.mean())}


def ndcg(hits: BoolArray, relevant: int, k: int) -> float:
    """Discounted gain of the first ``k``, as a share of what ``relevant`` movies could give."""
    found = hits[:k]
    return float(_DISCOUNTS[: found.size] @ found / _DISCOUNTS[: min(relevant, k)].sum())
