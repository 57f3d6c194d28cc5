import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from index.core.errors import BadImage, ImageTooLarge
from index.posters.images import (
    MAX_BYTES,
    MIN_SIDE,
    SIDE,
    decode_image,
    pixels_for_vgg16,
    thumbnail,
)

RED, BLUE = (220, 30, 20), (20, 40, 200)


def halves(mode: str = "RGB", size: tuple[int, int] = (64, 96)) -> Image.Image:
    """Return an image with a red upper and a blue lower half."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (0, size[1] // 2, *size))
    return image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def assert_halves(image: Image.Image, *, tolerance: int = 12) -> None:
    pixels = np.asarray(image).astype(int)
    assert image.mode == "RGB"
    assert np.abs(pixels[4, 4] - RED).max() <= tolerance
    assert np.abs(pixels[-4, -4] - BLUE).max() <= tolerance


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_every_kind_of_picture_comes_out_in_its_colours(kind: str) -> None:
    assert_halves(decode_image(encoded(halves(), kind)))


def test_cmyk_comes_out_in_its_colours() -> None:
    assert_halves(decode_image(encoded(halves("CMYK"), "JPEG", quality=95)), tolerance=20)


def test_a_palette_comes_out_in_its_colours() -> None:
    assert_halves(decode_image(encoded(halves("P"), "PNG")), tolerance=40)


def test_transparency_is_laid_on_white() -> None:
    image = halves("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 64, 48))
    for kind in ("PNG", "WEBP"):
        decoded = decode_image(encoded(image, kind))
        assert decoded.getpixel((5, 5)) == (255, 255, 255)
        assert np.abs(np.array(decoded.getpixel((5, 90))) - BLUE).max() < 12


def test_a_transparent_palette_entry_is_laid_on_white() -> None:
    image = Image.new("P", (32, 32), 1)
    image.putpalette([0, 0, 0, 200, 10, 10])
    image.paste(0, (0, 0, 32, 16))
    decoded = decode_image(encoded(image, "PNG", transparency=0))
    assert decoded.getpixel((4, 4)) == (255, 255, 255)
    assert decoded.getpixel((4, 28)) == (200, 10, 10)


def test_16_bit_grey_keeps_its_shades() -> None:
    shades = np.repeat(np.linspace(0, 65535, 32).astype(np.uint16)[:, None], 32, axis=1)
    decoded = np.asarray(decode_image(encoded(Image.fromarray(shades), "PNG")))[:, 0, 0]
    np.testing.assert_allclose(decoded, np.linspace(0, 255, 32), atol=1)


def test_16_bit_colour_keeps_its_colour() -> None:
    row = b"\0" + struct.pack(">HHH", 220 * 257, 30 * 257, 20 * 257) * 20
    assert decode_image(png(20, 20, depth=16, data=row * 20)).getpixel((3, 3)) == RED


def test_a_transparent_shade_of_16_bit_grey_is_laid_on_white() -> None:
    shades = np.full((20, 20), 30000, dtype=np.uint16)
    shades[:10] = 0
    decoded = decode_image(encoded(Image.fromarray(shades), "PNG", transparency=0))
    assert decoded.getpixel((5, 5)) == (255, 255, 255)
    assert decoded.getpixel((5, 15)) == (30000 >> 8,) * 3


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, loop=0)
    assert np.abs(np.array(decode_image(data).getpixel((9, 9))) - RED).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_turned_upright(kind: str, orientation: int) -> None:
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    image = halves() if back is None else halves().transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(encoded(image, kind, exif=exif))
    assert decoded.size == (64, 96)
    assert_halves(decoded)


def test_a_large_jpeg_looks_the_same_as_a_small_one() -> None:
    large = halves(size=(4000, 6000))
    decoded = decode_image(encoded(large, "JPEG"))
    assert min(decoded.size) >= 1024
    pixels = pixels_for_vgg16(decoded).astype(int)
    assert np.abs(pixels[:108] - RED).max() <= 6
    assert np.abs(pixels[-108:] - BLUE).max() <= 6


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture at all",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"\xff\xd8\xff\xe0",
        encoded(halves(), "JPEG")[:300],
        encoded(halves(size=(200, 300)), "JPEG")[:-700],
        encoded(halves(), "PNG")[:-30],
        encoded(halves(), "BMP"),
        encoded(halves(), "TIFF"),
        png(20, 20),
    ],
    ids=["empty", "text", "svg", "pdf", "head", "cut", "cut late", "cut png", "bmp", "tiff", "no pixels"],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage, match=r"no JPEG, PNG, WebP or GIF picture|the picture is damaged"):
        decode_image(data)


def test_a_picture_of_one_pixel_says_how_many_are_needed() -> None:
    with pytest.raises(BadImage, match=f"1 x 1 pixels; at least {MIN_SIDE}"):
        decode_image(encoded(Image.new("RGB", (1, 1)), "PNG"))


@pytest.mark.parametrize("side", [20_000, 65_535, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    # Decoding the empty data would raise another error, so the header alone was read.
    with pytest.raises(ImageTooLarge, match="at most 10,000,000 are allowed"):
        decode_image(png(side, side, data=b""))


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ImageTooLarge, match=r"10\.0 MiB; at most 10 MiB"):
        decode_image(bytes(MAX_BYTES + 1))


@given(st.binary(max_size=300))
@example(b"\x89PNG\r\n\x1a\n")
@example(b"GIF89a")
@example(b"RIFF\x00\x00\x00\x00WEBPVP8 ")
def test_any_bytes_give_a_picture_or_our_own_error(data: bytes) -> None:
    with suppress(BadImage):
        assert decode_image(data).mode == "RGB"


WHOLE = {kind: encoded(halves(), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")}


@settings(max_examples=300)
@given(st.sampled_from(sorted(WHOLE)), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6))
def test_damaged_pictures_give_a_picture_or_our_own_error(kind: str, damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE[kind])
    for at, value in damage:
        data[at % len(data)] = value
    with suppress(BadImage):
        assert decode_image(bytes(data)).mode == "RGB"


def test_pixels_are_the_whole_picture_squeezed() -> None:
    pixels = pixels_for_vgg16(halves())
    assert pixels.shape == (SIDE, SIDE, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.flags.owndata
    assert np.abs(pixels[:100].astype(int) - RED).max() <= 1
    assert np.abs(pixels[-100:].astype(int) - BLUE).max() <= 1


def test_a_thumbnail_is_small_and_keeps_its_shape() -> None:
    small = Image.open(io.BytesIO(thumbnail(halves(size=(800, 1200)))))
    assert small.size == (240, 360)
