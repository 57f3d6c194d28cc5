"""The invariants of ARCHITECTURE.md that a machine can hold."""

from __future__ import annotations

import ast
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


@pytest.mark.parametrize("package", ["index", "indexer", "server"])
def test_whatever_is_no_python_is_installed_with_it(package: str) -> None:
    """Fonts, templates, styles: a server from a wheel or in a container has no other place to take them from."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][package]
    shipped = {file for pattern in patterns for file in (ROOT / package).glob(pattern)}
    others = {file for file in (ROOT / package).rglob("*.*") if file.is_file() and file.suffix not in {".py", ".pyc"}}
    assert others - shipped == set()
