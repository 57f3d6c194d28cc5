"""Docker and compose as subprocesses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = "posterity-trial"
PROFILES = ("--profile", "rebuild", "--profile", "standins")
FILES = ("docker-compose.yml", "tests/containers/standins.yml")


class NoEngine(Exception):
    """Docker engine or compose missing."""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Engine:
    """A Docker engine with a separate compose project."""

    compose_command: list[str]
    version: str
    environment: dict[str, str]
    port: int = field(default_factory=_free_port)

    @classmethod
    def found(cls) -> Engine:
        """Return the engine of this machine or of DOCKER_HOST.

        Raises:
            NoEngine: there is no engine or no compose.
        """
        if shutil.which("docker") is None:
            raise NoEngine("there is no docker command")
        asked = _output(["docker", "version", "--format", "{{.Server.Version}}"])
        if asked is None:
            raise NoEngine("no Docker engine answers (docker version)")
        if _output(["docker", "compose", "version"]) is not None:
            compose = ["docker", "compose"]
        elif shutil.which("docker-compose") is not None:
            compose = ["docker-compose"]
        else:
            raise NoEngine("there is no docker compose")
        # Without settings of the user's shell or .env file: the test sets its own. (.env.example sets none.)
        ours = ("POSTERITY_", "TMDB_", "SERVER_", "INDEXER_", "REBUILD_", "COMPOSE_F", "COMPOSE_PR")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment["POSTERITY_IMAGE"] = PROJECT
        environment["POSTERITY_SERVER_IMAGE"] = f"{PROJECT}-server"
        engine = cls(compose, asked.strip(), environment)
        environment["PORT"] = f"127.0.0.1:{engine.port}"
        return engine

    def docker(self, *arguments: str, check: bool = True, shown: bool = False) -> subprocess.CompletedProcess[str]:
        return self._run(["docker", *arguments], check, shown)

    def compose(self, *arguments: str, check: bool = True, shown: bool = False) -> subprocess.CompletedProcess[str]:
        files = [word for file in FILES for word in ("--file", file)]
        command = [*self.compose_command, "--project-name", PROJECT, "--env-file", ".env.example", *files, *arguments]
        return self._run(command, check, shown)

    def container(self, service: str) -> str:
        """Return the id of a service's container, running or not."""
        return self.compose(*PROFILES, "ps", "--all", "--quiet", service).stdout.strip()

    def inspect(self, service: str, template: str) -> str:
        return self.docker("inspect", "--format", template, self.container(service)).stdout.strip()

    def _run(self, command: list[str], check: bool, shown: bool) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=None if shown else subprocess.PIPE,
            stderr=None if shown else subprocess.PIPE,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}\n{done.stderr}"
        return done


def _output(command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None
