"""Bounds on the parts of image files: a small file of very many takes minutes to read, however few its pixels are."""

from __future__ import annotations

import re
import struct

from index.core.errors import BadImage

MAX_PARTS = 20_000  # a camera's JPEG has dozens of segments, a PNG of 10 MiB about 1,300 chunks, a TIFF 30 tags
MAX_SCANS = 100  # of a progressive JPEG; encoders write 10 to 20. One of 24 million pixels takes 4 ms

_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)  # of JPEG; the others are data
_SCAN, _END, _ALONE = 0xDA, 0xD9, {0x01, 0xD8}  # the last have no length
_TIFFS = {b"II*\0": "<4xI", b"MM\0*": ">4xI", b"II+\0": "<8xQ", b"MM\0+": ">8xQ"}  # first bytes -> place of the tags


def check_parts(data: bytes, name: str) -> None:
    """Refuse a file of more parts than any encoder writes.

    Sources: ITU-T T.81, annex B; PNG, section 5.3; TIFF 6.0, section 2.

    Args:
        data: content of the file.
        name: of its format, as Pillow calls it.

    Raises:
        BadImage: it has more than MAX_PARTS, or MAX_SCANS, or several colour profiles in a PNG.
    """
    try:
        if name == "JPEG":
            _check_jpeg(data)
        elif name == "PNG":
            _check_png(data)
        elif name == "TIFF":
            _check_tiff(data)
    except (struct.error, IndexError):
        pass  # the file ends here: the decoder says so


def _check_jpeg(data: bytes) -> None:
    at, parts, scans = 2, 0, 0
    while (found := _MARKER.search(data, at)) and found[1][0] != _END:
        marker = found[1][0]
        if scans == 0:  # before the first scan, Pillow reads what is between segments byte by byte
            parts += 1 + found.start() - at
        scans += marker == _SCAN
        _check(parts, MAX_PARTS, "parts")
        _check(scans, MAX_SCANS, "scans")
        at = found.end() + (0 if marker in _ALONE else struct.unpack_from(">H", data, found.end())[0])
    if not scans:
        _check(len(data) - at, MAX_PARTS, "parts")


def _check_png(data: bytes) -> None:
    at, parts, profiles, kind = 8, 0, 0, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        parts, profiles = parts + 1, profiles + (kind == b"iCCP")
        _check(parts, MAX_PARTS, "parts")
        _check(profiles, 1, "colour profiles")
        at += 12 + length


def _check_tiff(data: bytes) -> None:
    place = _TIFFS[data[:4]]
    (at,) = struct.unpack_from(place, data)
    (tags,) = struct.unpack_from(f"{place[0]}{'Q' if place.endswith('Q') else 'H'}", data, at)
    _check(tags, MAX_PARTS, "tags")


def _check(count: int, most: int, noun: str) -> None:
    if count > most:
        raise BadImage(f"the picture is damaged (it has more than {most:,} {noun}): save it again")
