from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.fetch.web import HttpClient, RetryPolicy
from posterity.cli.main import main
from tests.conftest import write_posters, write_ratings
from tests.indexer.fetch.standins import StandIns, environment, load, running

QUICK = RetryPolicy(timeout=5, attempts=3, backoff=0)


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the test catalogue that the stand-ins serve."""
    folder = tmp_path_factory.mktemp("films")
    write_ratings(folder / "ratings")
    (folder / "ratings" / "README.txt").write_text("Made up, in the layout of MovieLens.\n")
    write_posters(folder / "posters")
    return folder


@pytest.fixture
def site(film_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """Running stand-ins, and an environment that points every command to them."""
    server = StandIns()
    load(server, film_folder)
    for name in ("TMDB_API_KEY", "TMDB_ACCESS_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    with running(server):
        yield server


@pytest.fixture
def client() -> HttpClient:
    return HttpClient(QUICK)


def fetch(*arguments: object) -> Result:
    """Run ``posterity fetch``."""
    return CliRunner().invoke(main, ["fetch", *map(str, arguments)])


def tree(folder: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by relative path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
