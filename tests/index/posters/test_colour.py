import io
import struct
from zlib import crc32

import numpy as np
import pytest
from PIL import Image, ImageCms

from index.posters.images import decode_image, has_profile, pixels_for_vgg16, shown, small_pixels, thumbnail, webp
from tests.index.posters.profiles import ADOBE, P3, PROPHOTO, cmyk_profile, grey_profile, rgb_profile

RED, GREEN, BROWN = (220, 30, 20), (30, 140, 60), (120, 80, 40)
BANDS = (RED, GREEN, BROWN)
WIDE = {"ProPhoto": rgb_profile(PROPHOTO, 1.8), "Adobe RGB": rgb_profile(ADOBE, 2.2), "P3": rgb_profile(P3, 2.2)}
KINDS = [("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("AVIF", {"quality": 95})]


def bands() -> Image.Image:
    """Return an image of three bands of colour in sRGB."""
    image = Image.new("RGB", (64, 96))
    for at, colour in enumerate(BANDS):
        image.paste(colour, (0, 32 * at, 64, 32 * at + 32))
    return image


def stored_in(profile: bytes, image: Image.Image) -> Image.Image:
    """Return an sRGB image in the numbers of another profile."""
    target = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, ImageCms.createProfile("sRGB"), target)
    assert converted is not None
    return converted


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def assert_bands(image: Image.Image, tolerance: int = 10) -> None:
    for at, colour in enumerate(BANDS):
        assert np.abs(np.array(image.getpixel((32, 32 * at + 16))) - colour).max() <= tolerance


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize(("kind", "options"), KINDS, ids=[kind for kind, _ in KINDS])
def test_colours_are_those_that_the_profile_says(name: str, kind: str, options: dict[str, object]) -> None:
    data = encoded(stored_in(WIDE[name], bands()), kind, icc_profile=WIDE[name], **options)
    assert_bands(decode_image(data))
    assert has_profile(data)


def test_a_profile_matters() -> None:
    wide = stored_in(WIDE["ProPhoto"], bands())
    assert np.abs(np.array(wide.getpixel((32, 16))) - RED).max() > 40


def test_the_same_picture_in_two_profiles_has_the_same_pixels() -> None:
    plain = pixels_for_vgg16(decode_image(encoded(bands(), "PNG"))).astype(int)
    for profile in WIDE.values():
        data = encoded(stored_in(profile, bands()), "PNG", icc_profile=profile)
        assert np.abs(pixels_for_vgg16(decode_image(data)) - plain).max() <= 4


def test_srgb_by_its_profile_stays() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert_bands(decode_image(encoded(bands(), "PNG", icc_profile=srgb)), tolerance=1)


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_palettes_and_transparent_pictures_have_profiles_too(mode: str) -> None:
    wide = stored_in(WIDE["ProPhoto"], bands())
    if mode == "P":
        picture = wide.quantize(8)
    else:
        wide.putalpha(255)
        wide.paste((0, 0, 0, 0), (0, 0, 8, 96))
        picture = wide
    decoded = decode_image(encoded(picture, "PNG", icc_profile=WIDE["ProPhoto"]))
    assert_bands(decoded)
    if mode == "RGBA":
        assert decoded.getpixel((2, 50)) == (255, 255, 255)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
def test_grey_has_the_gamma_of_its_profile(bits: int, transparent: bool) -> None:
    image = Image.new("L", (32, 32), 128)
    if bits == 16:
        image = Image.fromarray(np.full((32, 32), 128 * 257, dtype=np.uint16))
    elif transparent:
        image = Image.merge("LA", (image, Image.new("L", (32, 32), 255)))
    level = decode_image(encoded(image, "PNG", icc_profile=grey_profile(1.0))).getpixel((9, 9))
    assert np.abs(np.array(level) - 188).max() <= 2  # half of the light is sRGB's 188


def test_inks_are_those_of_the_profile() -> None:
    # Lab of sRGB's red by D50; the other inks are black, so a guess without the profile differs.
    profile = cmyk_profile({(0, 0, 0, 0): (100, 0, 0), (0, 1, 1, 0): (54, 81, 70)})
    inks = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    for kind in ("JPEG", "TIFF"):
        level = decode_image(encoded(inks, kind, icc_profile=profile)).getpixel((9, 9))
        assert np.abs(np.array(level) - (255, 0, 0)).max() <= 12
    inks = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    assert max(decode_image(encoded(inks, "TIFF", icc_profile=profile)).getpixel((9, 9))) < 30
    assert max(decode_image(encoded(inks, "TIFF")).getpixel((9, 9))) > 200


def test_lab_is_converted() -> None:
    lab = ImageCms.profileToProfile(
        bands(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    assert_bands(decode_image(encoded(lab, "TIFF")))


@pytest.mark.parametrize(
    "profile",
    [
        b"nonsense",
        b"\0" * 200,
        WIDE["ProPhoto"][:200],
        WIDE["ProPhoto"][:128] + b"\xff" * 300,
        grey_profile(1.0),
        cmyk_profile({}),
    ],
    ids=["text", "zeros", "cut", "tags", "of grey", "of inks"],
)
def test_a_profile_that_cannot_be_used_is_ignored(profile: bytes) -> None:
    for kind, options in KINDS:
        assert_bands(decode_image(encoded(bands(), kind, icc_profile=profile, **options)))


def png(image: Image.Image, **chunks: bytes) -> bytes:
    """Return a PNG with chunks of colour after its header."""
    plain = encoded(image, "PNG")
    added = b"".join(
        struct.pack(">I", len(content)) + name.encode() + content + struct.pack(">I", crc32(name.encode() + content))
        for name, content in chunks.items()
    )
    return plain[:33] + added + plain[33:]


def gamma(value: float) -> bytes:
    return struct.pack(">I", round(100_000 * value))


def chromaticities(*values: float) -> bytes:
    return struct.pack(">8I", *(round(100_000 * value) for value in values))


REC2020 = (0.3127, 0.329, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)


def test_the_chunks_of_a_png_say_its_colours() -> None:
    told = {
        "ADOBE": (0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06),
        "P3": (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    }
    for profile, colours in ((WIDE["Adobe RGB"], told["ADOBE"]), (WIDE["P3"], told["P3"])):
        data = png(stored_in(profile, bands()), gAMA=gamma(1 / 2.2), cHRM=chromaticities(*colours))
        assert_bands(decode_image(data), tolerance=3)
        assert has_profile(data)
    prophoto = chromaticities(0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
    data = png(stored_in(WIDE["ProPhoto"], bands()), gAMA=gamma(1 / 1.8), cHRM=prophoto)
    assert_bands(decode_image(data), tolerance=3)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "I;16"])
def test_the_gamma_of_a_png_is_applied(mode: str) -> None:
    image = Image.new("L", (32, 32), 128)
    wide = Image.fromarray(np.full((32, 32), 128 * 257, dtype=np.uint16))
    data = png(wide if mode == "I;16" else image.convert(mode), gAMA=gamma(1))
    level = decode_image(data).getpixel((9, 9))
    assert np.abs(np.array(level) - 188).max() <= 2  # half of the light is sRGB's 188


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": gamma(0.45455), "cHRM": chromaticities(*SRGB)},
        {"gAMA": gamma(0.45455)},
        {"sRGB": b"\0", "gAMA": gamma(1), "cHRM": chromaticities(*REC2020)},
        {"gAMA": gamma(0)},
        {"gAMA": b"\xff" * 4},
        {"gAMA": gamma(1e-5)},
        {"cHRM": bytes(32)},
        {"cHRM": chromaticities(*8 * [0.3])},
        {"cHRM": b"\xff" * 32},
        {"cHRM": chromaticities(0.3, 1e-5, *SRGB[2:])},
    ],
    ids=["sRGB", "gamma of sRGB", "sRGB first", "0", "most", "least", "zeros", "one colour", "beyond", "no white"],
)
def test_chunks_that_say_srgb_or_nothing_change_nothing(chunks: dict[str, bytes]) -> None:
    data = png(bands(), **chunks)
    assert_bands(decode_image(data), tolerance=0)
    assert not has_profile(data)


def test_a_profile_is_before_the_chunks_of_a_png() -> None:
    wide = stored_in(WIDE["ProPhoto"], bands())
    plain = encoded(wide, "PNG", icc_profile=WIDE["ProPhoto"])
    with_gamma = plain[:33] + png(wide, gAMA=gamma(1))[33:49] + plain[33:]
    assert np.array_equal(decode_image(with_gamma), decode_image(plain))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_grey_of_other_formats_has_the_gamma_of_its_profile(kind: str) -> None:
    data = encoded(Image.new("L", (32, 32), 128), kind, icc_profile=grey_profile(1.0))
    assert np.abs(np.array(decode_image(data).getpixel((9, 9))) - 188).max() <= 2


def test_a_turned_picture_keeps_its_profile() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = stored_in(WIDE["ProPhoto"], bands()).transpose(Image.Transpose.ROTATE_90)
    data = encoded(turned, "JPEG", icc_profile=WIDE["ProPhoto"], exif=exif, quality=95)
    assert_bands(decode_image(data))


def test_pictures_that_are_made_are_srgb_without_a_profile() -> None:
    data = encoded(stored_in(WIDE["ProPhoto"], bands()), "TIFF", icc_profile=WIDE["ProPhoto"])
    decoded = decode_image(data)
    for made in (webp(decoded), webp(decoded, 32), thumbnail(decoded), shown(data)):
        assert "icc_profile" not in Image.open(io.BytesIO(made)).info
    assert_bands(Image.open(io.BytesIO(webp(decoded))).convert("RGB"), tolerance=12)
    assert np.abs(small_pixels(data, 32, 48)[8, 16].astype(int) - RED).max() <= 6


def test_wide_numbers_of_grey_are_scaled_by_what_they_hold() -> None:
    down = np.linspace(0, 1, 32)[:, None].repeat(32, axis=1)
    for white, kind in ((1.0, np.float32), (255.0, np.float32), (65535, np.int32), (2**31 - 1, np.int32)):
        decoded = np.asarray(decode_image(encoded(Image.fromarray((down * white).astype(kind)), "TIFF")))
        np.testing.assert_allclose(decoded[:, 0, 0], down[:, 0] * 255, atol=2)
    poor = Image.fromarray(np.array([[np.nan, np.inf], [-np.inf, 1]], dtype=np.float32).repeat(16, 0).repeat(16, 1))
    assert decode_image(encoded(poor, "TIFF")).getpixel((31, 31)) == (255, 255, 255)
