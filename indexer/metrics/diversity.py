"""The price of diversity: accuracy of recommendations, and likeness within them, by the diversity asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from index.core.arrays import Float64Array, Int64Array
from index.ratings.diversity import POOL, diversify
from index.spaces.blend import Blend
from index.spaces.faiss_index import top_rows
from indexer.datasets.training import Scorer, Training
from indexer.metrics.ranking import measure_ranking, ndcg

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of diversity
LENGTH = 10  # of lists


def metric(name: str, level: float) -> str:
    """Return the name of a metric, "ndcg" or "alike", at a level of diversity."""
    return f"diverse_{round(100 * level)}_{name}_{LENGTH}"


METRICS = tuple(metric(name, level) for level in LEVELS for name in ("ndcg", "alike"))


def measure_lists(scorer: Scorer, training: Training, test: Training) -> tuple[dict[str, Float64Array], dict[str, Any]]:
    """Return the measures and facts of ``measure_ranking``, and of a scorer with a ``blend`` those of diversity."""
    measures, facts = measure_ranking(scorer, training, test)
    blend = getattr(scorer, "blend", None)
    if blend is not None:
        measures |= measure_diversity(scorer, blend, training, test, np.unique(test.user_rows))
    return measures, facts


def measure_diversity(
    scorer: Scorer, blend: Blend, training: Training, test: Training, users: Int64Array
) -> dict[str, Float64Array]:
    """Return the measures of a FoldResult: of lists of ``LENGTH`` movies at each level of diversity.

    ``ndcg``: as in ``measure_ranking``. ``alike``: mean percentile of the blended scores of two movies of the list.

    Args:
        scorer: orders recommendations.
        blend: of the training data, by catalogue rows.
        training: ratings that users are known by.
        test: held-out ratings.
        users: rows (u,) of users with held-out ratings, ascending.
    """
    rated, relevant = training.user_items, test.user_items
    rows = []
    for user in users.tolist():
        scores = scorer.scores(user)
        scores[rated.indices[slice(*rated.indptr[user : user + 2])]] = -np.inf
        pool = top_rows(scores, POOL)
        wanted = relevant.indices[slice(*relevant.indptr[user : user + 2])]
        place = {row: at for at, row in enumerate(pool.tolist())}
        alike = blend.percentiles_among(pool)  # lists of all levels are of the same movies
        of_levels = []
        for level in LEVELS:
            found = diversify(pool, LENGTH, level, alike)
            places = [place[row] for row in found.tolist()]
            pairs = alike[np.ix_(places, places)][np.triu_indices(found.size, 1)]
            hits = np.isin(found, wanted)
            of_levels += [ndcg(hits, wanted.size, LENGTH), float(pairs.mean()) if pairs.size else np.nan]
        rows.append(of_levels)
    values = np.array(rows).reshape(users.size, len(METRICS)).T
    known = ~np.isnan(values)
    measures = np.stack([np.where(known, values, 0), known], axis=1)
    return dict(zip(METRICS, measures, strict=True))
