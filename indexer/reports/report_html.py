"""The report as one self-contained HTML page of tables and inline SVG plots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.axes import Axes

from indexer.evaluation.contest import FEW, LEVELS
from indexer.metrics.diversity import LEVELS as LEVELS_OF_DIVERSITY
from indexer.metrics.diversity import metric
from indexer.metrics.ranking import LENGTHS
from indexer.reports import poster_report
from indexer.reports.article_table import article_table
from indexer.reports.plots import ACCENT, MUTED, SECOND, svg

RATING_COLUMNS = {"rmse": "RMSE", "mae": "MAE", "mse": "MSE", "inside_80": "In 80% interval", "width_80": "Its width"}
RANKING_COLUMNS = {
    "ndcg_10": "nDCG@10",
    "recall_10": "Recall@10",
    "recall_20": "Recall@20",
    "hit_10": "Hit rate@10",
    "liked_ndcg_10": "nDCG@10, liked",
    "novelty_10": "Novelty@10 (bits)",
}
PERCENT = ("inside", "hit", "catalogue")
SIMILARITY_COLUMNS = {
    "co_liked": "Co-liked",
    "genres": "Genres",
    "tags": "Tags",
    "series": "Series",
    "people": "People",
    "judged": "Judged pairs",
}

_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30)  # of a logarithmic axis


def render(report: Mapping[str, Any]) -> str:
    """Return the HTML page of a report (``indexer.reports.report``)."""
    templates = environment()
    templates.filters["cell"] = cell
    sections = [_described(name, section) for name, section in report["sections"].items()]
    columns, rows = article_table(report["sections"])
    return templates.get_template("report.html").render(
        report=report, sections=sections, few=FEW, article_columns=columns, article_rows=rows
    )


def environment() -> Environment:
    """Return the templates of this package."""
    return Environment(
        loader=PackageLoader("indexer.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def cell(name: str, value: float | None) -> str:
    """Format a metric: shares in percent, others with four decimals, None as an empty string."""
    if value is None:
        return ""
    return f"{value:.1%}" if name.startswith(PERCENT) else f"{value:.4f}"


def diverse_lists(figures: Mapping[str, Any]) -> dict[float, tuple[float, float]]:
    """Return diversity -> nDCG and likeness of lists, of a method's figures; empty of one without them."""
    return {
        level: (figures[ndcg]["value"], figures[alike]["value"])
        for level in LEVELS_OF_DIVERSITY
        if (ndcg := metric("ndcg", level)) in figures and (alike := metric("alike", level)) in figures
    }


