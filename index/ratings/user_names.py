"""Ids of users that are no numbers, such as user names: beside the number that stands for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from index.core.arrays import Int64Array, UInt8Array
from index.core.errors import UnknownUser
from index.core.ids import Ids
from index.core.references import user_reference
from index.core.source_ids import MAX_SOURCE_ID, candidates, plain_number

FOLDER = "user_names"


@dataclass(frozen=True, slots=True)
class UserNames:
    """The names of the users of a model. Each array is one file of the snapshot."""

    text: UInt8Array  # all names in UTF-8, one after another
    starts: Int64Array  # (n_users + 1,) the name of user row u is text[starts[u]:starts[u + 1]]; empty without one

    @classmethod
    def of(cls, user_ids: Int64Array, names: Mapping[int, str]) -> UserNames:
        """Return the names of users (n,) by number."""
        encoded = [names.get(user_id, "").encode() for user_id in user_ids.tolist()]
        starts = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), starts)

    def name(self, row: int) -> str | None:
        """Return the name of a user row; None without one."""
        start, end = self.starts[row : row + 2].tolist()
        return bytes(self.text[start:end]).decode() or None


def identify_user(text: str, ids: Ids, names: UserNames | None, exists: Callable[[int], bool]) -> int:
    """Return the number of a user.

    Args:
        text: a number, or in a data set with names a name.
        ids: the users of the model.
        names: their names; None in a data set of numbers.
        exists: tells if the number that would stand for a name that the model does not know is a user's.

    Raises:
        UnknownUser: the text is neither.
    """
    text = text.strip()
    if names is not None and plain_number(text) is None:
        for number in candidates(text):
            if number not in ids:
                break
            # Added online, a user has no name in the model, but the number that only the name gives.
            if names.name(ids.row(number)) in {text, None}:
                return number
    reference = user_reference(text)
    if reference is not None:
        return reference
    if names is not None and text.isprintable() and 0 < len(text) <= MAX_SOURCE_ID:
        number = next(number for number in candidates(text) if number not in ids)
        if exists(number):
            return number
    own = "" if names is None else ", or a name of the data set"
    raise UnknownUser(f"{text!r} is no user id: give plain digits, as in 7{own}")
