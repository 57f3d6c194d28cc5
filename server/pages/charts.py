"""Plots as plain values; ``templates/plots.html`` draws them as SVG, with colours from the style sheet.

Positions are percentages of the plot's width and height: the plot fits any width, and its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

LEFT, RIGHT, TOP, BOTTOM = 13.0, 96.0, 5.0, 86.0  # percent: the edges of a chart's plotting area


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers behind a plot, as text."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, with an optional interval."""

    label: str
    value: float
    shown: str  # the value as text
    kind: str = "other"  # or "ours"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars from zero, each under its label."""

    name: str  # of the plot on its page; an id
    title: str
    caption: str
    axis: str
    bars: tuple[Bar, ...]
    table: Table
    most: float | None = None  # the value at full width; None for the longest bar
    shape: str = "bars"

    def percent(self, value: float) -> float:
        """Return the length of a value, in percent of the width."""
        longest = self.most or max(max(bar.value, bar.high or 0) for bar in self.bars)
        return round(100 * value / longest, 2) if longest else 0.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A point with its label and an optional interval, ``low`` to ``high``."""

    x: float
    y: float
    said: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """The points of one line."""

    label: str
    kind: str  # "ours", "other" or "guide": its style
    marks: tuple[Mark, ...]
    dots: bool = True


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over two axes."""

    name: str
    title: str
    caption: str
    x_axis: str
    y_axis: str
    series: tuple[Series, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    table: Table
    shape: str = field(default="chart")

    def x(self, value: float) -> float:
        """Return the position of a value on the x axis, in percent from the left."""
        return _placed(value, self.x_ticks, LEFT, RIGHT)

    def y(self, value: float) -> float:
        """Return the position of a value on the y axis, in percent from the top."""
        return _placed(value, self.y_ticks, BOTTOM, TOP)

    def line(self, series: Series) -> str:
        """Return the points of an SVG polyline, in a view box of 100 by 100."""
        return " ".join(f"{self.x(mark.x)},{self.y(mark.y)}" for mark in series.marks)


def ticks(values: Sequence[float], *, digits: int = 2, count: int = 4) -> tuple[tuple[float, str], ...]:
    """Return round tick values that cover ``values``, with their labels."""
    low, high = min(values), max(values)
    rough = max((high - low) / count, 1.01 * 10**-digits / 2)
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 5, 10) if size * each >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return tuple((each * step, f"{each * step:.{digits}f}") for each in range(first, last + 1))


def _placed(value: float, over: Sequence[tuple[float, str]], start: float, end: float) -> float:
    """Return the position of a value on an axis whose first tick is at ``start`` and whose last is at ``end``."""
    first, last = over[0][0], over[-1][0]
    return round(start + (end - start) * (value - first) / (last - first), 2)
