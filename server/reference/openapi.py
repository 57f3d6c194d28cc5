"""The OpenAPI 3.1 document, generated from the routes and the types of their views."""

from __future__ import annotations

import inspect
import re
from copy import deepcopy
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from flask import Flask, Response
from pydantic import TypeAdapter
from werkzeug.routing import Rule

from index.core.references import MAX_ID
from index.core.source_ids import MAX_SOURCE_ID
from index.library.entries import MAX_GENRE
from index.movie_index import MovieIndex
from server.api.changes import MovieBody, NewMovieBody
from server.api.operation import Operation, operation_of
from server.api.requests import ID, MAX_GENRES, DistinctQuery
from server.api.responses import MovieReply, Problem
from server.config import ServerConfig
from server.media.uploads import EXPORT_FIELD, FIELD

Json = dict[str, Any]

_SCHEMAS = "#/components/schemas/{model}"
_GENRE = rf"[^,\x00-\x1f\x7f-\x9f]{{0,{MAX_GENRE}}}"
_ID_IN_LIST = r"[^\s,\x00-\x1f\x7f-\x9f]{1,40}"
_TAGS = {"read": "Read endpoints", "upload": "Image endpoints", "write": "Write endpoints (API key)"}
_PROBLEM = "application/problem+json"
_BYTES = "application/octet-stream"
_PICTURE: Json = {
    "type": "string",
    "format": "binary",
    "description": "JPEG, PNG, WebP, GIF, AVIF, TIFF, BMP or HEIC, up to 10 MiB.",
}
_EXPORT: Json = {
    "type": "string",
    "format": "binary",
    "description": "CSV, JSON, or a zip archive of them, up to 50 MiB.",
}
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
    "user_id": {"type": "integer", "minimum": 0, "maximum": MAX_ID},
}
_SOURCE_ID: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_SOURCE_ID,
    "description": "A number, or the data set's own id; a movie also as imdb:tt… or tmdb:…",
}
_DESCRIPTION = """Movie similarity by poster (VGG16), by ratings (Bayesian matrix factorisation), or by a blend.

Every movie id may also be written as `imdb:tt0113277` or `tmdb:949`; a title is no id. Unknown ids of a list are
returned as `ignored`. Every response names its snapshot. Responses to GET have an `ETag`: with `If-None-Match`, an
unchanged response is 304; with `If-Match`, a page of a list that has changed since is 412, so start again from its
first page. Unknown parameters and members are refused; an optional member of a JSON body that is null is left out. A
body may be compressed (`Content-Encoding: gzip`)."""


def openapi(app: Flask, index: MovieIndex, *, prefix: str = "") -> Json:
    """Return the document of an application, with the genres and the rating scale of a snapshot.

    Args:
        app: with its routes.
        index: of the snapshot.
        prefix: path under which the server is reached.
    """
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
            elif parameter["in"] == "path":
                parameter["schema"] = _path_part(parameter["name"], index)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Posterity", "version": version("posterity"), "description": _DESCRIPTION},
        "servers": [{"url": prefix.rstrip("/") or "/"}],
        "tags": [{"name": name} for name in _TAGS.values()],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": _of_snapshot(schemas, index, {found.body.__name__ for _, found in routes if found.body}),
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key created by `posterity keys create`."}
            },
        },
    }


def _path_part(name: str, index: MovieIndex) -> Json:
    """Return the schema of a part of a path; ids of a data set that are no numbers may be any text."""
    schema = _PATH_PARTS[name]
    if name in {"movie", "other"} and index.catalogue.has_source_ids:
        return {key: value for key, value in schema.items() if key != "pattern"} | _SOURCE_ID
    if name == "user_id" and index.users.has_names:
        return {"anyOf": [schema, _SOURCE_ID]}
    return schema


def _schemas(operations: list[Operation]) -> tuple[dict[Any, Json], Json]:
    """Return a schema for each type of bodies and responses, and the components that they refer to."""
    of_operations = (kind for each in operations for kind in (each.body, each.returns))
    kinds = (
        Problem,
        MovieBody,
        NewMovieBody,
        *(kind for kind in of_operations if kind not in {None, type(None), Response}),
    )
    return deepcopy(_schemas_of(tuple(dict.fromkeys(kinds))))


@cache  # for a second pydantic reads docstrings in our sources; each snapshot and each change asks
def _schemas_of(kinds: tuple[Any, ...]) -> tuple[dict[Any, Json], Json]:
    """Return a schema for each type, and the components that they refer to."""
    found, definitions = TypeAdapter.json_schemas(
        [(str(at), "validation", TypeAdapter(kind)) for at, kind in enumerate(kinds)], ref_template=_SCHEMAS
    )
    schemas: Json = definitions.get("$defs", {})
    return {kind: found[str(at), "validation"] for at, kind in enumerate(kinds)}, schemas


