"""Colourful scenes: cartoon and romance."""

from __future__ import annotations

import numpy as np

from indexer.sample.scenes.canvas import WIDTH, Canvas, Colour, TitleBox, mix, vary
from indexer.sample.scenes.shapes import birds, curve, heart, person, rays, ridge

_WHITE: Colour = (255, 255, 255)


def cartoon(canvas: Canvas, variant: int) -> TitleBox:
    """Draw one or several round creatures on a sunburst."""
    rng = canvas.rng
    skies: list[Colour] = [(255, 206, 40), (255, 190, 30), (255, 216, 70)]
    sky = vary(skies[int(rng.integers(3))], rng, 0.012, 0.02)
    ink: Colour = (44, 26, 60)
    coats: list[Colour] = [
        (240, 84, 110),
        (70, 160, 235),
        (120, 196, 70),
        (160, 100, 220),
        (250, 120, 50),
        (40, 190, 180),
    ]
    first, second, third = (coats[i] for i in rng.permutation(len(coats))[:3])
    canvas.gradient(sky, mix(sky, _WHITE, 0.35))
    rays(canvas, 200, 340, 22, _WHITE, 0.33, float(rng.uniform(0, 1)))
    grass = vary((110, 200, 80), rng, 0.03, 0.08)
    hills = [(-60, 470), (60, 440), (200, 458), (330, 432), (460, 470), (460, 700), (-60, 700)]
    if variant != 3:
        for cx in (40, 345):
            for dx, dy, r in ((-24, 6, 17), (0, 0, 24), (26, 6, 16)):
                canvas.disc(cx + dx, 215 + dy + (cx % 7) * 5, r, _WHITE)
    canvas.shape(curve(hills), mix(grass, _WHITE, 0.25))
    canvas.shape(curve([(x, y + 44) for x, y in hills]), grass)
    if variant == 0:
        _creature(canvas, 200, 385, 108, first, ink)
    elif variant == 1:
        _creature(canvas, 200, 350, 84, first, ink)
        _creature(canvas, 92, 448, 54, second, ink)
        _creature(canvas, 310, 446, 56, third, ink)
    elif variant == 2:  # aloft
        for bx, by, colour in ((120, 262, first), (200, 236, second), (280, 262, third)):
            canvas.line(curve([(200, 420), ((bx + 200) / 2 + 10, 330), (bx, by + 44)], closed=False), 2, ink)
            canvas.oval(bx, by, 41, 49, ink)
            canvas.oval(bx, by, 38, 46, colour)
            canvas.oval(bx - 14, by - 18, 8, 12, _WHITE, 0.7)
        _creature(canvas, 200, 432, 60, coats[int(rng.integers(len(coats)))], ink)
    else:  # a peeping giant
        _creature(canvas, 200, 470, 172, first, ink)
        for cx, r in ((60, 34), (345, 40)):
            _creature(canvas, cx, 492, r, second if cx < 200 else third, ink)
    canvas.mist(515, 548, mix(grass, (0, 50, 40), 0.75), 0.97)
    return TitleBox(top=30, bottom=132, tagline=158, left=30, right=WIDTH - 30)


