"""Validated values of the current request: parameters, forms and JSON bodies."""

from __future__ import annotations

from collections.abc import Collection

from flask import request
from werkzeug.datastructures import CombinedMultiDict, MultiDict

from index.core.errors import BodyTooLarge, InvalidInput
from server.api.validation import Query, explained, parse_json

MAX_JSON = 2**20  # bytes of a body


def parse(model: type[Query], *, form: bool = False) -> Query:
    """Return the parameters of the current request. Lists are written ``a,b`` or by repeating the name.

    Args:
        model: of the parameters.
        form: True if members of a form are parameters, too.

    Raises:
        InvalidInput: a value cannot be used, or a name is given twice or unknown.
    """
    given = request.args
    if form and request.mimetype == "multipart/form-data":
        members = filled_members()
        for name in members:
            if name in given:
                raise InvalidInput(f"{name}: given in the query and in the form; give it once")
            if name not in model.model_fields:
                raise InvalidInput(f"{name}: the form has no such member; there are: {', '.join(model.model_fields)}")
        given = CombinedMultiDict([given, members])
    return parse_form(model, given)


def filled_members() -> MultiDict[str, str]:
    """Return the members of the request's form, without its files: forms also send members that were left empty."""
    return MultiDict((name, text) for name, text in request.form.items(multi=True) if text)


def parse_page(model: type[Query], *, override: Collection[str] = ()) -> Query:
    """Return the parameters of a page's address; skip empty ones, which forms send, and those that others added to it.

    Args:
        model: of the parameters.
        override: names of those that a member of the request's form replaces.

    Raises:
        InvalidInput: a value cannot be used, or a name is given twice.
    """
    sent = {name: request.form.getlist(name) for name in override if name in request.form}
    given = {name: request.args.getlist(name) for name in request.args if name in model.model_fields} | sent
    return parse_form(model, MultiDict((name, text) for name, texts in given.items() for text in texts if text))


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
    return parse_json(model, content, nulls=request.method == "PATCH")
