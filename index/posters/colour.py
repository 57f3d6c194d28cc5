"""Conversion of images to sRGB: by colour profile, from CMYK, grey, palette and Lab, and from 16 and 32 bits."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # ICC colour space -> mode of the images that it describes
_GREY = {"1", "L", "LA", "La"}


def to_srgb(image: Image.Image) -> Image.Image:
    """Return the image in 8-bit sRGB, composited on white if transparent, without metadata.

    A colour profile is applied by relative colorimetric intent with black point compensation: colours that sRGB has
    stay, others become the nearest, and black stays black. A profile that is damaged, or of other channels than the
    image, is ignored, as browsers do.
    """
    profile = image.info.get("icc_profile")
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