def _creature(canvas: Canvas, x: float, y: float, r: float, coat: Colour, ink: Colour) -> None:
    rng = canvas.rng
    edge = max(2.0, r * 0.045)
    kind, eyes = int(rng.integers(4)), int(rng.choice([1, 2, 2, 2, 3]))
    belly = mix(coat, _WHITE, 0.55)
    for side in (-1, 1):  # ears, horns, antennae or tufts, then arms and feet
        if kind == 0:
            canvas.disc(x + side * r * 0.7, y - r * 0.8, r * 0.34 + edge, ink)
            canvas.disc(x + side * r * 0.7, y - r * 0.8, r * 0.34, coat)
            canvas.disc(x + side * r * 0.7, y - r * 0.8, r * 0.2, belly)
        elif kind == 1:
            horn = [
                (x + side * r * 0.3, y - r * 0.85),
                (x + side * r * 0.85, y - r * 1.38),
                (x + side * r * 0.75, y - r * 0.55),
            ]
            canvas.shape(horn, (255, 250, 220))
            canvas.line([*horn, horn[0]], edge, ink)
        elif kind == 2:
            canvas.line([(x + side * r * 0.3, y - r * 0.9), (x + side * r * 0.5, y - r * 1.35)], edge * 1.3, ink)
            canvas.disc(x + side * r * 0.5, y - r * 1.35, r * 0.13 + edge, ink)
            canvas.disc(x + side * r * 0.5, y - r * 1.35, r * 0.13, (255, 240, 90))
        else:
            ear = curve(
                [
                    (x + side * r * 0.2, y - r * 0.8),
                    (x + side * r * 0.35, y - r * 1.6),
                    (x + side * r * 0.7, y - r * 0.7),
                ]
            )
            canvas.shape(ear, coat)
            canvas.line([*ear, ear[0]], edge, ink)
        up = float(rng.uniform(-0.7, 0.35))
        arm = curve(
            [(x + side * r * 0.85, y + r * 0.2), (x + side * r * 1.2, y), (x + side * r * 1.3, y + r * up)],
            closed=False,
        )
        canvas.line(arm, r * 0.2 + 2 * edge, ink)
        canvas.disc(*arm[-1], r * 0.17 + edge, ink)
        canvas.line(arm, r * 0.2, coat)
        canvas.disc(*arm[-1], r * 0.17, coat)
        canvas.oval(x + side * r * 0.42, y + r * 1.02, r * 0.34 + edge, r * 0.17 + edge, ink)
        canvas.oval(x + side * r * 0.42, y + r * 1.02, r * 0.34, r * 0.17, mix(coat, ink, 0.2))
    tall = float(rng.uniform(0.95, 1.12))
    canvas.oval(x, y, r + edge, r * tall + edge, ink)
    canvas.oval(x, y, r, r * tall, coat)
    canvas.oval(x - r * 0.42, y - r * 0.6, r * 0.22, r * 0.13, _WHITE, 0.4)
    canvas.oval(x, y + r * 0.45, r * 0.6, r * 0.46, belly)
    size = r * (0.42 if eyes == 1 else 0.29)
    look = float(rng.uniform(-0.3, 0.3))
    for number in range(eyes):
        ex = x + (number - (eyes - 1) / 2) * size * 2.05
        canvas.disc(ex, y - r * 0.28, size + edge, ink)
        canvas.disc(ex, y - r * 0.28, size, _WHITE)
        canvas.disc(ex + size * look, y - r * 0.22, size * 0.5, ink)
        canvas.disc(ex + size * look - size * 0.16, y - r * 0.32, size * 0.16, _WHITE)
    smile = [(x - r * 0.36 * np.cos(t), y + r * 0.2 + r * 0.34 * np.sin(t)) for t in np.linspace(0, np.pi, 20)]
    canvas.shape(smile, ink)
    canvas.oval(x, y + r * 0.45, r * 0.17, r * 0.08, (240, 90, 100))
    canvas.box(x - r * 0.13, y + r * 0.195, x + r * 0.0, y + r * 0.29, _WHITE)


