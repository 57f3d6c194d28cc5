"""Sizes of the frames in AVIF files, which a decoder takes memory for, whatever size the file's header says.

Boxes that a decoder refuses are skipped here: it says what is wrong with them.

Sources: ISO/IEC 14496-12 (boxes), 8.11 (items) and 8.7 (samples of tracks); AV1 Bitstream & Decoding Process
Specification, 5.3 (units), 5.5 (sequence header) and 5.9 (frame header).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from index.core.errors import BadImage

Size = tuple[int, int]

_SEQUENCE_HEADER, _FRAME_HEADERS = 1, {3, 6, 7}  # types of units
_TO_STBL = (b"moov", b"trak", b"mdia", b"minf", b"stbl")  # boxes in boxes
_STEPS = 100_000  # units and extents that are read; a poster in 8 x 8 tiles has 200
_HEADER = 512  # bytes that a sequence header may have
_SWITCH, _KEY = 3, 0  # types of frames
_SELECT = 2  # of a tool: each frame says if it uses it


def frame_sizes(data: bytes) -> list[Size]:
    """Return the largest width and height that the frames of each image item and of each track may have.

    Raises:
        BadImage: there are too many of them to read.
    """
    return [size for size in _Reader(data).sizes() if size != (0, 0)]


class _Bits:
    """Reader of numbers in bits. Raises IndexError after the last one."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def read(self, n: int = 1) -> int:
        self._left -= n
        if self._left < 0:
            raise IndexError
        return self._value >> self._left & ((1 << n) - 1)

    def skip_variable(self) -> None:
        """Skip a number of variable length, uvlc()."""
        zeros = 0
        while not self.read():
            zeros += 1
        if zeros < 32:
            self.read(zeros)


@dataclass(frozen=True, slots=True)
class _Sequence:
    """Parts of a sequence header."""

    size: Size  # of its frames, unless they have another one
    most: Size  # that a frame of another size may have
    fixed: bool  # no frame may have another size
    time_bits: int  # of the presentation time of a frame
    screen_content: int
    integer_motion: int
    id_bits: int  # of the id of a frame

    def may_differ(self, bits: _Bits) -> bool:
        """Return True if a frame header says that the frame has another size."""
        if self.fixed or bits.read():  # shows an earlier frame
            return False
        kind, shown = bits.read(2), bits.read()
        bits.read(self.time_bits if shown else 1)
        if kind != _SWITCH and not (kind == _KEY and shown):
            bits.read()
        bits.read()
        if (bits.read() if self.screen_content == _SELECT else self.screen_content) and self.integer_motion == _SELECT:
            bits.read()
        bits.read(self.id_bits)
        return kind == _SWITCH or bool(bits.read())


def _sequence(bits: _Bits) -> _Sequence:
    """Return the parts of a sequence header."""
    bits.read(4)
    reduced = bool(bits.read())
    time_bits = 0
    if reduced:
        bits.read(5)
    else:
        time_bits = _skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    size = (bits.read(width_bits) + 1, bits.read(height_bits) + 1)
    id_bits = 0 if reduced or not bits.read() else bits.read(4) + bits.read(3) + 3
    bits.read(3)
    screen_content = integer_motion = _SELECT
    if not reduced:
        bits.read(4)
        if bits.read():
            bits.read(2)
        if not bits.read():
            screen_content = bits.read()
        if screen_content and not bits.read():
            integer_motion = bits.read()
    most = (1 << width_bits, 1 << height_bits)
    return _Sequence(size, most, reduced, time_bits, screen_content, integer_motion, id_bits)


def _skip_operating_points(bits: _Bits) -> int:
    """Skip timing and operating points; return the number of bits of the presentation time of a frame."""
    time_bits = delay_bits = 0
    if bits.read():  # timing
        bits.read(64)
        equal = bits.read()
        if equal:
            bits.skip_variable()
        if bits.read():  # decoder model
            delay_bits = bits.read(5) + 1
            bits.read(32 + 5)
            time_bits = bits.read(5) + 1
            time_bits = 0 if equal else time_bits
    display_delay = bits.read()
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read()
        if delay_bits and bits.read():
            bits.read(2 * delay_bits + 1)
        if display_delay and bits.read():
            bits.read(4)
    return time_bits


