from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from index.snapshot.store import SnapshotStore
from indexer.datasets.movielens import CITATION
from posterity.cli.main import main
from tests.indexer.fetch.standins import StandIns, environment, load, write_weights
from tests.serving import get, serving

pytestmark = pytest.mark.system


def test_from_an_empty_folder_to_a_served_page_unattended(
    site: StandIns, film_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(film_folder, tmp_path / "films")
    for file in sorted((tmp_path / "films" / "posters").iterdir())[3:]:
        file.unlink()
    write_weights(tmp_path / "films" / "weights.h5")
    load(site, tmp_path / "films")
    for name, value in environment(site).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POSTERITY_DATA", str(tmp_path / "data"))

    def posterity(*arguments: str) -> str:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    posterity("fetch", "all", "--rate", "40")
    built = posterity("build", "--iterations", "30", "--no-evaluation")
    assert "3 posters (3 newly embedded)" in built
    manifest = SnapshotStore(tmp_path / "data").verify()
    assert manifest.dataset["name"] == "ml-latest-small"
    assert manifest.dataset["notice"] == CITATION
    assert manifest.weights is not None
    assert manifest.weights["name"] == "file"  # other weights than Keras'
    with serving("serve") as server:
        similar = get(f"{server.address}/api/v1/movies/1/similar?by=poster&limit=2")
    assert len(similar["results"]) == 2
