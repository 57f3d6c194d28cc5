"""The picture of why two posters look alike: both side by side, the likeness of each part laid over them.

Colours say how many times smaller the gap between the same cell of both posters is than between random posters, from
blue (as any two) to yellow (a hundredth of that): a step is a factor, since good matches differ in factors. Brightness
rises with them, so people tell them apart however they see colours. Both posters have the same colours, as each cell
is compared with the one in its place; lines join the cells that match best, wherever they are.
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

# All in pixels of the picture.
_BOX = (360, 540)  # what a poster is fitted into
_MARGIN = 36
_BETWEEN = 96
_WIDTH = 2 * (_MARGIN + _BOX[0]) + _BETWEEN
_LEGEND = 44  # height
_BAR = (280, 12)
_SPOT = 13  # radius
_BOW = 8  # how far a line bows for each column: those of one row would lie on each other
_FINE = 3  # words and lines are drawn so many times larger, then reduced: Pillow gives them hard edges, uneven spaces

_GROUND = (16, 17, 22)
_WHITE = (255, 255, 255)

_FULL = 2.0  # decades: a gap a hundred times smaller than usual has the full colour
_SCALE = ((0.0, "la", "as any two"), (0.5, "ma", "10 times closer"), (1.0, "ra", "100 times"))
# Anchors of matplotlib's "plasma" (Smith and van der Walt, https://bids.github.io/colormap).
_COLOURS = np.array([(13, 8, 135), (126, 3, 168), (204, 71, 120), (248, 149, 64), (240, 249, 33)], dtype=np.float64)
_COVER = 0.58  # how much of a poster the colours hide

Size = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the two posters, and what stands under it."""

    picture: Image.Image
    title: str


@dataclass(frozen=True, slots=True)
class _Style:
    """How words are set."""

    size: int
    pitch: int  # from line to line
    colour: tuple[int, int, int]
    bold: bool = False


_TITLE = _Style(20, 25, (236, 234, 240), bold=True)
_HEADLINE = _Style(22, 29, (236, 234, 240), bold=True)
_PLAIN = _Style(14, 20, (163, 162, 176))
_NOTE = _Style(13, 19, (232, 176, 74))
_NUMBER = _Style(16, 16, _GROUND, bold=True)


def draw(first: Panel, second: Panel, comparison: Comparison, headline: str, note: str = "") -> bytes:
    """The picture as a PNG file, 888 pixels wide whatever size the posters have.

    Args:
        headline: set large under the posters.
        note: at the foot; what must not be overlooked.
    """
    panels = [Panel(_fitted(panel.picture), panel.title) for panel in (first, second)]
    titles = [_lines(panel.title, _TITLE, _BOX[0], most=2) for panel in panels]
    said = _lines(headline, _HEADLINE, _WIDTH - 2 * _MARGIN, most=2)
    noted = _lines(note, _NOTE, _WIDTH - 2 * _MARGIN, most=3) if note else []

    floor = _MARGIN + max(panel.picture.height for panel in panels)
    under = floor + 14 + max(map(len, titles)) * _TITLE.pitch + 20
    legend = under + len(said) * _HEADLINE.pitch + 14
    foot = legend + _LEGEND + (8 if noted else 0)
    canvas = Image.new("RGB", (_WIDTH, foot + len(noted) * _NOTE.pitch + 24), _GROUND)
    ink = _Ink(canvas.size)
    frames = []
    for panel, title, left in zip(panels, titles, (_MARGIN, _MARGIN + _BOX[0] + _BETWEEN), strict=True):
        at = left + (_BOX[0] - panel.picture.width) // 2, floor - panel.picture.height
        canvas.paste(_heated(panel.picture, comparison.likeness), at)
        frames.append((at, panel.picture.size))
        ink.write((left + _BOX[0] / 2, floor + 14), title, _TITLE, "ma")
    _draw_matches(ink, comparison, *frames)
    ink.write((_MARGIN, under), said, _HEADLINE)
    _draw_legend(canvas, ink, (_MARGIN, legend))
    ink.write((_MARGIN, foot), noted, _NOTE)
    ink.lay_over(canvas)
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()


