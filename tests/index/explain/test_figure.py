from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from index.explain.cells import CellMatch, Comparison
from index.explain.figure import Panel, draw

SIZE = (60, 90)
HOT = (0, 0)


def comparison(*matches: CellMatch) -> Comparison:
    """Return a comparison with likeness in the upper left cell only."""
    likeness = np.zeros((7, 7))
    likeness[HOT] = 0.999
    return Comparison(np.full((7, 7), 1 / 49), likeness, matches)


def panel(size: tuple[int, int] = SIZE, title: str = "Heat (1995)") -> Panel:
    return Panel(Image.new("RGB", size, (128, 128, 128)), title)


def drawn(first: Panel, second: Panel, which: Comparison, headline: str = "Score 0.9", note: str = "") -> Image.Image:
    image = Image.open(io.BytesIO(draw(first, second, which, headline, note)))
    assert image.format == "PNG"
    assert image.mode == "RGB"
    assert image.width == 888
    return image


def test_what_is_alike_is_yellow_on_both_and_the_rest_blue() -> None:
    image = drawn(panel(), panel(), comparison())
    for left in (36, 492):
        red, green, blue = image.getpixel((left + 2, 38))  # type: ignore[misc]
        assert min(red, green) > blue + 60
        red, green, blue = image.getpixel((left + 350, 560))  # type: ignore[misc]
        assert blue > max(red, green) + 30


def test_brightness_rises_with_likeness() -> None:
    likeness = np.tile(1 - 10.0 ** -np.linspace(0, 2, 7), (7, 1))
    image = drawn(panel(), panel(), Comparison(np.zeros((7, 7)), likeness, ())).convert("L")
    middles = [image.getpixel((36 + 360 * (2 * column + 1) // 14, 300)) for column in range(7)]
    assert middles == sorted(middles)  # type: ignore[type-var]


def test_matches_are_joined_from_cell_to_cell() -> None:
    without = np.asarray(drawn(panel(), panel(), comparison()), dtype=int)
    joined = np.asarray(drawn(panel(), panel(), comparison(CellMatch((6, 1), (2, 5), 0.9, 0.1))), dtype=int)
    changed = np.abs(joined - without).sum(axis=2) > 100
    assert changed[:, 396:492].any(axis=0).all()  # all the way from one poster to the other
    for left, (row, column) in ((36, (6, 1)), (492, (2, 5))):
        x, y = left + 360 * (2 * column + 1) / 14, 36 + 540 * (2 * row + 1) / 14
        assert changed[round(y) - 10 : round(y) + 10, round(x) - 10 : round(x) + 10].mean() > 0.8


@pytest.mark.parametrize("size", [(16, 16), (16, 1600), (3000, 20), (1000, 1500)])
def test_posters_of_any_size_are_drawn(size: tuple[int, int]) -> None:
    image = drawn(panel(size), panel(), comparison(CellMatch((0, 0), (6, 6), 0.9, 0.1)))
    assert 650 < image.height < 900


def test_letters_with_accents_are_drawn_as_themselves() -> None:
    plain = drawn(panel(title="Zert Lodz Agac"), panel(), comparison())
    accents = drawn(panel(title="Žert Łódź Ağaç"), panel(), comparison())
    unknown = drawn(panel(title="\ue000ert \ue000\ue000d\ue000 A\ue000a\ue000"), panel(), comparison())
    assert len({plain.tobytes(), accents.tobytes(), unknown.tobytes()}) == 3


def test_words_that_are_too_long_end_and_notes_take_room() -> None:
    short = drawn(panel(), panel(), comparison())
    image = drawn(panel(title="word " * 100), panel(title="x" * 500), comparison(), "long " * 100, "note " * 300)
    assert short.height < image.height < short.height + 150
    assert np.asarray(image)[:, :30].std(axis=(0, 1)).max() == 0  # the margins are empty
    assert np.asarray(image)[:, -30:].std(axis=(0, 1)).max() == 0


def test_the_same_is_drawn_again_byte_for_byte() -> None:
    match = CellMatch((0, 0), (6, 6), 0.9, 0.1)
    assert draw(panel(), panel(), comparison(match), "Same") == draw(panel(), panel(), comparison(match), "Same")
