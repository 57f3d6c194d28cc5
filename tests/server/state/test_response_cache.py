from __future__ import annotations

from flask import Flask
from flask.testing import FlaskClient

from server.state.response_cache import ResponseCache
from tests.server.conftest import assert_problem

API = "/api/v1"


def test_an_answer_is_of_its_state_and_question() -> None:
    answers = ResponseCache()
    assert answers.get("a", "1") is None
    answers.keep("a", "1", b"one")
    answers.keep("a", "1", b"one")
    assert answers.get("a", "1") == b"one"
    assert answers.get("b", "1") is None
    assert answers.get("a", "2") is None


def test_what_was_not_asked_for_the_longest_is_let_go_of() -> None:
    answers = ResponseCache()
    large = bytes(2**16 - 4)
    for number in range(512):  # as many as there is room for, with four letters each
        answers.keep("a", f"{number:04}", large)
    assert answers.get("a", "0000") == large
    answers.keep("a", "more", large)
    assert answers.get("a", "0001") is None
    assert answers.get("a", "0000") == large
    answers.keep("a", "too large", large)
    assert answers.get("a", "too large") is None


def test_long_questions_take_room_though_their_answers_are_short() -> None:
    answers = ResponseCache()
    for number in range(10_000):
        answers.keep("a", f"{number:04}" + 4000 * "x", b"{}")
    kept = sum(answers.get("a", f"{number:04}" + 4000 * "x") is not None for number in range(10_000))
    assert kept == 2**25 // 4006


def test_a_kept_answer_is_refused_whom_the_first_one_was(app: Flask, client: FlaskClient) -> None:
    first = client.get(f"{API}/movies/1/similar?by=taste")
    again = app.test_client().get(f"{API}/movies/1/similar?by=taste")
    assert first.data == again.data
    assert first.headers["ETag"] == again.headers["ETag"]
    assert again.mimetype == "application/json"
    assert_problem(client.get(f"{API}/movies/1/similar?by=taste", headers={"If-Match": '"x"'}), 412)
    assert (
        client.get(f"{API}/movies/1/similar?by=taste", headers={"If-None-Match": first.headers["ETag"]}).status_code
        == 304
    )
    assert_problem(client.get(f"{API}/movies/1/similar?by=sound"), 400)
    assert_problem(client.get(f"{API}/movies/1/similar?by=sound"), 400)
