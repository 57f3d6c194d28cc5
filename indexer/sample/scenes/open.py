"""Outdoor scenes: western, nature documentary and war."""

from __future__ import annotations

import numpy as np
from PIL import Image

from indexer.sample.scenes.canvas import HEIGHT, WIDTH, Canvas, Colour, TitleBox, mix, vary
from indexer.sample.scenes.shapes import bare_tree, birds, curve, helmet, peak, person, pine, ridge

_LOW = TitleBox(top=430, bottom=514, tagline=531)


def western(canvas: Canvas, variant: int) -> TitleBox:
    """Draw an orange evening with mesas, cactuses and hats."""
    rng = canvas.rng
    dark: Colour = (52, 20, 12)
    sky = vary((240, 120, 36), rng, 0.02, 0.06)
    sun = vary((255, 226, 140), rng, 0.02, 0.02)
    canvas.gradient(mix(sky, (130, 30, 20), 0.6), sky, mix(sky, sun, 0.75), bottom=420)
    x = 200 + float(rng.uniform(-50, 50))
    radius = float(rng.uniform(85, 118))
    canvas.glow(x, 265, 300, sun, 0.6)
    canvas.disc(x, 265, radius, mix(sun, (255, 255, 255), 0.3))
    for y in range(8):
        canvas.box(0, 292 + y * 13, WIDTH, 294 + y * 14.2, sky, 0.8)
    _mesas(canvas, 385, mix(sky, dark, 0.35), 3)
    _mesas(canvas, 400, mix(sky, dark, 0.6), 2)
    canvas.gradient(mix(sky, dark, 0.62), dark, mix(dark, (0, 0, 0), 0.3), top=396)
    if variant == 0:  # the stranger
        canvas.shape([(x - 22, 425), (x + 22, 425), (x + 70, 600), (x - 30, 600)], (20, 6, 4), 0.5)
        person(canvas, x, 428, float(rng.uniform(245, 285)), (24, 8, 6), wears="stetson")
    elif variant == 1:  # cactuses and buzzards
        side = float(rng.choice([-1, 1]))
        _cactus(canvas, 200 + side * 115, 428, float(rng.uniform(190, 230)), (30, 12, 8))
        _cactus(canvas, 200 - side * 140, 420, 105, (40, 16, 10))
        _cactus(canvas, 200 - side * 50, 408, 46, (60, 24, 14))
        person(canvas, 200 - side * 80, 424, 88, (26, 9, 6), wears="stetson")
        birds(canvas, 200, 120, 6, 13, dark)
    elif variant == 2:  # the tree and the crosses
        bare_tree(canvas, 95, 432, 98, 17, (26, 9, 6), 0.12)
        for gx, size in ((235, 62), (300, 80), (355, 54)):
            gy = 425 + float(rng.uniform(-6, 6))
            canvas.line([(gx, gy), (gx + 4, gy - size)], 8, (26, 9, 6))
            canvas.line([(gx - size * 0.26, gy - size * 0.66), (gx + size * 0.34, gy - size * 0.7)], 7, (26, 9, 6))
        canvas.oval(304, 345, 15, 4, (26, 9, 6))
        canvas.oval(304, 340, 8, 8, (26, 9, 6))
        birds(canvas, 260, 110, 5, 12, dark)
    else:  # the duel
        for dx, size in ((-118, 205), (118, 205)):
            canvas.shape([(200 + dx - 12, 425), (200 + dx + 12, 425), (200 + dx * 1.5, 600)], (20, 6, 4), 0.5)
            person(canvas, 200 + dx, 428, size * float(rng.uniform(0.92, 1.06)), (24, 8, 6), wears="stetson")
        person(canvas, 200, 408, 46, (50, 18, 12), wears="stetson")
    canvas.mist(400, 470, (34, 12, 8), 0.75)
    return _LOW


def _mesas(canvas: Canvas, base: float, colour: Colour, count: int) -> None:
    for part in range(count):
        x = (part + float(canvas.rng.uniform(0.1, 0.9))) * WIDTH / count
        half, height = float(canvas.rng.uniform(26, 75)), float(canvas.rng.uniform(40, 125))
        top = base - height
        rim = [(x - half, top + 10), (x - half * 0.8, top), (x + half * 0.3, top + 4), (x + half * 0.85, top - 3)]
        foot = [(x + half, top + 12), (x + half * 1.1, base - height * 0.4), (x + half * 1.8, base + 20)]
        canvas.shape([*rim, *foot, (x - half * 1.8, base + 20), (x - half * 1.1, base - height * 0.4)], colour)
    canvas.box(0, base, WIDTH, base + 20, colour)


