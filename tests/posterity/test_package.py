"""The installed package: the cost of its import, the content of its wheel, commands in a folder of strangers."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import posterity
from index.core import errors as core_errors
from index.snapshot.store import SnapshotStore
from posterity import errors
from posterity.cli.console import myself
from posterity.cli.main import main
from tests.conftest import World
from tests.paths import ROOT

PACKAGES = ("index", "indexer", "posterity", "server")
HEAVY = {"faiss", "flask", "gunicorn", "keras", "numpy", "pandas", "PIL", "pydantic", "rich", "scipy", "tensorflow"}
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def run(*command: object, cwd: Path, timeout: float = 300, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command outside the source tree."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | variables
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False)


def imported(*arguments: str, cwd: Path) -> set[str]:
    """Return the names of all modules that Python imports to run something, after those it needs by itself."""
    done = run(sys.executable, "-X", "importtime", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE)
    return set(names[names.index("site") + 1 :])


def others(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names


def test_importing_the_package_imports_nothing_else(tmp_path: Path) -> None:
    modules = imported("-c", "import posterity", cwd=tmp_path)
    assert {name for name in modules if name.partition(".")[0] in PACKAGES} == {"posterity"}
    assert others(modules) == {"posterity"}
    assert len(modules) < 30  # of the standard library, too


def test_the_client_imports_little_more_than_urllib3(tmp_path: Path) -> None:
    modules = imported("-c", "import posterity; posterity.Client; posterity.errors", cwd=tmp_path)
    assert "urllib3" in modules
    assert not others(modules) & {*HEAVY, "click"}
    assert {name for name in modules if name.startswith("index.")} <= {
        "index.answers",
        "index.answers.schemas",
        "index.core",
        "index.core.errors",
        "index.core.source_ids",
        "index.ratings",
        "index.ratings.group_ways",
    }


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["build", "--help"], ["serve", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    modules = imported("-m", "posterity", *arguments, cwd=tmp_path)
    assert "click" in modules
    assert not others(modules) & HEAVY
    assert not modules & {"logging", "posterity.client"}


def test_every_public_name_is_there() -> None:
    assert posterity.__version__ == VERSION
    assert set(posterity.__all__) <= set(dir(posterity))
    for name in posterity.__all__:
        assert getattr(posterity, name) is not None
    assert posterity.Client.__module__ == "posterity.client"
    assert posterity.open.__module__ == "posterity.opening"
    with pytest.raises(AttributeError, match="module 'posterity' has no attribute 'nothing'"):
        posterity.nothing  # noqa: B018
    names: dict[str, Any] = {}
    exec("from posterity import *", names)  # noqa: S102
    assert set(posterity.__all__) <= set(names)


def test_all_errors_are_public_and_described() -> None:
    own = [
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert sorted(errors.__all__) == sorted([*core_errors.__all__, *own])
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), errors.PosterityError)
        assert getattr(errors, name).__doc__
    assert errors.__doc__ is not None
    assert all(name in errors.__doc__ for name in own)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").read_bytes() == b""


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A working directory with modules of other people, named like ours and like those that we import."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    for name in (*PACKAGES, "click", "json", "numpy", "tests"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('the {name}.py of a stranger was imported')")
    return folder


def test_a_command_that_starts_itself_imports_no_module_of_the_working_directory(strangers: Path) -> None:
    done = run(*myself(), "--version", cwd=strangers)
    assert (done.returncode, done.stdout) == (0, f"posterity, version {VERSION}\n"), done.stderr
    assert "of a stranger" in run(sys.executable, "-m", "posterity", "--version", cwd=strangers).stderr  # without -P


def test_the_demo_builds_in_a_process_that_it_starts_in_this_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    def start(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert not check
        started.append(command)
        return subprocess.CompletedProcess(command, 7)

    monkeypatch.setattr("posterity.cli.serve.subprocess.run", start)
    result = CliRunner().invoke(main, ["demo", "--data", str(tmp_path), "--weights", "untrained"])
    assert result.exit_code == 7
    ((*words, build_only),) = [command[:6] for command in started]
    assert words == [*myself(), "demo"]
    assert build_only == "--build-only"


@pytest.mark.system
def test_builds_that_repeat_run_in_a_folder_of_strangers(world: World, strangers: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    options = ["--ratings", world.ratings, "--data", data, "--iterations", 30, "--no-evaluation"]
    command = [*myself(), "build", "--every", "1d", *options]
    with subprocess.Popen(
        [str(word) for word in command], cwd=strangers, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:  # until a build is published, or the process ends
                lines.append(line)
                if "is published" in line:
                    break
        finally:
            process.send_signal(signal.SIGTERM)
        _, complaints = process.communicate(timeout=60)
    assert SnapshotStore(data).current_id() is not None, complaints
    assert f"Snapshot {SnapshotStore(data).current_id()} is published" in lines[-1]
    assert "of a stranger" not in complaints


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where ``python -m build`` put a wheel and an sdist, made from a copy of the sources."""
    source, made = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("distributions")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source, cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="module")
