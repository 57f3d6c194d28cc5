"""Completion of image files that lack their last bytes, as browsers show them: the missing part must be small.

Pillow refuses a file that ends too early, or with a global switch accepts any. Here a file is completed in two ways
that differ where its own bytes end. Pixels that are equal in both were decoded from the file; from the first one that
is not, the picture is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from index.core.arrays import BoolArray
from index.core.errors import BadImage

MAX_MISSING = 1 / 16  # share of the pixels
FORMATS = {"JPEG", "WEBP", "PNG", "BMP", "TIFF"}
ENDS_EARLY = "the picture is damaged (the file ends too early): download or save it again"

_TIFFS = {b"II*\0": "<", b"MM\0*": ">"}  # order of bytes
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of types of a TIFF
_NUMBERS = {3: "H", 4: "I"}
_PARTS = {273, 279, 324, 325}  # tags: offsets and lengths of strips, and of tiles
_ENDINGS = 8  # that are tried until two can be decoded
_END_OF_IMAGE = b"\xff\xd9"
_WHOLE_BLOCK = 64  # coefficients of a block of a JPEG
_ROW_OF_BLOCKS = 16  # pixels: a JPEG and a WebP have blocks of this height at most

# Content of a file and of its undecoded pixels (None for Pillow's choice, and no tolerance) -> loaded image.
Load = Callable[[bytes, int | None], Image.Image]


def load_truncated(data: bytes, name: str, load: Load) -> Image.Image:
    """Return the image of a file that ends too early.

    Args:
        data: content of the file.
        name: of its format, one of ``FORMATS``.
        load: decodes a file.

    Raises:
        BadImage: more than MAX_MISSING is missing.
        OSError: the file is damaged otherwise.
    """
    if name in {"JPEG", "WEBP"}:
        image, other = _with_two_endings(data, _completed_jpeg if name == "JPEG" else _completed_webp, load)
        missing = _from_first(_differences(image, other))
    else:
        other, image = (load(data, fill) for fill in (0, 255))
        missing = _differences(image, other)
    share = float(missing.mean())
    if share > MAX_MISSING:
        raise BadImage(
            f"the picture is damaged (the file ends too early: {100 * share:.0f}% of the picture is missing, at most"
            f" {100 * MAX_MISSING:.0f}% may be): download or save it again"
        )
    return image


def has_no_end(data: bytes) -> bool:
    """Return True if an AVIF, HEIC or TIFF has less bytes than it says; False for other formats.

    Sources: ISO/IEC 14496-12, 4.2; TIFF 6.0, section 2.
    """
    if data[4:8] == b"ftyp":
        at = 0
        while at < len(data) - 16:
            (size,) = struct.unpack_from(">I", data, at)
            if size == 1:
                (size,) = struct.unpack_from(">Q", data, at + 8)
            if size < 8:  # 0 is up to the end of the file
                return False
            at += size
        return at > len(data)
    return data[:4] in _TIFFS and _directory_has_no_end(data, _TIFFS[data[:4]])


def _directory_has_no_end(data: bytes, order: str) -> bool:
    """Return True if the directory of a TIFF, one of its values or of its strips and tiles is behind its end."""
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (n,) = struct.unpack_from(order + "H", data, at)
        arrays: dict[int, tuple[int, ...]] = {}
        for entry in range(at + 2, at + 2 + 12 * n, 12):
            tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
            size = count * _SIZES.get(kind, 0)
            (value,) = struct.unpack_from(order + "I", data, entry + 8)
            if size > 4 and value + size > len(data):
                return True
            if tag in _PARTS and kind in _NUMBERS:
                form = f"{order}{count}{_NUMBERS[kind]}"
                arrays[tag] = struct.unpack_from(form, data, value if size > 4 else entry + 8)
    except struct.error:
        return True
    return any(
        offset + length > len(data)
        for offsets, lengths in ((273, 279), (324, 325))
        for offset, length in zip(arrays.get(offsets, ()), arrays.get(lengths, ()), strict=False)
    )


def _with_two_endings(data: bytes, complete: Callable[[bytes, bytes], bytes], load: Load) -> list[Image.Image]:
    """Return the images of a file with two different endings.

    Raises:
        OSError: there are not two among ``_ENDINGS`` that can be decoded: to some decoders bytes have a meaning.
    """
    images: list[Image.Image] = []
    rng = np.random.default_rng(0)
    for left in reversed(range(_ENDINGS)):
        # Zeros, then noise: without 0xff, which begins a marker of a JPEG.
        ending = rng.integers(0, 255 if left < _ENDINGS - 1 else 1, len(data), dtype=np.uint8).tobytes()
        try:
            images.append(load(complete(data, ending), None))
        except OSError:
            if left == 0:
                raise
        if len(images) == 2:
            break
    return images


def _differences(one: Image.Image, other: Image.Image) -> BoolArray:
    """Return a mask (height, width) of the pixels that differ."""
    different = np.asarray(one) != np.asarray(other)
    mask: BoolArray = different.any(axis=2) if different.ndim == 3 else different
    return mask


def _from_first(different: BoolArray) -> BoolArray:
    """Return a mask of all pixels from the first row of blocks that differs, and in it from the first column."""
    rows = np.flatnonzero(different.any(axis=1))
    missing = np.zeros_like(different)
    if rows.size:
        first = rows[0]
        end = first + _ROW_OF_BLOCKS
        missing[end:] = True
        missing[first:end, np.flatnonzero(different[first:end].any(axis=0))[0] :] = True
    return missing


def _completed_jpeg(data: bytes, ending: bytes) -> bytes:
    """Return a JPEG with an end.

    Raises:
        BadImage: it lacks whole scans, so that a progressive picture is blurred all over.
    """
    if not _has_all_scans(data):
        raise BadImage(ENDS_EARLY)
    return data.rstrip(b"\xff") + ending + _END_OF_IMAGE


def _completed_webp(data: bytes, ending: bytes) -> bytes:
    """Return a WebP with its last chunk made longer: a decoder may need more of other bytes than of the missing ones.

    Source: WebP Container Specification.
    """
    at = 12
    while at + 8 <= len(data):
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        if at + 8 + length + length % 2 > len(data):
            size = (len(data) + len(ending)) // 2 * 2  # even
            riff, chunk = (struct.pack("<I", size - begin) for begin in (8, at + 8))
            return (data[:4] + riff + data[8 : at + 4] + chunk + data[at + 8 :] + ending)[:size]
        at += 8 + length + length % 2
    return data


def _has_all_scans(data: bytes) -> bool:
    """Return True if the scans of a JPEG have all coefficients of all components in full precision."""
    pending: dict[int, set[int]] = {}  # component -> coefficients that no scan has had in full precision
    for marker, segment in _segments(data):
        if marker in {0xC0, 0xC1, 0xC2} and len(segment) >= 6:
            pending = {component: set(range(_WHOLE_BLOCK)) for component in segment[6 : 6 + 3 * segment[5] : 3]}
        elif marker == 0xDA and segment and len(segment) >= 4 + 2 * segment[0]:
            components = segment[1 : 1 + 2 * segment[0] : 2]
            first, last, precision = segment[1 + 2 * segment[0] :][:3]
            if precision & 15 == 0:
                for component in components:
                    pending.get(component, set()).difference_update(range(first, last + 1))
    return bool(pending) and not any(pending.values())


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment of a JPEG; skip entropy-coded data.

    Source: ITU-T T.81, annex B.
    """
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 3:
        marker = data[at + 1]
        if marker in {0x00, 0x01, 0xFF} or 0xD0 <= marker <= 0xD9:  # stuffed, filling, restarts, begin and end
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        yield marker, data[at + 4 : at + 2 + length]
        at += 2 + length
