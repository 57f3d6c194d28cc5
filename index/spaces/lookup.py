"""Look-up of a space by name and movie, with errors that name the alternatives."""

from __future__ import annotations

from collections.abc import Mapping

from index.catalogue.catalogue import Catalogue
from index.core.errors import NotComparable, UnknownSpace
from index.spaces import blend
from index.spaces.space import Space

_MISSING = {
    "poster": "no poster",
    "taste": "no ratings in the snapshot, and too little is known of it to guess",
    "facts": "no genres, year or tags",
}
_FACTS_SINCE = "no facts in the snapshot (those added since are compared from the next build on)"


def space_named(spaces: Mapping[str, Space], name: str) -> Space:
    """Return the space of this name.

    Raises:
        UnknownSpace: the snapshot was built without it.
    """
    if name not in spaces:
        raise UnknownSpace(f"this snapshot has no {name} space; it has {', '.join((*spaces, blend.NAME))}")
    return spaces[name]


def space_with(spaces: Mapping[str, Space], catalogue: Catalogue, name: str, movie_id: int) -> Space:
    """Return the space of this name, if the movie has a vector in it.

    Raises:
        UnknownMovie: there is no such movie.
        UnknownSpace: the snapshot was built without the space.
        NotComparable: the movie has no vector in it.
    """
    space, movie = space_named(spaces, name), catalogue.movie(movie_id)
    if movie_id not in space.ids:
        others = [other for other in spaces if movie_id in spaces[other].ids]
        remedy = f"compare by {', '.join((*others, blend.NAME))}" if others else "there is nothing to compare it by"
        lacks = _MISSING.get(name, f"no {name}")
        if name == "facts" and (movie.genres or movie.year is not None):
            lacks = _FACTS_SINCE
        raise NotComparable(f"{movie} (id {movie_id}) has {lacks}: {remedy}")
    return space
