"""Dark scenes: noir, horror and space."""

from __future__ import annotations

import numpy as np

from indexer.sample.scenes.canvas import HEIGHT, WIDTH, Canvas, Colour, TitleBox, mix, vary
from indexer.sample.scenes.shapes import bare_tree, birds, person, planet, ridge, skyline, stars

_LOW = TitleBox(top=424, bottom=512, tagline=530)
_HIGH = TitleBox(top=34, bottom=128, tagline=150)


def noir(canvas: Canvas, variant: int) -> TitleBox:
    """Draw streets, lamps, blinds and hats in silver greys, with one warm light."""
    rng = canvas.rng
    black: Colour = (9, 10, 13)
    tint = vary((148, 152, 164), rng, 0.06, 0.15)
    warm = vary((255, 214, 140), rng, 0.02, 0.05)
    canvas.gradient(mix(tint, black, 0.82), mix(tint, black, 0.4), mix(tint, black, 0.1), bottom=430)
    canvas.gradient(mix(tint, black, 0.5), black, top=400)
    side = float(rng.choice([-1, 1]))
    if variant == 0:  # a man under a street lamp
        x = 200 + side * float(rng.uniform(30, 70))
        skyline(canvas, 390, (90, 240), mix(tint, black, 0.62), warm)
        canvas.mist(260, 400, tint, 0.4)
        skyline(canvas, 400, (20, 110), mix(tint, black, 0.84))
        canvas.gradient(mix(tint, black, 0.55), black, top=400, bottom=600)
        canvas.beam((x, 128), (x - 105, 430), (x + 105, 430), warm, 0.85)
        canvas.oval(x, 418, 100, 15, warm, 0.25)
        canvas.line([(x + side * 62, 425), (x + side * 62, 122), (x + side * 40, 104), (x, 116)], 5, black)
        canvas.shape([(x - 16, 130), (x + 16, 130), (x + 7, 112), (x - 7, 112)], black)
        canvas.glow(x, 132, 60, warm, 0.9)
        person(canvas, x, 420, 165, black, wears="fedora")
        canvas.oval(x, 420, 42, 5, black, 0.8)
    elif variant == 1:  # the blinds
        canvas.gradient(mix(tint, black, 0.3), mix(tint, black, 0.05), bottom=600)
        slope = side * float(rng.uniform(30, 60))
        for y in range(-60, 640, 34):
            canvas.shape([(-5, y), (405, y + slope), (405, y + slope + 19), (-5, y + 19)], black, 0.72)
        x = 200 - side * 30
        canvas.clouds(40, 300, (200, 204, 214), 0.3)
        person(canvas, x + 18, 640, 500, black, wears="fedora")
        canvas.glow(x + side * 80, 232, 30, warm, 1)
        canvas.disc(x + side * 80, 232, 2.4, warm)
        canvas.line([(x + side * 45, 238), (x + side * 80, 232)], 3, mix(tint, (255, 255, 255), 0.6))
        canvas.mist(330, 440, black, 1)
    elif variant == 2:  # a lit door at the end of the alley
        x = 200 + side * float(rng.uniform(10, 50))
        canvas.gradient(black, mix(tint, black, 0.75), bottom=600)
        for wall, far in ((-5, x - 62), (405, x + 62)):
            corners = [(wall, -5), (far, 110), (far, 385), (wall, 600)]
            canvas.shape(corners, mix(tint, black, 0.72))
            for part in np.linspace(0.06, 0.94, 16).tolist():
                row = ((wall, -5 + 605 * part), (far, 110 + 275 * part))
                canvas.line(row, 1.2, black, 0.5)
            canvas.shape(corners, black, 0.25 if (wall < 0) == (side < 0) else 0)
        canvas.box(x - 62, 110, x + 62, 385, mix(tint, black, 0.85))
        canvas.box(x - 40, 165, x + 40, 385, mix(warm, (255, 255, 255), 0.35))
        canvas.glow(x, 275, 260, warm, 0.75)
        canvas.shape([(x - 40, 385), (x + 40, 385), (x + 150, 600), (x - 150, 600)], warm, 0.55)
        canvas.shape([(x - 14, 385), (x + 14, 385), (x + 60, 600), (x - 60, 600)], black, 0.8)
        person(canvas, x, 392, 175, black, wears="fedora")
        canvas.mist(395, 470, black, 0.9)
    else:  # two of them before the moon
        x = 200 + side * 40
        canvas.glow(x, 190, 260, tint, 0.5)
        canvas.disc(x, 190, 100, mix(warm, (255, 255, 255), 0.55))
        canvas.clouds(60, 330, mix(tint, black, 0.7), 0.7)
        skyline(canvas, 400, (60, 200), mix(tint, black, 0.78), warm)
        canvas.mist(270, 410, mix(tint, black, 0.3), 0.55)
        canvas.box(0, 405, WIDTH, HEIGHT, black)
        person(canvas, x - 38, 410, 215, black, wears="fedora")
        person(canvas, x + 38, 410, 195, black, wears="dress")
    for x, y in (rng.random((130, 2)) * (WIDTH + 60, 430)).tolist():
        canvas.line([(x, y), (x - 7, y + 24)], 0.6, (225, 230, 240), 0.28)
    canvas.mist(395, 480, black, 0.75)
    return _LOW


