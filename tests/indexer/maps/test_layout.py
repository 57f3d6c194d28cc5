"""Map layout: distinct cells, neighbours near each other, reproducible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from index.core.arrays import AnyFloatArray, Float32Array, Int32Array, Int64Array
from index.core.ids import Ids
from index.core.progress import silent
from index.snapshot.maps import ACROSS, DOWN, FOLDER, HEIGHT, SHEETS_FILE, WIDTH, sheet_file
from index.spaces.space import Space
from indexer.maps import layout as lay_outs
from indexer.maps.grid import ASPECT, CELL, grid_shape, neighbours_kept, snap
from indexer.maps.layout import lay_out, write_maps
from indexer.maps.sprites import write_sprites
from indexer.spaces.writer import write_space
from tests.conftest import poster


def space_of(vectors: AnyFloatArray, folder: Path, name: str = "taste") -> Space:
    ids = Ids(10 * np.arange(1, vectors.shape[0] + 1))
    write_space(folder, ids, vectors.astype(np.float32), np.random.default_rng(0), label=name, track=silent)
    return Space.load(name, folder, {})


def families(n: int, of: int, rng: np.random.Generator) -> tuple[Float32Array, Int64Array]:
    """Return unit vectors around a few directions, and the direction of each."""
    family = rng.integers(of, size=n)
    vectors = rng.normal(size=(of, 32))[family] + 0.4 * rng.normal(size=(n, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), family


def occupied(cells: Int32Array) -> set[tuple[int, int]]:
    return {(x, y) for x, y in cells.tolist()}


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_every_point_has_a_cell_of_its_own_within_the_grid(n: int, seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    columns, rows = grid_shape(n)
    cells = snap(points, columns, rows)
    assert len(occupied(cells)) == n
    assert cells.min() >= 0
    assert (cells < (columns, rows)).all()


@given(st.integers(1, 200), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_points_in_one_place_have_cells_too(n: int, spare: int, seed: int) -> None:
    points = np.random.default_rng(seed).integers(0, 2, size=(n, 2)).astype(np.float32)
    assert len(occupied(snap(points, n + spare, 1))) == n
    assert len(occupied(snap(points, 1, n + spare))) == n


def test_points_that_are_a_grid_keep_their_places() -> None:
    places = np.array([(x, y) for y in range(6) for x in range(9)])
    order = np.random.default_rng(0).permutation(54)
    assert snap(places[order].astype(np.float32), 9, 6).tolist() == places[order].tolist()


@pytest.mark.parametrize("n", [1, 2, 7, 240, 9066, 87_000])
def test_a_grid_has_room_and_less_than_a_row_of_it_is_free(n: int) -> None:
    columns, rows = grid_shape(n)
    assert 0 <= columns * rows - n < columns
    if n > 100:
        assert columns * CELL[0] / (rows * CELL[1]) == pytest.approx(ASPECT, rel=0.15)


def test_what_is_near_on_the_grid_is_counted_by_hand() -> None:
    cells = np.array([(0, 0), (2, 0), (3, 0), (9, 0)], dtype=np.int32)
    nearest = np.array([[1], [0], [3], [-1]])  # within two cells: the first two of these three
    kept, chance = neighbours_kept(cells, nearest)
    assert kept == pytest.approx(2 / 3)
    assert chance == pytest.approx(np.mean([1, 2, 1, 0]) / 3)


def test_neighbours_lie_near_each_other(tmp_path: Path) -> None:
    vectors, family = families(300, 12, np.random.default_rng(1))
    layout = lay_out(space_of(vectors, tmp_path), {}, np.random.default_rng(0))
    assert len(occupied(layout.cells)) == 300
    quality = layout.facts["quality"]
    assert quality["share"] > 6 * quality["chance"]
    # By chance, one in twelve cells beside a movie would hold its family.
    at = dict(zip(map(tuple, layout.cells.tolist()), family.tolist(), strict=True))
    beside = [at[x, y] == at[x + 1, y] for x, y in at if (x + 1, y) in at]
    assert np.mean(beside) > 0.75


def test_the_same_build_gives_the_same_map(tmp_path: Path) -> None:
    vectors, _ = families(150, 5, np.random.default_rng(2))
    space = space_of(vectors, tmp_path)
    first, second, other = (lay_out(space, {}, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.cells.tolist() == second.cells.tolist()
    assert first.facts == second.facts
    assert first.cells.tolist() != other.cells.tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 5, 9, 10, 11, 40])
@pytest.mark.parametrize("constant", [True, False])
def test_small_catalogues_and_ones_where_all_is_alike_are_laid_out(n: int, constant: bool, tmp_path: Path) -> None:
    vectors = np.ones((n, 3)) / 3**0.5 if constant else families(n, 2, np.random.default_rng(0))[0]
    layout = lay_out(space_of(vectors, tmp_path), {}, np.random.default_rng(0))
    assert len(occupied(layout.cells)) == n
    assert layout.movie_ids.tolist() == (10 * np.arange(1, n + 1)).tolist()
    assert 0 <= layout.facts["quality"]["share"] <= 1


def test_of_too_many_films_the_most_rated_are_laid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lay_outs, "MAX_MOVIES", 20)
    vectors, _ = families(50, 3, np.random.default_rng(0))
    counts = {10 * (row + 1): row for row in range(50)}
    layout = lay_out(space_of(vectors, tmp_path), counts, np.random.default_rng(0))
    assert layout.movie_ids.tolist() == [10 * (row + 1) for row in range(30, 50)]
    assert layout.facts["films"] == 20
    assert layout.facts["left_out"] == 30
    assert layout.facts["chosen"] == "the 20 most rated"


def test_sheets_show_each_poster_in_its_place(tmp_path: Path) -> None:
    colours = {movie: (movie % 250, 90, 200 - movie % 100) for movie in range(1, ACROSS * DOWN + 3)}
    files = {}
    for movie, colour in colours.items():
        files[movie] = tmp_path / f"{movie}.png"
        Image.new("RGB", (40, 60), colour).save(files[movie])
    files[5].write_bytes(b"no picture")
    files[6].unlink()
    shown = write_sprites(tmp_path, files)
    assert shown == [movie for movie in colours if movie not in {5, 6}]
    assert np.load(tmp_path / SHEETS_FILE).tolist() == shown
    assert len(list(tmp_path.glob("sheet-*.webp"))) == 1
    with Image.open(tmp_path / sheet_file(0)) as sheet:
        assert sheet.size == (ACROSS * WIDTH, DOWN * HEIGHT)
        for slot in (0, 4, ACROSS, ACROSS * DOWN - 1):
            y, x = divmod(slot, ACROSS)
            seen = sheet.convert("RGB").getpixel((x * WIDTH + WIDTH // 2, y * HEIGHT + HEIGHT // 2))
            assert np.abs(np.subtract(seen, colours[shown[slot]])).max() < 12


def test_the_last_sheet_ends_where_its_posters_end(tmp_path: Path) -> None:
    files = {movie: tmp_path / f"{movie}.png" for movie in range(ACROSS * DOWN + ACROSS + 1)}
    poster(1).save(tmp_path / "0.png")
    for file in files.values():
        file.write_bytes((tmp_path / "0.png").read_bytes())
    write_sprites(tmp_path, files)
    with Image.open(tmp_path / sheet_file(1)) as sheet:
        assert sheet.size == (ACROSS * WIDTH, 2 * HEIGHT)


def test_without_posters_there_is_a_map_by_taste_and_no_sheet(tmp_path: Path) -> None:
    vectors, _ = families(12, 2, np.random.default_rng(0))
    (tmp_path / "snapshot").mkdir()
    facts = write_maps(
        tmp_path / "snapshot", {"taste": space_of(vectors, tmp_path / "taste")}, {}, {}, np.random.default_rng(0)
    )
    assert set(facts) == {"taste"}
    assert sorted(file.name for file in (tmp_path / "snapshot" / FOLDER).iterdir()) == [SHEETS_FILE, "taste.npy"]
