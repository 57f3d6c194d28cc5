"""Documentation is under test: every command, route and setting has its line, and what is shown is what comes out."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flask import Flask

from posterity.cli.main import main
from posterity.cli.serve import serve
from server.api.requests import (
    FilterQuery,
    PredictionQuery,
    PredictionsBody,
    RecommendationsBody,
    RecommendationsQuery,
    SearchQuery,
    SimilarBody,
    SimilarQuery,
)
from server.app import create_app
from server.config import ServerConfig
from tests.paths import ROOT
from tests.serving import serving

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def commands(group: click.Group, prefix: str = "posterity") -> list[tuple[str, click.Command]]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, f"{prefix} {name}")
        else:
            found.append((f"{prefix} {name}", command))
    return found


@pytest.mark.parametrize(("name", "command"), commands(main), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_has_help_and_a_line_in_the_readme(name: str, command: click.Command) -> None:
    assert f"| `{name}` |" in README
    assert command.help
    assert command.get_short_help_str(100).endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
    assert CliRunner().invoke(main, [*name.split()[1:], "--help"]).exit_code == 0


def test_the_readme_names_no_command_that_is_not_there() -> None:
    known = {name for name, _ in commands(main)}
    assert {f"posterity {found}" for found in re.findall(r"\| `posterity ([a-z ]+)` \|", README)} == known


def routes(app: Flask) -> set[str]:
    """``GET /api/v1/movies`` and so on; pages for people are not part of the API."""
    return {
        f"{method} {rule.rule.replace('<user:', '<')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/livez", "/readyz", "/metrics")) and rule.endpoint != "api.docs_asset"
    }


def test_every_route_has_a_line_in_the_readme_and_no_other_has(app: Flask) -> None:
    assert set(re.findall(r"`((?:GET|POST|PUT|DELETE) /[^`]*)`", README)) == routes(app)


def test_every_view_says_what_it_answers(app: Flask) -> None:
    for name, view in app.view_functions.items():
        assert name == "static" or view.__doc__, name


@pytest.mark.parametrize(
    "query",
    [
        SearchQuery,
        FilterQuery,
        SimilarQuery,
        SimilarBody,
        PredictionQuery,
        PredictionsBody,
        RecommendationsQuery,
        RecommendationsBody,
    ],
)
def test_every_parameter_is_in_the_readme(query: type[SearchQuery]) -> None:
    assert all(re.search(rf'[`"]{name}[`"=]', README) for name in query.model_fields)


@pytest.mark.parametrize("name", [field.name for field in fields(ServerConfig)])
def test_every_setting_has_a_row_with_its_default(name: str) -> None:
    (option,) = (option for option in serve.params if isinstance(option, click.Option) and option.name == name)
    value = getattr(ServerConfig(), name)
    default = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
    flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
    assert f"| {flags} | `{option.envvar}` | `{default}` |" in README
    assert option.help is not None
    assert option.show_envvar


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    known = {option.envvar for _, command in commands(main) for option in command.params}
    assert set(re.findall(r"`(POSTERITY_[A-Z_]+)`", README)) <= known


def test_every_module_is_on_the_map() -> None:
    for package in ("index", "server"):
        for file in (ROOT / package).glob("*.py"):
            if file.name != "__init__.py":
                mentioned = f"`{package}/{file.name}`" in ARCHITECTURE or f"`{file.name}`" in ARCHITECTURE
                assert mentioned or file.name in {"cli.py", "config.py", "console.py", "track.py"}, file


def test_every_dependency_is_justified() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    dependencies = {re.match("[a-z-]+", each)[0] for each in declared}  # type: ignore[index]
    table = ARCHITECTURE.split("## Dependencies")[1]
    assert len(dependencies) > 10
    assert all(name in table for name in dependencies if name != "tensorflow")


def test_pinned_requirements_carry_hashes_and_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-server.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==") > 30


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]
)
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name
    for link in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
        assert (file.parent / link).exists(), link


def test_the_curl_in_the_readme_gets_the_reply_in_the_readme(demo_data: Path) -> None:
    (path,) = re.findall(r"curl 'http://localhost:8000(/[^']*)'", README)
    shown = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
    reply = create_app(ServerConfig(demo_data)).test_client().get(path).get_json()
    # Sampling differs in the last digits from processor to processor; the snapshot is another one each time.
    for answer in (shown, reply):
        assert answer.pop("snapshot")
        assert answer.pop("weights") == "untrained"
    for match, expected in zip(reply["results"], shown["results"], strict=True):
        assert match.pop("score") == pytest.approx(expected.pop("score"), abs=0.05)
        assert match.pop("percentile") == pytest.approx(expected.pop("percentile"), abs=0.02)
    assert reply == shown


def test_the_python_in_the_readme_runs(demo_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with serving("serve", "--data", demo_data) as server:
        exec(code.replace("http://localhost:8000", server.address), {})  # noqa: S102
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert "'rating'" in lines[-1]


def test_the_table_in_the_readme_is_what_comes_out(demo_data: Path) -> None:
    ((arguments, shown),) = re.findall(r"\$ posterity (similar [^\n]*) --data data/demo\n(.*?)```", README, re.DOTALL)
    title, *rest = re.findall(r'"([^"]*)"|(\S+)', arguments)[1:]
    words = ["similar", title[0], *(word for _, word in rest), "--data", str(demo_data)]
    output = CliRunner().invoke(main, words).output

    def cells(text: str) -> list[list[str]]:
        lines = [line for line in text.splitlines() if line.strip() and "──" not in line]
        return [re.split(r"\s{2,}", line.strip())[:4] for line in lines]

    # Sampling differs from processor to processor, and with it the order of films that are as near as each other.
    assert sorted(cells(output)) == sorted(cells(shown))
