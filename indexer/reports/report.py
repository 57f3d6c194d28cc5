"""The report of an evaluation: sections of plain values, kept as JSON and shown as one HTML page.

Sections of several runs on the same data set gather in one report; a new run of a section takes the place of the old.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from index.core.files import write_durably
from indexer.datasets.dataset import Dataset
from indexer.evaluation.contest import Contest
from indexer.evaluation.splits import PROTOCOLS
from indexer.metrics.estimate import Outcome, figures, value_of
from indexer.reports.report_html import render

JSON_FILE, PAGE_FILE = "report.json", "report.html"


def section(
    contest: Contest, outcomes: Iterable[Outcome], *, title: str, protocol: str, folds: int, seed: int
) -> dict[str, Any]:
    """What was found in one contest: every method's figures, with 95% bootstrap intervals and fold by fold."""
    by_method: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_method.setdefault(outcome.method, []).append(outcome)
    (first, *_) = by_method.values()
    return {
        "title": title,
        "protocol": protocol,
        "words": PROTOCOLS[protocol].words.format(folds=folds),
        "folds": len(first),
        "seed": seed,
        "held_out": sum(outcome.facts["held_out"] for outcome in first),
        "users_without_training_ratings": sum(outcome.facts["users_without_training_ratings"] for outcome in first),
        "methods": [_method(contest, name, found) for name, found in by_method.items()],
    }


def _method(contest: Contest, name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    settings = contest.methods[name].settings
    found = {figure: value and asdict(value) for figure, value in figures(outcomes, contest.figures).items()}
    report = {
        "method": name,
        "settings": asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else {},
        "figures": {figure: value for figure, value in found.items() if value is not None},
        "seconds": round(float(np.mean([outcome.facts["seconds"] for outcome in outcomes])), 2),
        "folds": [
            {figure: value_of(outcome, figure) for figure, value in found.items() if value is not None}
            for outcome in outcomes
        ],
    }
    if "catalogue_10" in outcomes[0].facts:
        report["catalogue_10"] = float(np.mean([outcome.facts["catalogue_10"] for outcome in outcomes]))
    if "curve" in outcomes[0].facts:
        report["curve"] = outcomes[0].facts["curve"]
    return report


def fingerprint(dataset: Dataset) -> str:
    """SHA-256 of ratings, movies and tags: reports of other data are not mixed."""
    digest = hashlib.sha256(repr((dataset.movies, sorted(dataset.tags.items()))).encode())
    ratings = dataset.ratings
    for array in (ratings.user_ids, ratings.movie_ids, ratings.values, ratings.timestamps):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def code_digest() -> str:
    """SHA-256 of the code that methods are made of: outcomes of other code are not taken for its own."""
    digest = hashlib.sha256()
    top = Path(__file__).parents[2]
    for file in sorted([*(top / "indexer").rglob("*.py"), *(top / "index").rglob("*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def write_report(folder: Path, dataset: Dataset | None, sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The report after ``sections`` were added to what the folder has. Files are written whole.

    Sections about ratings gather where they are of one data set, and give way to those of another. One about posters
    alone, written without a data set, says itself whose they are, and goes with any.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = _old_report(folder / JSON_FILE)
    about = old["dataset"] if dataset is None else _about(dataset)
    same = about is None or (old["dataset"] or about)["sha256"] == about["sha256"]
    before = {name: found for name, found in old["sections"].items() if same or found["kind"] == "look"}
    report = {"dataset": about, "version": version("posterity"), "sections": before | dict(sections)}
    write_durably(folder / JSON_FILE, json.dumps(report, ensure_ascii=False, indent=1).encode())
    write_durably(folder / PAGE_FILE, render(report).encode())
    return report


def _about(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "notice": dataset.notice,
        "ratings": len(dataset.ratings),
        "users": int(np.unique(dataset.ratings.user_ids).size),
        "movies": len(dataset.movies),
        "rated_movies": int(np.unique(dataset.ratings.movie_ids).size),
        "sha256": fingerprint(dataset),
    }


def _old_report(file: Path) -> dict[str, Any]:
    """What a run before has written; nothing where there is no report of ours, or a damaged one."""
    nothing: dict[str, Any] = {"dataset": None, "sections": {}}
    try:
        old: dict[str, Any] = json.loads(file.read_text())
        sound = all("kind" in found for found in old["sections"].values())
        sound = sound and (old["dataset"] is None or "sha256" in old["dataset"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return nothing
    return old if sound else nothing
