"""The dashboard of docs/grafana.json: by Grafana's schema, and of metrics and labels that the server has."""

from __future__ import annotations

import json
import re
import typing
from typing import Any

import pytest
from flask.testing import FlaskClient
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import parse
from pydantic import ConfigDict, TypeAdapter

from tests.paths import ROOT

FILE = ROOT / "docs" / "grafana.json"
WRITTEN: dict[str, Any] = json.loads(FILE.read_text())
EXPRESSIONS = sorted({target["expr"] for panel in WRITTEN["panels"] for target in panel["targets"]})
OF_PROMETHEUS = {"job", "le"}  # labels that its scrape adds, and that of a histogram's buckets


@pytest.fixture(scope="module")
def dashboard() -> Dashboard:
    register_default_plugins()
    return Dashboard.from_json(WRITTEN)


def misfits(node: object, path: str = "") -> list[str]:
    """Return the members of a model, and of those below it, whose types are not those of Grafana's schema."""
    if isinstance(node, list):
        return [each for at, member in enumerate(node) for each in misfits(member, f"{path}/{at}")]
    if not type(node).__module__.startswith("grafana_foundation_sdk.models"):
        return []
    found = []
    for name, hint in typing.get_type_hints(type(node)).items():
        value = getattr(node, name)
        try:
            TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value)
        except ValueError:
            found.append(f"{path}/{name}: {value!r} is no {hint}")
        found += misfits(value, f"{path}/{name}")
    return found


def test_it_is_a_dashboard_by_grafanas_schema(dashboard: Dashboard) -> None:
    assert json.loads(JSONEncoder().encode(dashboard)) == WRITTEN  # no member is unknown
    assert misfits(dashboard) == []
    assert len({panel["id"] for panel in WRITTEN["panels"]}) == len(WRITTEN["panels"]) > 10


def test_another_type_is_noticed() -> None:
    register_default_plugins()
    panel = {**WRITTEN["panels"][0], "title": 3}
    assert misfits(Dashboard.from_json({**WRITTEN, "panels": [panel], "graphTooltip": 7})) == [
        "/graph_tooltip: 7 is no <enum 'DashboardCursorSync'>",
        "/panels/0/title: 3 is no typing.Optional[str]",
    ]


def test_panels_fill_rows_and_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in WRITTEN["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells) == 24 * (1 + max(y for _, y in cells))


@pytest.fixture(scope="module")
def scraped(app: Any) -> dict[str, set[str]]:
    """Sample -> its labels, of a server that has answered."""
    client: FlaskClient = app.test_client()
    assert client.get("/api/v1/movies/3/similar?by=taste").status_code == 200
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(client.get("/metrics").text):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_its_queries_are_of_metrics_and_labels_that_there_are(expression: str, scraped: dict[str, set[str]]) -> None:
    query = expression.replace("$__rate_interval", "5m")
    parse(query)
    metrics = set(re.findall(r"\bposterity_\w+", query))
    assert metrics
    assert metrics <= set(scraped)
    grouped = re.findall(r"\bby \(([^)]*)\)", query)
    selected = re.findall(r"[{,]\s*(\w+)\s*[=!]~?", query)
    labels = {label.strip() for group in grouped for label in group.split(",")} | set(selected)
    assert labels <= OF_PROMETHEUS | {label for metric in metrics for label in scraped[metric]}


def test_every_metric_is_on_it(scraped: dict[str, set[str]]) -> None:
    own = {re.sub("_(total|bucket|sum|count|created)$", "", name) for name in scraped if name.startswith("posterity_")}
    shown = {
        re.sub("_(total|bucket|sum|count)$", "", name)
        for name in re.findall(r"\bposterity_\w+", "\n".join(EXPRESSIONS))
    }
    assert own == shown