def _described(name: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template's values for a section."""
    kind = name.partition("-")[0]
    if kind == "look":
        return {"name": name, **poster_report.described(section), **section}
    columns = {"ratings": RATING_COLUMNS, "ranking": RANKING_COLUMNS, "similarity": SIMILARITY_COLUMNS}[kind]
    present = {
        key: title for key, title in columns.items() if any(key in method["figures"] for method in section["methods"])
    }
    levels = _levels(section["methods"]) if kind == "ratings" else []
    plots = draw_plots(kind, json.dumps(section))
    return {"name": name, "kind": kind, "columns": present, "levels": levels, "plots": plots, **section}


@lru_cache(maxsize=32)
def draw_plots(kind: str, section: str) -> tuple[tuple[str, Markup], ...]:
    """Return (title, SVG) of each plot of a section, given as JSON.

    The cache avoids redrawing finished sections, since the page is written after every section.
    """
    draw: dict[str, Callable[[Mapping[str, Any]], list[tuple[str, Markup]]]] = {
        "ratings": _rating_plots, "ranking": _ranking_plots, "similarity": _similarity_plots,
    }  # fmt: skip
    return tuple(draw[kind](json.loads(section)))


def _levels(methods: Sequence[Mapping[str, Any]]) -> list[tuple[int, list[str]]]:
    """Return coverage and width of the intervals by level, for all users and for those with few ratings.

    They are of the last method with intervals, the served one.
    """
    names = ("inside_{}", "width_{}", "few_inside_{}", "few_width_{}")
    with_intervals = [method["figures"] for method in methods if "inside_80" in method["figures"]]
    if not with_intervals:
        return []
    return [(level, [_value(with_intervals[-1], name.format(level)) for name in names]) for level in LEVELS]


def _value(figures: Mapping[str, Any], name: str) -> str:
    return cell(name.removeprefix("few_"), figures[name]["value"]) if name in figures else ""


def _rating_plots(section: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    methods = section["methods"]
    plots = [("Error, with 95% bootstrap intervals over users", _dot_plot(methods, {"rmse": "RMSE", "mae": "MAE"}))]
    with_intervals = [method for method in methods if "inside_80" in method["figures"]]
    if with_intervals:
        plots.append(("Coverage of the intervals on held-out ratings", _calibration(with_intervals[-1]["figures"])))
    curves = {method["method"]: method["curve"] for method in methods if "curve" in method}
    plots += [(f"Learning curve of {name}, first fold", _learning_curve(curve)) for name, curve in curves.items()]
    return plots


def _ranking_plots(section: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    methods = section["methods"]
    plots = [
        ("nDCG by length of the list", _curves(methods, "ndcg", "nDCG@k")),
        ("Recall by length of the list", _curves(methods, "recall", "Recall@k")),
        ("Catalogue coverage and novelty of the top ten", _coverage(methods)),
    ]
    if diverse := diverse_lists(methods[-1]["figures"]):
        plots.append((f"Accuracy and likeness of diverse lists, {methods[-1]['method']}", _diversity(diverse)))
    return plots


def _similarity_plots(section: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    shown = {
        name: title for name, title in SIMILARITY_COLUMNS.items() if name in {"co_liked", "series", "people", "judged"}
    }
    shown = {name: title for name, title in shown.items() if any(name in m["figures"] for m in section["methods"])}
    return [("Share of pairs in the right order (0.5 is chance)", _dot_plot(section["methods"], shown))]


def _dot_plot(methods: Sequence[Mapping[str, Any]], metrics: Mapping[str, str]) -> Markup:
    """Plot a dot with its interval for each method, one panel per metric (name -> title)."""

    def draw(axes: Sequence[Axes]) -> None:
        for axis, (name, title) in zip(axes, metrics.items(), strict=True):
            for at, method in enumerate(reversed(methods)):
                estimate = method["figures"].get(name)
                if estimate is None:
                    continue
                colour = ACCENT if at == 0 else SECOND
                axis.plot([estimate["low"], estimate["high"]], [at, at], color=colour, linewidth=3, alpha=0.45)
                axis.plot(estimate["value"], at, "o", color=colour, markersize=5)
            names = [method["method"] for method in reversed(methods)]
            axis.set_yticks(range(len(methods)), names if axis is axes[0] else [""] * len(names))
            axis.set_ylim(-0.7, len(methods) - 0.3)
            axis.set_title(title)
            axis.grid(axis="x", color="#ddd", linewidth=0.6)
            ends = [m["figures"][name][end] for m in methods if name in m["figures"] for end in ("low", "high")]
            if min(ends) > 0 and max(ends) > 2.5 * min(ends):
                axis.set_xscale("log")
                axis.set_xticks(ticks := [tick for tick in _TICKS if min(ends) <= tick <= max(ends)], map(str, ticks))
                axis.minorticks_off()

    return svg(draw, len(metrics), height=0.6 + 0.27 * len(methods))


def _calibration(estimates: Mapping[str, Any]) -> Markup:
    def draw(axes: Sequence[Axes]) -> None:
        coverage, width = axes
        coverage.plot([40, 100], [40, 100], color=MUTED, linewidth=1, linestyle="--", label="nominal")
        for prefix, label, colour in (("", "all users", ACCENT), ("few_", f"under {FEW} ratings", SECOND)):
            levels = [level for level in LEVELS if f"{prefix}inside_{level}" in estimates]
            if not levels:
                continue
            inside = [100 * estimates[f"{prefix}inside_{level}"]["value"] for level in levels]
            coverage.plot(levels, inside, "o-", color=colour, label=label, markersize=5)
            widths = [estimates[f"{prefix}width_{level}"]["value"] for level in levels]
            width.plot(levels, widths, "o-", color=colour, label=label, markersize=5)
        coverage.set(xlabel="Interval (%)", ylabel="Ratings inside (%)", title="Coverage")
        width.set(xlabel="Interval (%)", ylabel="Stars", title="Mean width", ylim=(0, None))
        coverage.legend(frameon=False)

    return svg(draw, 2, height=3)


def _learning_curve(curve: Sequence[Sequence[Any]]) -> Markup:
    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        epochs = range(1, len(curve) + 1)
        axis.plot(epochs, [point[0] for point in curve], color=SECOND, label="training")
        if curve[0][1] is not None:
            axis.plot(epochs, [point[1] for point in curve], color=ACCENT, label="held out")
        axis.set(xlabel="Epoch", ylabel="RMSE")
        axis.grid(color="#ddd", linewidth=0.6)
        axis.legend(frameon=False)

    return svg(draw, 1, height=2.8)


def _curves(methods: Sequence[Mapping[str, Any]], metric: str, title: str) -> Markup:
    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        colours = mpl.colormaps["tab10"].colors  # type: ignore[attr-defined]
        for at, method in enumerate(methods):
            values = [method["figures"][f"{metric}_{k}"]["value"] for k in LENGTHS]
            last = at == len(methods) - 1
            style = {"color": ACCENT, "linewidth": 2.5} if last else {"color": colours[at % 10], "linewidth": 1.3}
            axis.plot(LENGTHS, values, "o-", markersize=4, label=method["method"], **style)
        axis.set_xscale("log")
        axis.set_xticks(LENGTHS, [str(k) for k in LENGTHS])
        axis.minorticks_off()
        axis.set(xlabel="k", ylabel=title, ylim=(0, None))
        axis.grid(color="#ddd", linewidth=0.6)
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    return svg(draw, 1, height=3)


def _diversity(lists: Mapping[float, tuple[float, float]]) -> Markup:
    """Plot nDCG against likeness within lists, a point for each diversity."""

    def draw(axes: Sequence[Axes]) -> None:
        (axis,) = axes
        alike, accuracy = [100 * likeness for _, likeness in lists.values()], [value for value, _ in lists.values()]
        axis.plot(alike, accuracy, "o-", color=ACCENT, markersize=5)
        for level, x, y in zip(lists, alike, accuracy, strict=True):
            axis.annotate(f"{level:g}", (x, y), (4, -12), textcoords="offset points")
        axis.set(xlabel="Percentile of two movies of a list by likeness (%)", ylabel="nDCG@10", ylim=(0, None))
        axis.grid(color="#ddd", linewidth=0.6)

    return svg(draw, 1, height=2.8)


def _coverage(methods: Sequence[Mapping[str, Any]]) -> Markup:
    def draw(axes: Sequence[Axes]) -> None:
        share, novelty = axes
        names = [method["method"] for method in reversed(methods)]
        colours = [ACCENT, *[SECOND] * (len(methods) - 1)]
        share.barh(names, [100 * method["catalogue_10"] for method in reversed(methods)], color=colours, height=0.6)
        share.set(xlabel="Movies in some user's top ten (%)", title="Catalogue coverage")
        bits = [method["figures"]["novelty_10"]["value"] for method in reversed(methods)]
        novelty.barh(names, bits, color=colours, height=0.6)
        novelty.set(xlabel="Mean self-information of the top ten (bits)", title="Novelty")

    return svg(draw, 2, height=0.9 + 0.27 * len(methods))
