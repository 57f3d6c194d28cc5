"""The plots of the page "How good is it", from the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from index.answers.serialize import percent
from server.pages.charts import Bar, Bars, Chart, Mark, Series, Table, ticks

Evaluation = Mapping[str, Any]

OURS = "factorization-machine"
METHODS = {
    "global-mean": "The mean of all ratings",
    "user-mean": "Each person's own mean",
    "movie-mean": "Each film's mean",
    "biases": "Person and film together",
    "item-neighbours": "The 40 nearest films",
    OURS: "Posterity",
}
RANKERS = {
    "ease": "EASE",
    "implicit-als": "Implicit factors (ALS)",
    "ease and implicit-als": "The mean of both",
}
SPACES = {"poster": "Look", "taste": "Taste", "facts": "Facts"}
_INTERVAL = "95% interval"


def rmse_of(evaluation: Evaluation, method: str) -> float:
    """Return a method's RMSE on the held-out ratings."""
    return next(float(each["rmse"]["value"]) for each in evaluation["methods"] if each["method"] == method)


def rating_plots(evaluation: Evaluation, unit: str) -> tuple[Bars | Chart, ...]:
    """Return the plots of predicted ratings: against baselines, learning curve, calibration, by rating count.

    Args:
        evaluation: of the manifest.
        unit: unit of a rating, such as stars.
    """
    return (
        _against_baselines(evaluation, unit),
        _learning(evaluation, unit),
        _calibration(evaluation, unit),
        _by_ratings(evaluation, unit),
    )


def ranking_plot(validation: Mapping[str, Any], served: str) -> Bars:
    """Return the plot of the rankers that the build compared."""
    scores: Mapping[str, float] = validation["scores"]
    bars = tuple(
        Bar(RANKERS.get(name, name), score, f"{score:.3f}", "ours" if name == served else "other")
        for name, score in scores.items()
    )
    return Bars(
        "ranking",
        "Recommendations against held-out ratings",
        f"Each ranker orders all films by {1 - validation['share']:.0%} of the ratings; the rest are held out. 1 would"
        " put every held-out film first."
        f" This snapshot recommends by {RANKERS.get(served, served)}.",
        "nDCG of the first ten; longer is better",
        bars,
        Table(("Ranker", "nDCG@10"), tuple((bar.label, f"{bar.value:.4f}") for bar in bars)),
    )


def diversity_plot(found: Mapping[str, Any]) -> Chart:
    """Return the plot of what diverse recommendations cost, from the evaluation's ``diversity``."""
    lines = {"ndcg": ("Accuracy: nDCG of the first ten", "ours"), "alike": ("Likeness of two films of a list", "other")}
    said = {"ndcg": "nDCG {:.3f}", "alike": "two films of a list are more alike than {:.0%} of pairs"}
    series = tuple(
        Series(
            label,
            kind,
            tuple(
                Mark(
                    each["diversity"],
                    each[name]["value"],
                    f"Diversity {each['diversity']:g}: {said[name].format(each[name]['value'])}",
                    each[name]["low"],
                    each[name]["high"],
                )
                for each in found["levels"]
            ),
        )
        for name, (label, kind) in lines.items()
    )
    quarters = tuple((each / 4, f"{each / 4:g}") for each in range(5))
    return Chart(
        "diversity",
        "The price of diversity",
        "The more diverse a list is asked to be, the less alike its films are, and the fewer held-out films are among"
        f" them. Lists of ten for {found['users']:,} people, ordered without the learned ranker; likeness by the blend"
        " of taste and facts, as a share of random pairs that are less alike.",
        "Diversity asked for",
        "Accuracy; likeness",
        series,
        quarters,
        quarters,
        Table(
            ("Diversity", "nDCG@10", _INTERVAL, "Likeness"),
            tuple(
                (
                    f"{each['diversity']:g}",
                    f"{each['ndcg']['value']:.4f}",
                    f"{each['ndcg']['low']:.3f} to {each['ndcg']['high']:.3f}",
                    f"{each['alike']['value']:.1%}",
                )
                for each in found["levels"]
            ),
        ),
    )


