"""The invariants of ARCHITECTURE.md that a machine can hold."""

from __future__ import annotations

import ast
import re
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("index", "indexer", "posterity", "server")
SOURCES = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in SOURCES}

MOST_LINES = 500  # of a module; one that passes is asked for its second job
MOST_MODULES = 15  # of a folder


@cache
def imported(file: Path) -> frozenset[str]:
    """Return every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            assert node.module is not None
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & set(MODULES)
            found |= inner or {node.module}
    return frozenset(found)


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def roots(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(file)}


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def cycle(graph: Mapping[str, set[str]]) -> list[str] | None:
    """Return the names along a cycle of the graph, or None where it has none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def room(module: str) -> str:
    """Return the folder of a module, ``index.spaces`` of ``index.spaces.blend``; a module at the top is its own."""
    file = MODULES.get(module) or MODULES[f"{module}.__init__"]
    folder = ".".join(file.parent.relative_to(ROOT).parts)
    return module if folder in PACKAGES else folder


def imports_within(module: str) -> Iterator[str]:
    for name in imported(MODULES[module]):
        if name in MODULES or f"{name}.__init__" in MODULES:
            yield name


def test_dependencies_point_one_way() -> None:
    allowed = {
        "index": {"index"},
        "indexer": {"index", "indexer"},
        "server": {"index", "server"},
        "posterity": set(PACKAGES),
    }
    for file in SOURCES:
        package = file.relative_to(ROOT).parts[0]
        beyond = roots(file) & set(PACKAGES) - allowed[package]
        assert not beyond, f"{name_of(file)} imports {', '.join(beyond)}"


def test_no_modules_import_each_other() -> None:
    assert len(MODULES) > 150
    assert cycle({module: set(imports_within(module)) for module in MODULES}) is None


def test_no_folders_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for module in MODULES:
        if not module.endswith("__init__"):
            graph.setdefault(room(module), set()).update(map(room, imports_within(module)))
    for name, others in graph.items():
        others.discard(name)
    assert cycle(graph) is None


def test_a_cycle_is_found() -> None:
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_folders_are_small_and_say_what_they_are_for() -> None:
    for folder in {file.parent for file in SOURCES}:
        modules = [file.name for file in folder.glob("*.py") if file.name != "__init__.py"]
        assert len(modules) <= MOST_MODULES, f"{name_of(folder)} has {len(modules)} modules"
        words = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
        assert words, f"{name_of(folder)} does not say what it is for"
        assert re.fullmatch(r"[^.]+\.", words.split("\n\n")[0].replace("\n", " ")), f"{name_of(folder)}: one sentence"


def test_no_module_has_grown_a_second_job() -> None:
    for file in SOURCES:
        lines = file.read_text().count("\n")
        assert lines <= MOST_LINES, f"{name_of(file)} has {lines} lines: what is its second job?"


