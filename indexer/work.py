"""The parts of a build that can be divided, and how they are done: in this process, or on other machines."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.models.all_users import SolveUsers, solve_all_users
from indexer.spaces.embed import EmbedMissing, embed_missing
from indexer.spaces.neighbours import FindAll, find_here


@dataclass(frozen=True, slots=True)
class Work:
    """Functions that do the parts; in this process by default."""

    embed: EmbedMissing = embed_missing
    solve: SolveUsers = solve_all_users
    neighbours: FindAll = find_here
