import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from index.core.errors import BadImage, ImageTooLarge
from index.posters import avif_frames, images
from index.posters.avif_frames import frame_sizes
from index.posters.images import decode_image
from tests.index.posters.test_images import encoded, halves

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 4), dtype=np.uint8))


def understated(data: bytes, width: int, height: int) -> bytes:
    """Return an AVIF whose header says another size; its frames are the same."""
    changed = bytearray(data)
    at = -1
    while (at := changed.find(b"ispe", at + 1)) >= 0:
        changed[at + 8 : at + 16] = struct.pack(">II", width, height)
    return bytes(changed)


@pytest.mark.parametrize(("mode", "parts"), [("RGB", 1), ("L", 1), ("RGBA", 2)])
def test_frames_of_still_pictures_and_animations_have_the_size_of_the_picture(mode: str, parts: int) -> None:
    image = NOISE.convert(mode)
    assert frame_sizes(encoded(image, "AVIF")) == [(200, 300)] * parts
    several = encoded(image, "AVIF", save_all=True, append_images=[halves(mode, (200, 300))])
    assert frame_sizes(several) == [(200, 300)] * 2 * parts  # the first frame is an item too


def test_frames_larger_than_the_header_says_are_refused_before_they_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for options in ({}, {"save_all": True, "append_images": [halves(size=(200, 300))]}):
        data = understated(encoded(NOISE.convert("RGB"), "AVIF", **options), 64, 96)
        assert decode_image(data).size in {(64, 96), (200, 300)}  # small enough to be decoded
        with monkeypatch.context() as patch:
            patch.setattr(images, "MAX_PIXELS", 200 * 300 - 1)
            patch.setattr(Image.Image, "draft", lambda *_: pytest.fail("decoded"))
            with pytest.raises(ImageTooLarge, match=r"frames of 200 x 300 pixels: at most|has 200 x 300 pixels"):
                decode_image(data)


def test_many_large_parts_are_refused_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "frame_sizes", lambda _: [(2000, 3000)] * 7)
    with pytest.raises(ImageTooLarge, match="too many large parts"):
        decode_image(encoded(halves(), "AVIF"))


def unit(kind: int, bits: str) -> bytes:
    """Return a unit of an AV1 stream."""
    bits += "1"
    body = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    return bytes([kind << 3 | 2, len(body)]) + body


def sequence(width: int, height: int, *, n: int = 16, model: bool = False) -> bytes:
    """Return a sequence header of pictures that are not still, by AV1 5.5.1, with or without a decoder model."""
    timing = "1" + f"{1:032b}{25:032b}" + "0" + "1" + f"{9:05b}{1:032b}{9:05b}{4:05b}" if model else "0"
    point = "0" * 12 + "01000" + "0" + ("1" + "0" * 21 if model else "")  # of level 8, which has a tier
    sides = f"{n - 1:04b}{n - 1:04b}" + f"{width - 1:0{n}b}{height - 1:0{n}b}"
    return unit(1, "000" + "0" + "0" + timing + "0" + "00000" + point + sides + "0" + "000" + "0000" + "0" + "1" + "1")


@pytest.mark.parametrize("model", [False, True])
def test_a_frame_may_have_another_size_than_its_sequence(model: bool) -> None:
    reader = avif_frames._Reader(b"")  # noqa: SLF001
    head = sequence(64, 96, model=model)
    time = "00000" if model else ""
    plain = unit(6, "0" + "00" + "1" + time + "0" + "0" + "0")
    other = unit(6, "0" + "00" + "1" + time + "0" + "0" + "1")
    assert reader._largest(head + plain, 0, set()) == (64, 96)  # noqa: SLF001
    assert reader._largest(head + other, 0, set()) == (1 << 16, 1 << 16)  # noqa: SLF001
    assert reader._largest(head + plain + sequence(640, 960), 0, set()) == (640, 960)  # noqa: SLF001


def test_a_file_of_endless_parts_is_refused() -> None:
    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", 8 + len(content)) + name + content

    empty = struct.pack(">BxxxBBHI", 2, 0, 0, 0xFFFF, 0)  # numbers of no bytes: an item has 65,535 extents for nothing
    items = b"".join(struct.pack(">IHHH", n, 0, 0, 0xFFFF) for n in range(50))
    with pytest.raises(BadImage, match="too many parts"):
        frame_sizes(box(b"meta", bytes(4) + box(b"iloc", empty[:6] + struct.pack(">I", 50) + items)))


WHOLE = encoded(NOISE, "AVIF", save_all=True, append_images=[NOISE])


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=8), st.integers(0, len(WHOLE)))
def test_damaged_files_have_sizes_or_our_own_error(damage: list[tuple[int, int]], end: int) -> None:
    data = bytearray(WHOLE)
    for at, value in damage:
        data[at] = value
    with suppress(BadImage):
        assert all(width > 0 < height for width, height in frame_sizes(bytes(data[:end])))
