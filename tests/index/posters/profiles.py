"""Colour profiles of few bytes: of RGB by primaries and gamma, of grey by gamma, of CMYK by a table.

Source: ICC.1:2001-04, clauses 6 and 7.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

XYZ = tuple[float, float, float]

D50: XYZ = (0.9642, 1.0, 0.8249)
# Primaries adapted to D50. Source: Bruce Lindbloom, "RGB/XYZ Matrices".
PROPHOTO = ((0.7976749, 0.2880402, 0.0), (0.1351917, 0.7118741, 0.0), (0.0313534, 0.0000857, 0.8252100))
ADOBE = ((0.6097559, 0.3111242, 0.0194811), (0.2052401, 0.6256560, 0.0608902), (0.1492240, 0.0632197, 0.7448387))
P3 = ((0.5151187, 0.2411892, -0.0010505), (0.2919778, 0.6922441, 0.0418791), (0.1571035, 0.0665668, 0.7840713))


def rgb_profile(primaries: Sequence[XYZ] = PROPHOTO, gamma: float = 1.8) -> bytes:
    """Return a profile of an RGB space."""
    tags = {name: _xyz(primary) for name, primary in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma)))


def grey_profile(gamma: float) -> bytes:
    """Return a profile of a grey scale."""
    return _profile(b"GRAY", {b"kTRC": _curve(gamma)})


def cmyk_profile(lab: Mapping[tuple[int, int, int, int], XYZ]) -> bytes:
    """Return a profile of four inks: Lab colours of some of the 16 combinations of none and all of each; else black."""
    corners = [(c, m, y, k) for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)]
    table = b"".join(_lab8(lab.get(corner, (0.0, 0.0, 0.0))) for corner in corners)
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * int(at % 4 == 0) for at in range(9)))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + 4 * ramp + table + 3 * ramp
    return _profile(b"CMYK", {b"A2B0": lut, b"A2B1": lut}, kind=b"prtr", connection=b"Lab ")


def _profile(space: bytes, tags: Mapping[bytes, bytes], *, kind: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    text = b"text" + bytes(4) + b"none\0"
    description = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    every = {b"desc": description, b"cprt": text, b"wtpt": _xyz(D50), **tags}
    directory, body = struct.pack(">I", len(every)), b""
    begin = 128 + 4 + 12 * len(every)
    for name, content in every.items():
        padded = content + bytes(-len(content) % 4)
        directory += name + struct.pack(">II", begin + len(body), len(content))
        body += padded
    size = 128 + len(directory) + len(body)
    white = struct.pack(">3i", *(round(part * 65536) for part in D50))
    header = struct.pack(">I4sI", size, b"    ", 0x02400000) + kind + space + connection
    header += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + directory + body


def _xyz(value: XYZ) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(part * 65536) for part in value))


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _lab8(lab: XYZ) -> bytes:
    lightness, a, b = lab
    return bytes(int(part) for part in np.clip((round(lightness * 2.55), round(a + 128), round(b + 128)), 0, 255))
