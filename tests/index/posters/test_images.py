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
from index.posters import images
from index.posters.formats import FORMATS, format_of, suffix_of
from index.posters.images import (
    MAX_BYTES,
    MIN_SIDE,
    SIDE,
    decode_image,
    dimensions,
    has_profile,
    pixels_for_vgg16,
    shown,
    small_pixels,
    thumbnail,
    webp,
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


def png(
    width: int, height: int, *, depth: int = 8, colour: int = 2, data: bytes = b"", transparent: bytes = b""
) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *([chunk(b"tRNS", transparent)] if transparent else ())]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")])


KINDS = ["JPEG", "PNG", "WEBP", "GIF", "AVIF", "TIFF", "BMP"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_comes_out_in_its_colours(kind: str) -> None:
    assert_halves(decode_image(encoded(halves(), kind)))


def test_cmyk_comes_out_in_its_colours() -> None:
    assert_halves(decode_image(encoded(halves("CMYK"), "JPEG", quality=95)), tolerance=20)


def test_a_palette_comes_out_in_its_colours() -> None:
    assert_halves(decode_image(encoded(halves("P"), "PNG")), tolerance=40)


def test_transparency_is_laid_on_white() -> None:
    image = halves("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 64, 48))
    for kind in ("PNG", "WEBP", "AVIF", "TIFF"):
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


@pytest.mark.parametrize(
    ("depth", "colour", "given", "shown", "rows"),
    [
        (1, 0, (1,), (0, 0, 0), (b"\xff\xff\xff", bytes(3))),
        (2, 0, (2,), (85, 85, 85), (b"\xaa" * 6, b"\x55" * 6)),
        (4, 0, (5,), (170, 170, 170), (b"\x55" * 12, b"\xaa" * 12)),
        (8, 0, (5,), (170, 170, 170), (b"\x05" * 24, b"\xaa" * 24)),
        (8, 2, (1, 2, 3), (3, 2, 1), (b"\x01\x02\x03" * 24, b"\x03\x02\x01" * 24)),
        (16, 2, (0x123, 0x4567, 0x89AB), (0x10, 0x45, 0x89),
         (b"\x01\x23\x45\x67\x89\xab" * 24, b"\x10\x23\x45\x67\x89\xab" * 24)),
    ],
)  # fmt: skip
def test_the_transparent_colour_of_a_png_has_the_bits_of_its_pixels(
    depth: int, colour: int, given: tuple[int, ...], shown: tuple[int, ...], rows: tuple[bytes, bytes]
) -> None:
    data = 12 * (b"\0" + rows[0]) + 12 * (b"\0" + rows[1])
    transparent = struct.pack(f">{len(given)}H", *given)
    decoded = decode_image(png(24, 24, depth=depth, colour=colour, data=data, transparent=transparent))
    assert (decoded.getpixel((3, 3)), decoded.getpixel((3, 20))) == ((255, 255, 255), shown)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, BLUE, BLUE)]
    timing = {} if kind == "TIFF" else {"duration": 100}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **timing)
    assert np.abs(np.array(decode_image(data).getpixel((9, 9))) - RED).max() < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
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
        b"BM",
        b"II*\0",
        b"\0\0\0\x1cftypavif",
        png(20, 20),
    ],
    ids=["empty", "text", "svg", "pdf", "head", "cut", "cut late", "cut png", "bmp", "tiff", "avif", "no pixels"],
)
def test_what_is_no_whole_picture_is_refused(data: bytes) -> None:
    with pytest.raises(
        BadImage, match=r"no JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC picture|the picture is damaged"
    ):
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


WHOLE = {kind: encoded(halves(), kind) for kind in KINDS}


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


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "zstd", "webp"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "1", "P", "RGBA"])
def test_tiffs_of_many_kinds_come_out_in_their_shape(mode: str, compression: str) -> None:
    try:
        data = encoded(halves(mode), "TIFF", compression=None if compression == "raw" else compression)
    except (OSError, RuntimeError):
        pytest.skip("Pillow does not write these")
    decoded = decode_image(data)
    assert decoded.size == (64, 96)
    if mode in {"RGB", "RGBA"}:
        assert_halves(decoded)