def _operation(rule: Rule, declared: Operation, refs: dict[Any, Json], config: ServerConfig) -> Json:
    summary, _, more = (inspect.getdoc(declared.view) or "").partition("\n")
    parts = [
        {"name": name, "in": "path", "required": True, "schema": _PATH_PARTS[name]}
        for name in re.findall(r"(\w+)>", rule.rule)
    ]
    described: Json = {
        "operationId": declared.view.__name__,
        "summary": summary,
        "tags": [_TAGS[declared.kind]],
        "parameters": [
            *parts,
            *_parameters(declared.query.model_json_schema(ref_template=_SCHEMAS)),
            *_headers(rule, declared),
        ],
        "responses": _responses(rule, declared, refs, config),
    }
    if more.strip():
        described["description"] = more.strip()
    content = _content(rule, declared, refs)
    if content:
        described["requestBody"] = {"required": True, "content": content}
    if _needs_key(declared, config):
        described["security"] = [{"key": []}]
    elif config.user_keys and _may_name_users(declared):
        described["security"] = [{}, {"key": []}]  # needed for known users alone
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


def _headers(rule: Rule, declared: Operation) -> list[Json]:
    found: list[tuple[str, Json, str]] = []
    if declared.idempotency_key:
        about = "A value unique to this request. Repeating the request with it changes nothing more."
        found.append(("Idempotency-Key", {"type": "string", "pattern": "^[!-~]{1,255}$"}, about))
    if declared.if_match:
        what = "rating" if "/ratings/" in rule.rule else "movie"
        about = f"ETag of a response. If the {what} has changed since, the request is 412 and changes nothing."
        found.append(("If-Match", {"type": "string"}, about))
    return [{"name": name, "in": "header", "schema": schema, "description": about} for name, schema, about in found]


def _content(rule: Rule, declared: Operation, refs: dict[Any, Json]) -> Json:
    """Return the body's schema by MIME type; empty without a body."""
    if declared.body is not None:
        types = (
            ["application/json", "application/merge-patch+json"]
            if "PATCH" in (rule.methods or ())
            else ["application/json"]
        )
        return {each: {"schema": refs[declared.body]} for each in types}
    if declared.export:
        return {"multipart/form-data": {"schema": _form(EXPORT_FIELD, _EXPORT)}, _BYTES: {"schema": _EXPORT}}
    if not declared.picture:
        return {}
    if declared.filters_form:
        return {"multipart/form-data": {"schema": {"$ref": _SCHEMAS.format(model="PosterForm")}}}
    if not rule.endpoint.endswith("_movie"):
        return {"multipart/form-data": {"schema": _form(FIELD, _PICTURE)}}
    body, form = (NewMovieBody, "NewMovieForm") if rule.endpoint.endswith(".add_movie") else (MovieBody, "MovieForm")
    return {
        "application/json": {"schema": refs[body]},
        "multipart/form-data": {"schema": {"$ref": _SCHEMAS.format(model=form)}},
    }


def _form(name: str, file: Json) -> Json:
    """Return the schema of a form that has one file and nothing else."""
    return {"type": "object", "properties": {name: file}, "required": [name], "additionalProperties": False}


def _responses(rule: Rule, declared: Operation, refs: dict[Any, Json], config: ServerConfig) -> Json:
    right: Json = {"description": HTTPStatus(declared.status).phrase}
    if declared.returns is Response and declared.status == 201:
        right["content"] = {declared.media: {"schema": refs[MovieReply]}}
        right["headers"] = {"Location": {"schema": {"type": "string"}, "required": True}}
    elif declared.returns is Response:
        right["content"] = {declared.media: {"schema": {"type": "string", "format": "binary"}}}
    elif declared.status != 204:
        right["content"] = {declared.media: {"schema": refs[declared.returns]}}
    statuses = {400, 404, 409, 422, 429, 503}
    if "GET" in (rule.methods or ()):
        right["headers"] = {"ETag": {"schema": {"type": "string"}, "required": True}}
        statuses |= {412}
    if declared.if_match:
        statuses |= {412}
    if declared.body is not None or declared.picture or declared.export:
        statuses |= {408, 413, 415}
    if declared.kind == "write":
        statuses |= {507}
    if declared.query.model_fields:  # send long lists of ids in a body
        statuses |= {414}
    if _needs_key(declared, config):
        statuses |= {401, 403}
    elif config.user_keys and _may_name_users(declared):
        statuses |= {401}
    problem = {_PROBLEM: {"schema": refs[Problem]}}
    wrong = {str(status): {"description": HTTPStatus(status).phrase, "content": problem} for status in sorted(statuses)}
    return {str(declared.status): right, **wrong}


