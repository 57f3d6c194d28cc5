"""Ids of a data set that are no whole numbers, such as ASINs and user names, and the numbers that stand for them.

A whole number below ``FIRST_NAMED`` stands for itself. Any other id gets a number from its own text, by a hash: the
same in every build, in any order of rows, and however the data set grows. All numbers are exact in JavaScript and
SQLite.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import count

FIRST_NAMED = 2**52  # numbers from here to 2^53 stand for texts
MAX_SOURCE_ID = 200  # characters

_WHOLE = re.compile(r"\+?([0-9]+)(?:\.0*)?", re.ASCII)  # some programs write 2 as 2.0
_SCIENTIFIC = re.compile(r"([1-9])(?:\.([0-9]+))?[eE]\+?([0-9]{1,2})", re.ASCII)  # R writes 100000 as 1e+05
_ROUNDED = re.compile(r"[1-9](?:\.[0-9]{1,5})?E\+(?:1[1-9]|[2-9][0-9])", re.ASCII)  # of Excel, from 12 digits
_CANONICAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def plain_number(text: str) -> int | None:
    """Return the number that a text is, if that stands for itself; None for any other text, such as ``007``."""
    number = int(text) if _CANONICAL.fullmatch(text) else FIRST_NAMED
    return number if number < FIRST_NAMED else None


def candidates(text: str) -> Iterator[int]:
    """Yield the numbers that may stand for a text, the first of all unless another text of the data set took it."""
    plain = plain_number(text)
    if plain is not None:
        yield plain
        return
    for attempt in count():
        digest = hashlib.blake2b(f"{text}\0{attempt}".encode(), digest_size=8).digest()
        yield FIRST_NAMED + int.from_bytes(digest) % FIRST_NAMED


def as_written(text: str) -> str:
    """Return an id as it counts: without spaces around it, and a whole number without ``+``, ``.0`` or exponent."""
    text = text.strip()
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        return whole[1]
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific is not None and not is_rounded(text):
        decimals, exponent = scientific[2] or "", int(scientific[3])
        digits = (scientific[1] + decimals).ljust(exponent + 1, "0")
        if len(decimals) <= exponent < 15:  # beyond, the program that wrote it has rounded
            return digits
    return text


def is_rounded(text: str) -> bool:
    """Return True if a spreadsheet wrote a long number by its first digits: 9.78031E+12 stands for many."""
    return _ROUNDED.fullmatch(text.strip()) is not None


def numbers_for(texts: Iterable[str]) -> dict[str, int]:
    """Return the number of each id of a data set, as written by ``as_written``.

    If all are whole numbers, zeros in front of one do not matter. Two texts of the same hash, one pair among a hundred
    million texts, are distinguished by their order.
    """
    wanted = sorted(set(texts))
    if all(text.isascii() and text.isdigit() and int(text) < FIRST_NAMED for text in wanted):
        return {text: int(text) for text in wanted}
    found: dict[str, int] = {}
    taken: set[int] = set()
    for text in wanted:
        number = next(number for number in candidates(text) if number not in taken)
        taken.add(number)
        found[text] = number
    return found
