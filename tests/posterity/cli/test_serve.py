from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from posterity.cli.main import main
from posterity.cli.serve import serve
from server.config import ServerConfig
from tests.conftest import World

# Each setting with a value that is not its default, as it is written and as it is passed on.
SETTINGS = [
    ("data", "/srv/posterity", Path("/srv/posterity")),
    ("host", "::1", "::1"),
    ("port", "9000", 9000),
    ("workers", "3", 3),
    ("threads", "16", 16),
    ("upload_queue", "9", 9),
    ("writer", "https://films.example/base/", "https://films.example/base"),
    ("follow", "file:///srv/published/", "file:///srv/published"),
    ("follow_keep", "5", 5),
    ("read_limit", "", ""),
    ("read_limit", "5/second;100/hour", "5/second;100/hour"),
    ("write_limit", "7/minute", "7/minute"),
    ("upload_limit", " ", ""),
    ("proxies", "2", 2),
    ("prefix", " /films/ ", "/films"),
    ("cors_origins", "https://Films.example:443, http://localhost:3000", "https://films.example,http://localhost:3000"),
    ("cors_origins", "*", "*"),
    ("log_format", "json", "json"),
    ("embed_path", "bfloat16", "bfloat16"),
]
SWITCHES = ["writes", "read_keys", "user_keys", "access_log"]

WRONG = [
    ("data", __file__, "is a file"),
    ("port", "0", "0 is not in the range 1<=x<=65535"),
    ("port", "http", "'http' is not a valid integer range"),
    ("port", " ", "' ' is not a valid integer range"),
    ("workers", "ten", "'ten' is not a valid integer range"),
    ("workers", "-1", "-1 is not in the range 1<=x<=64"),
    ("threads", "1.5", "'1.5' is not a valid integer range"),
    ("upload_queue", "many", "'many' is not a valid integer range"),
    ("proxies", "11", "11 is not in the range 0<=x<=10"),
    ("prefix", "films", "'films' is no path: write /films"),
    ("prefix", "//films", "'//films' is no path: write /films"),
    ("cors_origins", "https://films.example/", "'https://films.example/' is no origin: write https://films.example"),
    ("cors_origins", "*,null", "'null' is no origin: write https://films.example"),
    ("read_limit", "often", "'often' is no limit: write 100/minute"),
    ("write_limit", "6000", "'6000' is no limit: write 100/minute"),
    ("upload_limit", "0/minute", "'0/minute' is no limit: write 100/minute"),
    ("rate_storage", "memory", "'memory' is no storage: write memory://, redis://"),
    ("rate_storage", "ftp://x", "'ftp://x' is no storage: write memory://, redis://"),
    ("follow", "published", "'published' is no storage: write s3://bucket/prefix, file:///folder"),
    ("follow", "gs://films", "'gs://films' needs the Python package gcsfs: run pip install gcsfs"),
    ("writer", "films.example", "'films.example' is no address of a server: write https://films.example"),
    ("log_format", "xml", "'xml' is not one of 'text', 'json'"),
    ("embed_path", "float64", "'float64' is not one of 'auto', 'float32', 'bfloat16'"),
]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[ServerConfig]:
    """Return the settings that the server would have been started with."""
    configs: list[ServerConfig] = []
    monkeypatch.setattr("server.run.run_server", lambda config, **_: configs.append(config))
    return configs


def start(*arguments: str, **variables: str) -> Result:
    unset = {"POSTERITY_EMBED_PATH": None}  # which all tests may run under
    return CliRunner().invoke(main, ["serve", *arguments], env=unset | variables, prog_name="posterity")


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def variable(name: str) -> str:
    return f"POSTERITY_{name.upper()}"


def test_what_is_not_set_has_the_default_of_the_config(started: list[ServerConfig]) -> None:
    assert start().exit_code == 0
    assert started == [ServerConfig()]


def test_every_setting_is_a_flag_and_a_variable() -> None:
    known = {option.name: option for option in serve.params if isinstance(option, click.Option)}
    assert set(known) == {field.name for field in fields(ServerConfig)}
    for name, option in known.items():
        assert flag(name) in option.opts
        assert option.envvar == variable(name)


@pytest.mark.parametrize(("name", "written", "value"), SETTINGS)
def test_a_setting_comes_by_flag_or_by_variable(
    name: str, written: str, value: object, started: list[ServerConfig]
) -> None:
    assert start(flag(name), written).exit_code == 0
    assert start(**{variable(name): written}).exit_code == 0
    by_flag, by_variable = started
    assert by_flag == by_variable
    assert getattr(by_flag, name) == value != getattr(ServerConfig(), name)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_goes_both_ways_and_the_flag_wins(name: str, started: list[ServerConfig]) -> None:
    off = flag(name).replace("--", "--no-")
    start(flag(name), **{variable(name): "0"})
    start(off, **{variable(name): "1"})
    start(**{variable(name): "true"})
    start(**{variable(name): "off"})
    assert [getattr(config, name) for config in started] == [True, False, True, False]


def test_an_empty_variable_is_as_good_as_none_but_for_limits(started: list[ServerConfig]) -> None:
    start(POSTERITY_PORT="", POSTERITY_WRITES="", POSTERITY_READ_LIMIT="")
    assert started == [ServerConfig(read_limit="")]


@pytest.mark.parametrize(("name", "written", "words"), [*WRONG, *((name, "maybe", "") for name in SWITCHES)])
def test_a_wrong_value_stops_the_start_with_one_line(
    name: str, written: str, words: str, started: list[ServerConfig]
) -> None:
    results = [start(**{variable(name): written})]
    if name not in SWITCHES:
        results.append(start(flag(name), written))
    for result in results:
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert f"Error: Invalid value for '{flag(name)}'" in line
        assert variable(name) in line
        assert words or "'maybe' is not a valid boolean" in line
        assert words in line
    assert not started


def test_a_shared_storage_needs_its_client(monkeypatch: pytest.MonkeyPatch, started: list[ServerConfig]) -> None:
    address = "redis://:secret@counts:6379"
    monkeypatch.setattr("posterity.cli.server_options.find_spec", lambda name: name)
    assert start("--rate-storage", address).exit_code == 0
    assert started[0].rate_storage == address
    monkeypatch.setattr("posterity.cli.server_options.find_spec", lambda _: None)
    assert "needs the Python package redis" in start("--rate-storage", address).stderr


@pytest.mark.parametrize("argument", ["--prot", "films"])
def test_what_nobody_asked_for_is_one_line_too(argument: str, started: list[ServerConfig]) -> None:
    result = start(argument)
    assert result.exit_code == 2
    assert argument in result.stderr
    assert result.stderr.count("\n") == 1
    assert not started


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--data", "/nowhere"), "posterity build"), (("--host", "192.0.2.1"), "--host (POSTERITY_HOST)")],
)
def test_what_is_only_seen_at_the_start_is_one_line(world: World, arguments: tuple[str, str], words: str) -> None:
    result = start(*arguments, POSTERITY_DATA=str(world.data))
    assert result.exit_code == 1
    assert words in result.stderr
    assert arguments[1] in result.stderr
    assert result.stderr.count("\n") == 1
