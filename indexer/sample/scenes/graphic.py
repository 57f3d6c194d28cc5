"""Graphic scenes: heist, samurai and fantasy."""

from __future__ import annotations

import numpy as np

from indexer.sample.scenes.canvas import HEIGHT, WIDTH, Canvas, Colour, Point, TitleBox, mix, vary
from indexer.sample.scenes.shapes import birds, curve, peak, person, pine, ridge, stars

_INK: Colour = (20, 18, 20)


def heist(canvas: Canvas, variant: int) -> TitleBox:
    """Draw targets, keyholes, lasers or diamonds in flat red, black and cream."""
    rng = canvas.rng
    red = vary((214, 40, 38), rng, 0.012, 0.06)
    cream: Colour = (246, 232, 206)
    side = float(rng.choice([-1, 1]))
    canvas.gradient(red, red)
    for number in range(-6, 16):  # slanting stripes, all through
        sx = number * 46.0
        canvas.shape([(sx, 0), (sx + 14, 0), (sx + 14 + side * 190, 430), (sx + side * 190, 430)], mix(red, _INK, 0.22))
    if variant == 0:  # the target
        x = 200 + side * float(rng.uniform(0, 35))
        for radius, tone in ((186, cream), (158, _INK), (130, cream), (116, red), (108, cream)):
            canvas.disc(x, 200, radius, tone)
        person(canvas, x, 420, 285, _INK, wears="fedora")
        canvas.shape([(x - 7, 420 - 222), (x + 7, 420 - 222), (x, 420 - 178)], cream)
        canvas.shape(
            [(x - 2.5, 420 - 222), (x + 2.5, 420 - 222), (x + 3.5, 420 - 190), (x, 420 - 182), (x - 3.5, 420 - 190)],
            red,
        )
    elif variant == 1:  # the keyhole
        canvas.disc(200, 205, 172, _INK)
        canvas.ring(200, 205, 164, 3, cream)
        for tick in np.linspace(0, 2 * np.pi, 60, endpoint=False).tolist():
            far = 146 if round(tick * 60 / 6.283) % 5 else 138
            ends = [(200 + r * np.cos(tick), 205 + r * np.sin(tick)) for r in (158, far)]
            canvas.line(ends, 2, cream)
        canvas.disc(200, 165, 62, cream)
        canvas.shape([(178, 195), (222, 195), (262, 325), (138, 325)], cream)
        person(canvas, 200, 322, 168, red, wears="fedora" if rng.random() < 0.5 else "dress")
    elif variant == 2:  # down the rope through the lasers
        canvas.box(0, 0, WIDTH, 430, _INK)
        canvas.shape([(70, 0), (330, 0), (300, 120), (100, 120)], cream)
        canvas.shape([(82, 0), (318, 0), (292, 110), (108, 110)], red)
        for _ in range(11):
            y0, y1 = rng.uniform(130, 410, 2).tolist()
            canvas.line([(0, y0), (WIDTH, y1)], 4, red, 0.35)
            canvas.line([(0, y0), (WIDTH, y1)], 1.6, (255, 120, 100))
        x, y = 200 + side * 20, float(rng.uniform(235, 285))

        def at(*points: Point) -> list[Point]:
            return [(x + side * px, y + py) for px, py in points]

        canvas.line([(x, 0), (x, y)], 2.5, cream)
        canvas.shape(curve(at((-44, -14), (-10, -16), (34, -12), (36, 6), (-6, 10), (-42, 12))), cream)
        canvas.disc(*at((-62, 4))[0], 13, cream)
        canvas.line(curve(at((-38, 4), (-58, 34), (-86, 36)), closed=False), 9, cream)
        canvas.line(curve(at((-34, 4), (-40, 42), (-66, 56)), closed=False), 9, cream)
        canvas.line(curve(at((28, -4), (66, 4), (100, -16)), closed=False), 13, cream)
        canvas.line(curve(at((28, 0), (58, 22), (92, 16)), closed=False), 13, cream)
        canvas.box(x - 6, y - 17, x + 6, y + 10, red)
    else:  # the stone and the crew
        _diamond(canvas, 200, 165, 128, cream, red)
        for number, wears in enumerate(rng.permutation(["fedora", "dress", "", "fedora", "dress"]).tolist()):
            size = 205 - 22 * abs(number - 2)
            person(canvas, 60 + number * 70, 430, size, _INK, wears=wears)
    canvas.shape([(0, 405 + side * 14), (WIDTH, 405 - side * 14), (WIDTH, HEIGHT), (0, HEIGHT)], _INK)
    canvas.shape(
        [(0, 405 + side * 14), (WIDTH, 405 - side * 14), (WIDTH, 411 - side * 14), (0, 411 + side * 14)], cream
    )
    return TitleBox(top=432, bottom=512, tagline=530, left=36, align="left")


