from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.fetch.download import WEIGHTS as KIND
from tests.indexer.fetch.conftest import fetch, tree
from tests.indexer.fetch.standins import WEIGHTS, ZIP, StandIns, environment, load, publish, stalls, zipped
from tests.serving import ROOT

pytestmark = pytest.mark.system


def begin(data: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "posterity", "fetch", *arguments, "--data", str(data)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Return True once the condition holds; False if the process ends first."""
    deadline = time.monotonic() + 60
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_line(site: StandIns, tmp_path: Path, number: signal.Signals, code: int) -> None:
    site.fail(ZIP, stalls(1000))
    with begin(tmp_path, "movielens") as process:
        assert wait_until(lambda: site.sent >= 1000 + len(site.files[f"{ZIP}.md5"]), process)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert output == ""
    assert errors == "Stopped. The same command resumes from here\n"


def enlarge(site: StandIns, film_folder: Path, folder: Path) -> None:
    """Enlarge all files so that a download can be interrupted: 600 kB of zip and weights, 2 MB of posters."""
    rng = np.random.default_rng(0)
    ratings = {f"ml-latest-small/{file.name}": file.read_bytes() for file in (film_folder / "ratings").iterdir()}
    publish(site, zipped({**ratings, "ml-latest-small/noise.bin": rng.bytes(600_000)}))
    site.files[WEIGHTS] = KIND.magic + rng.bytes(600_000)
    for path in [path for path in site.files if path.startswith("/posters/")]:
        name = path.rpartition("/")[2]
        Image.fromarray(rng.integers(0, 256, (270, 180, 3), dtype=np.uint8)).save(folder / name, quality=100)
        site.files[path] = (folder / name).read_bytes()


@pytest.mark.parametrize("times", [6, pytest.param(20, marks=pytest.mark.long)])
def test_a_fetch_that_is_interrupted_many_times_ends_with_the_same_bytes(
    times: int, site: StandIns, film_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(site, film_folder)
    enlarge(site, film_folder, tmp_path)
    for name, value in environment(site).items():
        monkeypatch.setenv(name, value)
    assert fetch("all", "--rate", 40, "--data", tmp_path / "whole").exit_code == 0

    site.speed = 4e6
    rng = np.random.default_rng(1)
    stopped_at = set()
    for interruption in range(times):
        site.seen.clear()
        with begin(tmp_path / "data", "all", "--rate", "40") as process:
            assert wait_until(lambda: bool(site.seen), process)  # the server may still send to the previous process
            goal = site.sent + int(rng.integers(20_000, 180_000))
            assert wait_until(lambda goal=goal: site.sent >= goal, process)
            process.send_signal((signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[interruption % 3])
            _, errors = process.communicate(timeout=60)
            stopped_at.add(site.seen[-1].path.split("/")[1])
        assert "Traceback" not in errors
    if times == 20:
        assert stopped_at >= {"datasets", "keras", "t"}
    site.speed = None
    result = fetch("all", "--rate", 40, "--data", tmp_path / "data")
    assert result.exit_code == 0, result.output
    folders = [tree(tmp_path / name / "fetched") for name in ("whole", "data")]
    for folder in folders:
        for beside in ("posters.db", "posters.db-shm", "posters.db-wal"):
            folder.pop(beside, None)
    assert len(folders[0]) > 25
    assert folders[0].keys() == folders[1].keys()
    assert [name for name, content in folders[0].items() if folders[1][name] != content] == []
