"""Requests as checked values: parameters, forms and JSON bodies; what is wrong with them in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError
from werkzeug.datastructures import MultiDict

from index.core.errors import BodyTooLarge, InvalidCombination, InvalidInput

MAX_JSON = 2**20  # bytes of a body
_SHOWN = 200  # characters of a value that is refused

Query = TypeVar("Query", bound=BaseModel)


def parse(model: type[Query]) -> Query:
    """The parameters of the present request. Lists are written ``a,b`` or by repeating the name.

    Raises:
        InvalidInput: a value that cannot be used, a name given twice, or a name that is unknown.
    """
    return parse_form(model, request.args)


def parse_form(model: type[Query], form: MultiDict[str, str]) -> Query:
    """The same from a form.

    Raises:
        InvalidInput: as ``parse``.
    """
    given: dict[str, object] = {}
    for name, values in form.lists():
        field = model.model_fields.get(name)
        if field is not None and isinstance(field.default, tuple):
            given[name] = [part.strip() for value in values for part in value.split(",")]
        elif len(values) > 1:
            raise InvalidInput(f"{name}: given {len(values)} times; give it once")
        else:
            given[name] = values[0]
    with _explained(model):
        return model.model_validate(given)


def parse_body(model: type[Query]) -> Query:
    """The JSON body of the present request.

    Raises:
        InvalidInput: it is no JSON object, a value cannot be used, or a member is unknown.
        BodyTooLarge: it has more bytes than are read.
    """
    content = request.get_data()
    if len(content) > MAX_JSON:
        raise BodyTooLarge(f"the body has {len(content)} bytes; at most {MAX_JSON} are allowed")
    with _explained(model):
        return model.model_validate_json(content, strict=True)


@contextmanager
def _explained(model: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        problems = error.errors(include_url=False)
        together = all(problem["type"] == "value_error" for problem in problems)
        raise (InvalidCombination if together else InvalidInput)(
            "; ".join(_explain(model, each) for each in problems)
        ) from None


def as_text(value: object) -> object:
    """An id that was written as a number, as text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_number(value: object, info: ValidationInfo) -> object:
    """A whole number: of a query, which is text (pydantic would take ``1_0`` and ``+1``, too), or of JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or info.mode == "json":
        return value
    if re.fullmatch("-?[0-9]{1,18}", value, re.ASCII) is None:
        raise PydanticCustomError("number", "write a whole number")
    return int(value)


def as_flag(value: object, info: ValidationInfo) -> object:
    """True or false of a query, which is text; pydantic would take ``yes`` and ``1``, too."""
    if isinstance(value, bool) or info.mode == "json":
        return value
    if value not in {"true", "false"}:
        raise PydanticCustomError("flag", "write true or false")
    return value == "true"


def _explain(model: type[BaseModel], problem: ErrorDetails) -> str:
    """One fault in words: the parameter, the value and what is allowed."""
    if problem["type"] == "json_invalid":
        return f"the body is no JSON: {problem['msg'].removeprefix('Invalid JSON: ')}"
    if problem["type"] == "model_type":
        return f"the body is no JSON object with members {', '.join(model.model_fields)}"
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return f"{name}: there is no such parameter; there are: {known}"
    if problem["type"] == "missing":
        return f"{name}: is needed"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{name}: {message}, not {_short(problem['input'])}" if name else message


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
