"""The OpenAPI 3.1 document, read off the routes: nothing in it is written by hand a second time."""

from __future__ import annotations

import inspect
import re
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask, Response
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from index.library.entries import MAX_GENRE
from index.library.rating_log import MAX_USER_ID
from index.movie_index import MovieIndex
from server.api.operation import Operation, operation_of
from server.api.requests import ID, MAX_GENRES, MovieBody
from server.api.responses import MovieReply, Problem
from server.config import ServerConfig
from server.media.uploads import FIELD

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/{model}"
_GENRE = rf"[^,\x00-\x1f\x7f-\x9f]{{0,{MAX_GENRE}}}"
_TAGS = {"read": "Asking", "upload": "Asking with pictures", "write": "Keeping"}
_PROBLEM = "application/problem+json"
_PICTURE: Json = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or GIF, up to 10 MiB."}
_PATH_PARTS: dict[str, Json] = {
    "movie": {
        "type": "string",
        "format": "movie",
        "pattern": ID,
        "description": "An id, imdb:tt… or tmdb:…",
        "example": "6",
    },
    "other": {
        "type": "string",
        "format": "movie",
        "pattern": ID,
        "description": "An id, imdb:tt… or tmdb:…",
        "example": "imdb:tt0113277",
    },
    "sheet": {"type": "integer", "minimum": 0, "maximum": 999_999},
    "user_id": {"type": "integer", "minimum": 0, "maximum": MAX_USER_ID},
}
_DESCRIPTION = """Movies that look alike and movies that are loved alike.

Wherever an id is taken, `imdb:tt0113277` and `tmdb:949` are, too. In a list of ids, unknown ones come back in
`ignored`. Every answer names the snapshot that it is from. What is read has an `ETag`; with `If-None-Match` an answer
that still holds is 304, and with `If-Match` the next page of a list that has changed since is 412: begin again.
Parameters and members that are not named here are refused."""


def openapi(app: Flask, index: MovieIndex) -> Json:
    """The document of an application, for the snapshot that it serves: its genres and its scale of ratings."""
    config: ServerConfig = app.extensions["config"]
    routes = [
        (rule, found)
        for rule in app.url_map.iter_rules()
        if (found := operation_of(app.view_functions[rule.endpoint])) is not None
    ]
    refs, schemas = _schemas([found for _, found in routes])
    paths: dict[str, Json] = {}
    for rule, found in routes:
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        path = re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _operation(rule, found, refs, config)
    genres = _genres(index)
    for described in (each for methods in paths.values() for each in methods.values()):
        for parameter in described["parameters"]:
            if parameter["name"] == "genre":
                parameter["schema"]["items"] = genres
    return {
        "openapi": "3.1.0",
        "info": {"title": "Posterity", "version": version("posterity"), "description": _DESCRIPTION},
        "tags": [{"name": name} for name in _TAGS.values()],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _of_snapshot(schemas, index),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key made by `posterity keys create`."}
            },
        },
    }


def _schemas(operations: list[Operation]) -> tuple[dict[Any, Json], Json]:
    """A schema for each type that requests and answers have, and the components that these refer to."""
    kinds: dict[Any, TypeAdapter[Any]] = {Problem: TypeAdapter(Problem), MovieBody: TypeAdapter(MovieBody)}
    for each in operations:
        for kind in (each.body, each.answer):
            if kind not in {None, type(None), Response}:
                kinds[kind] = TypeAdapter(kind)
    found, definitions = TypeAdapter.json_schemas(
        [(str(at), "validation", adapter) for at, adapter in enumerate(kinds.values())], ref_template=_SCHEMAS
    )
    schemas: Json = definitions.get("$defs", {})
    return {kind: found[str(at), "validation"] for at, kind in enumerate(kinds)}, schemas


def _operation(rule: Rule, made: Operation, refs: dict[Any, Json], config: ServerConfig) -> Json:
    summary, _, more = (inspect.getdoc(made.view) or "").partition("\n")
    parts = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARTS[name]}
        for name in re.findall(r"(\w+)>", rule.rule)
    ]
    described: Json = {
        "operationId": made.view.__name__,
        "summary": summary,
        "tags": [_TAGS[made.kind]],
        "parameters": [*parts, *_parameters(made.query.model_json_schema(ref_template=_SCHEMAS)), *_headers(made)],
        "responses": _responses(rule, made, refs, config),
    }
    if more.strip():
        described["description"] = more.strip()
    content = _content(rule, made, refs)
    if content:
        described["requestBody"] = {"required": True, "content": content}
    if made.kind == "write" or config.read_keys:
        described["security"] = [{"key": []}]
    return described


