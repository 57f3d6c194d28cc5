"""Shared style of all plots of a report, and their rendering to SVG."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, ACCENT, SECOND, THIRD = "#25232e", "#77758a", "#b5791a", "#4a6fa5", "#5d8a4e"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # keep text as text
    "svg.hashsalt": "posterity",  # deterministic output
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
}


def svg(draw: Callable[[Sequence[Axes]], None], panels: int, *, height: float) -> Markup:
    """Return an SVG of ``panels`` axes side by side, drawn by ``draw``; height in inches."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9.5 if panels > 1 else 7.5, height), layout="constrained")
        draw(figure.subplots(1, panels, squeeze=False)[0].tolist())
        stream = io.StringIO()
        figure.savefig(
            stream, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    text = stream.getvalue()
    return Markup(text[text.index("<svg") :])  # noqa: S704  matplotlib escapes text
