"""Silhouettes shared by scenes. Sizes and positions are in points; ``y`` is the foot of an object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from indexer.sample.scenes.canvas import HEIGHT, SCALE, WIDTH, Canvas, Colour, Point


def curve(points: Sequence[Point], *, closed: bool = True, steps: int = 8) -> list[Point]:
    """Return a smooth line through the points (Catmull-Rom spline)."""
    at = np.array(points, dtype=np.float64)
    ends = (at[-1:], at[:2]) if closed else (at[:1], at[-1:])
    around = np.concatenate([ends[0], at, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    line: list[Point] = []
    for a, b, c, d in zip(around, around[1:], around[2:], around[3:], strict=False):
        part = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        line += [(x, y) for x, y in part.tolist()]
    return line if closed else [*line, points[-1]]


def ridge(canvas: Canvas, base: float, height: float, colour: Colour, *, rough: float = 0.5, alpha: float = 1) -> None:
    """Draw hills (``rough`` 0.35) to crags (0.6) across the poster, filled to its bottom."""
    levels = canvas.rng.uniform(-0.5, 0.5, 5)
    size = 0.5
    while len(levels) < 257:
        between = (levels[1:] + levels[:-1]) / 2 + canvas.rng.uniform(-size, size, len(levels) - 1) * rough
        levels = np.insert(levels, range(1, len(levels)), between)
        size *= rough
    xs = np.linspace(-2, WIDTH + 2, len(levels))
    line = list(zip(xs.tolist(), (base - levels * height).tolist(), strict=True))
    canvas.shape([*line, (WIDTH + 2, HEIGHT), (-2, HEIGHT)], colour, alpha)


def peak(canvas: Canvas, x: float, top: float, base: float, half: float, colour: Colour, snow: Colour) -> None:
    """Draw one mountain with a snowy cap and a shaded side."""
    dark: Colour = (colour[0] * 3 // 4, colour[1] * 3 // 4, colour[2] * 3 // 4)
    height = base - top
    steps = np.linspace(0, 1, 12)
    jitter = canvas.rng.uniform(-0.035, 0.035, (2, 12)) * half * 2
    left = [(x - half * t + j * (t > 0), top + height * t) for t, j in zip(steps, jitter[0], strict=True)]
    right = [(x + half * t + j * (t > 0), top + height * t) for t, j in zip(steps, jitter[1], strict=True)]
    middle = [(x + half * 0.25 * np.sin(t * 9) * t, top + height * t) for t in steps]
    canvas.shape([*left, *right[::-1]], colour)
    canvas.shape([*middle, *right[::-1]], dark)
    cap = 4
    zigzag = [
        (x + half * steps[cap] * u, top + height * (steps[cap] + (0.09 if i % 2 else -0.05)))
        for i, u in enumerate(np.linspace(0.8, -0.8, 7))
    ]
    canvas.shape([*left[: cap + 1], *zigzag[::-1], *right[: cap + 1][::-1]], snow)
    canvas.shape([*middle[:cap], *zigzag[:3][::-1], *right[: cap + 1][::-1]], colour, 0.35)


def stars(canvas: Canvas, count: int, top: float, bottom: float, colour: Colour = (255, 255, 255)) -> None:
    """Draw stars of many sizes."""
    for x, y, size in canvas.rng.random((count, 3)).tolist():
        radius = 0.4 + 1.2 * size**5
        canvas.disc(x * WIDTH, top + y * (bottom - top), radius, colour, 0.35 + 0.6 * size)


def skyline(
    canvas: Canvas, base: float, heights: tuple[float, float], colour: Colour, lit: Colour | None = None
) -> None:
    """Draw a row of tall buildings down to the bottom, with some windows in ``lit``."""
    x = -5.0
    while x < WIDTH:
        width = float(canvas.rng.uniform(26, 58))
        top = base - float(canvas.rng.uniform(*heights))
        canvas.box(x, top, x + width, HEIGHT, colour)
        kind = canvas.rng.integers(4)
        middle = x + width / 2
        if kind == 0:
            canvas.box(x + width * 0.2, top - 14, x + width * 0.8, top, colour)
            canvas.line([(middle, top - 14), (middle, top - 42)], 1.6, colour)
        elif kind == 1:
            canvas.shape([(x, top), (middle, top - width * 0.6), (x + width, top)], colour)
        elif kind == 2:
            canvas.box(middle - 8, top - 16, middle + 8, top - 5, colour)
            canvas.shape([(middle - 10, top - 15), (middle, top - 24), (middle + 10, top - 15)], colour)
            canvas.line([(middle - 6, top), (middle - 6, top - 8)], 1.5, colour)
            canvas.line([(middle + 6, top), (middle + 6, top - 8)], 1.5, colour)
        if lit:
            for row in np.arange(top + 8, base + 40, 11).tolist():
                for column in np.arange(x + 6, x + width - 6, 8).tolist():
                    if canvas.rng.random() < 0.28:
                        canvas.box(column, row, column + 3.6, row + 5.5, lit, float(canvas.rng.uniform(0.35, 0.95)))
        x += width + float(canvas.rng.choice([0, 0, 3]))


def bare_tree(canvas: Canvas, x: float, y: float, length: float, width: float, colour: Colour, lean: float = 0) -> None:
    """Draw a leafless tree; ``lean`` in radians from upright."""
    end = (x + np.sin(lean) * length, y - np.cos(lean) * length)
    bend = (
        (x + end[0]) / 2 + float(canvas.rng.uniform(-0.08, 0.08)) * length,
        (y + end[1]) / 2,
    )
    canvas.line(curve([(x, y), bend, end], closed=False), width, colour)
    canvas.disc(end[0], end[1], width * 0.45, colour)
    if length < 9:
        return
    for side in (-1, 1):
        spread = float(canvas.rng.uniform(0.25, 0.75))
        shorter = length * float(canvas.rng.uniform(0.62, 0.8))
        bare_tree(canvas, end[0], end[1], shorter, max(width * 0.66, 0.9), colour, lean + side * spread)


def pine(canvas: Canvas, x: float, y: float, height: float, colour: Colour) -> None:
    """Draw a conifer."""
    canvas.box(x - height * 0.02, y - height * 0.2, x + height * 0.02, y, colour)
    layers = 7
    for layer in range(layers):
        top = y - height + layer * height * 0.125
        half = height * (0.05 + 0.03 * layer)
        foot = top + height * 0.2
        canvas.shape([(x, top), (x + half, foot), (x, foot - height * 0.04), (x - half, foot)], colour)


def person(canvas: Canvas, x: float, y: float, height: float, colour: Colour, *, wears: str = "") -> None:
    """Draw a standing person; ``wears`` is fedora, stetson, helmet, straw (hat), dress, cape or empty."""
    u = height / 100

    def at(*points: Point) -> list[Point]:
        return [(x + px * u, y - py * u) for px, py in points]

    coat = wears in {"fedora", "stetson", "straw", "cape"}
    if wears == "dress":
        outline = [
            (-5, 82),
            (-9, 74),
            (-6, 58),
            (-14, 36),
            (-24, 4),
            (0, 0),
            (24, 4),
            (14, 36),
            (6, 58),
            (9, 74),
            (5, 82),
        ]
    elif coat:
        outline = [
            (-4, 85),
            (-14, 80),
            (-15, 66),
            (-11, 54),
            (-14, 36),
            (-19, 15),
            (-7, 12),
            (7, 12),
            (19, 15),
            (14, 36),
        ]
        outline += [(11, 54), (15, 66), (14, 80), (4, 85)]
    else:
        outline = [(-4, 84), (-11, 80), (-12, 66), (-10, 44), (10, 44), (12, 66), (11, 80), (4, 84)]
    canvas.shape(curve(at(*outline), steps=5), colour)
    if wears != "dress":
        slim = 1 if coat else 0.84
        for side in (-slim, slim):
            canvas.line(
                curve(at((side * 11.5, 78), (side * 17.5, 62), (side * 13.5, 45)), closed=False), 6.5 * u, colour
            )
            canvas.disc(x + side * 12.5 * u, y - 77 * u, 4 * u, colour)
            canvas.disc(x + side * 13.5 * u, y - 45 * u, 3.2 * u, colour)
        gap = 5 if wears != "stetson" else 11
        for side in (-1, 1):
            canvas.shape(at((side * 1, 46), (side * 12, 46), (side * (gap + 7), 0), (side * gap, 0)), colour)
            canvas.shape(at((side * gap, 4), (side * (gap + 11), 0), (side * gap, 0)), colour)
    canvas.oval(x, y - 91 * u, 6.5 * u, 8.5 * u, colour)
    canvas.box(x - 3 * u, y - 86 * u, x + 3 * u, y - 80 * u, colour)
    if wears in {"fedora", "stetson"}:
        brim = 15 if wears == "fedora" else 19
        canvas.shape(
            curve(at((-brim, 96), (-7, 95), (7, 95), (brim, 96), (brim - 2, 93), (0, 91.5), (2 - brim, 93))), colour
        )
        canvas.shape(curve(at((-8, 94), (-7.5, 103), (-3, 105), (0, 104.2), (3, 105), (7.5, 103), (8, 94))), colour)
    elif wears == "straw":
        canvas.shape(at((-23, 91), (0, 106), (23, 91)), colour)
    elif wears == "helmet":
        helmet(canvas, x, y - 92 * u, 10.5 * u, colour)
    elif wears == "cape":
        canvas.shape(
            curve(at((-14, 80), (-26, 40), (-40, 6), (-16, 10), (10, 12), (22, 30), (14, 80)), steps=5), colour
        )


def helmet(canvas: Canvas, x: float, y: float, half: float, colour: Colour) -> None:
    """Draw a soldier's helmet, its brim at ``y``."""
    dome = [(x - half * np.cos(t), y - half * 1.05 * np.sin(t) ** 0.8) for t in np.linspace(0, np.pi, 20)]
    brim = [(x + half * 1.25, y + half * 0.22), (x, y + half * 0.08), (x - half * 1.25, y + half * 0.22)]
    canvas.shape([*dome, *brim], colour)


