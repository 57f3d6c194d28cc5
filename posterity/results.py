"""Lists of results that show themselves in a notebook and become a DataFrame in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, SupportsIndex, TypeVar, overload

from typing_extensions import override

from index.answers.schemas import GroupPickAnswer, MatchAnswer, MovieAnswer, PredictionAnswer

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["GroupPicks", "Matches", "Movies", "Predictions", "Results"]

T = TypeVar("T", bound=Mapping[str, Any])
Thumbnail = Callable[[int], str | None]  # movie id -> address of an image, None without one

_ROWS = 20  # shown at most
_HEIGHT = 72  # pixels of a thumbnail
_MOVIE = ("movie_id", "title", "year", "genres")


class Results(list[T], Generic[T]):
    """A list of results, which is also an HTML table with posters and a pandas DataFrame.

    Args:
        items: the results.
        thumbnail: returns the address of a movie's small poster.
    """

    columns: ClassVar[tuple[str, ...]] = _MOVIE  # of the DataFrame
    heads: ClassVar[tuple[str, ...]] = ()  # of the HTML table, after the movie's own

    def __init__(self, items: Iterable[T] = (), thumbnail: Thumbnail | None = None) -> None:
        super().__init__(items)
        self._thumbnail = thumbnail

    @overload
    def __getitem__(self, at: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, at: slice) -> Self: ...

    @override
    def __getitem__(self, at: SupportsIndex | slice) -> T | Self:
        """Return one result, or for a slice a list of the same class."""
        if isinstance(at, slice):
            return type(self)(super().__getitem__(at), self._thumbnail)
        return super().__getitem__(at)

    def __reduce__(self) -> tuple[type[Self], tuple[list[T]]]:
        """Return the arguments to copy or unpickle with: the results alone, without the way to their posters."""
        return type(self), (list(self),)

    def to_dataframe(self) -> DataFrame:
        """Return a DataFrame of one row per result, with the columns ``columns``.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_dataframe() needs pandas: pip install pandas") from error
        frame = DataFrame([{**_movie(item), **item} for item in self], columns=list(self.columns))
        whole = {"year": "Int64", "tmdb_id": "Int64"}  # whole numbers, though some are missing
        return frame.astype({name: kind for name, kind in whole.items() if name in self.columns})

    def _repr_html_(self) -> str:
        """Return a table of the first rows, as notebooks show it."""
        heads = "".join(f"<th>{escape(name)}</th>" for name in ("", "Movie", "Genres", *self.heads))
        rows = "".join(self._row(item) for item in self[:_ROWS])
        more = f"<p>and {len(self) - _ROWS} more</p>" if len(self) > _ROWS else ""
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>{more}"

    def _row(self, item: T) -> str:
        movie = _movie(item)
        title = movie["title"] if movie["year"] is None else f"{movie['title']} ({movie['year']})"
        address = self._thumbnail(movie["movie_id"]) if self._thumbnail and movie["has_poster"] else None
        image = "" if address is None else f'<img src="{escape(address)}" alt="" style="height:{_HEIGHT}px">'
        cells = "".join(f"<td>{escape(text)}</td>" for text in (title, ", ".join(movie["genres"]), *self._cells(item)))
        return f"<tr><td>{image}</td>{cells}</tr>"

    def _cells(self, item: T) -> tuple[str, ...]:  # noqa: ARG002  of the subclasses
        """Return the texts below ``heads``."""
        return ()


class Movies(Results[MovieAnswer]):
    """Movies, found by title or listed by id."""

    columns = (*_MOVIE, "imdb_id", "tmdb_id", "rating_count", "rating_mean", "has_poster")
    heads = ("Ratings", "Mean")

    @override
    def _cells(self, item: MovieAnswer) -> tuple[str, ...]:
        mean = item["rating_mean"]
        return str(item["rating_count"]), "" if mean is None else f"{mean:.2f}"


class Matches(Results[MatchAnswer]):
    """Nearest neighbours with their scores, most similar first."""

    columns = (*_MOVIE, "score", "percentile")
    heads = ("Score", "Percentile")

    @override
    def _cells(self, item: MatchAnswer) -> tuple[str, ...]:
        return f"{item['score']:.3f}", f"{100 * item['percentile']:.1f}"


class Predictions(Results[PredictionAnswer]):
    """Predicted ratings with their intervals."""

    columns = (*_MOVIE, "rating", "low", "high")
    heads = ("Rating", "80% interval")

    @override
    def _cells(self, item: PredictionAnswer) -> tuple[str, ...]:
        if item["rating"] is None:  # the data set has no ratings
            return "", ""
        return f"{item['rating']:.2f}", f"{item['low']:.1f} to {item['high']:.1f}"


class GroupPicks(Results[GroupPickAnswer]):
    """Movies recommended to a group, with the predicted rating of each person."""

    columns = (*_MOVIE, "mean", "least", "predictions")
    heads = ("Mean", "Each")

    @override
    def _cells(self, item: GroupPickAnswer) -> tuple[str, ...]:
        if item["mean"] is None:  # the data set has no ratings
            return "", ""
        counted = (each["rating"] if each["given"] is None else each["given"] for each in item["predictions"])
        return f"{item['mean']:.2f}", ", ".join(f"{rating:.2f}" for rating in counted)


def _movie(item: Mapping[str, Any]) -> MovieAnswer:
    """Return the movie of a result."""
    movie: MovieAnswer = item.get("movie", item)
    return movie