def test_a_tiff_of_big_endian_16_bits_keeps_its_shades() -> None:
    shades = np.linspace(0, 65535, 32).astype(">u2")[:, None].repeat(32, axis=1)
    image = Image.frombytes("I;16B", (32, 32), shades.tobytes())
    decoded = np.asarray(decode_image(encoded(image, "TIFF")))[:, 0, 0]
    np.testing.assert_allclose(decoded, np.linspace(0, 255, 32), atol=1)


def test_heic_is_read_where_pillow_heif_is_installed() -> None:
    pytest.importorskip("pillow_heif", reason="pip install posterity[heic]").register_heif_opener()
    data = encoded(halves(), "HEIF", quality=95)
    assert format_of(data).name == "HEIF"
    assert_halves(decode_image(data))
    assert_halves(Image.open(io.BytesIO(shown(data))))


def test_heic_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_heif_opener", lambda: False)
    with pytest.raises(BadImage, match=r"this is a HEIC picture.* install pillow-heif"):
        decode_image(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))


def test_formats_are_recognised_by_content() -> None:
    assert [format_of(encoded(halves(), kind)).name for kind in KINDS] == KINDS
    assert format_of(b"\0\0\0\x20ftypmif1\0\0\0\0mif1avifmiaf").name == "AVIF"
    assert format_of(b"\0\0\0\x20ftypmif1\0\0\0\0mif1heic").name == "HEIF"
    assert {each.suffix for each in FORMATS if each.shown} == {".jpg", ".png", ".webp", ".gif", ".avif"}
    with pytest.raises(BadImage, match="browsers show no TIFF"):
        suffix_of(encoded(halves(), "TIFF"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_browsers_do_not_show_is_converted_without_loss_and_always_the_same(kind: str) -> None:
    data = encoded(halves(), kind)
    made = shown(data)
    assert (made == data) == (kind not in {"TIFF", "BMP"})
    assert shown(data) == made
    assert shown(made) == made
    assert format_of(made).shown
    np.testing.assert_array_equal(np.asarray(decode_image(made)), np.asarray(decode_image(data)))


def test_a_conversion_that_would_be_too_large_is_a_jpeg() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1839, 1900, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "BMP")
    made = shown(data)
    assert format_of(made).name == "JPEG"
    assert len(made) <= MAX_BYTES
    assert np.abs(np.asarray(decode_image(made)).astype(int) - noise).mean() < 5


@pytest.mark.parametrize("size", [(16, 16384), (16384, 16), (16, 600_000)])
def test_pictures_of_extreme_shape_have_thumbnails(size: tuple[int, int]) -> None:
    data = encoded(Image.new("RGB", size, RED), "PNG")
    decoded = decode_image(data)
    assert dimensions(data) == size
    for width in (120, 480, None):
        assert max(Image.open(io.BytesIO(webp(decoded, width))).size) <= 16383
    assert max(Image.open(io.BytesIO(thumbnail(decoded))).size) <= 360
    assert small_pixels(data, 32, 48).shape == (48, 32, 3)
    assert pixels_for_vgg16(decoded).shape == (SIDE, SIDE, 3)


def test_what_cannot_be_read_has_no_profile() -> None:
    assert not has_profile(b"")
    assert not has_profile(encoded(halves(), "PNG"))


@pytest.mark.parametrize(("width", "height"), [(60000, 60000), (16000, 16000), (2**31 - 16, 16)])
def test_tiles_larger_than_a_picture_may_be_are_refused_before_memory_is_taken(width: int, height: int) -> None:
    with pytest.raises(BadImage, match="tiles"):
        decode_image(tiled_tiff(width, height))
    assert decode_image(tiled_tiff(64, 64)).size == (64, 64)


def tiled_tiff(width: int, height: int) -> bytes:
    """Return a TIFF of 64 x 64 black pixels that says that its tile is of another size."""
    tile = zlib.compress(bytes(64 * 64 * 3))
    tags = ((256, 64), (257, 64), (258, 8), (259, 8), (262, 2), (277, 3), (322, width), (323, height))
    body = [*tags, (324, 8 + 2 + 12 * 10 + 4), (325, len(tile))]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in body)
    return b"II*\0" + struct.pack("<IH", 8, len(body)) + directory + bytes(4) + tile