def _diamond(canvas: Canvas, x: float, y: float, size: float, light: Colour, red: Colour) -> None:
    top = [(-1, -0.3), (-0.6, -0.75), (0, -0.75), (0.6, -0.75), (1, -0.3)]
    tones = (0.0, 0.18, 0.4, 0.1, 0.3, 0.55, 0.25, 0.08)
    girdle = [(-1.0, -0.3), (-0.42, -0.3), (0.42, -0.3), (1.0, -0.3)]
    facets = [[girdle[0], girdle[1], (0, 0.95)], [girdle[1], girdle[2], (0, 0.95)], [girdle[2], girdle[3], (0, 0.95)]]
    facets += [[top[0], top[1], girdle[1]], [top[1], top[2], girdle[1]], [top[2], girdle[1], girdle[2]]]
    facets += [[top[2], top[3], girdle[2]], [top[3], top[4], girdle[2]]]
    canvas.glow(x, y, size * 1.9, light, 0.5)
    for facet, tone in zip(facets, tones, strict=True):
        canvas.shape([(x + px * size, y + py * size) for px, py in facet], mix(light, mix(red, _INK, 0.4), tone))


def samurai(canvas: Canvas, variant: int) -> TitleBox:
    """Draw ink on rice paper, and a red sun."""
    rng = canvas.rng
    paper = vary((238, 226, 200), rng, 0.01, 0.03)
    sun = vary((204, 44, 36), rng, 0.012, 0.06)
    wash = mix(paper, _INK, 0.45)
    canvas.gradient(mix(paper, (255, 255, 255), 0.3), paper, mix(paper, (190, 160, 110), 0.35))
    canvas.clouds(0, 600, mix(paper, (170, 140, 100), 0.5), 0.35, grain=8)
    side = float(rng.choice([-1, 1]))
    x = 200 + side * float(rng.uniform(20, 55))
    canvas.disc(x, 190, float(rng.uniform(92, 118)), sun)
    for part in range(3):  # mountains as washes that fade into mist
        ridge(canvas, 300 + part * 45, 120 - part * 25, mix(paper, wash, 0.45 + part * 0.3), rough=0.52)
        canvas.mist(280 + part * 45, 380 + part * 40, paper, 0.9)
    if variant == 0:  # the wanderer
        canvas.shape(
            curve([(-40, 418), (90, 402), (230, 408), (440, 396), (440, 434), (200, 428), (-40, 440)]), _INK, 0.9
        )
        person(canvas, x, 412, 215, _INK, wears="straw")
        canvas.line([(x - side * 62, 240), (x + side * 40, 345)], 4, _INK)
        canvas.line([(x - side * 46, 268), (x - side * 56, 256)], 8, _INK)
    elif variant == 1:  # bamboo
        for _ in range(5):
            bx, lean = 200 - side * float(rng.uniform(60, 190)), float(rng.uniform(-14, 14))
            _bamboo(canvas, bx, lean, float(rng.uniform(9, 15)), mix(_INK, paper, float(rng.uniform(0, 0.5))))
        person(canvas, 200 + side * 75, 415, 125, _INK, wears="straw")
        canvas.shape(curve([(-40, 420), (200, 408), (440, 416), (440, 432), (200, 426), (-40, 436)]), _INK, 0.85)
    elif variant == 2:  # the gate in the water
        for gx in (118, 282):
            canvas.shape([(gx - 9, 250), (gx + 9, 250), (gx + 13, 418), (gx - 13, 418)], _INK)
        canvas.shape(curve([(64, 214), (200, 232), (336, 214), (330, 238), (200, 252), (70, 238)]), _INK)
        canvas.box(90, 278, 310, 291, _INK)
        canvas.box(190, 250, 210, 280, _INK)
        person(canvas, 200, 416, 92, _INK, wears="straw")
        for _ in range(26):
            wx, wy = float(rng.uniform(10, 330)), float(rng.uniform(412, 438))
            canvas.line([(wx, wy), (wx + float(rng.uniform(20, 70)), wy)], 1.2, _INK, 0.5)
    else:  # two blades under the blossom
        for way in (-1, 1):
            foot = 200 + way * 88
            person(canvas, foot, 415, 150, _INK, wears="straw" if way < 0 else "cape")
            canvas.line(
                curve([(foot - way * 12, 322), (200 + way * 22, 290), (200 - way * 30, 246)], closed=False), 3.5, _INK
            )
        canvas.shape(curve([(-40, 420), (200, 406), (440, 416), (440, 432), (200, 426), (-40, 436)]), _INK, 0.9)
        edge = 410 if side < 0 else -10
        away = -1 if side < 0 else 1
        branch = curve(
            [(edge, 40), (edge + away * 90, 90), (edge + away * 150, 78), (edge + away * 230, 120)], closed=False
        )
        canvas.line(branch, 7, _INK)
        canvas.line([*branch[8:], (edge + away * 260, 160)], 3, _INK)
        for px, py in [branch[int(i)] for i in rng.integers(4, len(branch), 34)]:
            bx, by = px + float(rng.normal(0, 15)), py + float(rng.normal(4, 13))
            for turn in range(5):
                angle = turn * 1.2566 + bx
                canvas.disc(bx + 4 * np.cos(angle), by + 4 * np.sin(angle), 3.4, mix(sun, (255, 225, 225), 0.62))
            canvas.disc(bx, by, 1.8, sun)
    if variant != 3:
        birds(canvas, 200 - side * 90, 110, 5, 9, _INK)
    canvas.mist(425, 470, paper, 0.95)
    seal = 30 if side < 0 else 352
    canvas.box(seal, 26, seal + 19, 64, sun)
    for px, py in ((4, 8), (4, 20), (4, 31)):
        canvas.line([(seal + px, 26 + py), (seal + 15, 26 + py)], 2, paper)
    canvas.line([(seal + 9.5, 30), (seal + 9.5, 60)], 2, paper)
    return TitleBox(top=436, bottom=514, tagline=531)


