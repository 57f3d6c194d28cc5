"""A canvas for posters: coordinates in points (400 x 600), drawn at twice the size for antialiasing."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from index.core.arrays import Float64Array

WIDTH, HEIGHT = 400, 600
SCALE = 2

Colour = tuple[int, int, int]
Point = tuple[float, float]
Rng = np.random.Generator


def vary(colour: Colour, rng: Rng, hue: float = 0.02, light: float = 0.08) -> Colour:
    """Return the colour with random changes of hue and brightness."""
    h, s, v = colorsys.rgb_to_hsv(*(part / 255 for part in colour))
    h = (h + rng.uniform(-hue, hue)) % 1
    v = min(1.0, v * (1 + rng.uniform(-light, light)))
    red, green, blue = colorsys.hsv_to_rgb(h, s, v)
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(first: Colour, second: Colour, part: float) -> Colour:
    """Return a linear mixture, with a share ``part`` (0 to 1) of ``second``."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second, strict=True))
    return red, green, blue


@dataclass(frozen=True, slots=True)
class TitleBox:
    """The box of the title, in points, and the height of the tagline."""

    top: float
    bottom: float
    tagline: float  # y of its middle
    left: float = 28
    right: float = WIDTH - 28
    align: str = "centre"  # or "left"


class Canvas:
    """The pixels of one poster. Methods draw over existing pixels; all randomness comes from ``rng``."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.image = Image.new("RGB", (WIDTH * SCALE, HEIGHT * SCALE))
        self._draw = ImageDraw.Draw(self.image, "RGBA")

    def gradient(self, *stops: Colour, top: float = 0, bottom: float = HEIGHT) -> None:
        """Fill from ``top`` to ``bottom`` with a vertical gradient of evenly spaced colours."""
        rows = round((bottom - top) * SCALE)
        at = np.linspace(0, len(stops) - 1, rows)
        parts = [np.interp(at, range(len(stops)), [stop[i] for stop in stops]) for i in range(3)]
        column = np.stack(parts, axis=1).round().astype(np.uint8)[:, None, :]
        self.image.paste(Image.fromarray(np.repeat(column, WIDTH * SCALE, axis=1)), (0, round(top * SCALE)))

    def shape(self, points: Sequence[Point], colour: Colour, alpha: float = 1) -> None:
        """Draw a filled polygon."""
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=(*colour, round(alpha * 255)))

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, alpha: float = 1) -> None:
        """Draw a filled rectangle."""
        self.shape([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], colour, alpha)

    def oval(self, x: float, y: float, rx: float, ry: float, colour: Colour, alpha: float = 1) -> None:
        """Draw a filled ellipse around (x, y)."""
        bounds = [(x - rx) * SCALE, (y - ry) * SCALE, (x + rx) * SCALE, (y + ry) * SCALE]
        self._draw.ellipse(bounds, fill=(*colour, round(alpha * 255)))

    def disc(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 1) -> None:
        """Draw a filled circle."""
        self.oval(x, y, radius, radius, colour, alpha)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour, alpha: float = 1) -> None:
        """Draw the outline of a circle, inside ``radius``."""
        bounds = [(x - radius) * SCALE, (y - radius) * SCALE, (x + radius) * SCALE, (y + radius) * SCALE]
        self._draw.ellipse(bounds, outline=(*colour, round(alpha * 255)), width=round(width * SCALE))

    def line(self, points: Sequence[Point], width: float, colour: Colour, alpha: float = 1) -> None:
        """Draw a line through the points, with round joints."""
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        pixels = max(1, round(width * SCALE))
        self._draw.line(scaled, fill=(*colour, round(alpha * 255)), width=pixels, joint="curve")

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float = 1) -> None:
        """Add light around (x, y) that fades to zero at ``radius``."""
        rows, columns = np.mgrid[0:HEIGHT:4, 0:WIDTH:4]
        near = np.clip(1 - np.hypot(columns - x, rows - y) / radius, 0, 1)
        self._screen((near**2 * strength)[..., None] * np.array(colour))

    def beam(self, source: Point, left: Point, right: Point, colour: Colour, strength: float = 0.5) -> None:
        """Add a soft cone of light from ``source`` to the two far corners."""
        small = Image.new("L", (WIDTH // 2, HEIGHT // 2))
        ImageDraw.Draw(small).polygon([(x / 2, y / 2) for x, y in (source, left, right)], fill=255)
        soft = np.asarray(small.filter(ImageFilter.GaussianBlur(3)), dtype=np.float64) / 255
        reach = max(abs(left[1] - source[1]), 1) * 1.25
        fade = np.clip(1 - np.abs(np.arange(HEIGHT // 2) * 2 - source[1]) / reach, 0, 1)
        self._screen((soft * fade[:, None] * strength)[..., None] * np.array(colour))

    def clouds(self, top: float, bottom: float, colour: Colour, strength: float, grain: int = 5) -> None:
        """Draw uneven haze between two heights: smoke, nebulae, mist."""
        size = (WIDTH // 4, HEIGHT // 4)
        mask = np.zeros(size[::-1])
        for octave in range(3):
            noise = self.rng.random((grain * 2**octave,) * 2).astype(np.float32)
            mask += np.asarray(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)) / 2**octave
        mask = np.clip((mask - mask.mean()) / mask.std() * 0.35 + 0.4, 0, 1)
        middle, half = (top + bottom) / 2, (bottom - top) / 2
        mask *= np.clip(1.2 - np.abs(np.arange(HEIGHT // 4) * 4 - middle) / half, 0, 1)[:, None]
        alpha = Image.fromarray((np.clip(mask * strength, 0, 1) * 255).astype(np.uint8))
        self.image.paste(colour, (0, 0), alpha.resize(self.image.size, Image.Resampling.BICUBIC))

    def mist(self, top: float, bottom: float, colour: Colour, strength: float = 1) -> None:
        """Cover with a colour: increasingly from ``top`` to ``bottom``, fully below."""
        self._veil(colour, (np.arange(HEIGHT * SCALE) / SCALE - top) / (bottom - top), strength)

    def shade(self, top: float, bottom: float, colour: Colour, strength: float = 1) -> None:
        """Cover with a colour: fully above ``top``, decreasingly to ``bottom``."""
        self._veil(colour, (bottom - np.arange(HEIGHT * SCALE) / SCALE) / (bottom - top), strength)

    def finish(self, *, grain: float = 3, vignette: float = 0.25) -> Image.Image:
        """Return the 400 x 600 poster, with darker corners and film grain."""
        pixels = np.asarray(self.image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR), dtype=np.float32)
        y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
        pixels = pixels * (1 - vignette * ((x**2 + y**2) / 2) ** 1.5).astype(np.float32)[..., None]
        noise = self.rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
        pixels = pixels + noise * grain
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def _screen(self, light: Float64Array) -> None:
        small = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
        large = small.resize(self.image.size, Image.Resampling.BILINEAR)
        self.image.paste(ImageChops.screen(self.image, large))

    def _veil(self, colour: Colour, rows: Float64Array, strength: float) -> None:
        alpha = (np.clip(rows, 0, 1) * strength * 255).astype(np.uint8)
        self.image.paste(colour, (0, 0), Image.fromarray(np.repeat(alpha[:, None], WIDTH * SCALE, axis=1)))
