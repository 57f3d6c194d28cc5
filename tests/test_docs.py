"""Tests of the documentation: it covers every command, endpoint, setting and module, and its examples are real output."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from flask import Flask

from docs import hooks
from posterity.cli.main import main
from posterity.cli.serve import serve
from server.api.operation import operation_of
from server.app import create_app
from server.config import ServerConfig
from tests.paths import ROOT
from tests.serving import serving

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "README.md"]
TEXT = "\n".join(file.read_text() for file in DOCUMENTS)
PACKAGES = ("index", "indexer", "posterity", "server")
GENERATED = {"commands.md", "settings.md", "endpoints.md", "python.md"}  # in docs/reference/, once the site is built


@pytest.fixture(scope="module")
def endpoints() -> str:
    return hooks.endpoints_page(hooks.openapi_document())


def section(page: str, anchor: str) -> str:
    """Return a page's text from the heading with this anchor to the next heading of its level or a higher one."""
    (found,) = re.findall(rf"^(#+) [^\n]*{{ #{anchor}[ }}].*?\n(.*?)(?=^#{{1,3}} |\Z)", page, re.MULTILINE | re.DOTALL)
    return str(found[1])


def test_the_readme_is_short_and_says_whose_data_it_is() -> None:
    assert README.count("\n") <= 150
    assert "https://doi.org/10.1145/2827872" in README
    assert "This product uses the TMDB API but is not endorsed or certified by TMDB." in README


def test_every_command_has_help_and_a_section_in_the_reference() -> None:
    page = hooks.commands_page()
    assert len(hooks.all_commands()) > 20
    for command, context in hooks.all_commands():
        name = context.command_path
        assert command.help, name
        assert command.get_short_help_str(100).endswith("."), name
        found = section(page, name.replace(" ", "-"))
        for option in hooks.options(command):
            assert option.help, f"{name} {option.opts}"
            assert all(f"`{flag}" in found for flag in (*option.opts, *option.secondary_opts)), f"{name} {option.opts}"
            assert option.envvar is None or f"`{option.envvar}`" in found, f"{name} {option.opts}"
        assert CliRunner().invoke(main, [*name.split()[1:], "--help"]).exit_code == 0


def test_the_guides_name_every_command_and_no_other() -> None:
    guides = " ".join(word for file in (ROOT / "docs").glob("*.md") for word in file.read_text().split())
    for _, context in hooks.all_commands():
        name = context.command_path.removeprefix("posterity ")
        assert f"posterity {name}" in guides or f"`{name}`" in guides, name
    code = re.findall(r"```.*?```|`[^`\n]+`", TEXT, re.DOTALL)
    for first, second in re.findall(r"\bposterity ([a-z]+)(?: ([a-z]+))?", "\n".join(code)):
        assert first in main.commands, first
        group = main.commands[first]
        if isinstance(group, click.Group) and second:
            assert second in group.commands, f"{first} {second}"


def routes(app: Flask) -> set[str]:
    """``GET /api/v1/movies`` and so on; pages for people are not part of the API."""
    return {
        f"{method} {rule.rule.replace('<user:', '<')}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/", "/livez", "/readyz", "/metrics")) and rule.endpoint != "api.docs_asset"
    }


