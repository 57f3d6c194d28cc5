"""Validated values of the current request: parameters, forms and JSON bodies."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import MultiDict

from index.core.errors import BodyTooLarge, InvalidInput
from server.api.validation import Query, explained, parse_json

MAX_JSON = 2**20  # bytes of a body


def parse(model: type[Query]) -> Query:
    """Return the parameters of the current request. Lists are written ``a,b`` or by repeating the name.

    Raises:
        InvalidInput: a value cannot be used, or a name is given twice or unknown.
    """
    return parse_form(model, request.args)


def parse_page(model: type[Query]) -> Query:
    """Return the parameters of a page's address; skip empty ones, which forms send, and those that others added to it.

    Raises:
        InvalidInput: a value cannot be used, or a name is given twice.
    """
    known = ((name, text) for name, text in request.args.items(multi=True) if text and name in model.model_fields)
    return parse_form(model, MultiDict(known))


def parse_form(model: type[Query], form: MultiDict[str, str]) -> Query:
    """Return the members of a form; lists as in ``parse``.

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
    with explained(model):
        return model.model_validate(given)


def parse_body(model: type[Query]) -> Query:
    """Return the JSON body of the current request.

    Raises:
        InvalidInput: it is not a JSON object, a value cannot be used, or a member is unknown.
        BodyTooLarge: it has more than 1 MiB.
    """
    content = request.get_data()
    if len(content) > MAX_JSON:
        raise BodyTooLarge(f"the body has {len(content)} bytes; at most {MAX_JSON} are allowed")
    return parse_json(model, content)
