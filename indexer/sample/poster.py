"""Generation of a sample movie's poster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from indexer.sample.catalogue import SampleMovie
from indexer.sample.lettering import Lettering, draw_text
from indexer.sample.scenes.bright import cartoon, romance
from indexer.sample.scenes.canvas import Canvas, TitleBox
from indexer.sample.scenes.dark import horror, noir, space
from indexer.sample.scenes.graphic import fantasy, heist, samurai
from indexer.sample.scenes.open import nature, war, western
from indexer.sample.scenes.stage import musical

_VARIANTS = 4  # compositions per scene


@dataclass(frozen=True, slots=True)
class _Style:
    scene: Callable[[Canvas, int], TitleBox]
    lettering: Lettering
    grain: float = 1
    vignette: float = 0.25


_STYLES = {
    "noir": _Style(
        noir,
        Lettering("noir", (240, 238, 232), (236, 206, 140), (172, 164, 148), shadow=(6, 6, 8), leading=0.92),
        grain=2,
        vignette=0.4,
    ),
    "space": _Style(
        space,
        Lettering("space", (236, 246, 255), (160, 212, 244), (130, 168, 214), shadow=(20, 40, 120), largest=52),
    ),
    "cartoon": _Style(
        cartoon,
        Lettering("cartoon", (255, 255, 255), (44, 26, 60), (226, 248, 210), edge=(44, 26, 60), edge_width=5),
        grain=0,
        vignette=0.05,
    ),
    "western": _Style(
        western,
        Lettering("western", (250, 222, 168), (238, 176, 104), (188, 132, 84), shadow=(24, 8, 4), largest=56),
    ),
    "romance": _Style(
        romance,
        Lettering("romance", (122, 24, 60), (150, 60, 88), (150, 76, 98), upper=False, largest=62, leading=1.02),
        vignette=0.05,
    ),
    "horror": _Style(
        horror,
        Lettering("horror", (226, 30, 30), (214, 170, 150), (150, 104, 94), shadow=(0, 0, 0), leading=0.95),
        grain=2,
        vignette=0.4,
    ),
    "nature": _Style(
        nature,
        Lettering("nature", (255, 255, 255), (255, 244, 200), (206, 226, 210), shadow=(10, 40, 70), largest=54),
        vignette=0.1,
    ),
    "heist": _Style(
        heist,
        Lettering("heist", (246, 232, 206), (240, 92, 76), (176, 160, 138), leading=0.92, largest=62),
        vignette=0.05,
    ),
    "musical": _Style(
        musical,
        Lettering("musical", (255, 220, 120), (255, 200, 226), (206, 150, 196), shadow=(40, 0, 50), upper=False),
        vignette=0.2,
    ),
    "samurai": _Style(
        samurai, Lettering("samurai", (24, 20, 22), (158, 36, 30), (104, 88, 74), largest=52), vignette=0.08
    ),
    "war": _Style(
        war,
        Lettering("war", (228, 216, 178), (196, 178, 124), (142, 134, 100), shadow=(16, 18, 10), largest=58),
        grain=2,
        vignette=0.35,
    ),
    "fantasy": _Style(
        fantasy,
        Lettering(
            "fantasy", (250, 224, 150), (230, 220, 184), (164, 172, 146), shadow=(0, 20, 26), upper=False, largest=54
        ),
    ),
}


def draw_poster(movie: SampleMovie, seed: int = 2017) -> Image.Image:
    """Return the 400 x 600 poster of a movie, deterministic for a seed."""
    rng = np.random.default_rng([seed, 5, movie.movie_id])
    style = _STYLES[movie.family]
    canvas = Canvas(rng)
    place = style.scene(canvas, movie.number % _VARIANTS)
    draw_text(canvas, movie, style.lettering, place, rng)
    return canvas.finish(grain=style.grain, vignette=style.vignette)