def horror(canvas: Canvas, variant: int) -> TitleBox:
    """Draw a house, a wood, eyes or graves in a blood-red night."""
    rng = canvas.rng
    black: Colour = (8, 3, 5)
    red = vary((176, 16, 20), rng, 0.015, 0.15)
    pale = mix(red, (255, 190, 150), 0.6)
    canvas.gradient(mix(red, black, 0.9), mix(red, black, 0.45), red, mix(red, black, 0.7), bottom=560)
    x = float(rng.uniform(120, 280))
    canvas.glow(x, 170, 260, red, 0.7)
    if variant != 2:
        canvas.disc(x, 165, float(rng.uniform(62, 88)), pale)
        canvas.clouds(70, 330, mix(red, black, 0.75), 0.75)
    if variant == 0:  # the house on the hill
        ridge(canvas, 395, 60, mix(red, black, 0.75))
        _house(canvas, 200 + float(rng.uniform(-30, 30)), 392, black, mix(pale, (255, 200, 60), 0.6))
        ridge(canvas, 405, 30, black)
        bare_tree(canvas, 45, 420, 60, 9, black, 0.15)
        bare_tree(canvas, 362, 420, 52, 8, black, -0.2)
        birds(canvas, 200, 120, 7, 9, black)
    elif variant == 1:  # someone in the wood
        for layer, part in enumerate((0.55, 0.75, 1)):
            for _ in range(6 - layer):
                tx = float(rng.uniform(-10, 410))
                if abs(tx - 200) > 60 or layer == 0:
                    bare_tree(canvas, tx, 430, 75 + 16 * layer, 7 + 4 * layer, mix(red, black, part), 0)
            canvas.mist(280, 450, red, 0.25)
        canvas.glow(200, 330, 150, pale, 0.7)
        person(canvas, 200, 420, 165, black, wears="dress")
        ridge(canvas, 420, 12, black)
    elif variant == 2:  # eyes in the dark
        canvas.mist(60, 330, black, 0.85)
        for _ in range(26):
            ex, ey = float(rng.uniform(25, 375)), float(rng.uniform(60, 390))
            if abs(ex - 200) > 110 or abs(ey - 225) > 50:
                _eyes(canvas, ex, ey, float(rng.uniform(3, 7)), pale, black)
        canvas.glow(200, 235, 190, red, 0.8)
        _eyes(canvas, 200, 225, 34, pale, black)
        bare_tree(canvas, 15, 440, 84, 14, black, 0.1)
        bare_tree(canvas, 385, 440, 84, 14, black, -0.1)
    else:  # graves
        bare_tree(canvas, 60 if x > 200 else 340, 420, 82, 13, black, 0.12 if x > 200 else -0.12)
        canvas.mist(300, 430, red, 0.45)
        ridge(canvas, 408, 26, black)
        for gx in (40, 118, 200, 285, 360):
            lean = float(rng.uniform(-9, 9))
            gy, h = 425 + float(rng.uniform(-8, 8)), float(rng.uniform(60, 110))
            if rng.random() < 0.5:
                canvas.line([(gx, gy), (gx + lean, gy - h)], 9, black)
                canvas.line(
                    [(gx + lean * 0.7 - h / 4, gy - h * 0.7), (gx + lean * 0.7 + h / 4, gy - h * 0.68)], 9, black
                )
            else:
                canvas.shape(
                    [(gx - 20, gy), (gx + 20, gy), (gx + 20 + lean, gy - h * 0.7), (gx - 20 + lean, gy - h * 0.7)],
                    black,
                )
                canvas.disc(gx + lean, gy - h * 0.7, 20, black)
        birds(canvas, x, 160, 6, 10, black)
    canvas.mist(400, 450, black, 1)
    return _LOW