def _bamboo(canvas: Canvas, x: float, lean: float, width: float, colour: Colour) -> None:
    joint = float(canvas.rng.uniform(48, 70))
    y = 430.0
    while y > -20:
        top = y - joint
        at, then = x + lean * (430 - y) / 430, x + lean * (430 - top) / 430
        canvas.shape(
            [(at - width / 2, y), (at + width / 2, y), (then + width / 2, top + 3), (then - width / 2, top + 3)], colour
        )
        if canvas.rng.random() < 0.6:
            for way in canvas.rng.choice([-1, 1], 3).tolist():
                drop, reach = float(canvas.rng.uniform(-6, 26)), way * float(canvas.rng.uniform(26, 52))
                canvas.shape(
                    curve([(then, top), (then + reach * 0.5, top - 4 + drop * 0.3), (then + reach, top + drop)]), colour
                )
        y = top


def fantasy(canvas: Canvas, variant: int) -> TitleBox:
    """Draw castles, dragons or swords in green-gold light, framed in gold."""
    rng = canvas.rng
    teal = vary((18, 104, 100), rng, 0.04, 0.1)
    deep = mix(teal, (2, 14, 24), 0.8)
    gold: Colour = (240, 206, 120)
    canvas.gradient(deep, teal, mix(teal, gold, 0.65), mix(teal, gold, 0.25), deep)
    x = 200 + float(rng.uniform(-40, 40))
    canvas.glow(x, 300, 280, gold, 0.75)
    stars(canvas, 70, 0, 240, gold)
    canvas.clouds(120, 420, mix(gold, (255, 255, 255), 0.4), 0.4)
    if variant == 0:  # the castle on the crag
        ridge(canvas, 400, 110, mix(teal, gold, 0.25), rough=0.55)
        canvas.mist(300, 440, mix(teal, gold, 0.5), 0.55)
        _castle(canvas, x, 424, 0.8, deep, gold)
        crag = [(x - 150, 540), (x - 95, 470), (x - 70, 422), (x + 72, 422), (x + 100, 476), (x + 160, 540)]
        canvas.shape(crag, deep)
    elif variant == 1:  # the dragon
        canvas.disc(x, 290, 92, mix(gold, (255, 255, 255), 0.5))
        peak(canvas, 80, 320, 520, 150, mix(teal, deep, 0.5), mix(gold, teal, 0.3))
        peak(canvas, 330, 300, 520, 170, mix(teal, deep, 0.6), mix(gold, teal, 0.3))
        _dragon(canvas, 200, 315, float(rng.uniform(0.88, 1.0)), deep, 1 if rng.random() < 0.5 else -1)
        _castle(canvas, 200, 468, 0.42, deep, gold)
    elif variant == 2:  # the sword in the stone
        canvas.beam((200, 150), (90, 470), (310, 470), gold, 0.6)
        for number in range(12):
            px = (number + float(rng.random())) * 34
            if abs(px - 200) > 62:
                pine(canvas, px, 455, float(rng.uniform(110, 230)), mix(deep, teal, float(rng.uniform(0, 0.35))))
        canvas.glow(200, 330, 130, (255, 250, 220), 0.9)
        blade: Colour = (236, 240, 236)
        canvas.shape([(191, 270), (209, 270), (207, 432), (193, 432)], blade)
        canvas.shape([(200, 270), (209, 270), (207, 432), (200, 432)], mix(blade, teal, 0.45))
        canvas.shape(
            curve([(150, 264), (200, 260), (250, 264), (252, 274), (200, 274), (148, 274)]), mix(gold, deep, 0.25)
        )
        canvas.box(195, 212, 205, 264, mix(deep, (90, 50, 20), 0.5))
        canvas.disc(200, 206, 11, mix(gold, deep, 0.2))
        canvas.disc(200, 206, 5, (200, 40, 50))
        canvas.shape(
            [(110, 480), (132, 420), (180, 398), (238, 402), (280, 436), (300, 480)], mix(deep, (70, 90, 90), 0.35)
        )
        canvas.shape([(110, 480), (132, 420), (180, 398), (190, 440), (170, 480)], mix(deep, (110, 130, 120), 0.5))
    else:  # the door
        ridge(canvas, 330, 170, mix(teal, deep, 0.55), rough=0.6)
        canvas.mist(300, 470, deep, 0.6)
        for grow, tone in ((20, mix(deep, (80, 90, 80), 0.5)), (8, deep), (0, (255, 246, 206))):
            canvas.disc(200, 280, 74 + grow, tone)
            canvas.box(126 - grow, 280, 274 + grow, 465, tone)
        canvas.glow(200, 330, 230, gold, 0.8)
        for turn in np.linspace(np.pi, 2 * np.pi, 9).tolist():
            canvas.line([(200 + r * np.cos(turn), 280 + r * np.sin(turn)) for r in (83, 93)], 2, gold)
        _castle(canvas, 200, 430, 0.5, mix(gold, teal, 0.45), gold)
        canvas.shape([(126, 440), (274, 440), (330, 520), (70, 520)], mix(gold, teal, 0.4))
        person(canvas, 200, 470, 118, deep, wears="cape")
    canvas.mist(450, 520, deep, 0.97)
    canvas.shade(0, 180, deep, 0.75)
    for inset, width in ((10, 2.5), (16, 1)):
        frame = [(inset, inset), (WIDTH - inset, inset), (WIDTH - inset, HEIGHT - inset), (inset, HEIGHT - inset)]
        canvas.line([*frame, frame[0]], width, gold)
    for cx, cy in ((14, 14), (WIDTH - 14, 14), (14, HEIGHT - 14), (WIDTH - 14, HEIGHT - 14)):
        canvas.shape([(cx - 11, cy), (cx, cy - 11), (cx + 11, cy), (cx, cy + 11)], gold)
        canvas.shape([(cx - 6, cy), (cx, cy - 6), (cx + 6, cy), (cx, cy + 6)], deep)
    return TitleBox(top=44, bottom=128, tagline=152, left=36, right=WIDTH - 36)