class _Ink:
    """Words, lines and spots, to be laid over a picture of a size."""

    def __init__(self, size: Size) -> None:
        self._layer = Image.new("RGBA", (size[0] * _FINE, size[1] * _FINE), (*_GROUND, 0))
        self._pen = ImageDraw.Draw(self._layer)

    def write(self, at: Point, lines: Sequence[str], style: _Style, anchor: str = "la") -> None:
        """Sets lines under each other; ``anchor`` is Pillow's."""
        for row, line in enumerate(lines):
            place = (at[0] * _FINE, (at[1] + row * style.pitch) * _FINE)
            self._pen.text(place, line, style.colour, _font(style), anchor=anchor)

    def curve(self, points: Float64Array) -> None:
        """A white line with a dark edge, seen on any ground, through points (n, 2)."""
        path = [(float(x), float(y)) for x, y in points * _FINE]
        for colour, width in (((*_GROUND, 170), 4.0), ((*_WHITE, 255), 1.7)):
            self._pen.line(path, colour, round(width * _FINE), joint="curve")

    def spot(self, at: Point, number: int) -> None:
        """A numbered spot."""
        x, y, radius = at[0] * _FINE, at[1] * _FINE, _SPOT * _FINE
        self._pen.ellipse((x - radius, y - radius, x + radius, y + radius), _WHITE, _GROUND, 2 * _FINE)
        self.write(at, [str(number)], _NUMBER, "mm")

    def lay_over(self, canvas: Image.Image) -> None:
        """Puts all that was drawn onto the picture."""
        layer = self._layer.reduce(_FINE)
        canvas.paste(layer, mask=layer.getchannel("A"))


def _fitted(picture: Image.Image) -> Image.Image:
    """The whole picture in its own proportions, as large as the box allows."""
    scale = min(_BOX[0] / picture.width, _BOX[1] / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _heated(picture: Image.Image, likeness: Float64Array) -> Image.Image:
    """The picture under the colours of a likeness (7, 7); itself in grey, so that no colour but the scale's is seen."""
    heat = Image.fromarray(_strength(likeness).astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC)
    grey = np.asarray(picture.convert("L"), dtype=np.float64)[..., None]
    mixed = grey * (1 - _COVER) + _colours(np.asarray(heat, dtype=np.float64)) * _COVER
    return Image.fromarray(mixed.round().astype(np.uint8))


def _strength(likeness: Float64Array) -> Float64Array:
    """Where on the scale, 0 to 1, a likeness is: decades by which the gap is smaller than usual."""
    return -np.log10(np.clip(1 - likeness, 10**-_FULL, 1)) / _FULL


def _colours(strength: Float64Array) -> Float64Array:
    """Colours (..., 3), 0 to 255; a strength beyond 0 to 1 has the colour of the end."""
    stops = np.linspace(0, 1, len(_COLOURS))
    return np.stack([np.interp(strength, stops, channel) for channel in _COLOURS.T], axis=-1)


def _draw_matches(ink: _Ink, comparison: Comparison, *frames: tuple[Point, Size]) -> None:
    """Lines first, then spots, the best match on top."""
    cells = [(match.cell, match.other) for match in comparison.matches]
    lines = [[_middle(cell, frame) for cell, frame in zip(pair, frames, strict=True)] for pair in cells]
    for (cell, _), (start, end) in zip(cells, lines, strict=True):
        ink.curve(_bow(start, end, _BOW * (cell[1] + 1)))
    for number, ends in reversed(list(enumerate(lines, start=1))):
        for end in ends:
            ink.spot(end, number)


def _middle(cell: tuple[int, int], frame: tuple[Point, Size]) -> Point:
    """The middle of a cell of the poster whose left upper corner and size are given."""
    (row, column), ((left, top), (width, height)) = cell, frame
    return left + (column + 0.5) * width / SIDE, top + (row + 0.5) * height / SIDE


def _bow(start: Point, end: Point, rise: float) -> Float64Array:
    """Points (n, 2) of a curve that in its middle is ``rise`` above the straight line."""
    along = np.linspace(0, 1, 65)[:, None]
    return np.array(start) * (1 - along) + np.array(end) * along - np.array((0, 4 * rise)) * along * (1 - along)


def _draw_legend(canvas: Image.Image, ink: _Ink, at: Size) -> None:
    """The scale as it looks on middle grey, with words under it and beside it."""
    colours = 128 * (1 - _COVER) + _colours(np.linspace(0, 1, _BAR[0])) * _COVER
    canvas.paste(Image.fromarray(colours.round().astype(np.uint8)[None]).resize(_BAR), at)
    for share, anchor, words in _SCALE:
        ink.write((at[0] + _BAR[0] * share, at[1] + 17), [words], _PLAIN, anchor)
    lines = [
        "Colours: how much closer the posters are, part by part, than two at random.",
        "Numbers: the parts that match best, wherever they are.",
    ]
    ink.write((at[0] + _BAR[0] + 36, at[1] - 3), lines, _PLAIN)


def _lines(text: str, style: _Style, width: float, most: int) -> list[str]:
    """The text in at most so many lines of at most that width; where it does not fit it ends in "…"."""
    font = _font(style)
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width * _FINE and len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = longer
    return [_cut(line, font, width * _FINE) for line in lines]


def _cut(line: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip()}…"


@cache
def _font(style: _Style) -> ImageFont.FreeTypeFont:
    """For ink, and so ``_FINE`` times larger."""
    name = "captions-bold.ttf" if style.bold else "captions.ttf"
    return ImageFont.truetype(_FONTS / name, style.size * _FINE)