def planet(canvas: Canvas, x: float, y: float, radius: float, colour: Colour, light: Point = (-0.6, -0.5)) -> None:
    """Draw a banded planet, lit from the direction ``light``."""
    r = radius * SCALE
    grid = np.mgrid[-1 : 1 : round(2 * r) * 1j, -1 : 1 : round(2 * r) * 1j]
    down, across = grid
    inside = 1 - down**2 - across**2
    up = np.sqrt(np.clip(inside, 0, 1))
    shine = np.clip(across * light[0] + down * light[1] + up * 0.45, 0, 1) ** 0.8
    waves = canvas.rng.uniform(0, 6.28, 4)
    tilt = down + across * 0.25 + 0.03 * np.sin(across * 7 + waves[0])
    bands = 1 + 0.1 * np.sin(tilt * 9 + waves[1]) + 0.07 * np.sin(tilt * 23 + waves[2]) + 0.04 * np.sin(tilt * 51)
    pixels = np.clip((shine * bands)[..., None] * np.array(colour) * 1.25, 0, 255).astype(np.uint8)
    mask = Image.fromarray((np.clip(inside * r * 0.5, 0, 1) * 255).astype(np.uint8))
    canvas.image.paste(Image.fromarray(pixels), (round((x - radius) * SCALE), round((y - radius) * SCALE)), mask)


