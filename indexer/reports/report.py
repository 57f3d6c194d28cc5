"""The report of an evaluation: sections of JSON values, written as a JSON file and an HTML page.

Several runs on the same data set share one report; a section replaces an older one of the same name.
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
from indexer.evaluation.splits import SPLITS
from indexer.metrics.estimate import FoldResult, estimate_metrics, fold_value
from indexer.reports.report_html import render

JSON_FILE, PAGE_FILE = "report.json", "report.html"


def section(
    contest: Contest, results: Iterable[FoldResult], *, title: str, split: str, folds: int, seed: int
) -> dict[str, Any]:
    """Return the section of a contest: metrics of every method, with 95% bootstrap intervals, and by fold."""
    by_method: dict[str, list[FoldResult]] = {}
    for result in results:
        by_method.setdefault(result.method, []).append(result)
    (first, *_) = by_method.values()
    return {
        "title": title,
        "protocol": split,
        "words": SPLITS[split].description.format(folds=folds),
        "folds": len(first),
        "seed": seed,
        "held_out": sum(result.facts["held_out"] for result in first),
        "users_without_training_ratings": sum(result.facts["users_without_training_ratings"] for result in first),
        "methods": [_method(contest, name, method_results) for name, method_results in by_method.items()],
    }


def _method(contest: Contest, name: str, results: Sequence[FoldResult]) -> dict[str, Any]:
    settings = contest.methods[name].settings
    estimates = {
        metric: asdict(estimate)
        for metric, estimate in estimate_metrics(results, contest.metrics).items()
        if estimate is not None
    }
    report = {
        "method": name,
        "settings": asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else {},
        "figures": estimates,
        "seconds": round(float(np.mean([result.facts["seconds"] for result in results])), 2),
        "folds": [{metric: fold_value(result, metric) for metric in estimates} for result in results],
    }
    if "catalogue_10" in results[0].facts:
        report["catalogue_10"] = float(np.mean([result.facts["catalogue_10"] for result in results]))
    if "curve" in results[0].facts:
        report["curve"] = results[0].facts["curve"]
    return report


def fingerprint(dataset: Dataset) -> str:
    """Return the SHA-256 of ratings, movies and tags, which tells reports of different data apart."""
    digest = hashlib.sha256(repr((dataset.movies, sorted(dataset.tags.items()))).encode())
    ratings = dataset.ratings
    for array in (ratings.user_ids, ratings.movie_ids, ratings.values, ratings.timestamps):
        if array is not None:
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def code_digest() -> str:
    """Return the SHA-256 of the code of all methods, so that saved results of other code are not used."""
    digest = hashlib.sha256()
    top = Path(__file__).parents[2]
    for file in sorted([*(top / "indexer").rglob("*.py"), *(top / "index").rglob("*.py")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def write_report(folder: Path, dataset: Dataset | None, sections: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Add sections to the report in a folder, and return the report. Files are written atomically.

    Sections on the ratings of another data set are dropped. The section on poster search is independent of the data
    set (``dataset`` None) and is always kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    old = _read_report(folder / JSON_FILE)
    about = old["dataset"] if dataset is None else _describe(dataset)
    same = about is None or (old["dataset"] or about)["sha256"] == about["sha256"]
    kept = {name: section for name, section in old["sections"].items() if same or section["kind"] == "look"}
    report = {"dataset": about, "version": version("posterity"), "sections": kept | dict(sections)}
    write_durably(folder / JSON_FILE, json.dumps(report, ensure_ascii=False, indent=1).encode())
    write_durably(folder / PAGE_FILE, render(report).encode())
    return report


def _describe(dataset: Dataset) -> dict[str, Any]:
    return {
        "name": dataset.name,
        "notice": dataset.notice,
        "ratings": len(dataset.ratings),
        "users": int(np.unique(dataset.ratings.user_ids).size),
        "movies": len(dataset.movies),
        "rated_movies": int(np.unique(dataset.ratings.movie_ids).size),
        "sha256": fingerprint(dataset),
    }


def _read_report(file: Path) -> dict[str, Any]:
    """Read a report; empty if the file is missing or invalid."""
    empty: dict[str, Any] = {"dataset": None, "sections": {}}
    try:
        report: dict[str, Any] = json.loads(file.read_text())
        valid = all("kind" in section for section in report["sections"].values())
        valid = valid and (report["dataset"] is None or "sha256" in report["dataset"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return empty
    return report if valid else empty
