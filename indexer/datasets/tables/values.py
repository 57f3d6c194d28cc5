"""Values of fields: ids, ratings, times, genres and years, as the many programs that write them do."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from index.core.arrays import BoolArray, Int64Array
from index.core.source_ids import MAX_SOURCE_ID, as_written, is_rounded

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "\\n", "<na>", "-", "?"})  # in lower case

_MAX_REAL = float(np.finfo(np.float32).max)
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?", re.ASCII)
_POINTED = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]", re.ASCII)  # dates of Germany, Russia and others
_UNITS = ((1e17, 10**9), (1e14, 10**6), (1e11, 10**3))  # nano-, micro- and milliseconds since 1970
_NO_GENRES = frozenset({"(no genres listed)"})


def is_missing(text: str) -> bool:
    """Return True if a text stands for a missing value."""
    return text.strip().casefold() in MISSING


def source_id(text: str) -> str | None:
    """Return an id as it counts; None if it is none."""
    found = as_written(text)
    usable = not is_missing(found) and len(found) <= MAX_SOURCE_ID and found.isprintable()
    return found if usable and not is_rounded(found) else None


def real(text: str) -> float | None:
    """Return a finite number, with a decimal point or comma; None if the text is none."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    number = float(text.strip().replace(",", "."))
    return number if abs(number) <= _MAX_REAL else None


def whole(text: str, most: int) -> int | None:
    """Return a whole number from 1 to ``most``; None if the text is none. ``902.0`` is one."""
    found = as_written(text)
    digits = found.isascii() and found.isdigit() and len(found) <= len(str(most)) + 8
    return int(found) if digits and 0 < int(found) <= most else None


def seconds(texts: Sequence[str]) -> tuple[Int64Array, BoolArray]:
    """Return times (m,) in seconds since 1970, and the mask (m,) of those that cannot be read, which are 0.

    They may be written as seconds, milliseconds, microseconds or nanoseconds since 1970, or as dates.
    """
    try:
        return scaled_seconds(np.array(list(map(int, texts)), dtype=np.int64)), np.zeros(len(texts), np.bool_)
    except (ValueError, OverflowError):
        found = [_seconds(text.strip()) for text in texts]
    for at in [at for at, value in enumerate(found) if value is None and not is_missing(texts[at])]:
        found[at] = _date(texts[at])
    wrong = np.array([value is None for value in found], dtype=np.bool_)
    return np.array([value or 0 for value in found], dtype=np.int64), wrong


def scaled_seconds(times: Int64Array) -> Int64Array:
    """Return times (m,) in seconds since 1970 that are given in seconds, or in parts of seconds."""
    for least, unit in _UNITS:
        fine = np.abs(times) >= least
        if fine.any():
            times = np.where(fine, times // unit, times)
    return times


def _seconds(text: str) -> int | None:
    number = real(text) if len(text) < 30 else None
    if number is not None:
        return int(scaled_seconds(np.array([number])).item()) if abs(number) < 2**63 else None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _date(text: str) -> int | None:
    """Return a date in another notation than ISO 8601, such as ``18 Nov 2020``; None if it is none.

    Between points the day is first, as in ``05.11.2020``; of other numbers the month, if it can be.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about days before months
        try:
            pointed = _POINTED.match(text.strip()) is not None
            time: Any = pd.to_datetime(text.strip()[:40], utc=True, errors="coerce", dayfirst=pointed)
        except (ValueError, OverflowError, TypeError):
            return None
    return None if pd.isna(time) else math.floor(time.timestamp())


def genres(text: str) -> tuple[str, ...]:
    """Return genres separated by bars, commas or semicolons, or in a list of JSON or Python as TMDB's files have."""
    text = text.strip()
    if is_missing(text):
        return ()
    names = listed(text) if text[0] in "[{" else None
    if names is None:
        separator = next((each for each in "|;," if each in text), "|")
        names = text.split(separator)
    found = dict.fromkeys(" ".join(name.split()) for name in names)
    return tuple(name for name in found if name and name.casefold() not in _NO_GENRES and name.isprintable())


def listed(text: str) -> list[str] | None:
    """Return the texts in a list of JSON or Python, or the names of its objects; None if it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            return None
    items = [value] if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else []
    names = [item.get("name", "") if isinstance(item, dict) else item for item in items]
    return [name for name in names if isinstance(name, str)]


def flag(text: str) -> bool | None:
    """Return a yes or no, which many programs write as 1 or 0, or as true or false; None if the text is neither."""
    return {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(text.strip().casefold())


def year(text: str) -> int | None:
    """Return the year of a year or date such as ``1995``, ``1995.0``, ``1995-12-15`` or ``01-Jan-1995``."""
    found = re.search(r"(?<![0-9])(1[89][0-9]{2}|2[01][0-9]{2})(?![0-9])", text)
    return int(found[1]) if found else None
