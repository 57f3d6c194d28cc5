from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from indexer.fetch.web import Patience, Web
from posterity.cli.main import main
from tests.conftest import write_posters, write_ratings
from tests.indexer.fetch.standins import StandIns, environment, load, running

QUICK = Patience(timeout=5, tries=3, backoff=0)


@pytest.fixture(scope="session")
def film_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small film world, as the stand-ins serve it."""
    folder = tmp_path_factory.mktemp("films")
    write_ratings(folder / "ratings")
    (folder / "ratings" / "README.txt").write_text("Made up, in the layout of MovieLens.\n")
    write_posters(folder / "posters")
    return folder


@pytest.fixture
def site(film_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIns]:
    """The stand-ins, and an environment that leads every command to them."""
    server = StandIns()
    load(server, film_folder)
    for name in ("TMDB_API_KEY", "TMDB_ACCESS_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    with running(server):
        yield server


@pytest.fixture
def web() -> Web:
    return Web(QUICK)


def fetch(*arguments: object) -> Result:
    """Runs ``posterity fetch``."""
    return CliRunner().invoke(main, ["fetch", *map(str, arguments)])


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}
