"""The table of a report about the 2017 article: every method that the article names, with its figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from indexer.models.registry import SERVED
from indexer.ranking.methods import SERVED_RANKER


@dataclass(frozen=True, slots=True)
class Column:
    """A metric of one section of a report."""

    title: str
    section: str
    metric: str


@dataclass(frozen=True, slots=True)
class Row:
    """A method of the article, and its figures as value, low and high; None where the report has none."""

    title: str
    figures: tuple[Mapping[str, float] | None, ...]


_COLUMNS = (
    Column("RMSE", "ratings-kfold", "rmse"),
    Column("MSE, the article's protocol", "ratings-article", "mse"),
    Column("nDCG@10", "ranking-kfold", "ndcg_10"),
    Column("Recall@10", "ranking-kfold", "recall_10"),
    Column("Co-liked", "similarity", "co_liked"),
)
# Title -> names of the method in sections, one of which at most is in a section.
_METHODS: Mapping[str, Sequence[str]] = {
    "Cosine of users": ("user-cosine",),
    "Cosine of movies": ("item-cosine",),
    "Matrix factorisation by gradient descent": ("sgd",),
    "Matrix factorisation by least squares": ("als",),
    "Deep features of posters (VGG16), alone": ("poster",),
    "As served": (SERVED, SERVED_RANKER, "blend, default"),
}


def article_table(sections: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """Return the columns and rows of which a report has any figure."""
    columns = [(column, _figures(sections.get(column.section), column.metric)) for column in _COLUMNS]
    columns = [(column, found) for column, found in columns if found]
    rows = (
        Row(title, tuple(next((found[name] for name in names if name in found), None) for _, found in columns))
        for title, names in _METHODS.items()
    )
    return tuple(column for column, _ in columns), tuple(row for row in rows if any(row.figures))


def _figures(section: Mapping[str, Any] | None, metric: str) -> dict[str, Mapping[str, float]]:
    """Return method -> figure."""
    methods = [] if section is None else section["methods"]
    return {method["method"]: method["figures"][metric] for method in methods if metric in method["figures"]}
