"""Validation of request values by pydantic models, and one-line messages about invalid ones. Independent of Flask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails, PydanticCustomError, from_json, to_json

from index.core.errors import InvalidCombination, InvalidInput
from index.core.references import user_reference
from index.library.entries import IMDB_ID

LINE = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"  # one line, not blank

_PATTERNS = {
    LINE: "write one line of text, without control characters and not blank",
    f"^{IMDB_ID}$": "write an id of IMDb, such as tt0113277",
}
_NO_MEMBER = re.compile(r"[\[(]|^constrained-")  # in pydantic's name of a choice between types
_SHOWN = 200  # characters of an invalid value
_EXACT = 2**53  # floating-point numbers below it have no neighbours that are rounded to them

Query = TypeVar("Query", bound=BaseModel)


def parse_json(model: type[Query], content: bytes, *, nulls: bool = False) -> Query:
    """Return the model of a JSON document, which may begin with a byte-order mark.

    Args:
        model: of the document.
        content: in UTF-8; in UTF-16 or UTF-32, too.
        nulls: True if null is a value; otherwise an optional member with it is left out.

    Raises:
        InvalidInput: it is not a JSON object, a value cannot be used, or a member is unknown.
        InvalidCombination: values that are each valid, but not together.
    """
    encoding = json.detect_encoding(content)
    if encoding != "utf-8":
        try:
            content = content.decode(encoding).encode()
        except UnicodeError as error:
            raise InvalidInput(f"the body is not JSON: it is no text in {encoding}; send UTF-8") from error
    with explained(model):
        if not nulls and b"null" in content:
            content = _without_nulls(model, content)
        return model.model_validate_json(content, strict=True)


@contextmanager
def explained(model: type[BaseModel]) -> Iterator[None]:
    """Raise pydantic's errors about ``model`` as our own, in one line."""
    try:
        yield
    except ValidationError as error:
        problems = error.errors(include_url=False)
        together = all(problem["type"] == "value_error" for problem in problems)
        raise (InvalidCombination if together else InvalidInput)(
            "; ".join(_explain(model, each) for each in problems)
        ) from None


def as_text(value: object) -> object:
    """Convert an id written as a number to text; return any other value as it is."""
    value = _whole(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def as_number(value: object, info: ValidationInfo) -> object:
    """Convert text of a query to a whole number (pydantic also takes ``1_0`` and ``+1``); return JSON as it is."""
    if not isinstance(value, str) or info.mode == "json":
        return _whole(value)
    if re.fullmatch("-?[0-9]{1,19}", value, re.ASCII) is None:
        raise PydanticCustomError("number", "write a whole number")
    return int(value)


def as_decimal(value: object, info: ValidationInfo) -> object:
    """Convert text of a query to a number such as 0.5; return a number in JSON as it is."""
    if isinstance(value, bool) or (isinstance(value, str) and info.mode == "json"):
        raise PydanticCustomError("decimal", "give a number")
    if not isinstance(value, str):
        return value
    if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", value, re.ASCII) is None:
        raise PydanticCustomError("decimal", "write a number such as 0.5")
    return float(value)


def as_user_id(value: object, info: ValidationInfo) -> object:
    """Convert text of a query to the id of a user; return JSON as it is."""
    if not isinstance(value, str) or info.mode == "json":
        return _whole(value)
    found = user_reference(value)
    if found is None:
        raise PydanticCustomError("user_id", "write the id of a user in plain digits")
    return found


def as_flag(value: object, info: ValidationInfo) -> object:
    """Convert ``true`` or ``false`` of a query to a bool (pydantic also takes ``yes`` and ``1``)."""
    if isinstance(value, bool) or info.mode == "json":
        return value
    if value not in {"true", "false"}:
        raise PydanticCustomError("flag", "write true or false")
    return value == "true"


def _whole(value: object) -> object:
    """Return a whole number that was written as 6.0 as an integer, unless it may have been rounded."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _without_nulls(model: type[BaseModel], content: bytes) -> bytes:
    """Return a JSON document without the optional members of the model that are null."""
    try:
        document = from_json(content)
    except ValueError:
        return content  # for the error of the validation
    if not isinstance(document, dict):
        return content
    optional = {name for name, field in model.model_fields.items() if not field.is_required()}
    left = {name: value for name, value in document.items() if value is not None or name not in optional}
    return content if len(left) == len(document) else to_json(left)


def _explain(model: type[BaseModel], problem: ErrorDetails) -> str:
    """Return one line about one invalid value: the parameter, the value and the allowed ones."""
    if problem["type"] == "json_invalid":
        return f"the body is not JSON: {problem['msg'].removeprefix('Invalid JSON: ')}"
    if problem["type"] == "model_type":
        return f"the body is not a JSON object with members {', '.join(model.model_fields)}"
    name = ".".join(str(part) for part in problem["loc"] if not _NO_MEMBER.search(str(part)))
    if problem["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) or "none"
        return f"{name}: there is no such parameter; there are: {known}"
    if problem["type"] == "missing":
        return f"{name}: is required"
    message = problem["msg"].removeprefix("Value error, ")
    limits = problem.get("ctx", {})
    if problem["type"] == "string_pattern_mismatch":
        message = _PATTERNS.get(limits["pattern"], message)
    elif problem["type"] == "too_short":
        message = f"give {limits['min_length']} at least"
    elif problem["type"] == "too_long":
        message = f"give at most {limits['max_length']}"
    return f"{name}: {message}, not {short(problem['input'])}" if name else message


def short(value: object) -> str:
    """Return a value as errors show it, cut if it is long."""
    text = "null" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
