"""The text on a poster: title, tagline and credit block."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path

from PIL import Image as PilImage
from PIL import ImageDraw, ImageFilter, ImageFont

from indexer.sample.catalogue import SampleMovie
from indexer.sample.scenes.canvas import SCALE, WIDTH, Canvas, Colour, Rng, TitleBox
from indexer.sample.titles import FIRST_NAMES, LAST_NAMES, STUDIOS

FONTS = Path(__file__).parent / "fonts"

_CREDIT_TOP = 556
_CREDIT_WIDTH = 330


@dataclass(frozen=True, slots=True)
class Lettering:
    """The typography of a family."""

    font: str
    colour: Colour  # of the title
    small: Colour  # of the tagline
    credits: Colour  # of the credit block
    edge: Colour | None = None  # outline of the title's letters
    edge_width: float = 0
    shadow: Colour | None = None  # blurred halo behind the title
    upper: bool = True  # title in capitals
    leading: float = 1.0  # line pitch in font sizes
    largest: float = 78  # font size in points


def draw_text(canvas: Canvas, movie: SampleMovie, style: Lettering, place: TitleBox, rng: Rng) -> None:
    """Draw title, tagline and credits over the scene."""
    text = (movie.title.upper() if style.upper else movie.title).replace("'", "’")
    lines, size = _fit(text, style, place)
    font = _font(style.font, round(size * SCALE))
    pitch = size * style.leading
    cap_top, cap_bottom = _caps(style.font)
    block = (len(lines) - 1) * pitch + (cap_bottom - cap_top) * size
    first = place.bottom - (place.bottom - place.top - block) * 0.3 - block - cap_top * size
    positioned = []
    for number, line in enumerate(lines):
        width = font.getlength(line) / SCALE
        x = place.left if place.align == "left" else (place.left + place.right - width) / 2
        positioned.append((line, x * SCALE, (first + number * pitch) * SCALE))
    stroke = round(style.edge_width * SCALE)
    if style.shadow:
        mask = PilImage.new("L", canvas.image.size)
        for line, x, y in positioned:
            ImageDraw.Draw(mask).text((x, y + 2 * SCALE), line, fill=255, font=font, stroke_width=stroke + 2)
        soft = mask.filter(ImageFilter.GaussianBlur(4 * SCALE)).point(lambda value: min(255, value * 1.5))
        canvas.image.paste(style.shadow, (0, 0), soft)
    draw = ImageDraw.Draw(canvas.image)
    if style.edge:
        for line, x, y in positioned:
            draw.text((x, y), line, fill=style.edge, font=font, stroke_width=stroke, stroke_fill=style.edge)
    for line, x, y in positioned:
        draw.text((x, y), line, fill=style.colour, font=font)
    _tagline(canvas, movie.tagline, style, place)
    _credits(canvas, style, rng)


def _tagline(canvas: Canvas, tagline: str, style: Lettering, place: TitleBox) -> None:
    text = tagline.upper().replace("'", "’")
    font = _font("credits", 13 * SCALE)
    width = font.getlength(text) / SCALE
    x = place.left if place.align == "left" else (place.left + place.right - width) / 2
    ImageDraw.Draw(canvas.image).text((x * SCALE, place.tagline * SCALE), text, style.small, font, anchor="lm")


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


def _fit(text: str, style: Lettering, place: TitleBox) -> tuple[list[str], float]:
    """Return the lines and font size of a title; prefer large letters and lines of equal length."""
    words = text.split()
    font = _font(style.font, 100)
    cap_top, cap_bottom = _caps(style.font)
    best: tuple[list[str], float] = ([text], 0.0)
    best_score = 0.0
    for count in range(1, min(len(words), 4) + 1):
        for cuts in combinations(range(1, len(words)), count - 1):
            lines = [" ".join(words[a:b]) for a, b in zip((0, *cuts), (*cuts, len(words)), strict=True)]
            widest = max(font.getlength(line) for line in lines) / 100 + 2 * style.edge_width / 60
            height = (count - 1) * style.leading + cap_bottom - cap_top
            size = min((place.right - place.left) / widest, (place.bottom - place.top) / height, style.largest)
            evenness = min(font.getlength(line) for line in lines) / max(font.getlength(line) for line in lines)
            score = size * (0.75 + 0.25 * evenness)
            if score > best_score:
                best, best_score = (lines, size), score
    return best


@cache
def _caps(name: str) -> tuple[float, float]:
    """Return top and bottom of capital letters below the text's origin, in font sizes."""
    _, top, _, bottom = _font(name, 100).getbbox("H")
    return top / 100, bottom / 100


@cache
def _font(name: str, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"{name}.ttf", pixels, layout_engine=ImageFont.Layout.BASIC)
