"""Movie similarity by poster, by ratings, or by a blend of both.

    import posterity

    with posterity.open("data") as index:  # or posterity.Client("http://localhost:8000")
        for match in index.similar("imdb:tt0113277", by="taste", limit=5):
            print(match["movie"]["title"], match["score"])

``open`` answers from the current snapshot of a data directory, ``Client`` from a server. Both are a ``MovieService``,
with the same methods, arguments and results. A list of results shows itself in a notebook, and has ``to_dataframe()``.
All errors are in ``posterity.errors``. Every name is imported at its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posterity import errors
    from posterity.client import Client
    from posterity.interface import MovieService, Person
    from posterity.local import Index
    from posterity.opening import open_index as open  # noqa: A004  like tarfile.open, said with the package's name

    __version__: str

__all__ = ["Client", "Index", "MovieService", "Person", "__version__", "errors", "open"]

_PLACES = {  # name -> module and name in it
    "Client": ("posterity.client", "Client"),
    "Index": ("posterity.local", "Index"),
    "MovieService": ("posterity.interface", "MovieService"),
    "Person": ("posterity.interface", "Person"),
    "open": ("posterity.opening", "open_index"),
}


def __getattr__(name: str) -> Any:
    """Import a name of the package at its first use (PEP 562)."""
    value: Any
    if name in _PLACES:
        module, inner = _PLACES[name]
        value = getattr(import_module(module), inner)
    elif name == "errors":
        value = import_module("posterity.errors")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("posterity")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the names of the package, imported or not."""
    return sorted({*globals(), *__all__})
