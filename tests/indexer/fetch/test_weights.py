from __future__ import annotations

from pathlib import Path

import pytest

from index.posters import vgg16
from indexer.datasets.sources import weights_path
from indexer.fetch.download import WEIGHTS as KIND
from tests.indexer.fetch.conftest import fetch
from tests.indexer.fetch.standins import WEIGHTS, StandIns, breaks, md5

FILE = KIND.magic + bytes(100_000)


@pytest.fixture
def server(site: StandIns, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    site.files[WEIGHTS] = FILE
    monkeypatch.setenv("POSTERITY_WEIGHTS_MD5", md5(FILE))
    return site


def test_weights_come_checked_and_are_not_fetched_twice(server: StandIns, tmp_path: Path) -> None:
    server.fail(WEIGHTS, breaks(30_000))
    result = fetch("weights", "--data", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"The weights are in {weights_path(tmp_path)}\n"
    assert weights_path(tmp_path).read_bytes() == FILE
    assert len(server.asked(WEIGHTS)) == 2
    assert "already" in fetch("weights", "--data", tmp_path).stdout
    assert len(server.asked(WEIGHTS)) == 2
    assert fetch("weights", "--again", "--data", tmp_path).exit_code == 0
    assert len(server.asked(WEIGHTS)) == 3


def test_weights_are_held_to_the_sum_of_keras_unless_another_is_given(
    server: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files[WEIGHTS] = FILE
    monkeypatch.delenv("POSTERITY_WEIGHTS_MD5")
    result = fetch("weights", "--data", tmp_path)
    assert result.exit_code == 1
    assert f"has the MD5 {md5(FILE)}, but {vgg16.IMAGENET_MD5} is expected" in result.stderr
    assert not weights_path(tmp_path).exists()
    assert fetch("weights", "--md5", "12", "--data", tmp_path).exit_code == 2


def test_mirrors_and_local_copies_give_the_same(server: StandIns, tmp_path: Path) -> None:
    (tmp_path / "mine.h5").write_bytes(FILE)
    for number, source in enumerate([tmp_path / "mine.h5", f"{server.address}/keras/"]):
        assert fetch("weights", "--from", source, "--data", tmp_path / str(number)).exit_code == 0
        assert weights_path(tmp_path / str(number)).read_bytes() == FILE