RELATIVE = "What|Whatever|Who|Whoever|Whose|Which|Whether"
# A sentence, or a part of one after a colon or semicolon, that begins so and is no question.
CLAUSE = re.compile(
    rf"(?:^|[.:;!]\s+)(?:{RELATIVE})\b[^.?]*(?:[.]|$)|[.:;!]\s+(?:what|whatever|whoever)\b[^.;?]*(?:[.;]|$)"
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_sentence_has_a_relative_clause_as_its_subject() -> None:
    """``Return …``, ``Write …``, ``omitted members stay``: a relative clause as the subject makes the reader guess."""
    tests = [file for folder in ("benchmarks", "tests") for file in (ROOT / folder).rglob("*.py")]
    documents = [file for folder in (ROOT, ROOT / "docs") for file in folder.glob("*.md")]
    hint = re.compile(rf"\b(?:{RELATIVE}|How|Where)\b|[.:;!]\s+(?:# )?(?:what|whatever|whoever)\b")
    for file in filter(lambda each: hint.search(each.read_text()), (*SOURCES, *tests, *documents)):
        for words in prose(file):
            found = CLAUSE.search(words)
            assert found is None, f"{name_of(file)}: {found[0]}"
        for words in docstrings(file):
            assert not re.match(r"(?:How|Where)\b", words), f"{name_of(file)}: {words}"


def test_a_relative_clause_is_found() -> None:
    for bad in ("Whatever comes is kept.", "It is kept. What is left out stays.", "A patch: what is left out stays."):
        assert CLAUSE.search(bad)
    for good in ("What is a patch? A file.", "Return what was found.", "Omitted members stay.", "Which one? Both."):
        assert not CLAUSE.search(good)


def docstrings(file: Path) -> list[str]:
    if file.suffix == ".md":
        return []
    return [ast.get_docstring(node) or "" for node in ast.walk(parsed(file)) if isinstance(node, DOCUMENTED)]


def prose(file: Path) -> Iterator[str]:
    """Yield the paragraphs of docstrings and the comments of a module, or of a document without its code."""
    if file.suffix == ".md":
        text = re.sub(r"```.*?```", "", file.read_text(), flags=re.DOTALL)
        paragraphs = re.split(r"\n\s*\n|\n\s*(?=[|#*-] )", text)
    else:
        paragraphs = [words for text in docstrings(file) for words in re.split(r"\n\s*\n|\n\s+(?=\w+: )", text)]
        with file.open("rb") as stream:
            tokens = tokenize.tokenize(stream.readline)
            paragraphs += [token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT]
    yield from (" ".join(paragraph.split()) for paragraph in paragraphs)


def test_heavy_libraries_stay_in_their_place() -> None:
    drawing = {f"index/posters/{name}.py" for name in ("images", "colour", "truncated")}
    drawing |= {"index/explain/figure.py", "indexer/evaluation/distortions.py"}
    for file in SOURCES:
        name, used = name_of(file), roots(file)
        if name != "index/posters/vgg16.py":
            assert not used & {"tensorflow", "keras"}, name
        if not name.startswith("server/"):
            assert not used & {"flask", "werkzeug", "gunicorn"}, name
        if not name.startswith("posterity/cli/"):
            assert not used & {"click", "rich"}, name
        if not name.startswith("index/milvus/"):
            assert not used & {"grpc", "pymilvus"}, name
        if name.startswith("index/"):
            assert "pydantic" not in used, name
        if not name.startswith("indexer/spark/"):
            assert not used & {"pyspark", "pyarrow"}, name
        if not name.startswith("indexer/"):
            assert not used & {"implicit", "matplotlib", "myfm", "scipy"}, name
        if name not in drawing and not name.startswith("indexer/sample/"):
            assert "PIL" not in used, name
        assert not used & {"pickle", "shelve", "joblib", "marshal"}, name


def test_dtypes_have_one_set_of_names() -> None:
    for file in SOURCES:
        assert "NDArray[np." not in file.read_text() or name_of(file) == "index/core/arrays.py", name_of(file)


def test_files_are_written_and_locked_in_one_place() -> None:
    """By ``index/core/files.py``: one atomic durable write, one lock. A snapshot's link is no file."""
    for file in SOURCES:
        calls = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.Call)]
        methods = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute) and len(call.args) == 1]
        if name_of(file) not in {"index/core/files.py", "index/snapshot/store.py"}:
            assert "replace" not in methods, name_of(file)
        if name_of(file) != "index/core/files.py":
            assert not {"fsync", "flock"} & set(methods), name_of(file)
            assert "fcntl" not in imported(file), name_of(file)


def test_only_commands_print() -> None:
    for file in SOURCES:
        if not name_of(file).startswith("posterity/cli/"):
            calls = {node.func.id for node in ast.walk(parsed(file)) if _is_call_by_name(node)}
            assert "print" not in calls, name_of(file)


def _is_call_by_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_all_of_errors_is_sorted_and_complete() -> None:
    from index.core import errors

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
    for file in SOURCES:
        if file.relative_to(ROOT).parts[0] != "indexer":
            used |= roots(file)
    # Not required: pandas is for to_dataframe() alone, pillow-heif for HEIC, pymilvus for Milvus.
    used -= {*sys.stdlib_module_names, *PACKAGES, "_typeshed", "pandas", "pillow_heif", "pymilvus", "grpc"}
    packages = {PROVIDES.get(name, COMES_WITH.get(name, name.replace("_", "-"))) for name in used}
    assert packages == declared - {"tensorflow-cpu"}


def test_what_the_target_server_has_is_the_same_in_the_whole_image() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    assert len(pins("requirements-server.txt")) > 30
    assert pins("requirements-server.txt") < pins("requirements.txt")


@pytest.mark.parametrize("package", PACKAGES)
def test_whatever_is_no_python_is_installed_with_it(package: str) -> None:
    """Fonts, templates, styles: a server from a wheel or in a container has no other place to take them from."""
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][package]
    shipped = {file for pattern in patterns for file in (ROOT / package).glob(pattern)}
    others = {
        file
        for file in (ROOT / package).rglob("*.*")
        if file.is_file() and file.suffix != ".py" and file.parent.name != "__pycache__"
    }
    assert others - shipped == set()