def _needs_key(declared: Operation, config: ServerConfig) -> bool:
    return declared.kind == "write" or config.read_keys or (declared.personal and config.user_keys)


def _may_name_users(declared: Operation) -> bool:
    return declared.body is not None and not {"user_ids", "members"}.isdisjoint(declared.body.model_fields)


def _of_snapshot(schemas: Json, index: MovieIndex, bodies: set[str]) -> Json:
    """Return the components, with the values that a snapshot allows.

    Args:
        schemas: of all models.
        index: of the snapshot.
        bodies: names of the models of JSON bodies.
    """
    low, high = index.users.scale
    for name in ("Rating", "RatingBody"):
        schemas[name]["properties"]["rating"] |= {"minimum": low, "maximum": high}
    for schema in schemas.values():
        if "genre" in schema.get("properties", {}):
            schema["properties"]["genre"]["items"] = _genres(index)
    schemas["MovieForm"] = _movie_form("MovieForm", schemas["MovieBody"])
    schemas["NewMovieForm"] = _movie_form("NewMovieForm", schemas["NewMovieBody"])
    schemas["PosterForm"] = _poster_form(index)
    for name in (bodies | {"MovieBody", "NewMovieBody"}) - {"MoviePatch"}:  # in a patch null deletes a member
        schema = schemas[name]
        for member, described in schema["properties"].items():
            if member not in schema.get("required", ()):
                schema["properties"][member] = _or_null(described)
    return dict(sorted(schemas.items()))


def _movie_form(title: str, movie: Json) -> Json:
    """Return the schema of the form with a poster that is sent in place of a body."""
    members = {name: _of_form(member) for name, member in movie["properties"].items()}
    members["genres"] = {
        "type": "string",
        "pattern": f"^{_GENRE}(,{_GENRE}){{0,{MAX_GENRES - 1}}}$",
        "description": "Genres, spelled as in the data set, separated by commas.",
    }
    for name in members.keys() - {"title", "genres"}:
        members[name] = _or_empty(members[name])
    return movie | {"title": title, "properties": members | {FIELD: _PICTURE}}


def _poster_form(index: MovieIndex) -> Json:
    """Return the schema of the form with a picture and the filter on its neighbours; lists are separated by commas."""
    schema = DistinctQuery.model_json_schema()
    members = {}
    for name, of_one in schema["properties"].items():
        member = _of_form(of_one)
        if member.get("type") == "array":
            # Their number is limited, too, but patterns of thousands are beyond most readers of schemas.
            one = "|".join(map(_escaped, index.catalogue.genres)) if name == "genre" else _ID_IN_LIST
            text = {"type": "string", "pattern": f"^({one})(,({one}))*$"}
            member = text | {"description": f"{member.get('description', '')} Separated by commas."}
        members[name] = _or_empty(member)
    return {
        "type": "object",
        "title": "PosterForm",
        "description": "A picture, and the filter on its neighbours: members that are not in the query.",
        "properties": {FIELD: _PICTURE, **members},
        "required": [FIELD],
        "additionalProperties": False,
    }


def _escaped(text: str) -> str:
    """Return a pattern of a text, in the syntax that Python and JavaScript share; re.escape escapes hyphens, too."""
    return re.sub(r"([\\^$.|?*+()\[\]{}/])", r"\\\1", text)


def _or_empty(member: Json) -> Json:
    """Return the schema of a member of a form, which may be left empty."""
    described = {key: value for key, value in member.items() if key in {"description", "default"}}
    bare = {key: value for key, value in member.items() if key not in described}
    return {"anyOf": [bare, {"type": "string", "maxLength": 0}], **described}


def _or_null(member: Json) -> Json:
    """Return the schema of a member of a JSON body, in which null is the same as leaving it out."""
    if {"type": "null"} in member.get("anyOf", []):
        return member
    described = {key: value for key, value in member.items() if key in {"description", "default", "title"}}
    bare = {key: value for key, value in member.items() if key not in described}
    return {"anyOf": [bare, {"type": "null"}], **described}


def _genres(index: MovieIndex) -> Json:
    """Return the schema of a genre. Letter case does not matter, but a schema cannot express that."""
    return {"type": "string", "enum": list(index.catalogue.genres)}


def _of_form(member: Json) -> Json:
    """Return the schema of a member as text of a form or query, so without null."""
    *_, kind = (kind for kind in member.get("anyOf", [{}]) if kind != {"type": "null"})  # of an id the text
    given = {key: value for key, value in {**member, **kind}.items() if key not in {"title", "anyOf"}}
    if given.get("default", 0) in (None, []):
        del given["default"]
    return given