def _house(canvas: Canvas, x: float, y: float, wall: Colour, lit: Colour) -> None:
    canvas.box(x - 75, y - 110, x + 60, y + 20, wall)
    canvas.shape([(x - 88, y - 105), (x - 40, y - 165), (x + 20, y - 165), (x + 74, y - 105)], wall)
    canvas.box(x + 18, y - 200, x + 68, y + 20, wall)
    canvas.shape([(x + 8, y - 195), (x + 43, y - 275), (x + 78, y - 195)], wall)
    canvas.line([(x + 43, y - 270), (x + 43, y - 292)], 2, wall)
    canvas.shape([(x - 72, y - 130), (x - 48, y - 185), (x - 24, y - 130)], wall)
    canvas.box(x - 22, y - 185, x - 8, y - 150, wall)
    for wx, wy in ((-58, -92), (-20, -92), (-58, -45), (35, -170), (35, -110), (-54, -148)):
        if canvas.rng.random() < 0.72:
            canvas.box(x + wx, y + wy, x + wx + 15, y + wy + 24, lit)
            canvas.line([(x + wx + 7.5, y + wy), (x + wx + 7.5, y + wy + 24)], 1.5, wall)
            canvas.line([(x + wx, y + wy + 11), (x + wx + 15, y + wy + 11)], 1.5, wall)


def _eyes(canvas: Canvas, x: float, y: float, size: float, bright: Colour, dark: Colour) -> None:
    for side in (-1, 1):
        ex = x + side * size * 1.5
        corners = [(ex - side * size, y + size * 0.35), (ex + side * size * 0.2, y - size * 0.3)]
        corners += [(ex + side * size * 1.1, y - size * 0.75), (ex + side * size * 0.6, y + size * 0.25)]
        canvas.shape(corners, bright)
        canvas.oval(ex, y - size * 0.05, size * 0.13, size * 0.34, dark)


def space(canvas: Canvas, variant: int) -> TitleBox:
    """Draw planets, rings, rockets and nebulae on deep blue."""
    rng = canvas.rng
    deep: Colour = (5, 8, 30)
    cloud = vary((70, 60, 200), rng, 0.09, 0.15)
    accent = vary((60, 170, 220), rng, 0.12, 0.1)
    globe = vary((214, 140, 96) if rng.random() < 0.5 else (110, 160, 210), rng, 0.05, 0.1)
    canvas.gradient(deep, mix(cloud, deep, 0.6), mix(cloud, deep, 0.8), deep)
    canvas.clouds(80, 560, cloud, 0.75)
    canvas.clouds(150, 500, accent, 0.4)
    stars(canvas, 240, 0, HEIGHT)
    side = float(rng.choice([-1, 1]))
    if variant == 0:  # a ringed giant
        x, y, r = 200 + side * 8, 335.0, float(rng.uniform(84, 102))
        canvas.glow(x, y, r * 2, globe, 0.4)
        _rings(canvas, x, y, r, mix(globe, (255, 255, 255), 0.35), back=True)
        planet(canvas, x, y, r, globe, (-0.6 * side, -0.5))
        _rings(canvas, x, y, r, mix(globe, (255, 255, 255), 0.35), back=False)
        planet(canvas, 200 - side * 120, 215, 24, vary(accent, rng), (-0.6 * side, -0.5))
        _rocket(canvas, 200 - side * 95, 455, 46, 0.5 * side, accent)
    elif variant == 1:  # leaving a world
        planet(canvas, 200, 690, 330, globe, (0.3 * side, -0.8))
        canvas.glow(200, 372, 190, mix(globe, (255, 255, 255), 0.4), 0.5)
        planet(canvas, 200 + side * 105, 235, 34, mix(accent, (255, 255, 255), 0.3), (0.3 * side, -0.8))
        _rocket(canvas, 200 - side * 30, 300, 105, 0.25 * side, accent)
    elif variant == 2:  # an eclipse, with the fleet
        x, y, r = 200.0, 300.0, 100.0
        canvas.glow(x, y, 300, mix(accent, (255, 255, 255), 0.5), 1)
        canvas.disc(x, y, r + 4, (255, 255, 255), 0.9)
        canvas.disc(x, y, r, deep)
        canvas.glow(x - side * r * 0.72, y - r * 0.72, 80, (255, 250, 230), 1)
        for number in range(7):
            fx, fy = x + side * (number - 3) * 42, 420 + abs(number - 3) * 22
            _ship(canvas, fx, fy, 30 - abs(number - 3) * 4, mix(deep, cloud, 0.25), accent)
    else:  # a walker on a moon, looking up
        planet(canvas, 200 + side * 60, 285, 125, globe, (-0.7 * side, -0.4))
        planet(canvas, 200 - side * 125, 225, 28, accent, (-0.7 * side, -0.4))
        ridge(canvas, 465, 70, mix(cloud, deep, 0.6))
        ridge(canvas, 500, 40, mix(deep, (0, 0, 0), 0.4), rough=0.4)
        canvas.glow(200 - side * 60, 440, 80, accent, 0.5)
        person(canvas, 200 - side * 60, 506, 92, (3, 4, 14))
        canvas.disc(200 - side * 60, 422, 11, (3, 4, 14))
        canvas.oval(200 - side * 56, 421, 6, 5, accent)
    canvas.mist(490, 556, deep, 0.92)
    canvas.shade(0, 170, deep, 0.7)
    return _HIGH