def blend_plot(blend: Mapping[str, float]) -> Bars:
    """Return the plot of the blend's weights."""
    whole = sum(blend.values())
    bars = tuple(
        Bar(SPACES.get(name, name), weight / whole, f"{weight / whole:.0%}", "ours")
        for name, weight in sorted(blend.items(), key=lambda each: -each[1])
    )
    return Bars(
        "blend",
        "Weights of the blend",
        "Default weights of the spaces in the blend. The sliders on a film's page change them.",
        "Share of the whole",
        bars,
        Table(
            ("Space", "Weight", "Share"),
            tuple((SPACES.get(n, n), f"{w:g}", f"{w / whole:.0%}") for n, w in blend.items()),
        ),
        most=1,
    )


def poster_plots(report: Mapping[str, Any]) -> tuple[Bars, Bars]:
    """Return the plots of poster search against a full scan: recall and time."""
    tries = [("All films", report), *((_let_through(each["share"]), each) for each in report["filters"])]
    scan = report["full_scan_milliseconds"]
    table = Table(
        ("Search", "Recall@10", "Milliseconds"),
        (
            *((label, f"{each['recall_at_10']:.4f}", f"{each['milliseconds']:.2f}") for label, each in tries),
            ("Full scan, all films", "1", f"{scan:.2f}"),
        ),
    )
    few = "" if report["milliseconds"] < scan else " So few posters are compared one by one as fast."
    recall = Bars(
        "recall",
        "Recall of the quick search",
        "Share of the ten nearest posters that the quick search finds, against a comparison with every poster."
        f" Measured on {report['queries']} of this snapshot's posters, among all films and with filters.",
        "Recall@10",
        tuple(Bar(label, each["recall_at_10"], percent(each["recall_at_10"]), "ours") for label, each in tries),
        table,
        most=1,
    )
    times = Bars(
        "speed",
        "How long a search takes",
        "The median of single searches, when this snapshot was built, on the machine that built it." + few,
        "Milliseconds; shorter is better",
        (
            *(Bar(label, each["milliseconds"], _milliseconds(each["milliseconds"]), "ours") for label, each in tries),
            Bar("Full scan, all films", scan, _milliseconds(scan)),
        ),
        table,
    )
    return recall, times


def _let_through(share: float) -> str:
    return f"A filter that lets {100 * share:g}% through"


def _milliseconds(value: float) -> str:
    return f"{value:.2f} ms" if value < 1 else f"{value:.1f} ms"


def _against_baselines(evaluation: Evaluation, unit: str) -> Bars:
    methods = sorted(evaluation["methods"], key=lambda each: float(each["rmse"]["value"]))
    names = {each["method"]: METHODS.get(each["method"], each["method"]) for each in methods}
    bars = tuple(
        Bar(
            names[each["method"]],
            each["rmse"]["value"],
            f"{each['rmse']['value']:.3f}",
            "ours" if each["method"] == OURS else "other",
            each["rmse"]["low"],
            each["rmse"]["high"],
        )
        for each in methods
    )
    rows = tuple(
        (
            names[each["method"]],
            f"{each['rmse']['value']:.4f}",
            f"{each['rmse']['low']:.3f} to {each['rmse']['high']:.3f}",
            f"{each['mae']['value']:.4f}",
        )
        for each in methods
    )
    return Bars(
        "against",
        "Against simpler guesses",
        "Root mean square error of each way to guess a rating, on the same held-out ratings. The thin line is the 95%"
        " interval.",
        f"RMSE in {unit}; shorter is better",
        bars,
        Table(("Guess", "RMSE", _INTERVAL, "MAE"), rows),
    )


