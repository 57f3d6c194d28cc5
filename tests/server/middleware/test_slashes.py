from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.server.conftest import assert_problem

API = "/api/v1"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/movies/3/", "/movies/3"),
        ("/for-you/?rated=3:4,5:1&user=", "/for-you?rated=3:4,5:1&user="),
        ("/map//", "/map"),
        (f"{API}/movies/", f"{API}/movies"),
        (f"{API}/movies/?q=%C3%A9+%26&limit=5", f"{API}/movies?q=%C3%A9+%26&limit=5"),
        (f"{API}/movies/imdb:tt0000003/", f"{API}/movies/imdb%3Att0000003"),
        (f"{API}//movies///3", f"{API}/movies/3"),
        ("/livez/", "/livez"),
    ],
)
def test_superfluous_slashes_are_redirected_with_the_query(client: FlaskClient, path: str, place: str) -> None:
    reply = client.get(path)
    assert (reply.status_code, reply.headers["Location"]) == (308, place)
    assert client.get(place).status_code == 200


def test_a_redirected_request_keeps_its_method_and_body(client: FlaskClient) -> None:
    reply = client.post(f"{API}/similar/", json={"like": [1]}, follow_redirects=True)
    assert reply.get_json() == client.post(f"{API}/similar", json={"like": [1]}).get_json()
    assert_problem(client.delete(f"{API}/similar/", follow_redirects=True), 405)


@pytest.mark.parametrize("path", ["/nothing/", f"{API}/", f"{API}/nothing/", f"{API}/movies/3/nothing/"])
def test_what_is_not_there_is_not_redirected(client: FlaskClient, path: str) -> None:
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize("path", ["/%0d%0aSet-Cookie:x/", "/movies/%2F%2Fevil.example/"])
def test_a_redirect_stays_here(client: FlaskClient, path: str) -> None:
    reply = client.get(path)
    assert "Set-Cookie" not in reply.headers
    assert reply.headers.get("Location", "/").startswith("/")
    assert not reply.headers.get("Location", "/").startswith("//")
