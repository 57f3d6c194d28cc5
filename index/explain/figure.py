"""Figure of poster similarity: both posters side by side under a colour map of their likeness, matches joined by lines.

Colours show the gap between the same cell of both posters relative to random pairs, from blue (equal) to yellow (a
hundredth), on a log scale. Brightness increases along the scale, so it is readable without colour vision. Each cell is
compared with the one at its position, so both posters have the same colours; lines join matches at any positions.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from index.core.arrays import Float64Array
from index.explain.cells import SIDE, Comparison

_FONTS = Path(__file__).parent / "fonts"  # Latin, Greek and Cyrillic; other letters are drawn as boxes

# All in pixels of the figure.
_BOX = (360, 540)  # maximal size of a poster
_MARGIN = 36
_BETWEEN = 96
_WIDTH = 2 * (_MARGIN + _BOX[0]) + _BETWEEN
_LEGEND = 44  # height
_BAR = (280, 12)
_MARKER = 13  # radius
_BOW = 8  # rise of a curve per column: straight lines of one row would overlap
_OVERSAMPLING = 3  # of text and lines, which Pillow draws with hard edges and uneven spacing

_GROUND = (16, 17, 22)
_WHITE = (255, 255, 255)

_FULL = 2.0  # decades: a gap of a hundredth of the baseline has the last colour
_SCALE = ((0.0, "la", "as any two"), (0.5, "ma", "10 times closer"), (1.0, "ra", "100 times"))
# Anchors of matplotlib's "plasma" (Smith and van der Walt, https://bids.github.io/colormap).
_COLOURS = np.array([(13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)], dtype=np.float64)
_OPACITY = 0.58  # of the colours

Size = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two posters, and the title below it."""

    picture: Image.Image
    title: str


@dataclass(frozen=True, slots=True)
class _Style:
    """Text style."""

    size: int
    pitch: int  # distance of baselines
    colour: tuple[int, int, int]
    bold: bool = False


_TITLE = _Style(20, 25, (236, 234, 240), bold=True)
_HEADLINE = _Style(22, 29, (236, 234, 240), bold=True)
_PLAIN = _Style(14, 20, (163, 162, 176))
_NOTE = _Style(13, 19, (232, 176, 74))
_NUMBER = _Style(16, 16, _GROUND, bold=True)


def draw(first: Panel, second: Panel, comparison: Comparison, headline: str, note: str = "") -> bytes:
    """Draw the figure as a PNG file, 888 pixels wide.

    Args:
        first: first poster, of any size.
        second: second poster, of any size.
        comparison: of the two posters.
        headline: large text below the posters.
        note: warning at the foot.
    """
    panels = [Panel(_fit(panel.picture), panel.title) for panel in (first, second)]
    titles = [_wrap(panel.title, _TITLE, _BOX[0], max_lines=2) for panel in panels]
    headlines = _wrap(headline, _HEADLINE, _WIDTH - 2 * _MARGIN, max_lines=2)
    notes = _wrap(note, _NOTE, _WIDTH - 2 * _MARGIN, max_lines=3) if note else []

    floor = _MARGIN + max(panel.picture.height for panel in panels)
    under = floor + 14 + max(map(len, titles)) * _TITLE.pitch + 20
    legend = under + len(headlines) * _HEADLINE.pitch + 14
    foot = legend + _LEGEND + (8 if notes else 0)
    canvas = Image.new("RGB", (_WIDTH, foot + len(notes) * _NOTE.pitch + 24), _GROUND)
    ink = _Ink(canvas.size)
    frames = []
    for panel, title, left in zip(panels, titles, (_MARGIN, _MARGIN + _BOX[0] + _BETWEEN), strict=True):
        at = left + (_BOX[0] - panel.picture.width) // 2, floor - panel.picture.height
        canvas.paste(_colour(panel.picture, comparison.likeness), at)
        frames.append((at, panel.picture.size))
        ink.write((left + _BOX[0] / 2, floor + 14), title, _TITLE, "ma")
    _draw_matches(ink, comparison, *frames)
    ink.write((_MARGIN, under), headlines, _HEADLINE)
    _draw_legend(canvas, ink, (_MARGIN, legend))
    ink.write((_MARGIN, foot), notes, _NOTE)
    ink.paste_onto(canvas)
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


