from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import TypeAdapter

from index.answers.schemas import MovieAnswer
from server.api.operation import operation_of

API = "/api/v1"


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/openapi.json").get_json()
    return found


def test_every_route_of_the_api_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    pages = {f"{API}/docs", f"{API}/docs/<any('swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'):name>"}
    routes = {
        (re.sub(r"<(?:[^:>]+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(API) and rule.rule not in pages
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert described == routes
    assert document["openapi"].startswith("3.1")


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for methods in document["paths"].values():
        for described in methods.values():
            assert described["summary"].endswith(".") or described["summary"].endswith("is added once.")
            for parameter in described["parameters"]:
                assert parameter["schema"]
    names = [each["operationId"] for methods in document["paths"].values() for each in methods.values()]
    assert len(names) == len(set(names))


def test_the_document_refers_to_what_is_there(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    refs = set(re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document)))
    assert refs <= schemas.keys()
    assert "MovieAnswer" in refs
    assert schemas["MovieAnswer"]["properties"]["movie_id"]["description"].startswith("The data set's id")
    assert schemas["RatingBody"]["properties"]["rating"]["maximum"] == 5


def test_answers_are_what_the_document_says(app: Flask, client: FlaskClient) -> None:
    paths = {
        "api.search": "/movies?q=star",
        "api.movie": "/movies/3",
        "api.similar": "/movies/3/similar?by=poster&explain=true&limit=2",
        "api.explanation": "/movies/3/explanations/4",
        "api.ratings": "/users/2/ratings",
        "api.prediction": "/users/2/predictions/3?explain=true",
        "api.recommendations": "/users/2/recommendations?explain=true",
        "api.snapshot": "/snapshot",
        "api.poster_map": "/map?by=taste",
    }
    for endpoint, path in paths.items():
        found = operation_of(app.view_functions[endpoint])
        assert found is not None
        TypeAdapter(found.returns).validate_json(client.get(API + path).data, strict=True)
    with pytest.raises(ValueError, match="extra"):
        TypeAdapter(MovieAnswer).validate_python(client.get(f"{API}/movies/3").get_json()["movie"] | {"x": 1})


def test_the_page_of_the_document_comes_from_here_alone(client: FlaskClient) -> None:
    page = client.get(f"{API}/docs")
    text = page.get_data(as_text=True)
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "http" not in policy
    assert not re.search(r'(src|href)="(https?:)?//', text)
    for path in re.findall(r'(?:src|href|data-document)="([^"]+)"', text):
        with client.get(path) as reply:
            assert reply.status_code == 200
    assert client.get(f"{API}/docs/index.html").status_code == 404