def _rings(canvas: Canvas, x: float, y: float, radius: float, colour: Colour, *, back: bool) -> None:
    t = np.linspace(np.pi, 2 * np.pi, 60) if back else np.linspace(0, np.pi, 60)
    for inner, outer, alpha in ((1.42, 1.47, 0.6), (1.5, 1.68, 0.45), (1.72, 1.84, 0.7), (1.88, 1.92, 0.4)):
        edges = []
        for size in (inner, outer):
            across, down = radius * size * np.cos(t), radius * size * 0.26 * np.sin(t)
            turned = (x + across * 0.95 - down * 0.3, y + across * 0.3 + down * 0.95)
            edges.append(list(zip(turned[0].tolist(), turned[1].tolist(), strict=True)))
        canvas.shape([*edges[0], *edges[1][::-1]], colour, alpha)


def _rocket(canvas: Canvas, x: float, y: float, size: float, lean: float, accent: Colour) -> None:
    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        c, s = np.cos(lean) * size, np.sin(lean) * size
        return [(x + px * c - py * s, y + px * s + py * c) for px, py in points]

    for width, reach, colour in (
        (0.14, 1.5, (255, 120, 40)),
        (0.09, 1.1, (255, 210, 110)),
        (0.045, 0.8, (255, 255, 240)),
    ):
        canvas.shape(at((-width, 0.42), (width, 0.42), (0, reach)), colour, 0.85)
    canvas.glow(*at((0, 0.7))[0], size * 0.9, (255, 150, 60), 0.8)
    canvas.shape(at((-0.13, 0.15), (-0.34, 0.52), (-0.1, 0.42), (0.1, 0.42), (0.34, 0.52), (0.13, 0.15)), accent)
    body = [(0, -0.62), (0.1, -0.42), (0.16, -0.1), (0.15, 0.2), (0.1, 0.44)]
    canvas.shape(at(*body, *[(-px, py) for px, py in body[::-1]]), (232, 236, 244))
    canvas.shape(at(*body, (0.03, 0.44), (0.05, 0), (0.02, -0.5)), (150, 160, 184))
    canvas.shape(at((0, -0.62), (0.1, -0.42), (-0.1, -0.42)), accent)
    canvas.disc(*at((-0.01, -0.16))[0], size * 0.065, accent)
    canvas.disc(*at((-0.01, -0.16))[0], size * 0.045, (20, 30, 70))


def _ship(canvas: Canvas, x: float, y: float, size: float, hull: Colour, light: Colour) -> None:
    canvas.glow(x, y + size * 0.5, size * 0.9, light, 0.9)
    canvas.shape(
        [(x, y - size), (x + size * 0.75, y + size * 0.5), (x, y + size * 0.25), (x - size * 0.75, y + size * 0.5)],
        hull,
    )
    canvas.line([(x, y - size), (x, y + size * 0.25)], 1, light, 0.8)
