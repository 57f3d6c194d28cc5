from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageEnhance

from index.core.ids import Ids
from index.core.progress import silent
from index.movie_index import MovieIndex
from index.posters.duplicates import Copy, Duplicates, find_duplicates
from index.posters.image_match import HEIGHT, SAME, WIDTH, similarities
from index.posters.images import decode_image, dimensions, grey_pixels
from index.spaces.space import Space
from indexer.sample import sample_movies
from indexer.sample.poster import draw_poster
from indexer.spaces.writer import write_space
from posterity.cli.main import main
from tests.conftest import DEMO_POSTERS, World

WHOLE = (0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def drawn() -> list[Image.Image]:
    """Return twelve sample posters of different kinds."""
    return [draw_poster(film) for film in sample_movies()[::20]]


def copy_of(
    image: Image.Image,
    *,
    cut: tuple[float, ...] = WHOLE,
    scale: float = 1.0,
    quality: int = 90,
    grey: bool = False,
    brightness: float = 1.0,
) -> bytes:
    """Return a JPEG of the image; ``cut`` is the share of the side lost at the left, top, right and bottom."""
    width, height = image.size
    left, top, right, bottom = cut
    image = image.crop(
        (round(left * width), round(top * height), round(width * (1 - right)), round(height * (1 - bottom)))
    )
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    if grey:
        image = image.convert("L").convert("RGB")
    stream = io.BytesIO()
    ImageEnhance.Brightness(image).enhance(brightness).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def alike(one: bytes, other: bytes) -> float:
    pictures = np.stack([grey_pixels(decode_image(data), WIDTH, HEIGHT) for data in (one, other)])
    return float(similarities(pictures, np.array([[0, 1]]))[0])


DISTORTIONS = {
    "compressed": {"quality": 20},
    "halved": {"scale": 0.5},
    "cropped all round": {"cut": (0.05, 0.05, 0.05, 0.05)},
    "cropped at a corner": {"cut": (0.05, 0.05, 0, 0)},
    "cropped on one side": {"cut": (0, 0, 0.05, 0)},
    "grey": {"grey": True},
    "brighter": {"brightness": 1.15},
    "all of it": {"cut": (0.05, 0.02, 0, 0.04), "scale": 0.5, "quality": 20, "grey": True, "brightness": 1.1},
}


@pytest.mark.parametrize("distortion", DISTORTIONS.values(), ids=DISTORTIONS.keys())
def test_a_copy_is_the_same_picture_whichever_is_first(drawn: list[Image.Image], distortion: dict[str, object]) -> None:
    for image in drawn:
        original, poor = copy_of(image), copy_of(image, **distortion)  # type: ignore[arg-type]
        assert alike(original, poor) >= SAME
        assert alike(original, poor) == alike(poor, original)


cuts = st.tuples(*[st.floats(0, 0.05)] * 4)


@settings(max_examples=60)
@given(which=st.integers(0, 11), cut=cuts, scale=st.floats(0.5, 1), quality=st.integers(20, 95), grey=st.booleans())
def test_no_copy_is_missed(
    drawn: list[Image.Image], which: int, cut: tuple[float, ...], scale: float, quality: int, grey: bool
) -> None:
    image = drawn[which]
    assert alike(copy_of(image), copy_of(image, cut=cut, scale=scale, quality=quality, grey=grey)) >= SAME


def test_different_posters_have_nothing_in_common(drawn: list[Image.Image]) -> None:
    for one, other in pairwise(drawn):
        assert alike(copy_of(one), copy_of(other)) == 0


def test_the_same_layout_with_another_title_is_another_picture(drawn: list[Image.Image]) -> None:
    """Posters of a series share the background and the main figure; only the title differs."""

    def of_series(words: Image.Image) -> bytes:
        image = Image.new("RGB", (240, 360), (20, 24, 40))
        ImageDraw.Draw(image).ellipse((50, 40, 190, 240), fill=(230, 220, 200))
        image.paste(words.crop((0, 0, words.width, words.height // 4)).resize((200, 90)), (20, 255))
        return copy_of(image)

    first, second = of_series(drawn[0]), of_series(drawn[5])
    assert alike(first, first) == pytest.approx(1, abs=1e-5)
    assert alike(first, second) < SAME


def test_a_picture_without_detail_is_like_none() -> None:
    white, black = (copy_of(Image.new("RGB", (60, 90), colour)) for colour in ("white", "black"))
    assert alike(white, white) == alike(white, black) == 0


def test_dimensions_are_those_of_the_file_and_upright() -> None:
    image = Image.new("RGB", (2400, 3600), "red")  # decoded at half its size
    assert dimensions(copy_of(image)) == (2400, 3600)
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    image.resize((60, 90)).save(stream, "JPEG", exif=exif)
    assert dimensions(stream.getvalue()) == decode_image(stream.getvalue()).size == (90, 60)


Search = Callable[[dict[int, bytes]], Duplicates]


@pytest.fixture
def search(tmp_path: Path) -> Search:
    def searched(posters: dict[int, bytes]) -> Duplicates:
        space = everyone_near(tmp_path / "-".join(map(str, posters)), list(posters))
        files = {movie_id: tmp_path / f"{movie_id}.jpg" for movie_id in posters}
        for movie_id, data in posters.items():
            if data:  # else it is missing
                files[movie_id].write_bytes(data)
        return find_duplicates(space, files)

    return searched


def everyone_near(folder: Path, ids: list[int]) -> Space:
    same = np.full((len(ids), 2), 0.5**0.5, dtype=np.float32)
    write_space(folder, Ids(ids), same, np.random.default_rng(0), label="poster", track=silent)
    return Space.load("poster", folder, {})


def test_groups_hold_every_copy_in_the_order_of_ids(drawn: list[Image.Image], search: Search) -> None:
    a, b, c = drawn[:3]
    found = search(
        {
            2: copy_of(a, quality=20),
            3: copy_of(b),
            5: copy_of(c),
            7: copy_of(b, scale=0.5),
            8: copy_of(a),
            9: copy_of(a, cut=(0.04, 0, 0, 0.04)),
        }
    )
    assert [[copy.movie_id for copy in group.copies] for group in found.groups] == [[2, 8, 9], [3, 7]]
    assert all(SAME <= group.similarity <= 1 for group in found.groups)
    assert found.groups[1].copies[1] == Copy(7, b.width // 2, b.height // 2, len(copy_of(b, scale=0.5)))
    assert found.compared == 6
    assert not found.skipped


def test_a_chain_of_copies_is_one_group_as_alike_as_its_weakest_link(drawn: list[Image.Image], search: Search) -> None:
    image = drawn[0]
    left, right = copy_of(image, cut=(0.05, 0, 0, 0)), copy_of(image, cut=(0, 0, 0.05, 0), quality=20, scale=0.5)
    (group,) = search({1: left, 2: right, 3: copy_of(image)}).groups
    assert [copy.movie_id for copy in group.copies] == [1, 2, 3]
    links = [alike(left, copy_of(image)), alike(right, copy_of(image)), alike(left, right)]
    assert group.similarity == pytest.approx(min(link for link in links if link >= SAME))


def test_posters_that_cannot_be_read_are_left_out_and_named(drawn: list[Image.Image], search: Search) -> None:
    found = search({1: copy_of(drawn[0]), 2: b"", 3: b"no picture", 4: copy_of(drawn[0])})
    assert [[copy.movie_id for copy in group.copies] for group in found.groups] == [[1, 4]]
    assert found.skipped[2].endswith("2.jpg is missing")
    assert "3.jpg: this is no JPEG" in found.skipped[3]
    nothing = search({2: b"", 3: b"no picture"})
    assert (nothing.groups, nothing.compared, len(nothing.skipped)) == ((), 0, 2)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="posterity")


@pytest.fixture
def copied(world: World, drawn: list[Image.Image], tmp_path: Path) -> Path:
    """Return the small test data set with other posters: 4 has a copy of 3's, 12's is missing, all others differ."""
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    for number, file in enumerate(sorted((data / "posters").iterdir())):
        image = drawn[number % len(drawn)].rotate(90 * (number // len(drawn)), expand=True)
        file.write_bytes(copy_of(image, scale=0.9))
    (data / "posters" / "4.jpg").write_bytes(copy_of(Image.open(data / "posters" / "3.jpg"), scale=0.5))
    (data / "posters" / "12.jpg").unlink()
    return data


def test_duplicates_is_a_table_of_groups_and_warns_of_missing_files(copied: Path) -> None:
    result = run("duplicates", "--data", copied)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "1 image is the poster of more than one movie"
    assert "Starship 3 (1973)" in result.stdout
    assert "Starship 4 (1974)" in result.stdout
    assert "20 posters were compared." in result.stdout
    assert result.stderr.startswith("Warning: 1 poster was not compared: ")
    assert "12.jpg is missing" in result.stderr


def test_duplicates_as_json_has_what_the_table_has(copied: Path, world: World) -> None:
    reply = json.loads(run("duplicates", "--json", "--data", copied).stdout)
    (group,) = reply["groups"]
    assert [copy["movie"]["movie_id"] for copy in group["copies"]] == [3, 4]
    assert group["copies"][0]["width"] > group["copies"][1]["width"]
    assert SAME <= group["similarity"] <= 1
    assert [skipped["movie_id"] for skipped in reply["skipped"]] == [12]
    assert (reply["compared"], reply["snapshot"]) == (20, world.manifest.id)


def test_the_sample_has_no_duplicates_and_the_command_says_so(demo_data: Path) -> None:
    result = run("duplicates", "--data", demo_data)
    assert result.stdout == f"No two of the {len(DEMO_POSTERS)} posters are the same image.\n"
    assert result.stderr == ""
    assert MovieIndex.open(demo_data).duplicates().groups == ()


@pytest.mark.realdata
def test_real_posters_and_their_copies_are_told_apart(realdata: Path) -> None:
    """Compare some posters with their poorest copies, with each other, and with other artwork of the same film."""
    originals = [Image.open(file).convert("RGB") for file in sorted((realdata / "posters").glob("*.jpg"))[::25]]
    poorest = {"cut": (0.05,) * 4, "scale": 0.5, "quality": 20, "grey": True, "brightness": 1.2}
    copies = [decode_image(copy_of(image, **poorest)) for image in originals]  # type: ignore[arg-type]
    pictures = np.stack([grey_pixels(image, WIDTH, HEIGHT) for image in (*originals, *copies)])
    n = len(originals)
    pairs = np.stack([np.arange(n), np.arange(n) + n], axis=1)
    assert np.mean(similarities(pictures, pairs) >= SAME) >= 0.95  # 98% as measured
    different = np.stack(np.triu_indices(n, 1), axis=1)
    assert similarities(pictures[:n], different).max() == 0
    others = sorted((realdata / "posters-alternate").glob("*.jpg"))[::6]
    same = [alike((realdata / "posters" / file.name).read_bytes(), file.read_bytes()) >= SAME for file in others]
    assert np.mean(same) <= 0.02  # some "other artwork" is the same picture, printed with another border
