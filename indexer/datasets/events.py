"""Events: who viewed, liked or bought what. Each kind has a weight, and a user's events of a movie add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from index.core.arrays import Float32Array, Int64Array
from index.core.errors import InvalidInput
from indexer.datasets.dataset import Events
from indexer.datasets.ratings import Codes, IdColumn, blocks, id_column, usable
from indexer.datasets.tables.columns import RATING_COLUMNS, layout
from indexer.datasets.tables.skipped import Skipped
from indexer.datasets.tables.values import is_missing, source_id

WEIGHTS: Mapping[str, float] = {
    "click": 0.5,
    "view": 1.0,
    "play": 2.0,
    "watch": 2.0,
    "cart": 2.0,
    "wishlist": 2.0,
    "like": 3.0,
    "favourite": 3.0,
    "favorite": 3.0,
    "purchase": 5.0,
    "buy": 5.0,
}

_KIND = ({"kind", "event", "eventtype", "eventkind"}, {"action", "type", "interaction", "behavior", "behaviour"})
_COLUMNS = {"user": RATING_COLUMNS["user"], "movie": RATING_COLUMNS["movie"], "kind": _KIND}
_WITHOUT_KINDS = "view"


@dataclass(frozen=True, slots=True)
class EventTable:
    """Events as in a file; rows that cannot be read, or count nothing, are left out."""

    file: Path
    users: IdColumn
    movies: IdColumn
    weights: Float32Array  # (n,)
    lines: Int64Array  # (n,)


def read_events(file: Path, weights: Mapping[str, float], skipped: Skipped) -> EventTable:
    """Read a table of user, movie and kind; without kinds, all are views. Other columns, times too, do not matter.

    Args:
        file: CSV, JSON Lines or Parquet, compressed or not.
        weights: kind in lower case -> weight; ``WEIGHTS`` for those missing. Weight 0 leaves a kind out.
        skipped: counts the rows that are left out.

    Raises:
        InvalidInput: the file cannot be read, or no event in it counts.
    """
    found = layout(file, _COLUMNS, "user", "movie")
    known = dict(WEIGHTS) | dict(weights)
    users, movies, kinds = Codes(source_id), Codes(source_id), Codes(lambda text: known.get(_kind(text)))
    lines = [np.empty(0, np.int64)]
    found.table.note_encoding(skipped)
    by_id = found.roles["movie"]
    for rows in blocks(found.table.rows(skipped, lambda fields: source_id(fields[by_id]) is not None, found.width)):
        numbers, all_fields = zip(*rows, strict=True)
        columns = list(zip(*all_fields, strict=True))
        lines.append(np.array(numbers, dtype=np.int64))
        users.add(columns[found.roles["user"]])
        movies.add(columns[by_id])
        kinds.add(columns[found.roles["kind"]] if "kind" in found else (_WITHOUT_KINDS,) * len(rows))
    line = np.concatenate(lines)
    user_codes, user_texts, user_ids = users.values()
    movie_codes, movie_texts, movie_ids = movies.values()
    kind_codes, kind_texts, of_kinds = kinds.values()
    kept = usable("user", user_codes, user_texts, user_ids, line, file, skipped)
    kept &= usable("movie", movie_codes, movie_texts, movie_ids, line, file, skipped, among=kept)
    skipped.check(file, line.size)
    for code, (text, weight) in enumerate(zip(kind_texts, of_kinds, strict=True)):
        if weight is None:
            rows_of_kind = np.flatnonzero(kept & (kind_codes == code))
            if rows_of_kind.size:
                name = "nothing" if is_missing(text) else repr(text[:80])
                remedy = f"give it a weight by --event-weight {_kind(text) or 'KIND'}=1, or 0 to leave it out"
                reason = f"skipped events of the kind {name}, which has no weight: {remedy}"
                skipped.add(file, reason, f"line {line[rows_of_kind[0]]}", rows_of_kind.size)
    weighed = np.array([weight or 0 for weight in of_kinds], dtype=np.float32)
    given = weighed[kind_codes] if weighed.size else np.empty(0, np.float32)
    kept &= given > 0
    if not kept.any():
        told = "; ".join(skipped.messages())
        raise InvalidInput(f"{file} holds no event that counts{': ' if told else ''}{told}")
    if "kind" not in found:
        skipped.note(f"{file}: no column of kinds among {', '.join(found.table.columns)}: all events count as views")
    return EventTable(
        file, id_column(user_codes[kept], user_ids), id_column(movie_codes[kept], movie_ids), given[kept], line[kept]
    )


def summed(user_ids: Int64Array, movie_ids: Int64Array, weights: Float32Array) -> Events:
    """Return the strength of each pair of user and movie: the sum of w log2(1 + n) over n events of each weight w.

    So a single event counts its weight, and many views of one movie count less than as many movies.
    """
    table = pd.DataFrame({"user": user_ids, "movie": movie_ids, "weight": weights.astype(np.float64)})
    counts = table.value_counts(sort=False).reset_index(name="n")
    counts["strength"] = counts["weight"] * np.log2(1 + counts["n"])
    sums = counts.groupby(["user", "movie"], sort=True, as_index=False)["strength"].sum()
    strengths = sums["strength"].to_numpy().astype(np.float32)
    return Events(sums["user"].to_numpy(), sums["movie"].to_numpy(), strengths)


def _kind(text: str) -> str:
    return text.strip().casefold()