def romance(canvas: Canvas, variant: int) -> TitleBox:
    """Draw a couple and a pale sun, in pink."""
    rng = canvas.rng
    blush = vary((250, 196, 196), rng, 0.02, 0.02)
    rose = vary((226, 92, 118), rng, 0.02, 0.06)
    wine: Colour = (112, 26, 56)
    cream: Colour = (255, 244, 232)
    canvas.gradient(mix(blush, rose, 0.25), blush, cream, mix(blush, cream, 0.4))
    x = 200 + float(rng.uniform(-35, 35))
    canvas.glow(x, 320, 260, (255, 236, 200), 0.6)
    if variant == 0:  # on the hill, the sun behind
        canvas.disc(x, 310, float(rng.uniform(96, 120)), mix(cream, (255, 214, 150), 0.6))
        canvas.clouds(180, 360, _WHITE, 0.5)
        ridge(canvas, 425, 50, mix(rose, cream, 0.5), rough=0.35)
        ridge(canvas, 462, 40, mix(rose, wine, 0.15), rough=0.35)
        _couple(canvas, x, 462, 150, wine)
        birds(canvas, x + 60, 220, 5, 8, wine)
    elif variant == 1:  # under the heart tree
        side = 1 if x > 200 else -1
        ridge(canvas, 455, 30, mix(rose, cream, 0.25), rough=0.35)
        tx = 200 + side * 50
        trunk = [(tx - 13, 462), (tx - 7, 380), (tx - 34, 310), (tx - 4, 345), (tx, 270), (tx + 6, 345), (tx + 36, 305)]
        canvas.shape([*trunk, (tx + 9, 382), (tx + 15, 462)], wine)
        for _ in range(230):
            u, v = rng.normal(0, 0.42, 2).tolist()
            size, colour = float(rng.uniform(5, 12)), mix(rose, cream, float(rng.uniform(0, 0.7)))
            heart(
                canvas, tx + float(np.clip(u, -1.1, 1.1)) * 118, 265 + float(np.clip(v, -1, 1)) * 70, size, colour, 0.9
            )
        for _ in range(16):
            heart(canvas, float(rng.uniform(20, 380)), float(rng.uniform(360, 480)), 4, rose, 0.7)
        _couple(canvas, 200 - side * 70, 464, 118, wine)
    elif variant == 2:  # balloons over the sea
        canvas.disc(x, 395, 80, mix(cream, (255, 206, 140), 0.75))
        canvas.gradient(mix(rose, cream, 0.35), mix(rose, blush, 0.2), top=415)
        for y in np.linspace(420, 520, 22).tolist():
            half = float(rng.uniform(10, 75))
            canvas.line([(x - half, y), (x + half, y)], 1.4, cream, 0.75)
        sizes = ((200 + (200 - x), 270, 62), (75, 330, 32), (325, 345, 27), (330, 225, 20), (70, 225, 17))
        for number, (bx, by, size) in enumerate(sizes):
            _balloon(
                canvas, bx, by, size, mix(rose, (wine, blush, cream)[number % 3], 0.35 * (number > 0)), cream, wine
            )
    else:  # one umbrella
        heart(canvas, 200, 305, 150, mix(rose, blush, 0.45))
        heart(canvas, 200, 305, 138, mix(rose, blush, 0.2))
        for px, py in (rng.random((46, 2)) * (WIDTH, 320) + (0, 165)).tolist():
            heart(canvas, px, py, 3.6, cream, 0.75)
        _couple(canvas, 200, 470, 185, wine)
        t = np.linspace(np.pi, 2 * np.pi, 30)
        dome = list(zip((200 + 92 * np.cos(t)).tolist(), (292 + 66 * np.sin(t)).tolist(), strict=True))
        edge = [(292 - 184 * part / 16, 292 - 9 * (part % 4 in {1, 2, 3})) for part in range(17)]
        canvas.shape([*dome, *edge], wine)
        canvas.line([(200, 220), (200, 385)], 3, wine)
        canvas.oval(200, 472, 90, 7, wine, 0.35)
    canvas.mist(455, 520, mix(blush, cream, 0.5), 0.93)
    canvas.shade(0, 170, cream, 0.6)
    return TitleBox(top=36, bottom=128, tagline=152)


def _couple(canvas: Canvas, x: float, y: float, height: float, colour: Colour) -> None:
    gap = height * 0.15
    person(canvas, x - gap, y, height, colour)
    person(canvas, x + gap, y, height * 0.93, colour, wears="dress")
    canvas.line(
        [(x - gap * 1.1, y - height * 0.7), (x, y - height * 0.5), (x + gap, y - height * 0.66)], height * 0.055, colour
    )


def _balloon(canvas: Canvas, x: float, y: float, size: float, coat: Colour, stripe: Colour, dark: Colour) -> None:
    half = [(size * np.sin(t) * (1 - 0.12 * (t > 1.9)), -size * np.cos(t)) for t in np.linspace(0, 2.6, 24)]
    low = size * 1.25
    for width, colour in ((1.0, coat), (0.66, stripe), (0.36, coat), (0.1, stripe)):
        side = [(px * width, py) for px, py in half]
        outline = [(x + px, y + py) for px, py in [*side, (size * 0.22 * width, low)]]
        mirrored = [(2 * x - px, py) for px, py in outline[::-1]]
        canvas.shape([*outline, *mirrored], colour)
    for side_x in (-0.2, 0.2):
        canvas.line(
            [(x + size * side_x, y + low), (x + size * side_x * 0.8, y + size * 1.6)], max(0.8, size / 45), dark
        )
    canvas.box(x - size * 0.19, y + size * 1.55, x + size * 0.19, y + size * 1.82, dark)
