"""The scene on a stage: musical."""

from __future__ import annotations

import numpy as np

from indexer.sample.scenes.canvas import HEIGHT, WIDTH, Canvas, Colour, Point, TitleBox, mix, vary
from indexer.sample.scenes.shapes import curve


def musical(canvas: Canvas, variant: int) -> TitleBox:
    """Draw a stage with curtains, spotlights and bulbs."""
    rng = canvas.rng
    plum = vary((128, 22, 110), rng, 0.03, 0.1)
    night: Colour = (36, 6, 52)
    gold: Colour = (255, 212, 96)
    canvas.gradient(mix(plum, night, 0.35), plum, mix(plum, night, 0.4))
    for number in range(28):  # the folds of the back curtain
        fx = number * 15.0
        canvas.box(fx, 0, fx + 7, 470, night, 0.22)
        canvas.box(fx + 9, 0, fx + 12, 470, (255, 150, 230), 0.07)
    canvas.gradient(mix(plum, gold, 0.45), mix(plum, night, 0.55), night, top=455)
    canvas.mist(480, 560, night, 0.6)
    if variant == 0:  # one dancer, two spots
        for sx, wide in ((20, 90), (380, 90)):
            canvas.beam((sx, 160), (200 - wide, 475), (200 + wide, 475), (255, 240, 200), 0.75)
        canvas.oval(200, 470, 96, 17, (255, 244, 210), 0.8)
        _dancer(canvas, 200, 470, 240, night)
    elif variant == 1:  # the marquee star
        canvas.glow(200, 330, 230, gold, 0.6)
        _star(canvas, 200, 330, 150, night)
        _star(canvas, 200, 330, 138, gold)
        _star(canvas, 200, 330, 112, mix(plum, (230, 30, 90), 0.5))
        points = _star_points(200, 330, 125)
        for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
            for part in (0.0, 0.25, 0.5, 0.75):
                _bulb(canvas, ax + (bx - ax) * part, ay + (by - ay) * part)
        _dancer(canvas, 200, 400, 130, night)
    elif variant == 2:  # a keyboard and its notes
        for key in range(22):
            low, high = key / 22, (key + 0.93) / 22
            corners = [_swirl(low, 0), *[_swirl(high, 0)], *[_swirl(high, 1)], _swirl(low, 1)]
            canvas.shape(corners, (255, 248, 235))
            if key % 7 not in {2, 6}:
                corners = [
                    _swirl(low + 0.03, 0),
                    _swirl(high + 0.015, 0),
                    _swirl(high + 0.015, 0.6),
                    _swirl(low + 0.03, 0.6),
                ]
                canvas.shape(corners, night)
        for number in range(9):
            _note(canvas, 92 + 26 * number, 255 + float(rng.uniform(-32, 45)), 20 + 2 * number, gold)
        canvas.beam((200, 150), (60, 470), (340, 470), (255, 240, 200), 0.35)
    else:  # the chorus line on the stairs
        for step in range(5):
            half = 80 + step * 34
            canvas.box(200 - half, 345 + step * 26, 200 + half, 372 + step * 26, mix(gold, plum, 0.25 + step * 0.13))
            canvas.box(200 - half, 345 + step * 26, 200 + half, 349 + step * 26, (255, 240, 190))
        canvas.beam((200, 150), (70, 475), (330, 475), (255, 244, 210), 0.6)
        for number in (-2, -1, 1, 2):
            _dancer(canvas, 200 + number * 56, 445 - (abs(number) == 1) * 26, 118, night)
        _dancer(canvas, 200, 347, 150, night)
    for side in (0, 1):  # the front curtain, drawn aside
        for fold in range(4):
            far = 82 - fold * 20 - (fold * 3)
            outline = curve([(0, -20), (far, -20), (far * 0.95, 200), (far * 0.45, 370), (far * 0.85, 500), (0, 500)])
            tone = mix((214, 26, 70), night, 0.12 + 0.16 * (fold % 2) + 0.05 * fold)
            canvas.shape([(WIDTH - px, py) if side else (px, py) for px, py in outline], tone)
        canvas.oval(WIDTH - 30 if side else 30, 372, 20, 6, gold)
    canvas.shade(0, 190, night, 0.92)
    canvas.box(0, 505, WIDTH, HEIGHT, night, 0.75)
    for number in range(20):
        _bulb(canvas, 10 + number * 20, 16)
        _bulb(canvas, 10 + number * 20, 512)
    return TitleBox(top=42, bottom=126, tagline=150)


def _star_points(x: float, y: float, radius: float) -> list[Point]:
    angles = np.arange(10) * np.pi / 5 - np.pi / 2
    reach = np.where(np.arange(10) % 2, radius * 0.45, radius)
    return list(zip((x + reach * np.cos(angles)).tolist(), (y + reach * np.sin(angles)).tolist(), strict=True))


def _star(canvas: Canvas, x: float, y: float, radius: float, colour: Colour) -> None:
    canvas.shape(_star_points(x, y, radius), colour)


def _bulb(canvas: Canvas, x: float, y: float) -> None:
    canvas.disc(x, y, 6.5, (255, 190, 70), 0.3)
    canvas.disc(x, y, 4, (255, 224, 130))
    canvas.disc(x, y, 2.2, (255, 252, 235))


def _swirl(along: float, across: float) -> Point:
    x = 30 + along * 340
    return x + across * 18 * np.cos(along * 6), 350 + 38 * np.sin(along * 6.3) + across * (62 + 40 * along)


def _note(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    canvas.oval(x, y, size * 0.32, size * 0.24, colour)
    canvas.line([(x + size * 0.28, y), (x + size * 0.28, y - size * 1.2)], size * 0.1, colour)
    flag = [(x + size * 0.28, y - size * 1.2), (x + size * 0.75, y - size * 0.75), (x + size * 0.6, y - size * 0.4)]
    canvas.shape([*flag, (x + size * 0.56, y - size * 0.7), (x + size * 0.28, y - size * 0.85)], colour)


def _dancer(canvas: Canvas, x: float, y: float, height: float, colour: Colour) -> None:
    u = height / 100
    side = 1 if canvas.rng.random() < 0.5 else -1

    def at(*points: Point) -> list[Point]:
        return [(x + side * px * u, y - py * u) for px, py in points]

    canvas.line(curve(at((-2, 42), (-3, 22), (-1, 1)), closed=False), 6 * u, colour)
    canvas.line(curve(at((3, 42), (18, 34), (10, 14)), closed=False), 6 * u, colour)
    canvas.shape(at((-4, 2), (8, 0), (-2, 0)), colour)
    skirt = at((-5, 62), (-16, 44), (-24, 34), (-8, 31), (6, 35), (22, 32), (16, 46), (5, 62))
    canvas.shape(curve(skirt, steps=5), colour)
    canvas.shape(curve(at((-5, 60), (-9, 78), (-4, 82), (5, 82), (9, 77), (5, 60)), steps=5), colour)
    canvas.line(curve(at((-7, 78), (-20, 86), (-27, 101)), closed=False), 4.2 * u, colour)
    canvas.line(curve(at((7, 78), (20, 72), (33, 78)), closed=False), 4.2 * u, colour)
    canvas.oval(*at((1, 92))[0], 6 * u, 7.5 * u, colour)
    canvas.box(x - 2.5 * u, y - 88 * u, x + 2.5 * u, y - 80 * u, colour)
    canvas.shape(at((-9, 97), (12, 100), (11, 102), (7, 102), (6, 112), (-5, 110), (-4, 100), (-9, 99)), colour)