def _cactus(canvas: Canvas, x: float, y: float, height: float, colour: Colour) -> None:
    thick = height * 0.14
    for side, low, reach in ((-1, 0.42, 0.78), (1, 0.3, 0.66)):
        elbow = x + side * height * 0.24
        arm = [(x, y - height * low), (elbow, y - height * low), (elbow, y - height * reach)]
        canvas.line(arm, thick * 0.72, colour)
        canvas.disc(elbow, y - height * low, thick * 0.36, colour)
        canvas.disc(elbow, y - height * reach, thick * 0.36, colour)
    canvas.line([(x, y), (x, y - height)], thick, colour)
    canvas.disc(x, y - height, thick / 2, colour)


def nature(canvas: Canvas, variant: int) -> TitleBox:
    """Draw mountains, pines and water under a wide sky, in a yellow frame."""
    rng = canvas.rng
    sky = vary((120, 180, 206), rng, 0.04, 0.08)
    haze = mix(sky, (250, 246, 226), 0.75)
    wood = vary((22, 74, 52), rng, 0.03, 0.15)
    rock = vary((84, 112, 128), rng, 0.02, 0.1)
    canvas.gradient(mix(sky, (20, 60, 110), 0.45), sky, haze, haze)
    canvas.clouds(130, 300, (255, 255, 255), 0.5)
    x = float(rng.uniform(110, 290))
    canvas.glow(x, 235, 220, (255, 244, 206), 0.75)
    if variant in {0, 1}:
        for _ in range(2):
            peak(
                canvas, float(rng.uniform(20, 380)), float(rng.uniform(215, 250)), 430, 160, mix(rock, haze, 0.4), haze
            )
        peak(canvas, x, float(rng.uniform(175, 205)), 430, 190, rock, (250, 252, 255))
    else:
        for part in range(3):
            ridge(canvas, 250 + part * 35, 90, mix(rock, haze, 0.65 - part * 0.22), rough=0.45)
    canvas.mist(300, 400, haze, 0.6)
    if variant == 0:  # a lake
        ridge(canvas, 372, 30, mix(wood, haze, 0.4), rough=0.55)
        _pines(canvas, 390, (24, 48), mix(wood, haze, 0.3), 34)
        upper = canvas.image.crop((0, 380, 800, 780)).transpose(Image.Transpose.FLIP_TOP_BOTTOM).resize((800, 420))
        canvas.image.paste(upper, (0, 780))
        canvas.box(0, 390, WIDTH, HEIGHT, mix(sky, wood, 0.55), 0.42)
        for y in np.linspace(396, 590, 26).tolist():
            wx = float(rng.uniform(-40, 300))
            canvas.line([(wx, y), (wx + float(rng.uniform(60, 180)), y)], 0.9, haze, 0.4)
        _pines(canvas, 610, (120, 210), mix(wood, (0, 10, 10), 0.6), 4, edges=True)
    elif variant == 1:  # the forest
        for part in range(4):
            _pines(canvas, 415 + part * 48, (60 + part * 25, 100 + part * 35), mix(wood, haze, 0.55 - part * 0.18), 16)
            canvas.mist(400 + part * 48, 470 + part * 48, haze if part < 3 else wood, 0.35)
    elif variant == 2:  # a river through meadows
        meadow = mix(wood, (160, 190, 80), 0.5)
        ridge(canvas, 372, 40, mix(meadow, haze, 0.25), rough=0.4)
        canvas.gradient(meadow, mix(wood, meadow, 0.3), top=392)
        for _ in range(26):
            px = float(rng.uniform(10, 390))
            if abs(px - x) > 40:
                pine(canvas, px, float(rng.uniform(394, 412)), float(rng.uniform(20, 42)), mix(wood, haze, 0.15))
        left = curve([(x, 392), (x + 46, 415), (x - 60, 452), (70, 520), (-60, 610)], closed=False)
        right = curve([(x + 9, 392), (x + 80, 416), (x + 18, 458), (250, 525), (330, 610)], closed=False)
        canvas.shape([*left, *right[::-1]], mix(sky, (255, 255, 255), 0.35))
        canvas.shape([*left, *right[::-1]], sky, 0.35)
        _pines(canvas, 615, (150, 250), mix(wood, (0, 10, 10), 0.5), 4, edges=True)
    else:  # an elk on the rise
        ridge(canvas, 392, 40, mix(wood, haze, 0.3), rough=0.5)
        _pines(canvas, 430, (50, 95), mix(wood, haze, 0.15), 20)
        hill = mix(wood, (0, 14, 14), 0.55)
        canvas.shape(curve([(-40, 520), (80, 462), (220, 440), (340, 470), (440, 500), (440, 640), (-40, 640)]), hill)
        _elk(canvas, 210, 446, 1 if x > 200 else -1, hill)
        birds(canvas, 200, 210, 7, 8, hill)
    canvas.mist(470, 552, mix(wood, (0, 12, 14), 0.7), 0.94)
    canvas.shade(0, 190, mix(sky, (10, 40, 80), 0.75), 0.6)
    gold: Colour = (250, 200, 40)
    for box in ((0, 0, WIDTH, 9), (0, HEIGHT - 9, WIDTH, HEIGHT), (0, 0, 9, HEIGHT), (WIDTH - 9, 0, WIDTH, HEIGHT)):
        canvas.box(*box, gold)
    return TitleBox(top=40, bottom=122, tagline=146, left=38, right=WIDTH - 38)


