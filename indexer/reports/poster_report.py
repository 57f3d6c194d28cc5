"""The section on poster search of a report: tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from indexer.evaluation.poster_search import LENGTHS
from indexer.reports.plots import ACCENT, MUTED, SECOND, THIRD, svg

_COLOURS = (ACCENT, THIRD, SECOND, MUTED)  # of VGG16's vectors and the baselines
_ALTERNATE_COLUMNS = {
    "recall_1": "Found first",
    "recall_1_gain": "More than by raw vectors",
    "recall_5": "Among 5",
    "recall_10": "Among 10",
    "reciprocal_rank": "Mean reciprocal rank",
}
_UNTRAINED = (
    "The weights are untrained: drawn at random from a seed. VGG16's metrics below do not predict those with ImageNet"
    " weights."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """An estimate as text."""

    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table."""

    name: str
    words: str  # description of the name; may be empty
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of estimates with its explanation and plot."""

    title: str
    words: str
    columns: Sequence[str]  # the first is the column of row names
    rows: Sequence[Row]
    plot: Markup | None = None


def described(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template's values: ``words``, ``caution`` (may be empty), and ``tables`` with plots."""
    robustness, scores, *alternates = tables(section)
    plotted = [replace(robustness, plot=_robustness_plot(section)), scores]
    plotted += [replace(table, plot=_recall_plot(section)) for table in alternates]
    return {"words": words(section), "caution": caution(section), "tables": plotted}


def words(section: Mapping[str, Any]) -> str:
    """Describe the searched posters."""
    return (
        f"{section['posters']:,} posters in the folder {section['folder']}; every query is compared with all of them."
    )


def caution(section: Mapping[str, Any]) -> str:
    """Return a warning if VGG16's weights are untrained, else an empty string."""
    return _UNTRAINED if section["weights"] == "untrained" else ""


def tables(section: Mapping[str, Any]) -> list[Table]:
    """Return the tables: recall@1 of distorted posters, their scores, and recall of alternates if there are any."""
    methods = [method["method"] for method in section["distortions"][0]["methods"]]
    distorted = section.get("distorted", section["posters"])  # reports of earlier versions distort all
    robustness = Table(
        "Distorted posters that find their original first",
        f"{distorted:,} posters, with 95% bootstrap intervals over them. A bootstrap interval of 100% has no width:"
        f" with 95% confidence, at least {_lower_bound(distorted):.1%} of such posters find their original.",
        ["Distortion", *methods],
        [
            Row(distortion["distortion"], distortion["words"], _cells(distortion["methods"], "recall_1"))
            for distortion in section["distortions"]
        ],
    )
    scores = Table(
        "Their median score with the original",
        "Compare scores of a method with its last row only, the median score of an undistorted poster with its nearest"
        " neighbour. Scores of different methods have different scales.",
        ["Distortion", *methods],
        [
            *(
                Row(distortion["distortion"], "", _cells(distortion["methods"], "score"))
                for distortion in section["distortions"]
            ),
            Row("the nearest other poster", "", _cells(section["nearest_other"], "score")),
        ],
    )
    if not section["alternates"]:
        return [robustness, scores]
    shown = {name: title for name, title in _ALTERNATE_COLUMNS.items() if name in section["methods"][0]["figures"]}
    alternates = Table(
        "Alternate artwork that finds the movie's poster",
        f"{section['alternates']:,} images, with 95% bootstrap intervals over them.",
        ["Method", *shown.values()],
        [
            Row(method["method"], "", [_cell(name, method["figures"][name]) for name in shown])
            for method in section["methods"]
        ],
    )
    return [robustness, scores, alternates]


def _lower_bound(n: int) -> float:
    """Return the lower end of the exact one-sided 95% confidence interval of a share, from n successes in n trials."""
    return float(0.05 ** (1 / n))


def _cells(methods: Sequence[Mapping[str, Any]], metric: str) -> list[Cell]:
    return [_cell(metric, method["figures"][metric]) for method in methods]


def _cell(metric: str, estimate: Mapping[str, float]) -> Cell:
    form = "{:+.1%}" if metric.endswith("gain") else "{:.1%}" if metric.startswith("recall") else "{:.4f}"
    value, low, high = (form.format(estimate[end]) for end in ("value", "low", "high"))
    return Cell(value, f"{low} to {high}")


def _robustness_plot(section: Mapping[str, Any]) -> Markup:
    distortions = section["distortions"]
    methods = [method["method"] for method in distortions[0]["methods"]]

    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        for at, (method, colour) in enumerate(zip(methods, _COLOURS, strict=False)):
            for row, distortion in enumerate(reversed(distortions)):
                estimate = distortion["methods"][at]["figures"]["recall_1"]
                y = row + 0.2 * (1.5 - at)
                ends = [100 * estimate["low"], 100 * estimate["high"]]
                axis.plot(ends, [y, y], color=colour, linewidth=3, alpha=0.45)
                label = method if row == 0 else None
                axis.plot(100 * estimate["value"], y, "o", color=colour, markersize=5, label=label)
        axis.set_yticks(range(len(distortions)), [distortion["distortion"] for distortion in reversed(distortions)])
        axis.set(xlabel="Find their original first (%)", xlim=(-2, 102), ylim=(-0.6, len(distortions) - 0.4))
        axis.grid(axis="x", color="#ddd", linewidth=0.6)
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 1, height=0.8 + 0.42 * len(distortions))


def _recall_plot(section: Mapping[str, Any]) -> Markup:
    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        for method, colour in zip(section["methods"], _COLOURS, strict=False):
            recalls = {k: method["figures"][f"recall_{k}"] for k in LENGTHS if f"recall_{k}" in method["figures"]}
            lows, values, highs = (
                [100 * estimate[end] for estimate in recalls.values()] for end in ("low", "value", "high")
            )
            axis.fill_between(list(recalls), lows, highs, color=colour, alpha=0.15, linewidth=0)
            axis.plot(list(recalls), values, "o-", color=colour, markersize=4, label=method["method"])
        axis.set_xscale("log")
        axis.set_xticks(list(recalls), [str(k) for k in recalls])
        axis.minorticks_off()
        axis.set(xlabel="k", ylabel="Recall@k (%)", ylim=(0, 102))
        axis.grid(color="#ddd", linewidth=0.6)
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 1, height=3)
