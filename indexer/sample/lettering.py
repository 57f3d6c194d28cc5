"""The words on a poster: title, tagline and credit block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from PIL import Image as PilImage
from PIL import ImageDraw, ImageFilter, ImageFont

from indexer.sample.catalogue import Film
from indexer.sample.scenes.canvas import SCALE, WIDTH, Canvas, Colour, Place, Rng
from indexer.sample.titles import FIRST_NAMES, LAST_NAMES, STUDIOS

FONTS = Path(__file__).parent / "fonts"

_CREDIT_TOP = 556
_CREDIT_WIDTH = 330


@dataclass(frozen=True, slots=True)
class Lettering:
    """How a family sets its words."""

    font: str
    colour: Colour
    small: Colour  # the tagline
    credits: Colour  # the credit block
    edge: Colour | None = None  # an outline around the title's letters
    edge_width: float = 0
    shadow: Colour | None = None  # a soft dark or bright halo behind the title
    upper: bool = True
    leading: float = 1.0  # line pitch in font sizes
    largest: float = 78  # font size in points


def letter(canvas: Canvas, film: Film, style: Lettering, place: Place, rng: Rng) -> None:
    """Sets title, tagline and credits over the scene."""
    text = (film.title.upper() if style.upper else film.title).replace("'", "’")
    lines, size = _fit(text, style, place)
    font = _font(style.font, round(size * SCALE))
    pitch = size * style.leading
    cap_top, cap_bottom = _caps(style.font)
    block = (len(lines) - 1) * pitch + (cap_bottom - cap_top) * size
    first = place.bottom - (place.bottom - place.top - block) * 0.3 - block - cap_top * size
    spots = []
    for number, line in enumerate(lines):
        width = font.getlength(line) / SCALE
        x = place.left if place.align == "left" else (place.left + place.right - width) / 2
        spots.append((line, x * SCALE, (first + number * pitch) * SCALE))
    stroke = round(style.edge_width * SCALE)
    if style.shadow:
        mask = PilImage.new("L", canvas.image.size)
        for line, x, y in spots:
            ImageDraw.Draw(mask).text((x, y + 2 * SCALE), line, fill=255, font=font, stroke_width=stroke + 2)
        soft = mask.filter(ImageFilter.GaussianBlur(4 * SCALE)).point(lambda value: min(255, value * 1.5))
        canvas.image.paste(style.shadow, (0, 0), soft)
    draw = ImageDraw.Draw(canvas.image)
    if style.edge:
        for line, x, y in spots:
            draw.text((x, y), line, fill=style.edge, font=font, stroke_width=stroke, stroke_fill=style.edge)
    for line, x, y in spots:
        draw.text((x, y), line, fill=style.colour, font=font)
    _tagline(canvas, film.tagline, style, place)
    _credits(canvas, style, rng)


def _tagline(canvas: Canvas, tagline: str, style: Lettering, place: Place) -> None:
    words = tagline.upper().replace("'", "’")
    font = _font("credits", 13 * SCALE)
    width = font.getlength(words) / SCALE
    x = place.left if place.align == "left" else (place.left + place.right - width) / 2
    ImageDraw.Draw(canvas.image).text((x * SCALE, place.tagline * SCALE), words, style.small, font, anchor="lm")


def _credits(canvas: Canvas, style: Lettering, rng: Rng) -> None:
    names = [
        f"{first} {last}"
        for first, last in zip(rng.permutation(FIRST_NAMES)[:6], rng.permutation(LAST_NAMES)[:6], strict=True)
    ]
    studio, lead, second, third, composer, writer, director = rng.choice(STUDIOS), *names
    upper = f"{studio} presents   a film by {director}   {lead}   {second}".upper()
    lower = f"{third}   music by {composer}   written by {writer}".upper()
    draw = ImageDraw.Draw(canvas.image)
    font = _font("credits", 10 * SCALE)
    widest = max(font.getlength(line) for line in (upper, lower))
    font = _font("credits", min(11 * SCALE, int(10 * SCALE * _CREDIT_WIDTH * SCALE / widest)))
    for number, line in enumerate((upper, lower)):
        y = (_CREDIT_TOP + 14 * number) * SCALE
        draw.text((WIDTH / 2 * SCALE, y), line, style.credits, font, anchor="mm")


def _fit(text: str, style: Lettering, place: Place) -> tuple[list[str], float]:
    """The split into lines that allows large letters and lines of like length, and the size of the letters."""
    words = text.split()
    font = _font(style.font, 100)
    cap_top, cap_bottom = _caps(style.font)
    best: tuple[list[str], float] = ([text], 0.0)
    most = 0.0
    for count in range(1, min(len(words), 4) + 1):
        for cuts in combinations(range(1, len(words)), count - 1):
            lines = [" ".join(words[a:b]) for a, b in zip((0, *cuts), (*cuts, len(words)), strict=True)]
            widest = max(font.getlength(line) for line in lines) / 100 + 2 * style.edge_width / 60
            tall = (count - 1) * style.leading + cap_bottom - cap_top
            size = min((place.right - place.left) / widest, (place.bottom - place.top) / tall, style.largest)
            even = min(font.getlength(line) for line in lines) / max(font.getlength(line) for line in lines)
            worth = size * (0.75 + 0.25 * even)
            if worth > most:
                best, most = (lines, size), worth
    return best


@cache
def _caps(name: str) -> tuple[float, float]:
    """Top and bottom of capitals below the text's origin, in font sizes."""
    _, top, _, bottom = _font(name, 100).getbbox("H")
    return top / 100, bottom / 100


@cache
def _font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"{name}.ttf", pixels, layout_engine=ImageFont.Layout.BASIC)