def _pines(
    canvas: Canvas, y: float, heights: tuple[float, float], colour: Colour, count: int, *, edges: bool = False
) -> None:
    for number in range(count):
        x = (number + float(canvas.rng.uniform(0, 1))) * WIDTH / count
        if edges:  # leave the middle open to the view
            x = x * 0.3 if number % 2 else WIDTH - x * 0.3
        pine(canvas, x, y + float(canvas.rng.uniform(0, 12)), float(canvas.rng.uniform(*heights)), colour)
    canvas.box(0, y + 2, WIDTH, HEIGHT, colour, 0 if edges else 1)


def _elk(canvas: Canvas, x: float, y: float, side: int, colour: Colour) -> None:
    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + side * px, y - py) for px, py in points]

    body = [(-46, 62), (-40, 82), (0, 80), (26, 88), (40, 116), (48, 128), (66, 120), (68, 112), (54, 106), (46, 70)]
    canvas.shape(curve(at(*body, (34, 50), (0, 46), (-30, 44))), colour)
    for lx in (-38, -26, 26, 36):
        canvas.line(at((lx, 60), (lx + 2, 30), (lx - 1, -4)), 5, colour)
    for way in (-1, 1):
        beam = [(50, 126), (50 + way * 20, 142), (50 + way * 28, 164), (50 + way * 20, 186)]
        canvas.line(curve(at(*beam), closed=False), 3, colour)
        for (px, py), (tx, ty) in (((70, 142), (74, 156)), ((77, 156), (66, 172)), ((78, 166), (90, 180))):
            canvas.line(at((50 + way * (px - 50), py), (50 + way * (tx - 50), ty)), 2.4, colour)


def war(canvas: Canvas, variant: int) -> TitleBox:
    """Draw soldiers, planes, wire or parachutes in khaki smoke over ruins."""
    rng = canvas.rng
    khaki = vary((150, 140, 92), rng, 0.03, 0.1)
    dark: Colour = (24, 26, 16)
    fire = vary((226, 150, 70), rng, 0.02, 0.05)
    canvas.gradient(
        mix(khaki, dark, 0.62), mix(khaki, dark, 0.15), mix(khaki, fire, 0.4), mix(khaki, dark, 0.6), bottom=500
    )
    x = float(rng.uniform(110, 290))
    canvas.glow(x, 350, 240, fire, 0.55)
    canvas.clouds(20, 330, dark, 0.75, grain=4)
    canvas.clouds(150, 420, mix(khaki, (230, 220, 190), 0.5), 0.45)
    ridge(canvas, 390, 50, mix(khaki, dark, 0.55))
    if variant == 0:  # the patrol
        for number, px in enumerate(np.linspace(55, 345, 5).tolist()):
            size = float(rng.uniform(135, 160)) + (40 if number == 2 else 0)
            _soldier(canvas, px + float(rng.uniform(-10, 10)), 430 + float(rng.uniform(-4, 6)), size, dark)
    elif variant == 1:  # bombers in searchlights
        for base in rng.uniform(20, 380, 4).tolist():
            tip = base + float(rng.uniform(-160, 160))
            canvas.beam((base, 420), (tip - 28, 20), (tip + 28, 20), (240, 230, 180), 0.5)
        for number, (px, py, size) in enumerate(
            ((200, 160, 74), (90, 110, 38), (310, 105, 38), (45, 225, 26), (352, 230, 26))
        ):
            _plane(canvas, px + float(rng.uniform(-12, 12)), py, size, mix(dark, khaki, 0.12 * (number > 0)))
        _ruins(canvas, 400, dark)
    elif variant == 2:  # helmet on a rifle, wire
        canvas.line([(200, 440), (200, 215)], 6, dark)
        canvas.shape([(194, 340), (206, 340), (208, 290), (214, 215), (190, 215), (193, 290)], dark)
        canvas.shape([(206, 300), (222, 322), (216, 326), (205, 312)], dark)
        canvas.line(curve([(206, 335), (232, 300), (212, 232)], closed=False), 3, dark)
        helmet(canvas, 202, 216, 46, dark)
        for tag in (0, 7):
            canvas.line([(188, 222), (180 - tag, 262)], 1.2, dark)
            canvas.oval(180 - tag, 268, 4, 7, dark)
        _wire(canvas, dark)
    else:  # parachutes
        for _ in range(9):
            high = float(rng.uniform(60, 280))
            _parachute(canvas, float(rng.uniform(30, 370)), high, 12 + high / 11, mix(dark, khaki, 0.1))
        _parachute(canvas, 200 + float(rng.uniform(-60, 60)), 200, 62, dark)
        _soldier(canvas, 90, 432, 120, dark)
        _soldier(canvas, 300, 436, 140, dark)
    ridge(canvas, 425, 26, dark, rough=0.6)
    canvas.mist(410, 470, dark, 0.95)
    return _LOW


