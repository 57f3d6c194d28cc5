"""Positions of marks on plots, computed by hand."""

from __future__ import annotations

import pytest

from server.pages.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Bar,
    Bars,
    Chart,
    Mark,
    Series,
    Table,
    ticks,
)

TABLE = Table(("a",), (("1",),))


def test_the_longest_bar_is_as_long_as_the_plot_and_zero_has_no_length() -> None:
    bars = Bars("b", "B", "", "", (Bar("x", 2, "2"), Bar("y", 0, "0"), Bar("z", 1, "1", low=0.5, high=4)), TABLE)
    assert [bars.percent(bar.value) for bar in bars.bars] == [50, 0, 25]
    assert bars.percent(4) == 100
    assert Bars("b", "B", "", "", (Bar("x", 0.5, ""),), TABLE, most=1).percent(0.5) == 50
    assert Bars("b", "B", "", "", (Bar("x", 0, ""),), TABLE).percent(0) == 0


def test_the_first_tick_is_where_the_axis_begins_and_the_last_where_it_ends() -> None:
    series = Series("s", "ours", (Mark(1, 0.5, ""), Mark(2, 1, "")))
    chart = Chart("c", "C", "", "", "", (series,), ((1, "1"), (2, "2")), ((0.5, ""), (1, "")), TABLE)
    assert (chart.x(1), chart.x(2)) == (LEFT, RIGHT)
    assert (chart.y(0.5), chart.y(1)) == (BOTTOM, TOP)
    assert chart.x(1.5) == (LEFT + RIGHT) / 2
    assert chart.line(series) == f"{LEFT},{BOTTOM} {RIGHT},{TOP}"


@pytest.mark.parametrize(
    ("values", "digits", "words"),
    [
        ((0.66, 0.83), 2, ["0.65", "0.70", "0.75", "0.80", "0.85"]),
        ((21, 100), 0, ["20", "40", "60", "80", "100"]),
        ((0.5, 0.5), 2, ["0.50", "0.51"]),
        ((0.61, 1.06), 1, ["0.6", "0.8", "1.0", "1.2"]),
        ((21, 22), 0, ["21", "22"]),
    ],
)
def test_ticks_are_round_and_hold_every_value(values: tuple[float, ...], digits: int, words: list[str]) -> None:
    found = ticks(values, digits=digits)
    assert [written for _, written in found] == words
    assert found[0][0] <= min(values) + 1e-9
    assert max(values) <= found[-1][0] + 1e-9