def _castle(canvas: Canvas, x: float, y: float, size: float, wall: Colour, lit: Colour) -> None:
    for tx, wide, tall in ((-62, 22, 95), (-34, 26, 150), (0, 34, 210), (36, 24, 135), (64, 20, 85)):
        width, height = wide * size, tall * size * float(canvas.rng.uniform(0.9, 1.1))
        left = x + tx * size - width / 2
        canvas.box(left, y - height, left + width, y + 4, wall)
        canvas.shape(
            [
                (left - 4 * size, y - height),
                (left + width / 2, y - height - width * 1.9),
                (left + width + 4 * size, y - height),
            ],
            wall,
        )
        tip = y - height - width * 1.9
        canvas.line([(left + width / 2, tip), (left + width / 2, tip - 14 * size)], max(0.8, 1.5 * size), wall)
        canvas.shape(
            [
                (left + width / 2, tip - 14 * size),
                (left + width / 2 + 14 * size, tip - 10 * size),
                (left + width / 2, tip - 6 * size),
            ],
            wall,
        )
        for row in range(2):
            wy = y - height + (14 + row * 30) * size
            canvas.box(left + width / 2 - 2.5 * size, wy, left + width / 2 + 2.5 * size, wy + 10 * size, lit, 0.9)
    canvas.box(x - 72 * size, y - 52 * size, x + 72 * size, y + 4, wall)
    for notch in range(12):
        canvas.box(x + (-72 + notch * 12.5) * size, y - 60 * size, x + (-65 + notch * 12.5) * size, y - 50 * size, wall)