def _soldier(canvas: Canvas, x: float, y: float, height: float, colour: Colour) -> None:
    person(canvas, x, y, height, colour, wears="helmet")
    u = height / 100
    canvas.line([(x - 20 * u, y - 48 * u), (x + 22 * u, y - 70 * u), (x + 34 * u, y - 76 * u)], 2.6 * u, colour)
    canvas.shape(
        [(x - 12 * u, y - 80 * u), (x - 21 * u, y - 78 * u), (x - 20 * u, y - 56 * u), (x - 10 * u, y - 55 * u)], colour
    )


def _plane(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    wing = [(x - size, y - size * 0.14), (x - size * 0.95, y - size * 0.2), (x, y - size * 0.06)]
    wing += [(x + size * 0.95, y - size * 0.2), (x + size, y - size * 0.14), (x, y + size * 0.14)]
    canvas.shape(wing, colour)
    canvas.oval(x, y, size * 0.14, size * 0.17, colour)
    canvas.shape([(x - size * 0.03, y), (x, y - size * 0.42), (x + size * 0.03, y)], colour)
    canvas.line([(x - size * 0.34, y - size * 0.2), (x + size * 0.34, y - size * 0.2)], size * 0.04, colour)
    for part in (-0.55, -0.3, 0.3, 0.55):
        canvas.disc(x + size * part, y - size * 0.06, size * 0.07, colour)
        canvas.disc(x + size * part, y - size * 0.06, size * 0.16, colour, 0.3)


def _ruins(canvas: Canvas, base: float, colour: Colour) -> None:
    x = -10.0
    while x < WIDTH:
        width, height = float(canvas.rng.uniform(30, 60)), float(canvas.rng.uniform(20, 95))
        cuts = np.linspace(x, x + width, 5).tolist()
        top = [(cut, base - height + float(canvas.rng.uniform(-16, 16))) for cut in cuts]
        canvas.shape([*top, (x + width, base + 60), (x, base + 60)], colour)
        x += width + float(canvas.rng.uniform(0, 26))


def _wire(canvas: Canvas, colour: Colour) -> None:
    posts = [20, 115, 285, 380]
    for px in posts:
        canvas.line([(px, 450), (px + float(canvas.rng.uniform(-9, 9)), 320)], 6, colour)
    for y in (335, 365, 395):
        t = np.linspace(-10, 410, 200)
        wave = y + 6 * np.sin(t / 30 + y) + 2.5 * np.sin(t / 3.2)
        canvas.line(list(zip(t.tolist(), wave.tolist(), strict=True)), 1.5, colour)
        for bx in np.arange(5, 400, 24).tolist():
            by = y + 6 * np.sin(bx / 30 + y)
            canvas.line([(bx - 4, by - 6), (bx + 4, by + 6)], 1.4, colour)
            canvas.line([(bx + 4, by - 6), (bx - 4, by + 6)], 1.4, colour)


def _parachute(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    scallop = [(x + size * px, y + size * 0.1 * (i % 2)) for i, px in enumerate(np.linspace(1, -1, 9).tolist())]
    dome = [(x - size * np.cos(t), y - size * 0.85 * np.sin(t)) for t in np.linspace(0, np.pi, 20)]
    canvas.shape([*dome, *scallop], colour)
    for px in np.linspace(-0.95, 0.95, 6).tolist():
        canvas.line([(x + size * px, y), (x, y + size * 1.2)], max(0.5, size / 70), colour, 0.8)
    person(canvas, x, y + size * 1.75, size * 0.62, colour, wears="helmet")
