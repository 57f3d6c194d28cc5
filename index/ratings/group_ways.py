"""The orders of a list for several people. Without imports, as clients name them, too."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

Together: TypeAlias = Literal["mean", "least-misery", "fair"]
Lists: TypeAlias = Literal["any", "all"]  # watchlists that a movie must be on

WAYS: tuple[Together, ...] = get_args(Together)
MAX_PEOPLE = 10
