"""Image files of all kinds that Pillow writes, and mutations of their bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tests.index.posters.profiles import cmyk_profile, grey_profile, rgb_profile

SIDES = (100, 1201)  # pixels
QUICK = {"speed": 10}  # of the encoder

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Kind:
    """A kind of image file."""

    format: str
    mode: str = "RGB"
    options: Mapping[str, Any] | None = None
    frames: int = 1
    turned: bool = False
    profile: bytes = b""


KINDS: dict[str, Kind] = {
    "JPEG baseline": Kind("JPEG"),
    "JPEG progressive": Kind("JPEG", options={"progressive": True}),
    "JPEG CMYK": Kind("JPEG", "CMYK"),
    "JPEG turned": Kind("JPEG", turned=True),
    "PNG RGB": Kind("PNG"),
    "PNG RGBA": Kind("PNG", "RGBA"),
    "PNG palette": Kind("PNG", "P"),
    "PNG 16 bit": Kind("PNG", "I;16"),
    "PNG interlaced": Kind("PNG", "interlaced"),
    "WebP lossy": Kind("WEBP"),
    "WebP lossless": Kind("WEBP", "RGBA", {"lossless": True}),
    "WebP animated": Kind("WEBP", frames=3),
    "GIF still": Kind("GIF", "P"),
    "GIF animated": Kind("GIF", "P", frames=3),
    "AVIF": Kind("AVIF", options=QUICK),
    "AVIF transparent": Kind("AVIF", "RGBA", QUICK),
    "AVIF animated": Kind("AVIF", options=QUICK, frames=2),
    "JPEG profile": Kind("JPEG", profile=rgb_profile()),
    "JPEG CMYK profile": Kind("JPEG", "CMYK", profile=cmyk_profile({(0, 0, 0, 0): (100, 0, 0)})),
    "PNG grey profile": Kind("PNG", "L", profile=grey_profile(1.0)),
    "WebP profile": Kind("WEBP", profile=rgb_profile()),
    "TIFF profile": Kind("TIFF", profile=rgb_profile()),
    "BMP": Kind("BMP"),
    "BMP palette": Kind("BMP", "P"),
    "TIFF raw": Kind("TIFF"),
    "TIFF LZW": Kind("TIFF", options={"compression": "tiff_lzw"}),
    "TIFF deflate": Kind("TIFF", options={"compression": "tiff_adobe_deflate"}),
    "TIFF CMYK": Kind("TIFF", "CMYK"),
    "TIFF JPEG": Kind("TIFF", options={"compression": "jpeg"}),
}


def written(kind: Kind, rng: np.random.Generator) -> bytes:
    """Return a random image file of a kind."""
    width, height = (int(side) for side in rng.integers(*SIDES, 2))
    frames = [_drawn(width, height, rng) for _ in range(kind.frames)]
    if kind.mode == "interlaced":
        return interlaced_png(np.asarray(frames[0]))
    if kind.mode == "I;16":
        frames = [Image.fromarray(np.asarray(frame.convert("L")).astype(np.uint16) * 257) for frame in frames]
    elif kind.mode == "RGBA":
        for frame in frames:
            frame.putalpha(frame.convert("L"))
    else:
        frames = [frame.convert(kind.mode) for frame in frames]
    options = dict(kind.options or {})
    if kind.frames > 1:
        options |= {"save_all": True, "append_images": frames[1:]}
    if kind.turned:
        exif = Image.Exif()
        exif[_ORIENTATION] = int(rng.integers(2, 9))
        options["exif"] = exif
    if kind.profile:
        options["icc_profile"] = kind.profile
    stream = io.BytesIO()
    frames[0].save(stream, kind.format, **options)
    return stream.getvalue()


def _drawn(width: int, height: int, rng: np.random.Generator) -> Image.Image:
    image = Image.new("RGB", (width, height), tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        (left, right), (top, bottom) = np.sort(rng.integers(0, width, 2)), np.sort(rng.integers(0, height, 2))
        draw.ellipse((int(left), int(top), int(right), int(bottom)), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def interlaced_png(pixels: np.ndarray[Any, Any]) -> bytes:
    """Return an Adam7-interlaced PNG of (h, w, 3) uint8, which Pillow reads but does not write.

    Source: PNG specification, third edition, 8.1.
    """
    height, width = pixels.shape[:2]
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    lines = b"".join(
        b"\0" + line.tobytes() for top, left, down, right in passes for line in pixels[top::down, left::right]
    )

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


# A function of data (changed in place), another file's content, rng.
Mutation = Callable[[bytearray, bytes, np.random.Generator], None]


def flip_bits(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    for at in rng.integers(0, len(data), rng.integers(1, 20)):
        data[at] ^= 1 << int(rng.integers(8))


def flip_bytes(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    for at in rng.integers(0, len(data), rng.integers(1, 200)):
        data[at] = int(rng.integers(256))


def flip_header(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    for at in rng.integers(0, min(64, len(data)), rng.integers(1, 6)):
        data[at] = int(rng.integers(256))


def remove(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    begin, end = _part(data, rng)
    del data[begin:end]


def repeat(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    begin, end = _part(data, rng)
    data[end:end] = data[begin:end] * int(rng.integers(1, 5))


def swap(data: bytearray, other: bytes, rng: np.random.Generator) -> None:
    begin, end = _part(data, rng)
    data[begin:end] = other[begin:end]


def truncate(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def extreme(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    """Set a number near the beginning, such as a size or length, to an extreme value."""
    form = str(rng.choice(["B", ">H", "<H", ">I", "<I"]))
    size = struct.calcsize(form)
    value = int(rng.choice(_EXTREMES)) & ((1 << (8 * size)) - 1)
    at = int(rng.integers(0, min(256, len(data))))
    data[at : at + size] = struct.pack(form, value)


def resize(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    """Change width and height in the header, and parts of a TIFF; update the checksum of a PNG."""
    width, height = (int(rng.choice([0, 1, 15, 16, 999, 3162, 4899, 9000, 65535, 2**31 - 1])) for _ in range(2))
    if data.startswith(b"\x89PNG") and len(data) > 33:
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif data.startswith(b"GIF8") and len(data) > 10:
        data[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    elif data.startswith(b"\xff\xd8"):
        for marker in (b"\xff\xc0", b"\xff\xc2"):
            at = data.find(marker)
            if 0 < at < len(data) - 9:
                data[at + 5 : at + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
                break
    elif data[4:8] == b"ftyp" and (at := data.find(b"ispe")) > 0 and at + 16 <= len(data):
        data[at + 8 : at + 16] = struct.pack(">II", width, height)
    elif data.startswith(b"BM") and len(data) > 26:
        data[18:26] = struct.pack("<II", width, height)
    elif data.startswith(b"II*\0"):
        for tag in (256, 257, 278, 322, 323):  # sides, rows of a strip, sides of a tile
            if (at := data.find(struct.pack("<H", tag))) > 0 and at + 12 <= len(data):
                data[at + 2 : at + 12] = struct.pack("<HII", 4, 1, int(rng.choice([width, height])))
    elif data[8:16] == b"WEBPVP8 " and len(data) > 30:
        data[26:30] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
    elif data[8:16] == b"WEBPVP8X" and len(data) > 30:
        data[24:30] = (width & 0xFFFFFF).to_bytes(3, "little") + (height & 0xFFFFFF).to_bytes(3, "little")


def insert(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data)))
    data[at:at] = rng.bytes(int(rng.integers(1, 300)))


def spoil_profile(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    """Change bytes of an uncompressed colour profile."""
    at = data.find(b"acsp")
    if at >= 36:
        begin, end = at - 36, min(len(data), at - 36 + 700)
        for each in rng.integers(begin, end, rng.integers(1, 30)):
            data[each] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)]))


def trail(data: bytearray, _: bytes, rng: np.random.Generator) -> None:
    data += rng.bytes(int(rng.integers(1, 5000)))


def follow(data: bytearray, other: bytes, _: np.random.Generator) -> None:
    data += other


def precede(data: bytearray, other: bytes, _: np.random.Generator) -> None:
    data[:0] = other


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    flip_bytes,
    flip_header,
    remove,
    repeat,
    swap,
    truncate,
    extreme,
    resize,
    insert,
    spoil_profile,
    trail,
    follow,
    precede,
)


def mutated(data: bytes, other: bytes, rng: np.random.Generator) -> tuple[bytes, list[str]]:
    """Apply one to four mutations; return the file and their names."""
    changed = bytearray(data)
    done = []
    for at in rng.integers(0, len(MUTATIONS), rng.integers(1, 5)):
        if changed:
            MUTATIONS[at](changed, other, rng)
            done.append(MUTATIONS[at].__name__)
    return bytes(changed), done


def _part(data: bytes | bytearray, rng: np.random.Generator) -> tuple[int, int]:
    begin = int(rng.integers(len(data)))
    return begin, begin + int(rng.integers(1, max(2, len(data) // 4)))
