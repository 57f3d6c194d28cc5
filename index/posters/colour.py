"""Conversion of images to sRGB: by colour profile, from CMYK, grey, palette and Lab, and from 16 and 32 bits.

A PNG may tell its colours by numbers in place of a profile, which is then made of them.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageCms

from index.core.arrays import Float64Array

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # ICC colour space -> mode of the images that it describes
_GREY = {"1", "L", "LA", "La"}

_SRGB_GAMMA = 1 / 2.2
_SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # white and primaries, x and y of each
_D50 = np.array([0.9642, 1.0, 0.8249])  # white of profiles
# Bradford's adaptation to another white. Source: ICC.1:2022, annex E.
_CONES = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of(image: Image.Image) -> bytes | None:
    """Return the colour profile of an image file; None for sRGB, and for files that do not tell.

    In a PNG without a profile it is made of the chunks gAMA and cHRM, unless they, or the chunk sRGB, say sRGB. Source:
    https://www.w3.org/TR/png-3/#13Decoder-colour-handling. Pillow does not read cICP.
    """
    info = image.info
    profile: bytes | None = info.get("icc_profile")
    if profile or image.format != "PNG" or "srgb" in info:
        return profile or None
    gamma: float = info.get("gamma") or _SRGB_GAMMA
    colours: Sequence[float] = info.get("chromaticity") or _SRGB
    usual = np.allclose(colours, _SRGB, atol=0.002) and abs(gamma / _SRGB_GAMMA - 1) < 0.01
    if usual or not 0.1 <= gamma <= 10 or min(colours[:2]) < 0.1:  # outside no picture's gamma, and no white
        return None
    try:
        return _matrix_profile(_to_d50(colours), 1 / gamma)
    except (ArithmeticError, np.linalg.LinAlgError, ValueError, struct.error):  # no colours, or beyond the numbers
        return None


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the image in 8-bit sRGB, composited on white if transparent, without metadata.

    A colour profile is applied by relative colorimetric intent with black point compensation: colours that sRGB has
    stay, others become the nearest, and black stays black. A profile that is damaged, or of other channels than the
    image, is ignored, as browsers do.
    """
    profile = profile_of(image)
    if image.mode.startswith(("I", "F")):
        image = _to_8_bits(image)
    if image.has_transparency_data:
        whole = image
        for mode in ("LA", "RGBA") if image.mode == "La" else ("RGBA",):
            whole = whole.convert(mode) if whole.mode != mode else whole
        opaque = Image.new("RGB", image.size, "white")
        if profile:
            colours = whole.getchannel("R") if image.mode in _GREY else whole.convert("RGB")
            opaque.paste(_converted(colours, profile), mask=whole.getchannel("A"))
        else:
            opaque.paste(whole, mask=whole.getchannel("A"))
    else:
        opaque = _converted(image, profile)
    opaque.info = {}
    return opaque


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return an image without transparency in sRGB."""
    if image.mode == "LAB":
        return _transformed(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if image.mode not in {"L", "RGB", "CMYK"}:
        image = image.convert("L" if image.mode == "1" else "RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            mode = _MODES.get(source.profile.xcolor_space)
            if mode == image.mode or (mode, image.mode) == ("RGB", "L"):
                return _transformed(image.convert(mode), source)
        except Exception:  # noqa: BLE001, S110  lcms raises several kinds on damaged profiles
            pass
    return image if image.mode == "RGB" else image.convert("RGB")


def _transformed(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    transform = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        image.mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # noqa: S101  only in place it returns none
    return converted


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Convert grey of 16 or 32 bits to 8 bits. Pillow's own conversion clips to 255 instead of scaling.

    Only 16 bits have a known white. Integers of 32 bits, and fractions, are of the smallest range that holds them all.
    """
    wide = np.asarray(image)
    if image.mode.startswith("I;16"):
        grey = Image.fromarray((wide >> 8).astype(np.uint8))
        if "transparency" in image.info:  # the shade of transparent pixels
            grey.info["transparency"] = image.info["transparency"] >> 8
        return grey
    wide = np.nan_to_num(wide, nan=0, posinf=0, neginf=0)
    ranges = (1, 255, 2**16 - 1) if image.mode == "F" else (255, 2**16 - 1)
    white = next((white for white in ranges if wide.max() <= white), 2**31 - 1)
    return Image.fromarray((np.clip(wide / white, 0, 1) * 255).astype(np.uint8))


def _to_d50(colours: Sequence[float]) -> Float64Array:
    """Return the matrix (3, 3) from linear RGB to XYZ by D50.

    Args:
        colours: x and y of white, red, green and blue.
    """
    white, *primaries = ((x / y, 1.0, (1 - x - y) / y) for x, y in zip(colours[::2], colours[1::2], strict=True))
    matrix = np.array(primaries).T
    whole = matrix * np.linalg.solve(matrix, np.array(white))
    adapted: Float64Array = np.linalg.inv(_CONES) * (_CONES @ _D50 / (_CONES @ white)) @ _CONES @ whole
    return adapted


def _matrix_profile(matrix: Float64Array, gamma: float) -> bytes:
    """Return an ICC profile of RGB. Source: ICC.1:2001-04, clauses 6 and 7."""
    fixed = [struct.pack(">3i", *(round(part * 65536) for part in each)) for each in (_D50, *matrix.T)]
    bodies = [b"XYZ " + bytes(4) + each for each in fixed]
    bodies.append(b"curv" + bytes(4) + struct.pack(">IHH", 1, round(gamma * 256), 0))
    places = dict(zip((b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC"), range(5), strict=True)) | {b"gTRC": 4, b"bTRC": 4}
    begin = 128 + 4 + 12 * len(places)
    starts = [begin + sum(map(len, bodies[:at])) for at in range(len(bodies))]
    entries = [name + struct.pack(">II", starts[at], len(bodies[at])) for name, at in places.items()]
    content = struct.pack(">I", len(entries)) + b"".join(entries + bodies)
    header = struct.pack(">I4sI", 128 + len(content), b"", 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    return (header + bytes(28) + fixed[0]).ljust(128, b"\0") + content
