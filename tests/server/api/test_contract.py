"""The OpenAPI document, checked against a real server with generated valid and invalid requests."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from index.library.api_keys import Keys
from index.library.database import Database
from tests.conftest import World
from tests.paths import ROOT
from tests.serving import get, serving

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("phases", "least"),
    [("examples", 10), pytest.param("examples,coverage,fuzzing", 1500, marks=pytest.mark.long)],
)
def test_the_server_keeps_what_its_document_promises(phases: str, least: int, world: World, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(world.data, data, symlinks=True)
    _, key = Keys(Database(data)).create("schemathesis")
    none = ("--read-limit", "", "--write-limit", "", "--upload-limit", "")
    with serving("serve", "--data", data, *none) as server:
        # The first upload loads TensorFlow; other tests cover its time.
        get(f"{server.address}/api/v1/posters/similar", next(world.posters.glob("*.jpg")).read_bytes())
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{server.address}/api/v1/openapi.json"]
        command += [
            "--header",
            f"Authorization: Bearer {key}",
            "--checks",
            "all",
            "--max-examples",
            "3",
            "--request-timeout",
            "120",
        ]
        command += ["--generation-deterministic", "--phases", phases]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    (cases,) = re.findall(r"([0-9]+) generated, ", done.stdout)
    assert int(cases) > least
