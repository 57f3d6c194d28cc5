import io

import numpy as np
import pytest
from PIL import Image

from index.core.errors import BadImage
from index.posters.images import decode_image
from index.posters.truncated import has_no_end

# Those that browsers show as far as they go, and options of the encoder.
KINDS = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("JPEG", {"restart_marker_rows": 1}),
    ("JPEG", {"quality": 95, "subsampling": "4:4:4", "optimize": True}),
    ("PNG", {}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True}),
    ("BMP", {}),
    ("TIFF", {}),
]
NAMES = [" ".join([kind, *options]) for kind, options in KINDS]


def poster(mode: str = "RGB", size: tuple[int, int] = (200, 300)) -> Image.Image:
    """Return an image with detail everywhere."""
    width, height = size
    slope = np.add.outer(np.arange(height) * 0.4, np.arange(width) * 0.3)[:, :, None] * (1.0, 0.7, 0.4)
    noise = np.random.default_rng(0).integers(0, 40, (height, width, 3))
    return Image.fromarray(np.clip(slope + noise, 0, 255).astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def spoilt(data: bytes, cut: int) -> float:
    """Return the share of pixels that differ without the last bytes."""
    whole, rest = (np.asarray(decode_image(part)).astype(int) for part in (data, data[:-cut]))
    assert whole.shape == rest.shape
    return float((np.abs(whole - rest).max(axis=2) > 30).mean())


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=NAMES)
@pytest.mark.parametrize("cut", [1, 2, 3, 12, 20])
def test_a_file_without_its_last_bytes_is_shown(kind: str, options: dict[str, object], cut: int) -> None:
    assert spoilt(encoded(poster(), kind, **options), cut) <= 0.01


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=NAMES)
def test_a_hundredth_may_be_missing_and_a_tenth_may_not(kind: str, options: dict[str, object]) -> None:
    data = encoded(poster(), kind, **options)
    assert spoilt(data, len(data) // 100) <= 0.03
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(BadImage, match="the picture is damaged"):
            decode_image(data[: -int(share * len(data))])


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_of_other_colours_needs_no_end(mode: str, progressive: bool) -> None:
    assert spoilt(encoded(poster(mode), "JPEG", progressive=progressive), 2) == 0


def test_the_error_says_how_much_is_missing() -> None:
    data = encoded(poster(), "JPEG")
    with pytest.raises(
        BadImage, match=r"ends too early: 5\d% of the picture is missing, at most 6% may be\): download"
    ):
        decode_image(data[: len(data) // 2])


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    data = encoded(poster(), "JPEG", progressive=True)
    with pytest.raises(BadImage, match="ends too early"):
        decode_image(data[: data.rindex(b"\xff\xda")])


def test_a_camera_s_jpeg_without_its_end_is_decoded_at_reduced_scale() -> None:
    data = encoded(poster(size=(3000, 4200)), "JPEG")
    assert decode_image(data[:-2]).size == decode_image(data).size == (1500, 2100)


@pytest.mark.parametrize("mode", ["P", "L", "RGBA", "1", "I;16"])
def test_png_of_every_mode_may_lack_its_last_line(mode: str) -> None:
    image = poster("L") if mode == "I;16" else poster(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
    data = encoded(image, "PNG")
    assert spoilt(data, 24) <= 0.05


COMPRESSED = [("AVIF", ""), ("GIF", ""), *(("TIFF", name) for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg"))]


@pytest.mark.parametrize(("kind", "compression"), COMPRESSED)
def test_other_kinds_are_refused_with_what_is_wrong_and_what_to_do(kind: str, compression: str) -> None:
    data = encoded(poster("P" if kind == "GIF" else "RGB"), kind, **{"compression": compression} if compression else {})
    for cut in (3, 20, len(data) // 50, len(data) // 2, len(data) - 1000):
        with pytest.raises(BadImage, match=r"damaged \(the file ends too early\): download or save it again"):
            decode_image(data[:-cut])


def test_heic_is_refused_clearly_too() -> None:
    pytest.importorskip("pillow_heif", reason="pip install posterity[heic]").register_heif_opener()
    data = encoded(poster(), "HEIF")
    for cut in (1, len(data) // 2):
        with pytest.raises(BadImage, match="ends too early"):
            decode_image(data[:-cut])


def test_a_damaged_file_that_has_its_end_is_not_said_to_lack_it() -> None:
    for kind, options in (("AVIF", {}), ("TIFF", {"compression": "tiff_adobe_deflate"})):
        data = bytearray(encoded(poster(), kind, **options))
        middle = len(data) // 2
        data[middle : middle + 200] = bytes(200)
        assert not has_no_end(bytes(data))
        assert has_no_end(bytes(data[:-1]))
    for begin, ends_early in (
        (b"II*\0", True),
        (b"II*\0\xff\xff\xff\xff", True),
        (b"MM\0*\0\0\0\x08", False),  # no tags
        (b"\0\0\0\0ftypavif", False),
        (b"\0\0\0\1ftypavif\xff", True),
    ):
        assert has_no_end(begin + bytes(12)) == ends_early
