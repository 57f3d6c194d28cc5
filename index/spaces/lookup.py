"""Which of a snapshot's spaces has what, and what is said where one has not."""

from __future__ import annotations

from collections.abc import Mapping

from index.catalogue.catalogue import Catalogue
from index.core.errors import NotComparable, UnknownSpace
from index.spaces import blend
from index.spaces.space import Space

_LACKS = {"poster": "no poster", "taste": "no ratings", "facts": "no genres, year or tags"}


def space_named(spaces: Mapping[str, Space], name: str) -> Space:
    """The space of that name.

    Raises:
        UnknownSpace: the snapshot was built without it.
    """
    if name not in spaces:
        raise UnknownSpace(f"this snapshot has no {name} space; it has {', '.join((*spaces, blend.NAME))}")
    return spaces[name]


def space_with(spaces: Mapping[str, Space], catalogue: Catalogue, name: str, movie_id: int) -> Space:
    """The same, in which the movie has a vector.

    Raises:
        UnknownMovie: there is no such movie.
        UnknownSpace: the snapshot was built without the space.
        NotComparable: the movie has no vector in it.
    """
    space, movie = space_named(spaces, name), catalogue.movie(movie_id)
    if movie_id not in space.ids:
        having = [other for other in spaces if movie_id in spaces[other].ids]
        ways = f"compare by {', '.join((*having, blend.NAME))}" if having else "there is nothing to compare it by"
        raise NotComparable(f"{movie} (id {movie_id}) has {_LACKS.get(name, f'no {name}')}: {ways}")
    return space
