from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from index.spaces.blend import BlendExplanation, Part
from server.pages.film import bar


def explained(**contributions: float) -> BlendExplanation:
    parts = [Part(space, 1, 0.5, 0.9, contribution) for space, contribution in contributions.items()]
    parts.sort(key=lambda part: -part.contribution)
    return BlendExplanation(1, 2, sum(contributions.values()), 0.99, tuple(parts))


def test_a_bar_says_its_numbers_and_they_add_up() -> None:
    shown = bar(explained(facts=1.004, taste=3.006, poster=0.5))
    assert shown.words == "Score 4.51: taste 3.01 + facts 1.00 + look 0.50"
    assert [share.space for share in shown.shares] == ["poster", "taste", "facts"]
    assert sum(share.width for share in shown.shares) == pytest.approx(100, abs=0.02)
    assert shown.shares[1].start == shown.shares[0].width


def test_a_contribution_below_0_is_subtracted_and_has_no_width() -> None:
    shown = bar(explained(taste=3, poster=-0.25))
    assert shown.words == "Score 2.75: taste 3.00 − look 0.25"
    assert [share.width for share in shown.shares] == [0, 100]
    assert bar(explained(taste=-1.5)).words == "Score −1.50: − taste 1.50"


def test_every_film_of_the_blend_has_a_bar_of_the_weights_that_are_set(client: FlaskClient) -> None:
    for query, spaces in (("", {"look", "taste", "facts"}), ("?taste=100", {"taste"})):
        page = client.get(f"/movies/3{query}").text
        words = re.findall(r'class="shares" role="img" aria-label="Score (−?[\d.]+): ([^"]+)"', page)
        assert len(words) == 12
        for score, terms in words:
            found = re.findall(r"(− )?([a-z]+) (\d+\.\d+)", terms)
            total = sum((-1 if sign else 1) * float(number) for sign, _, number in found)
            assert total == pytest.approx(float(score.replace("−", "-")), abs=0.001)
        assert {word for _, terms in words for word in re.findall("[a-z]+", terms)} == spaces
        legend = page.partition("of-shares")[2].partition("</p>")[0]
        assert {name.lower() for name in re.findall(r"</svg>(\w+)", legend)} == spaces
