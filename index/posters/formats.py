"""Formats of image files, recognised by content."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.core.errors import BadImage


@dataclass(frozen=True, slots=True)
class Format:
    """A format of image files that can be decoded."""

    name: str  # as Pillow calls it
    begins: re.Pattern[bytes]
    suffix: str  # of new files
    suffixes: tuple[str, ...]  # that files of this format may have
    media_type: str
    shown: bool = True  # browsers show it


def _format(name: str, begins: bytes, suffixes: str, media_type: str, *, shown: bool = True) -> Format:
    every = tuple(suffixes.split())
    return Format(name, re.compile(begins, re.DOTALL), every[0], every, media_type, shown)


# The major brand of an ISO base media file may be of all still images (mif1), so look through the compatible ones.
FORMATS = (
    _format("JPEG", rb"\xff\xd8\xff", ".jpg .jpeg .jpe .jfif", "image/jpeg"),
    _format("PNG", rb"\x89PNG\r\n", ".png", "image/png"),
    _format("WEBP", rb"RIFF.{4}WEBP", ".webp", "image/webp"),
    _format("GIF", rb"GIF8", ".gif", "image/gif"),
    _format("AVIF", rb".{4}ftyp(?:.{4}){0,15}?avi[fs]", ".avif", "image/avif"),
    _format("TIFF", rb"II[*+]\0|MM\0[*+]", ".tif .tiff", "image/tiff", shown=False),
    _format("BMP", rb"BM", ".bmp", "image/bmp", shown=False),
    _format(
        "HEIF", rb".{4}ftyp(?:.{4}){0,15}?(?:hei[cxms]|hev[cx]|mif1|msf1)", ".heic .heif", "image/heic", shown=False
    ),
)
SUFFIXES = tuple(suffix for each in FORMATS for suffix in each.suffixes)  # in order of preference
NAMES = "JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC"

HEAD = 80  # bytes that tell the format


def format_of(data: bytes) -> Format:
    """Return the format of a file by its first bytes.

    Raises:
        BadImage: none of ``FORMATS``.
    """
    for each in FORMATS:
        if each.begins.match(data[:HEAD]):
            return each
    raise BadImage(f"this is no {NAMES} picture")


def suffix_of(data: bytes) -> str:
    """Return the file name suffix of an image that browsers show, such as ".jpg".

    Raises:
        BadImage: the file is of another format.
    """
    found = format_of(data)
    if not found.shown:
        raise BadImage(f"browsers show no {found.name} picture: convert it with index.posters.shown first")
    return found.suffix
