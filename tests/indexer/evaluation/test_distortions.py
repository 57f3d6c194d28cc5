import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from index.core.arrays import UInt8Array
from index.core.errors import BadImage
from index.posters.images import MIN_SIDE, decode_image
from indexer.evaluation.distortions import DISTORTIONS, Distortion

BY_NAME = {each.name: each for each in DISTORTIONS}


def png(pixels: UInt8Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def noise(width: int, height: int) -> bytes:
    return png(np.random.default_rng(0).integers(256, size=(height, width, 3), dtype=np.uint8))


def distorted(name: str, data: bytes) -> UInt8Array:
    return np.asarray(decode_image(BY_NAME[name](data)))


def plain(*colour: int) -> bytes:
    return png(np.full((60, 40, 3), colour, dtype=np.uint8))


def test_half_size_is_half_as_wide_and_half_as_high() -> None:
    assert distorted("half size", noise(100, 151)).shape == (76, 50, 3)


@pytest.mark.parametrize(("name", "left", "top"), [("crop, 5% in all", 5, 10), ("crop, 5% a side", 10, 20)])
def test_crops_take_the_same_from_opposite_sides(name: str, left: int, top: int) -> None:
    data = noise(200, 400)
    np.testing.assert_array_equal(distorted(name, data), np.asarray(decode_image(data))[top:-top, left:-left])


def test_brighter_is_a_fifth_more_and_never_over_255() -> None:
    assert distorted("20% brighter", plain(100, 10, 250))[0, 0].tolist() == [120, 12, 255]


def test_greyscale_has_the_luma_in_every_channel() -> None:
    grey = distorted("greyscale", plain(200, 100, 50))
    assert grey[0, 0].tolist() == [round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)] * 3


def test_blur_grows_with_the_picture() -> None:
    """The blur of an edge is proportional to the width of the poster."""
    edges = [np.repeat(np.uint8([0, 255]), half)[None].repeat(30, axis=0) for half in (185, 370)]
    small, large = (
        distorted("blur", png(np.repeat(edge[..., None], 3, axis=2)))[15, :, 0].astype(float) for edge in edges
    )
    rises = [
        np.sqrt(np.average((np.arange(line.size - 1) - line.size / 2 + 0.5) ** 2, weights=np.diff(line)))
        for line in (small, large)
    ]
    assert rises == pytest.approx([2, 4], rel=0.15)  # 1 pixel in 185 of the width


def test_a_poor_jpeg_is_a_jpeg_and_smaller() -> None:
    poor = BY_NAME["JPEG, quality 20"](noise(100, 150))
    assert poor[:2] == b"\xff\xd8"
    assert len(poor) < len(noise(100, 150)) / 4
    assert distorted("JPEG, quality 20", noise(100, 150)).shape == (150, 100, 3)


@pytest.mark.parametrize("distortion", DISTORTIONS, ids=lambda each: each.name)
def test_a_distortion_is_the_same_to_the_byte_and_changes_something(distortion: Distortion) -> None:
    data = noise(90, 130)
    assert distortion(data) == distortion(data)
    before, after = decode_image(data), decode_image(distortion(data))
    assert after.size != before.size or after.tobytes() != before.tobytes()


@given(st.sampled_from(DISTORTIONS), st.integers(MIN_SIDE, 60), st.integers(MIN_SIDE, 60))
def test_what_could_be_read_can_be_read_afterwards(distortion: Distortion, width: int, height: int) -> None:
    image = decode_image(distortion(noise(width, height)))
    assert MIN_SIDE <= image.width <= width
    assert MIN_SIDE <= image.height <= height


def test_a_large_picture_is_written_small_enough_to_be_read() -> None:
    image = decode_image(BY_NAME["20% brighter"](noise(2400, 1200)))
    assert image.size == (1500, 750)


def test_no_picture_is_refused() -> None:
    with pytest.raises(BadImage, match="no JPEG"):
        DISTORTIONS[0](b"no picture")
