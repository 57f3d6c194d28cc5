"""Requests as checked values: parameters, forms and JSON bodies; what is wrong with them in words."""

from __future__ import annotations

from flask import request
from werkzeug.datastructures import MultiDict

from index.core.errors import BodyTooLarge, InvalidInput
from server.api.validation import Query, explained, parse_json

MAX_JSON = 2**20  # bytes of a body


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
    with explained(model):
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
    return parse_json(model, content)