class _Reader:
    """Reader of the streams in a file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._steps = 0
        self._joined = 0  # bytes

    def sizes(self) -> Iterator[Size]:
        """Yield the largest size of each stream, (0, 0) for one without any."""
        whole = (0, len(self._data))
        for begin, end in self._boxes(*whole, b"meta"):
            kinds = self._within([(begin + 4, end)], b"iinf")
            items = {item for part in kinds for item in self._coded_items(*part)}
            idat = self._within([(begin + 4, end)], b"idat")
            for part in self._within([(begin + 4, end)], b"iloc"):
                for stream in self._items(*part, items, idat):
                    yield self._largest(stream, 0, set())
        tracks = self._within(self._within([whole], b"moov"), b"trak")
        for track in tracks:
            tables = [track]
            for name in _TO_STBL[2:]:
                tables = self._within(tables, name)
            visited: set[int] = set()
            sizes = [(0, 0)]
            for width, name in ((4, b"stco"), (8, b"co64")):
                for begin, end in self._within(tables, name):
                    chunks = (self._number(at, width) for at in range(begin + 8, end - width + 1, width))
                    sizes += [self._largest(self._data, at, visited) for at in chunks]
            yield max(sizes, key=_pixels)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _STEPS:
            raise BadImage("the picture is damaged (it has too many parts)")

    def _number(self, at: int, n: int) -> int:
        return int.from_bytes(self._data[at : at + n], "big")

    def _within(self, parts: list[tuple[int, int]], name: bytes) -> list[tuple[int, int]]:
        return [found for part in parts for found in self._boxes(*part, name)]

    def _boxes(self, begin: int, end: int, name: bytes) -> Iterator[tuple[int, int]]:
        """Yield begin and end of the content of each box of a name."""
        while begin + 8 <= end:
            self._step()
            size, head = self._number(begin, 4), 8
            if size == 1:
                size, head = self._number(begin + 8, 8), 16
            elif size == 0:
                size = end - begin
            if size < head:
                return
            if self._data[begin + 4 : begin + 8] == name:
                yield begin + head, min(end, begin + size)
            begin += size

    def _coded_items(self, begin: int, end: int) -> Iterator[int]:
        """Yield the ids of the items that are AV1 images; those of a box iinf."""
        for at, _ in self._boxes(begin + (6 if self._data[begin : begin + 1] == b"\0" else 8), end, b"infe"):
            width = 2 if self._number(at, 1) < 3 else 4
            if self._data[at + 6 + width : at + 10 + width] == b"av01":
                yield self._number(at + 4, width)

    def _items(self, begin: int, end: int, wanted: set[int], idat: list[tuple[int, int]]) -> Iterator[bytes]:
        """Yield the contents of the wanted items; those of a box iloc."""
        version = self._number(begin, 1)
        wide = 4 if version >= 2 else 2
        sizes = [self._number(begin + 4 + n // 2, 1) >> (4 if n % 2 == 0 else 0) & 15 for n in range(4)]
        offset_size, length_size, base_size, index_size = sizes
        index_size = index_size if version else 0
        at = begin + 6 + wide
        for _ in range(self._number(begin + 6, wide)):
            if at >= end:
                return
            self._step()
            item = self._number(at, wide)
            at += wide
            method = self._number(at, 2) & 15 if version else 0
            at += 4 if version else 2
            base = self._number(at, base_size)
            at += base_size
            extents = []
            n = self._number(at, 2)
            at += 2
            for _ in range(n):
                self._step()
                offset = base + self._number(at + index_size, offset_size)
                length = self._number(at + index_size + offset_size, length_size)
                at += index_size + offset_size + length_size
                start = offset + (idat[0][0] if method == 1 and idat else 0)
                extents.append((start, min(len(self._data), start + length) if length else len(self._data)))
            if item in wanted:
                # A decoder refuses an item larger than the file; several may share its bytes.
                self._joined += sum(max(0, last - first) for first, last in extents)
                if self._joined > 4 * len(self._data):
                    raise BadImage("the picture is damaged (its parts overlap)")
                yield b"".join(self._data[first:last] for first, last in extents)

    def _largest(self, stream: bytes, at: int, visited: set[int]) -> Size:
        """Return the largest size of the frames of units from ``at``, up to one that was visited."""
        largest, sequence = (0, 0), None
        with suppress(IndexError):
            while at < len(stream) and at not in visited:
                self._step()
                visited.add(at)
                head = stream[at]
                at += 2 if head & 4 else 1
                length = len(stream) - at
                if head & 2:
                    length = 0
                    for n in range(8):
                        byte = stream[at]
                        at += 1
                        length |= (byte & 127) << (7 * n)
                        if byte < 128:
                            break
                bits = _Bits(stream[at : at + min(length, _HEADER)])
                kind = head >> 3 & 15
                at += length
                with suppress(IndexError):  # cut off; a decoder refuses it
                    if kind == _SEQUENCE_HEADER:
                        sequence = _sequence(bits)
                        largest = max(largest, sequence.size, key=_pixels)
                    elif kind in _FRAME_HEADERS and sequence is not None and sequence.may_differ(bits):
                        largest = max(largest, sequence.most, key=_pixels)
        return largest


def _pixels(size: Size) -> int:
    return size[0] * size[1]
