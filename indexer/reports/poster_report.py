"""The section on look, as it is read: in words, tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes

from indexer.evaluation.poster_search import LENGTHS
from indexer.reports.plots import ACCENT, MUTED, SECOND, svg

_COLOURS = (ACCENT, SECOND, MUTED)  # of VGG16 and the plain looks
_ALTERNATE_COLUMNS = {
    "recall_1": "Found first",
    "recall_5": "Among 5",
    "recall_10": "Among 10",
    "reciprocal_rank": "Mean reciprocal rank",
}
_UNTRAINED = (
    "The weights are untrained: drawn at random from a seed. VGG16's figures below say nothing of what it does with"
    " ImageNet weights."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure as it is shown; both are empty where there is none."""

    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table."""

    name: str
    words: str  # what the name stands for; may be empty
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of figures, and what they say."""

    title: str
    words: str
    columns: Sequence[str]  # the first one is of the rows' names
    rows: Sequence[Row]
    plot: Markup | None = None


def described(section: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows: ``words``, a ``caution`` that may be empty, and ``tables`` with plots."""
    found_first, scores, *alternates = tables(section)
    plotted = [Table(found_first.title, found_first.words, found_first.columns, found_first.rows, _robustness(section))]
    plotted.append(scores)
    plotted += [Table(table.title, table.words, table.columns, table.rows, _by_length(section)) for table in alternates]
    return {"words": words(section), "caution": caution(section), "tables": plotted}


def words(section: Mapping[str, Any]) -> str:
    """What was searched."""
    return f"{section['posters']:,} posters in the folder {section['folder']}, each compared with all of them."


def caution(section: Mapping[str, Any]) -> str:
    """What has to be known before VGG16's figures are read; empty where there is nothing."""
    return _UNTRAINED if section["weights"] == "untrained" else ""


def tables(section: Mapping[str, Any]) -> list[Table]:
    """How many distorted posters find themselves, how high they score; and what alternate artwork finds, if any."""
    looks = [method["method"] for method in section["distortions"][0]["methods"]]
    found_first = Table(
        "Distorted posters that find themselves first",
        "With 95% bootstrap intervals over posters. Where all of them do, the bootstrap has nothing to draw an interval"
        f" from: of posters like these at least {_sure(section['posters']):.1%} would, with 95% confidence.",
        ["Distortion", *looks],
        [
            Row(each["distortion"], each["words"], _cells(each["methods"], "recall_1"))
            for each in section["distortions"]
        ],
    )
    scores = Table(
        "Their median score with themselves",
        "Scores of one look cannot be compared with those of another, but with the last line: how high the other poster"
        " that is most like an undistorted one scores.",
        ["Distortion", *looks],
        [
            *(Row(each["distortion"], "", _cells(each["methods"], "score")) for each in section["distortions"]),
            Row("the nearest other poster", "", _cells(section["nearest_other"], "score")),
        ],
    )
    if not section["alternates"]:
        return [found_first, scores]
    shown = {name: title for name, title in _ALTERNATE_COLUMNS.items() if name in section["methods"][0]["figures"]}
    alternates = Table(
        "Other artwork that finds the poster of its film",
        f"{section['alternates']:,} pictures, with 95% bootstrap intervals over them.",
        ["Look", *shown.values()],
        [
            Row(method["method"], "", [_cell(name, method["figures"].get(name)) for name in shown])
            for method in section["methods"]
        ],
    )
    return [found_first, scores, alternates]


def _sure(n: int) -> float:
    """The least share that is likely where all of n succeed: one lower would make that happen in under 5% of cases."""
    return float(0.05 ** (1 / n))


def _cells(methods: Sequence[Mapping[str, Any]], figure: str) -> list[Cell]:
    return [_cell(figure, method["figures"][figure]) for method in methods]


def _cell(name: str, figure: Mapping[str, float]) -> Cell:
    form = "{:.1%}" if name.startswith("recall") else "{:.4f}"
    value, low, high = (form.format(figure[end]) for end in ("value", "low", "high"))
    return Cell(value, f"{low} to {high}")


def _robustness(section: Mapping[str, Any]) -> Markup:
    distortions = section["distortions"]
    looks = [method["method"] for method in distortions[0]["methods"]]

    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        for at, (look, colour) in enumerate(zip(looks, _COLOURS, strict=True)):
            for row, distortion in enumerate(reversed(distortions)):
                figure = distortion["methods"][at]["figures"]["recall_1"]
                place = row + 0.22 * (1 - at)
                ends = [100 * figure["low"], 100 * figure["high"]]
                axis.plot(ends, [place, place], color=colour, linewidth=3, alpha=0.45)
                label = look if row == 0 else None
                axis.plot(100 * figure["value"], place, "o", color=colour, markersize=5, label=label)
        axis.set_yticks(range(len(distortions)), [distortion["distortion"] for distortion in reversed(distortions)])
        axis.set(xlabel="Find themselves first (%)", xlim=(-2, 102), ylim=(-0.6, len(distortions) - 0.4))
        axis.grid(axis="x", color="#ddd", linewidth=0.6)
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 1, height=0.8 + 0.42 * len(distortions))


def _by_length(section: Mapping[str, Any]) -> Markup:
    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        for method, colour in zip(section["methods"], _COLOURS, strict=True):
            found = {k: method["figures"].get(f"recall_{k}") for k in LENGTHS}
            there = {k: figure for k, figure in found.items() if figure is not None}
            lows, values, highs = ([100 * figure[end] for figure in there.values()] for end in ("low", "value", "high"))
            axis.fill_between(list(there), lows, highs, color=colour, alpha=0.15, linewidth=0)
            axis.plot(list(there), values, "o-", color=colour, markersize=4, label=method["method"])
        axis.set_xscale("log")
        axis.set_xticks(list(there), [str(k) for k in there])
        axis.minorticks_off()
        axis.set(xlabel="Length of the list", ylabel="Its poster is in it (%)", ylim=(0, 102))
        axis.grid(color="#ddd", linewidth=0.6)
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 1, height=3)
