"""Degenerate data sets: used as far as possible, or refused with a remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.core.errors import InvalidInput
from index.movie_index import MovieIndex
from indexer.build import build
from indexer.config import Plan
from indexer.evaluate import EvaluationConfig, run, tasks
from tests.conftest import QUICK

Rows = list[tuple[int, int, float, int]]

ODD: dict[str, Rows] = {
    "one user": [(1, movie, movie % 5 + 1, movie) for movie in range(1, 31)],
    "one movie": [(user, 1, user % 5 + 1, user) for user in range(1, 31)],
    "constant ratings": [(user, movie, 3, user * movie) for user in range(1, 8) for movie in range(1, 9)],
    "users with one rating each": [(user, user % 7 + 1, user % 5 + 1, user) for user in range(1, 31)],
    "nothing in common": [
        (user, 10 * user + at, (user + at) % 5 + 1, user) for user in range(1, 20) for at in range(1 if user % 2 else 8)
    ],
}
NO_PAIRS = "no user likes two movies of the held-out ratings"
FEW_RATINGS = "no user has more than 10 ratings"
# Sections that cannot be evaluated, with the reason; all others can.
REFUSED = {
    "one user": {"similarity": NO_PAIRS},
    "one movie": {"ratings by the protocol article": FEW_RATINGS, "ratings by the protocol cold": "1 rated movies cannot",
                  "similarity": NO_PAIRS},
    "constant ratings": {"ratings by the protocol article": FEW_RATINGS, "similarity": NO_PAIRS},
    "users with one rating each": {"ratings by the protocol article": FEW_RATINGS, "similarity": NO_PAIRS},
    "nothing in common": {"ratings by the protocol article": FEW_RATINGS, "similarity": "no two co-liked movies"},
}  # fmt: skip


def write(folder: Path, rows: Rows) -> Path:
    file = folder / "ratings.csv"
    lines = [",".join(map(str, row)) for row in rows]
    file.write_text("\n".join(["user,item,rating,timestamp", *lines]) + "\n")
    return file


@pytest.mark.parametrize("name", ODD)
def test_odd_ratings_can_be_built_from_and_asked(tmp_path: Path, name: str) -> None:
    build(Plan(write(tmp_path, ODD[name]), tmp_path / "data", settings=QUICK))
    index = MovieIndex.open(tmp_path / "data")
    user, movie, _, _ = ODD[name][0]
    low, high = min(row[2] for row in ODD[name]), max(row[2] for row in ODD[name])
    for who in (user, {movie: 3.0}, {}):
        (prediction,) = index.users.predict(who, [movie])
        assert low <= prediction.low <= prediction.rating <= prediction.high <= high
        recommended = [each.movie_id for each in index.users.recommend(who, 3)]
        assert len(set(recommended)) == len(recommended)
        (explanation,) = index.users.explain(who, [movie])
        assert np.isfinite([explanation.base, *(part.rated for part in explanation.contributions)]).all()


@pytest.mark.long
@pytest.mark.parametrize("name", ODD)
def test_odd_ratings_are_evaluated_as_far_as_they_go(tmp_path: Path, name: str) -> None:
    """These folds include users and movies without training ratings."""
    config = EvaluationConfig(write(tmp_path, ODD[name]), tmp_path / "report", folds=2, settings=QUICK)
    sections, warnings = run(config, "all")
    skipped = [warning for warning in warnings if warning.startswith("no ")]
    assert len(sections) + len(skipped) == len(tasks("all"))
    assert len(skipped) == len(REFUSED[name])
    for reason, (what, message) in zip(skipped, REFUSED[name].items(), strict=True):
        assert reason.startswith(f"no {what}")
        assert message in reason
    assert sections.pop("gallery")["movies"]  # shows their neighbours, without figures
    for section in sections.values():
        for method in section["methods"]:
            values = [value for figure in method["figures"].values() for value in figure.values()]
            assert values
            assert np.isfinite(values).all(), method["method"]


def test_users_without_training_ratings_are_counted(tmp_path: Path) -> None:
    rows = ODD["users with one rating each"]
    sections, _ = run(
        EvaluationConfig(write(tmp_path, rows), tmp_path / "report", folds=3, settings=QUICK, methods=["als"]),
        "ratings",
    )
    assert sections["ratings-kfold"]["users_without_training_ratings"] == 30


def test_a_protocol_that_the_ratings_do_not_allow_is_refused_where_it_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=FEW_RATINGS):
        run(EvaluationConfig(write(tmp_path, ODD["constant ratings"]), tmp_path / "report"), "ratings", ["article"])