def _parameters(schema: Json) -> list[Json]:
    described = []
    for name, of_one in schema.get("properties", {}).items():
        given = _of_form(of_one)
        about = given.pop("description", "")
        parameter = {"name": name, "in": "query", "schema": given, "description": about}
        if given.get("type") == "array":
            parameter |= {"style": "form", "explode": False}  # a,b
            given["minItems"] = 1  # of nothing, the whole parameter is left out
        described.append(parameter)
    return described


def _headers(made: Operation) -> list[Json]:
    if not made.idempotency_key:
        return []
    about = "Anything that no other request has: with it, the same request made again does nothing more."
    schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
    return [{"name": "Idempotency-Key", "in": "header", "schema": schema, "description": about}]


def _content(rule: Rule, made: Operation, refs: dict[Any, Json]) -> Json:
    """What the body may be."""
    if made.body is not None:
        return {"application/json": {"schema": refs[made.body]}}
    if not made.picture:
        return {}
    if not rule.endpoint.endswith("_movie"):
        form = {"type": "object", "properties": {FIELD: _PICTURE}, "required": [FIELD], "additionalProperties": False}
        return {"multipart/form-data": {"schema": form}}
    # A movie, with or without a picture.
    return {
        "application/json": {"schema": refs[MovieBody]},
        "multipart/form-data": {"schema": {"$ref": _SCHEMAS.format(model="MovieForm")}},
    }


def _responses(rule: Rule, made: Operation, refs: dict[Any, Json], config: ServerConfig) -> Json:
    right: Json = {"description": HTTPStatus(made.status).phrase}
    if made.answer is Response and made.status == 201:
        right["content"] = {made.media: {"schema": refs[MovieReply]}}
        right["headers"] = {"Location": {"schema": {"type": "string"}, "required": True}}
    elif made.answer is Response:
        right["content"] = {made.media: {"schema": {"type": "string", "format": "binary"}}}
    elif made.status != 204:
        right["content"] = {made.media: {"schema": refs[made.answer]}}
    statuses = {400, 404, 409, 422, 429, 503}
    if "GET" in (rule.methods or ()):
        right["headers"] = {"ETag": {"schema": {"type": "string"}, "required": True}}
        statuses |= {412}
    if made.body is not None or made.picture:
        statuses |= {413}
    if made.kind == "write" or config.read_keys:
        statuses |= {401, 403}
    problem = {_PROBLEM: {"schema": refs[Problem]}}
    wrong = {str(status): {"description": HTTPStatus(status).phrase, "content": problem} for status in sorted(statuses)}
    if made.query.model_fields:  # gunicorn's own answer, as HTML: a long list of ids belongs into a body
        wrong["414"] = {"description": "URI Too Long"}
    return {str(made.status): right, **wrong}


def _of_snapshot(schemas: Json, index: MovieIndex) -> Json:
    """The components, with what the snapshot allows in them."""
    low, high = index.users.scale
    for name in ("Rating", "RatingBody"):
        schemas[name]["properties"]["rating"] |= {"minimum": low, "maximum": high}
    for schema in schemas.values():
        if "genre" in schema.get("properties", {}):
            schema["properties"]["genre"]["items"] = _genres(index)
    movie = schemas["MovieBody"]
    members = {name: _of_form(member) for name, member in movie["properties"].items()}
    members["genres"] = {
        "type": "string",
        "pattern": f"^{_GENRE}(,{_GENRE}){{0,{MAX_GENRES - 1}}}$",
        "description": "As the data set writes them, with commas between.",
    }
    for name in ("year", "imdb_id", "tmdb_id"):  # left empty
        members[name] = {"anyOf": [members[name], {"type": "string", "maxLength": 0}]}
    schemas["MovieForm"] = movie | {"title": "MovieForm", "properties": members | {FIELD: _PICTURE}}
    return dict(sorted(schemas.items()))


def _genres(index: MovieIndex) -> Json:
    """Letter case does not matter, but that is nothing that a schema can say."""
    return {"type": "string", "enum": list(index.catalogue.genres)}


def _of_form(member: Json) -> Json:
    """The schema of a member where it is text, so that it cannot be null."""
    (kind,) = [kind for kind in member.get("anyOf", [{}]) if kind != {"type": "null"}]
    given = {key: value for key, value in {**member, **kind}.items() if key not in {"title", "anyOf"}}
    if given.get("default", 0) in (None, []):
        del given["default"]
    return given