def _dragon(canvas: Canvas, x: float, y: float, size: float, colour: Colour, side: int) -> None:
    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + side * px * size, y + py * size) for px, py in points]

    body = [(88, -48), (106, -44), (112, -36), (92, -32), (78, -22), (58, 2), (26, 26), (-10, 34), (-48, 32), (-92, 58)]
    body += [(-128, 62), (-150, 44), (-128, 52), (-96, 44), (-56, 14), (-14, 8), (18, -6), (46, -26), (66, -48)]
    canvas.shape(curve(at(*body)), colour)
    canvas.shape(at((84, -46), (70, -64), (92, -50)), colour)
    canvas.shape(at((-148, 46), (-172, 34), (-160, 56), (-142, 54)), colour)
    for shift, tall in ((0, 1.0), (-26, 0.82)):
        wing = [
            (26, -2),
            (18, -70),
            (-8, -122),
            (-20, -86),
            (-52, -104),
            (-50, -66),
            (-88, -72),
            (-70, -36),
            (-98, -22),
            (-30, 10),
        ]
        canvas.shape(at(*[(px + shift, py * tall) for px, py in wing]), colour)
    for lx in (-20, 18):
        canvas.line(at((lx, 24), (lx + 8, 46), (lx - 4, 58)), 6 * size, colour)
