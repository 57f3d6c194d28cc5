"""What may be asked: every parameter with its type and limits; anything else is refused."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from index.catalogue import Catalogue, Where
from index.errors import BadData, UnknownMovie

MAX_LIMIT = 100

By = Literal["poster", "taste", "facts", "blend"]
Year = Annotated[int, Field(ge=1800, le=2200)]


class Nothing(BaseModel):
    """No parameters."""

    model_config = ConfigDict(extra="forbid")


class Page(Nothing):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = 10
    offset: Annotated[int, Field(ge=0, le=10_000)] = 0


class SearchQuery(Page):
    """Movies by title."""

    q: Annotated[str, Field(min_length=1, max_length=200)]


class FilterQuery(Page):
    """A list of movies that can be narrowed."""

    genre: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    year_from: Year | None = None
    year_to: Year | None = None
    exclude: tuple[Annotated[str, Field(min_length=1, max_length=40)], ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> FilterQuery:
        if self.year_from is not None and self.year_to is not None and self.year_from > self.year_to:
            raise ValueError(f"year_from {self.year_from} is after year_to {self.year_to}")
        return self

    def where(self, catalogue: Catalogue) -> tuple[Where, list[str]]:
        """The filter, and the ids to exclude that nobody has.

        Raises:
            BadData: a genre that no movie of the catalogue has.
        """
        known = {genre.casefold() for genre in catalogue.genres}
        for genre in self.genre:
            if genre.casefold() not in known:
                raise BadData(f"genre: no movie is {genre!r}; there are {', '.join(catalogue.genres)}")
        excluded, ignored = [], []
        for text in self.exclude:
            try:
                excluded.append(catalogue.identify(text).movie_id)
            except UnknownMovie:
                ignored.append(text)
        return Where(self.genre, self.year_from, self.year_to, tuple(excluded)), ignored


class SimilarQuery(FilterQuery):
    """Movies like one."""

    by: By = "blend"


Query = TypeVar("Query", bound=BaseModel)


def parse(model: type[Query]) -> Query:
    """The parameters of the present request. Lists are written ``a,b`` or by repeating the name.

    Raises:
        BadData: a value that cannot be used, a name given twice, or a name that is unknown.
    """
    given: dict[str, object] = {}
    for name, values in request.args.lists():
        field = model.model_fields.get(name)
        if field is not None and isinstance(field.default, tuple):
            given[name] = [part.strip() for value in values for part in value.split(",")]
        elif len(values) > 1:
            raise BadData(f"{name}: given {len(values)} times; give it once")
        else:
            given[name] = values[0]
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadData("; ".join(_explain(model, problem) for problem in error.errors())) from None


def _explain(model: type[BaseModel], problem: object) -> str:
    """One fault in words: the parameter, the value and what is allowed."""
    assert isinstance(problem, dict)  # noqa: S101
    name = ".".join(str(part) for part in problem["loc"][:1])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return f"{name}: there is no such parameter; there are: {known}"
    if problem["type"] == "missing":
        return f"{name}: is needed"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}, not {problem['input']!r}" if name else message
