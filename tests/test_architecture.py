"""The invariants of ARCHITECTURE.md that a machine can hold."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(file for package in ("index", "indexer", "server") for file in (ROOT / package).rglob("*.py"))


def imported(file: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            found.add(str(node.module))
    return found


def roots(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(file)}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_dependencies_point_one_way(file: Path) -> None:
    package = file.relative_to(ROOT).parts[0]
    forbidden = {"index": {"indexer", "server"}, "indexer": {"server"}, "server": {"indexer"}}[package]
    assert not roots(file) & forbidden


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_place(file: Path) -> None:
    name = str(file.relative_to(ROOT))
    used = roots(file)
    if name != "index/vgg16.py":
        assert not used & {"tensorflow", "keras"}
    if not name.startswith("server/"):
        assert not used & {"flask", "werkzeug", "gunicorn"}
    if name.startswith("index/"):
        assert "pydantic" not in used
    if not name.startswith("indexer/"):
        assert not used & {"implicit", "matplotlib", "myfm", "pandas", "scipy"}
    drawing = {"index/images.py", "index/drawing.py", "indexer/distortions.py"}
    if name not in drawing and not name.startswith("indexer/sample/"):
        assert "PIL" not in used
    assert not used & {"pickle", "shelve", "joblib", "marshal"}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_has_grown_a_second_job(file: Path) -> None:
    lines = file.read_text().count("\n")
    if file.name != "titles.py":  # words, not code
        assert lines <= 330, f"{lines} lines: what is its second job?"


def test_all_of_errors_is_sorted_and_complete() -> None:
    from index import errors

    own = [
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert errors.__all__ == sorted(own)
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in own)


PROVIDES = {"PIL": "pillow", "pythonjsonlogger": "python-json-logger", "faiss": "faiss-cpu"}  # module -> package
COMES_WITH = {"limits": "flask-limiter", "werkzeug": "flask", "pydantic_core": "pydantic"}


def test_the_group_server_is_what_server_and_index_import() -> None:
    """The image's target server has nothing else: a module that it lacks would be missed in the midst of a request."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    group = project["dependency-groups"]["server"]
    assert set(group) <= set(project["project"]["dependencies"])
    declared = {re.match("[a-z0-9-]+", each)[0] for each in group}  # type: ignore[index]
    used = set()
    for file in (*SOURCES, ROOT / "posterity.py"):
        if file.relative_to(ROOT).parts[0] != "indexer":
            used |= roots(file)
    used -= {*sys.stdlib_module_names, "index", "indexer", "server", "_typeshed"}
    packages = {PROVIDES.get(name, COMES_WITH.get(name, name.replace("_", "-"))) for name in used}
    assert packages == declared - {"tensorflow-cpu"}


def test_what_the_target_server_has_is_the_same_in_the_whole_image() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    assert len(pins("requirements-server.txt")) > 30
    assert pins("requirements-server.txt") < pins("requirements.txt")


@pytest.mark.parametrize("package", ["index", "indexer", "server"])
def test_whatever_is_no_python_is_installed_with_it(package: str) -> None:
    """Fonts, templates, styles: a server from a wheel or in a container has no other place to take them from."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][package]
    shipped = {file for pattern in patterns for file in (ROOT / package).glob(pattern)}
    others = {file for file in (ROOT / package).rglob("*.*") if file.is_file() and file.suffix not in {".py", ".pyc"}}
    assert others - shipped == set()
