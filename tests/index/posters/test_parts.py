"""Files of very many parts, which decoders read for minutes, and those of as many as encoders write."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from index.core.errors import BadImage
from index.posters.images import decode_image, dimensions
from index.posters.parts import MAX_PARTS, MAX_SCANS

MANY = MAX_PARTS + 1


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    content = io.BytesIO()
    Image.new(mode, (64, 96), 77 if mode == "L" else (200, 10, 10)).save(content, kind, **options)
    return content.getvalue()


def with_scans(count: int) -> bytes:
    """Return a progressive JPEG with further scans, each of which says that nothing changes in any block."""
    data = saved("JPEG", "L", progressive=True)
    first = data.index(b"\xff\xda")
    end = data.index(b"\xff", first + 2 + struct.unpack_from(">H", data, first + 2)[0])
    table = b"\xff\xc4" + struct.pack(">H", 20) + b"\x10\x01" + bytes(15) + b"\xe0"  # one code: a run of blocks
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x3f\x00" + b"\x7f\xff\x00"
    return data[:end] + table + (count - 1) * scan + b"\xff\xd9"


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def in_jpeg(parts: bytes) -> bytes:
    data = saved("JPEG")
    return data[:2] + parts + data[2:]


def in_png(parts: bytes, at: int = 33) -> bytes:
    data = saved("PNG")
    return data[:at] + parts + data[at:]


def tiff(tags: int, order: str = "<") -> bytes:
    classic = [(256, 64), (257, 96), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 96), (279, 6144)]
    numbers = [*classic, *((40000 + at % 20000, 1) for at in range(tags - len(classic)))]
    entries = b"".join(struct.pack(f"{order}HHII", number, 4, 1, value) for number, value in numbers)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 6152) + bytes(6144) + struct.pack(
        f"{order}H", len(numbers)) + entries + bytes(4)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "noun"),
    [
        (with_scans(MAX_SCANS + 1), "100 scans"),
        (in_jpeg(b"\xff\xfe\x00\x02" * MANY), "20,000 parts"),
        (in_jpeg(b"\xff" * MANY), "20,000 parts"),
        (in_jpeg(b"\xff\x00" * MANY), "20,000 parts"),
        (saved("JPEG")[:2] + b"\xff" * (MANY + 1), "20,000 parts"),
        (in_png(chunk(b"abCd") * MANY), "20,000 parts"),
        (in_png(chunk(b"abCd") * MANY, -12), "20,000 parts"),
        (in_png(2 * chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1000)))), "1 colour profiles"),
        (tiff(MANY), "20,000 tags"),
        (tiff(MANY, ">"), "20,000 tags"),
        (b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, MANY), "20,000 tags"),
    ],
)
def test_a_file_of_more_parts_than_any_encoder_writes_is_refused(data: bytes, noun: str) -> None:
    for read in (decode_image, dimensions):
        with pytest.raises(BadImage, match=f"more than {noun}"):
            read(data)


@pytest.mark.parametrize(
    "data",
    [
        with_scans(MAX_SCANS),
        in_jpeg(b"\xff\xfe\x00\x02" * 1000),
        in_png(chunk(b"abCd") * 1000 + chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1000)))),
        tiff(1000),
        tiff(1000, ">"),
        saved("JPEG", comment=b"\xff\xda" * 1000),
        saved("JPEG", progressive=True, exif=b"Exif\0\0" + b"\xff\xda" * 1000),
        saved("PNG") + b"\0" * MANY,
    ],
)
def test_parts_within_bounds_do_not_matter(data: bytes) -> None:
    assert decode_image(data).size == (64, 96)