class _Ink:
    """Transparent layer of text, lines and markers, drawn oversampled."""

    def __init__(self, size: Size) -> None:
        self._layer = Image.new("RGBA", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), (*_GROUND, 0))
        self._pen = ImageDraw.Draw(self._layer)

    def write(self, at: Point, lines: Sequence[str], style: _Style, anchor: str = "la") -> None:
        """Write lines of text below each other; ``anchor`` is Pillow's."""
        for row, line in enumerate(lines):
            position = (at[0] * _OVERSAMPLING, (at[1] + row * style.pitch) * _OVERSAMPLING)
            self._pen.text(position, line, style.colour, _font(style), anchor=anchor)

    def curve(self, points: Float64Array) -> None:
        """Draw a white line with a dark edge, visible on any background, through points (n, 2)."""
        path = [(float(x), float(y)) for x, y in points * _OVERSAMPLING]
        for colour, width in (((*_GROUND, 170), 4.0), ((*_WHITE, 255), 1.7)):
            self._pen.line(path, colour, round(width * _OVERSAMPLING), joint="curve")

    def marker(self, at: Point, number: int) -> None:
        """Draw a number in a circle."""
        x, y, radius = at[0] * _OVERSAMPLING, at[1] * _OVERSAMPLING, _MARKER * _OVERSAMPLING
        self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), _WHITE, _GROUND, 2 * _OVERSAMPLING)
        self.write(at, [str(number)], _NUMBER, "mm")

    def paste_onto(self, canvas: Image.Image) -> None:
        """Reduce the layer and paste it onto a canvas of its size."""
        layer = self._layer.reduce(_OVERSAMPLING)
        canvas.paste(layer, mask=layer.getchannel("A"))


def _fit(picture: Image.Image) -> Image.Image:
    """Resize a poster to fit the box, keeping its aspect ratio."""
    scale = min(_BOX[0] / picture.width, _BOX[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _colour(picture: Image.Image, likeness: Float64Array) -> Image.Image:
    """Return a poster in grey under the colours of a likeness (7, 7)."""
    scaled = Image.fromarray(_log_scale(likeness).astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    grey = np.asarray(picture.convert("L"), dtype=np.float64)[..., None]
    mixed = grey * (1 - _OPACITY) + _colours(np.asarray(scaled, dtype=np.float64)) * _OPACITY
    return Image.fromarray(mixed.round().astype(np.uint8))


def _log_scale(likeness: Float64Array) -> Float64Array:
    """Map a likeness to 0 to 1 on the colour scale: decades by which the gap is below the baseline, over ``_FULL``."""
    return -np.log10(np.clip(1 - likeness, 10**-_FULL, 1)) / _FULL


def _colours(values: Float64Array) -> Float64Array:
    """Return colours (..., 3), 0 to 255, of values on the colour scale, clipped to 0 to 1."""
    stops = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(values, stops, channel) for channel in _COLOURS.T], axis=-1)


def _draw_matches(ink: _Ink, comparison: Comparison, *frames: tuple[Point, Size]) -> None:
    """Draw lines first, then markers, the best match on top."""
    cells = [(match.cell, match.other) for match in comparison.matches]
    lines = [[_middle(cell, frame) for cell, frame in zip(pair, frames, strict=True)] for pair in cells]
    for (cell, _), (start, end) in zip(cells, lines, strict=True):
        ink.curve(_bow(start, end, _BOW * (cell[1] + 1)))
    for number, ends in reversed(list(enumerate(lines, start=1))):
        for end in ends:
            ink.marker(end, number)


def _middle(cell: tuple[int, int], frame: tuple[Point, Size]) -> Point:
    """Return the centre of a cell of a poster; its frame is the upper left corner and the size."""
    (row, column), ((left, top), (width, height)) = cell, frame
    return left + (column + 0.5) * width / SIDE, top + (row + 0.5) * height / SIDE


def _bow(start: Point, end: Point, rise: float) -> Float64Array:
    """Return points (n, 2) of a parabola that is ``rise`` above the straight line in its middle."""
    along = np.linspace(0, 1, 65)[:, None]
    return np.array(start) * (1 - along) + np.array(end) * along - np.array((0, 4 * rise)) * along * (1 - along)


def _draw_legend(canvas: Image.Image, ink: _Ink, at: Size) -> None:
    """Draw the colour scale as it looks on medium grey, with labels."""
    colours = 128 * (1 - _OPACITY) + _colours(np.linspace(0, 1, _BAR[0])) * _OPACITY
    canvas.paste(Image.fromarray(colours.round().astype(np.uint8)[None]).resize(_BAR), at)
    for share, anchor, label in _SCALE:
        ink.write((at[0] + _BAR[0] * share, at[1] + 17), [label], _PLAIN, anchor)
    lines = [
        "Colours: how much closer the posters are, part by part, than two at random.",
        "Numbers: the parts that match best, wherever they are.",
    ]
    ink.write((at[0] + _BAR[0] + 36, at[1] - 3), lines, _PLAIN)


def _wrap(text: str, style: _Style, width: float, max_lines: int) -> list[str]:
    """Wrap text to a width in pixels; cut long words and surplus lines with "…"."""
    font = _font(style)
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width * _OVERSAMPLING and len(lines) < max_lines:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_cut(line, font, width * _OVERSAMPLING) for line in lines]


def _cut(line: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip()}…"


@cache
def _font(style: _Style) -> ImageFont.FreeTypeFont:
    """Return the oversampled font of a style."""
    name = "captions-bold.ttf" if style.bold else "captions.ttf"
    return ImageFont.truetype(_FONTS / name, style.size * _OVERSAMPLING)