def installed(distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, which sees the dependencies of this one, but not the sources."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, symlinks=True, with_pip=False)
    (wheel,) = distributions.glob("*.whl")
    python = environment / "bin" / "python"
    options = ["install", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check"]
    done = run(sys.executable, "-m", "pip", "--python", python, *options, wheel, cwd=environment)
    assert done.returncode == 0, done.stderr
    # Python runs no .pth file of a folder that a .pth file names: the one that leads to the sources is passed over.
    (site,) = environment.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text("\n".join({sysconfig.get_path(kind) for kind in ("purelib", "platlib")}))
    return environment


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty working directory."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def sources() -> set[str]:
    files = (file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file())
    return {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts}


@pytest.mark.system
def test_wheel_and_sdist_hold_every_file_of_the_packages_and_no_other(distributions: Path) -> None:
    (wheel,) = distributions.glob(f"posterity-{VERSION}-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == sources()
    (sdist,) = distributions.glob(f"posterity-{VERSION}.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    assert {name for name in held if ".egg-info/" not in name} - {"PKG-INFO", "setup.cfg"} == sources() | {
        "pyproject.toml",
        "README.md",
        "LICENSE",
    }


@pytest.mark.system
def test_the_installed_command_says_its_version(installed: Path, empty: Path) -> None:
    for command in ([installed / "bin" / "posterity"], [installed / "bin" / "python", "-m", "posterity"]):
        done = run(*command, "--version", cwd=empty)
        assert (done.stdout, done.stderr) == (f"posterity, version {VERSION}\n", "")


@pytest.mark.system
def test_the_installed_package_is_imported_from_where_it_is_installed(
    installed: Path, empty: Path, world: World
) -> None:
    code = """
import sys, posterity
posterity.Client
with posterity.open(sys.argv[1]) as index:
    print(len(index.similar(3)), posterity.__version__)
import index, indexer, server
for package in (posterity, index, indexer, server):
    print(package.__file__)
print(*sys.path)
"""
    done = run(installed / "bin" / "python", "-c", code, world.data, cwd=empty)
    assert done.returncode == 0, done.stderr
    first, *files, paths = done.stdout.splitlines()
    assert first == f"10 {VERSION}"
    assert len(files) == 4
    assert all(Path(file).is_relative_to(installed) for file in files)
    assert str(ROOT) not in paths.split()


@pytest.mark.system
@pytest.mark.long
def test_the_installed_command_builds_the_demo(installed: Path, empty: Path) -> None:
    done = run(
        installed / "bin" / "posterity", "demo", "--build-only", "--weights", "untrained", cwd=empty, timeout=1800
    )
    assert done.returncode == 0, done.stderr
    assert SnapshotStore(empty / "data" / "demo").manifest().dataset["name"] == "posterity-sample"
    found = run(installed / "bin" / "posterity", "similar", "1", "--data", "data/demo", cwd=empty)
    assert found.stdout.startswith("Movies like "), found.stderr