def test_every_route_is_documented_and_no_other_is(app: Flask, endpoints: str) -> None:
    reference = endpoints.replace("{", "<").replace("}", ">")
    described = set(re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^`?]*)[^`]*`", reference + TEXT))
    assert described == routes(app)


def test_every_parameter_and_member_is_in_the_reference(app: Flask, endpoints: str) -> None:
    operations = [found for view in app.view_functions.values() if (found := operation_of(view)) is not None]
    assert len(operations) > 20
    for found in operations:
        described = section(endpoints, found.view.__name__)
        assert all(f"| `{name}` | query |" in described for name in found.query.model_fields), found.view
        if found.body is not None:
            assert f"(#{found.body.__name__})" in described
            members = section(endpoints, found.body.__name__)
            assert all(f"| `{name}` |" in members for name in found.body.model_fields), found.body


def test_every_view_says_what_it_answers(app: Flask) -> None:
    for name, view in app.view_functions.items():
        assert name == "static" or view.__doc__, name


def test_every_setting_has_a_row_with_its_default() -> None:
    page = hooks.settings_page()
    for setting in fields(ServerConfig):
        (option,) = [each for each in hooks.options(serve) if each.name == setting.name]
        value = getattr(ServerConfig(), setting.name)
        default = {True: "on", False: "off"}[value] if isinstance(value, bool) else value if value != "" else '""'
        flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
        assert f"| `{option.envvar}` | {flags} | `{default}` |" in page
        assert option.show_envvar


def test_the_documents_name_no_variable_that_is_not_there() -> None:
    known = {str(option.envvar) for command, _ in hooks.all_commands() for option in hooks.options(command)}
    sources = [file for folder in (*PACKAGES, "tests") for file in (ROOT / folder).rglob("*.py")]
    known |= {name for file in sources for name in re.findall(r'"(POSTERITY_[A-Z_]+)"', file.read_text())}
    for name in ("docker-compose.yml", ".env.example"):
        known |= set(re.findall(r"\b(POSTERITY_[A-Z_]+)\b", (ROOT / name).read_text()))
    assert set(re.findall(r"`(POSTERITY_[A-Z_]+)`", TEXT)) <= known


def test_every_folder_and_every_module_is_on_the_map() -> None:
    """Rows of the map are ``| `folder/` | purpose | `module`, ... |``; a folder in the last column has no modules."""
    rows = re.findall(r"^\| `([\w/]+)/` \| ([^|]+) \| ([^|]+) \|$", ARCHITECTURE, re.MULTILINE)
    named = {folder: set(re.findall(r"`(\w+)`", modules)) for folder, _, modules in rows}
    found: dict[str, set[str]] = {}
    for file in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        modules = found.setdefault(str(file.parent.relative_to(ROOT)), set())
        modules.update({file.stem} - {"__init__"})
    assert named == found


def test_tests_that_the_architecture_names_are_there() -> None:
    sources = "\n".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", ARCHITECTURE):
        assert f"def {name}(" in sources


def test_every_dependency_is_justified() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    dependencies = {re.match("[a-z0-9-]+", each)[0] for each in declared}  # type: ignore[index]
    table = ARCHITECTURE.split("## Dependencies")[1]
    assert len(dependencies) > 10
    assert not [name for name in dependencies if name not in table and name != "tensorflow"]


def test_pinned_requirements_carry_hashes_and_name_no_host() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-server.txt", "requirements-spark.txt"):
        text = (ROOT / name).read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==") > 30


def test_each_commit_is_checked_by_what_lint_runs() -> None:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    recipe = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0].replace("$(BIN)", ".venv/bin")
    assert [hook["entry"] for hook in repository["hooks"]] == re.findall(r"\t(.*)", recipe)


def test_the_citation_is_of_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation: Mapping[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    for file in DOCUMENTS:
        for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", file.read_text()):
            path = (file.parent / target).resolve() if target else file
            if path.parent != ROOT / "docs" / "reference" or path.name not in GENERATED:
                assert path.exists(), f"{file.name}: {target}"
                assert not anchor or anchor in anchors(path), f"{file.name}: {target}#{anchor}"


def test_links_of_the_repository_become_links_of_the_site() -> None:
    for page, link, site in [
        ("index.md", "[a](docs/films.md#editions)", "[a](films.md#editions)"),
        ("index.md", "![a](docs/film.jpg)", "![a](film.jpg)"),
        ("index.md", "[a](ARCHITECTURE.md)", "[a](architecture.md)"),
        ("architecture.md", "[a](server/app.py)", "a"),
        ("terms.md", "[a](../SECURITY.md)", "[a](security.md)"),
        ("benchmarks.md", "![a](training.svg)", "![a](training.svg)"),
        ("reference/endpoints.md", "[a](../http-api.md)", "[a](../http-api.md)"),
        ("terms.md", "[a](https://example.org/x.md)", "[a](https://example.org/x.md)"),
    ]:
        assert hooks.site_links(link, page) == site


def test_whatever_a_page_of_the_site_loads_is_found() -> None:
    page = '<link rel="canonical" href="https://a"><link rel="stylesheet" href="//b/c.css"><a href="https://d">'
    assert hooks.loaded_addresses(page + "<script src=https://e></script>") == ["//b/c.css", "https://e"]


def test_the_curl_in_the_readme_gets_the_reply_in_the_readme(demo_data: Path) -> None:
    (path,) = re.findall(r"curl 'http://localhost:8000(/[^']*)'", README)
    shown = json.loads(re.findall(r"```json\n(.*?)```", README, re.DOTALL)[0])
    reply = create_app(ServerConfig(demo_data)).test_client().get(path).get_json()
    # Sampling differs in the last digits from processor to processor; the snapshot is another one each time. A poster's
    # bytes depend on the version of Pillow that drew it.
    for answer in (shown, reply):
        assert answer.pop("snapshot")
        for movie in (answer["movie"], *(match["movie"] for match in answer["results"])):
            assert re.fullmatch("[0-9a-f]{16}", movie.pop("poster_content"))
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


def test_the_table_of_the_guide_is_what_comes_out(demo_data: Path) -> None:
    guide = (ROOT / "docs" / "command-line.md").read_text()
    ((arguments, shown),) = re.findall(r"\$ posterity (similar [^\n]*) --data data/demo\n(.*?)```", guide, re.DOTALL)
    title, *rest = re.findall(r'"([^"]*)"|(\S+)', arguments)[1:]
    words = ["similar", title[0], *(word for _, word in rest), "--data", str(demo_data)]
    output = CliRunner().invoke(main, words).output

    def cells(text: str) -> list[list[str]]:
        lines = [line for line in text.splitlines() if line.strip() and "──" not in line]
        return [re.split(r"\s{2,}", line.strip())[:4] for line in lines]

    # Sampling differs from processor to processor, and with it the order of films that are as near as each other.
    assert sorted(cells(output)) == sorted(cells(shown))