def _learning(evaluation: Evaluation, unit: str) -> Chart:
    curve = evaluation["curve"]
    beside = rmse_of(evaluation, "biases")
    lines = {
        "mean": ("All samples so far, together", "ours", "the mean of all samples so far"),
        "sample": ("One sample alone", "other", "that sample alone"),
    }
    series = [
        Series(
            label,
            kind,
            tuple(
                Mark(stop["iteration"], stop[name], f"Iteration {stop['iteration']}: {said} is off by {stop[name]:.3f}")
                for stop in curve
            ),
        )
        for name, (label, kind, said) in lines.items()
    ]
    first, last = curve[0]["iteration"], curve[-1]["iteration"]
    x_ticks = ticks((first, last), digits=0)
    ends = tuple(Mark(at, beside, f"{beside:.3f}") for at, _ in (x_ticks[0], x_ticks[-1]))
    series.append(Series("Person and film together", "guide", ends, dots=False))
    values = [beside, *(stop[name] for stop in curve for name in lines)]
    return Chart(
        "learning",
        "How it learns",
        "Each iteration of the sampler draws one model that fits the ratings. One draw alone is a rough guess; the mean"
        " of all draws so far improves, then levels off.",
        "Iterations",
        f"RMSE in {unit}; lower is better",
        tuple(series),
        x_ticks,
        ticks(values),
        Table(
            ("Iteration", "All so far", "Alone"),
            tuple((str(stop["iteration"]), f"{stop['mean']:.4f}", f"{stop['sample']:.4f}") for stop in curve),
        ),
    )


def _calibration(evaluation: Evaluation, unit: str) -> Chart:
    intervals = evaluation["intervals"]
    marks = tuple(
        Mark(
            each["level"],
            each["inside"]["value"],
            f"Intervals meant to hold {each['level']:.0%} hold {each['inside']['value']:.1%}",
            each["inside"]["low"],
            each["inside"]["high"],
        )
        for each in intervals
    )
    percents = tuple((each / 100, f"{each}%") for each in (0, 25, 50, 75, 100))
    middle = next(each for each in intervals if each["level"] == 0.8)
    return Chart(
        "calibration",
        "How sure it is",
        f"Every prediction has an interval. The 80% intervals are {middle['width']:.1f} {unit} wide on average and"
        f" hold {middle['inside']['value']:.0%} of held-out ratings. On the diagonal intervals hold as much as they"
        " should; below it, they are too narrow.",
        "Meant to hold",
        "Held-out ratings inside",
        (
            Series("As sure as it should be", "guide", (Mark(0, 0, ""), Mark(1, 1, "")), dots=False),
            Series("This snapshot", "ours", marks),
        ),
        percents,
        percents,
        Table(
            ("Meant to hold", "Holds", _INTERVAL, f"Width in {unit}"),
            tuple(
                (
                    f"{each['level']:.0%}",
                    f"{each['inside']['value']:.1%}",
                    f"{each['inside']['low']:.1%} to {each['inside']['high']:.1%}",
                    f"{each['width']:.2f}",
                )
                for each in intervals
            ),
        ),
    )


def _by_ratings(evaluation: Evaluation, unit: str) -> Chart:
    bands = evaluation["by_ratings"]
    series = []
    for name, kind in (("biases", "other"), (OURS, "ours")):
        marks = []
        for at, band in enumerate(bands):
            rmse = band["rmse"][name]
            said = f"{METHODS[name]}: {rmse['value']:.3f} for films with {_band(band)} ratings"
            marks.append(Mark(at + (0.06 if kind == "ours" else -0.06), rmse["value"], said, rmse["low"], rmse["high"]))
        series.append(Series(METHODS[name], kind, tuple(marks)))
    ends = [mark.low or 0 for each in series for mark in each.marks] + [
        mark.high or 0 for each in series for mark in each.marks
    ]
    inner = tuple((float(at), f"{band['least']}+") for at, band in enumerate(bands))
    return Chart(
        "by-ratings",
        "Known films and unknown ones",
        "Films with many ratings are easier to predict than films with few. Films are grouped by their number of"
        " training ratings; the thin lines are 95% intervals.",
        "Ratings that a film has, at least",
        f"RMSE in {unit}; lower is better",
        tuple(series),
        ((-0.5, ""), *inner, (len(bands) - 0.5, "")),
        ticks(ends, digits=1),
        Table(
            ("Ratings of the film", "Posterity", _INTERVAL, METHODS["biases"], "Held-out ratings"),
            tuple(
                (
                    _band(band),
                    f"{band['rmse'][OURS]['value']:.4f}",
                    f"{band['rmse'][OURS]['low']:.3f} to {band['rmse'][OURS]['high']:.3f}",
                    f"{band['rmse']['biases']['value']:.4f}",
                    f"{band['held_out']:,}",
                )
                for band in bands
            ),
        ),
    )


def _band(band: Mapping[str, Any]) -> str:
    return f"{band['least']:,} or more" if band["most"] is None else f"{band['least']} to {band['most']}"
