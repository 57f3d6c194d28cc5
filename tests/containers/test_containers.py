"""Tests of the container files without an engine; ``python3 -m tests.containers`` is the test with one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from typing import Any

import pytest
import yaml

from posterity.cli.fetch import fetch
from posterity.cli.serve import serve
from server.config import ServerConfig
from tests.containers.engine import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE)["services"]
EXAMPLE = dict(re.findall(r"^#([A-Z0-9_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_every_variable_of_compose_stands_in_the_example_and_no_other_does() -> None:
    known = {
        *re.findall(r"\$\{(\w+)", COMPOSE),
        *SERVICES["indexer"]["environment"],
        *SERVICES["server"]["environment"],
    }
    assert set(EXAMPLE) == known


def test_the_example_shows_the_defaults() -> None:
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE):
        assert EXAMPLE[name] == default, name
    for option in serve.params:
        name = str(option.envvar)
        if name in EXAMPLE and name != "POSTERITY_ACCESS_LOG":  # in a container it is on
            default = ("off", "on")[option.default] if isinstance(option.default, bool) else str(option.default)
            assert EXAMPLE[name] == default, name


def test_the_example_sets_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert all(not line or line.startswith("#") for line in lines)


def test_every_setting_of_the_server_can_be_set_but_where_it_listens_inside() -> None:
    names = {f"POSTERITY_{field.name.upper()}" for field in fields(ServerConfig)}
    assert set(SERVICES["server"]["environment"]) == names - {"POSTERITY_DATA", "POSTERITY_HOST", "POSTERITY_PORT"}


def test_whatever_embeds_takes_the_same_path() -> None:
    assert all("POSTERITY_EMBED_PATH" in SERVICES[name]["environment"] for name in ("indexer", "server", "rebuild"))


def test_every_variable_of_fetching_reaches_the_indexer_and_the_key_nobody_else() -> None:
    used = {option.envvar for command in fetch.commands.values() for option in command.params if option.envvar}
    given = set(SERVICES["indexer"]["environment"])
    assert used - {"POSTERITY_DATA"} < given
    assert {"TMDB_API_KEY", "TMDB_ACCESS_TOKEN", "POSTERITY_MOVIELENS"} < given
    others = str({name: service for name, service in SERVICES.items() if name != "indexer"})
    assert "TMDB" not in others


@pytest.mark.parametrize("name", ["indexer", "server", "rebuild"])
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "cpus", "pids_limit", "tmpfs"} < set(service)
    assert service["init"] is True  # else a build, as process 1, ignores SIGTERM


def test_the_server_has_longer_to_stop_than_it_gives_requests() -> None:
    from server.run import _GRACE

    assert int(SERVICES["server"]["stop_grace_period"].removesuffix("s")) > _GRACE


def test_the_dockerfile_installs_by_hash_and_runs_as_nobody_special() -> None:
    installs = re.findall(r"pip --python (?:.*\\\n)*.*", DOCKERFILE)
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or "--no-index --no-deps" in install
    for target in ("server", "posterity"):
        stage = re.search(rf"^FROM \w+ AS {target}\n((?:(?!FROM).*\n)*)", DOCKERFILE, re.MULTILINE)
        assert stage is not None
        assert "USER posterity" in stage[1]
    assert DOCKERFILE.index("HEALTHCHECK") < DOCKERFILE.index("FROM base AS serving")
    assert "://" not in DOCKERFILE.replace("http://127.0.0.1:", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX system")
def test_the_trial_says_why_it_is_skipped_where_there_is_no_engine() -> None:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    command = [sys.executable, "-m", "tests.containers"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("Skipped: ")
    assert (
        subprocess.run([*command, "--required"], cwd=ROOT, env=environment, capture_output=True, check=False).returncode
        == 1
    )