def heart(canvas: Canvas, x: float, y: float, size: float, colour: Colour, alpha: float = 1) -> None:
    """Draw a heart around (x, y), about ``2 * size`` wide."""
    t = np.linspace(0, 2 * np.pi, 60)
    xs = x + size * np.sin(t) ** 3
    ys = y - size / 16 * (13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    canvas.shape(list(zip(xs.tolist(), ys.tolist(), strict=True)), colour, alpha)


def rays(canvas: Canvas, x: float, y: float, count: int, colour: Colour, alpha: float = 1, turn: float = 0) -> None:
    """Draw a sunburst of ``count`` wedges around (x, y)."""
    step = 2 * np.pi / count
    for ray in range(count):
        a, b = turn + ray * step, turn + (ray + 0.5) * step
        far = 900
        corners = [(x, y), (x + far * np.cos(a), y + far * np.sin(a)), (x + far * np.cos(b), y + far * np.sin(b))]
        canvas.shape(corners, colour, alpha)


def birds(canvas: Canvas, x: float, y: float, count: int, size: float, colour: Colour) -> None:
    """Draw a loose flock of birds."""
    for _ in range(count):
        bx, by = x + float(canvas.rng.normal(0, size * 5)), y + float(canvas.rng.normal(0, size * 2))
        s = size * float(canvas.rng.uniform(0.6, 1.2))
        wings = [(bx - s, by - s * 0.4), (bx - s * 0.4, by - s * 0.45), (bx, by), (bx + s * 0.4, by - s * 0.45)]
        canvas.line(curve([*wings, (bx + s, by - s * 0.4)], closed=False), 1.3, colour)
