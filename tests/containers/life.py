"""The steps of the end-to-end test of the containers. A failed check raises AssertionError."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from tests.containers.engine import PROFILES, PROJECT, Engine

MOST = 2.2e9  # bytes of an image
_PATIENCE = 600  # seconds to wait for a condition

_MASTER = "open('/proc/1/task/1/children').read().split()[0]"  # gunicorn's, below the init of the container


def live(engine: Engine, options: Sequence[str]) -> None:
    """Run all steps.

    Args:
        engine: the Docker engine.
        options: of ``docker build``.
    """
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    say(f"Docker {engine.version}, {' '.join(engine.compose_command)}")
    _images(engine, options, say)
    _start(engine, say)
    _confined(engine, say)
    api = Api(f"http://127.0.0.1:{engine.port}")
    _answers(engine, api, say)
    kept = _written(engine, api, say)
    _killed(engine, api, kept, say)
    _indexed_again(engine, api, kept, say)
    _up_again(engine, api, say)
    _movielens(engine, api, kept, say)
    _stopped(engine, say)


class Api:
    """Client of the server's API, with an API key if one is set."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.key = ""

    def raw(self, path: str, body: bytes | None = None, kind: str = "application/json", method: str = "") -> bytes:
        headers = {"Content-Type": kind} if body is not None else {}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(
            f"{self.address}{path}", body, headers, method=method or ("GET" if body is None else "POST")
        )
        with urllib.request.urlopen(request, timeout=120) as reply:
            content: bytes = reply.read()
        return content

    def get(self, path: str) -> Any:
        return json.loads(self.raw(f"/api/v1{path}"))

    def send(self, path: str, value: Any, method: str = "POST") -> Any:
        return json.loads(self.raw(f"/api/v1{path}", json.dumps(value).encode(), method=method))

    def form(self, path: str, poster: bytes, **fields: str) -> Any:
        """Send a form with a poster, and return the JSON response."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="poster"; filename="p.jpg"\r\n\r\n'
        parts += [head.encode(), poster, f"\r\n--{boundary}--\r\n".encode()]
        return json.loads(self.raw(f"/api/v1{path}", b"".join(parts), f"multipart/form-data; boundary={boundary}"))


Say = Callable[[str], None]


def _images(engine: Engine, options: Sequence[str], say: Say) -> None:
    for target, tag in (("server", f"{PROJECT}-server"), ("posterity", PROJECT)):
        engine.docker("build", *options, "--target", target, "--tag", tag, ".")
        size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", tag).stdout)
        say(f"The target {target} is built: {size / 1e9:.2f} GB")
        assert size <= MOST, f"{target} has {size / 1e9:.2f} GB, more than {MOST / 1e9} GB"
        shell = ("run", "--rm", "--entrypoint", "sh", tag, "-c")
        user = engine.docker(*shell, "id -u").stdout.strip()
        assert user == "10001", f"{target} runs as user {user}"
        tools = engine.docker(*shell, "command -v cc gcc g++ make ld", check=False).stdout.split()
        assert not tools, f"{target} has compilers: {tools}"
    refused = engine.docker("run", "--rm", f"{PROJECT}-server", "build", "--ratings", "/data", check=False)
    assert refused.returncode == 1, refused.stderr
    assert "only serves" in refused.stderr, refused.stderr
    say("No image has a compiler or runs as root. The target server refuses to build:")
    say(f"    {next(line for line in refused.stderr.splitlines() if 'only serves' in line)}")


def _start(engine: Engine, say: Say) -> None:
    engine.compose(*PROFILES, "down", "--volumes", "--remove-orphans")
    engine.compose("up", "--detach", "--no-build")
    _healthy(engine, say, "With no settings")
    manifest = Api(f"http://127.0.0.1:{engine.port}").get("/snapshot")
    assert manifest["dataset"]["name"] == "posterity-sample", manifest["dataset"]
    say(f"The sample is served: snapshot {manifest['id']}, weights {manifest['weights']}")


def _healthy(engine: Engine, say: Say, what: str) -> None:
    _until(lambda: engine.inspect("server", "{{.State.Health.Status}}") == "healthy", "the server to be healthy")
    say(f"{what}: the server is healthy")


def _confined(engine: Engine, say: Say) -> None:
    program = (
        "import os; from pathlib import Path\n"
        "for folder in ('/', '/opt/venv', '/home/posterity', '/usr/local', '/tmp', '/data'):\n"
        "    try: (Path(folder) / 'trial').touch(); (Path(folder) / 'trial').unlink(); print(folder)\n"
        "    except OSError: pass\n"
        "print(*[line.split()[1] for line in Path('/proc/self/status').open() if line.startswith(('CapEff', 'NoNewPrivs'))])"
    )
    *writable, rights = engine.compose("exec", "-T", "server", "python", "-c", program).stdout.split("\n")[:-1]
    assert writable == ["/tmp", "/data"], f"writable folders: {writable}"
    assert set(rights.split()) == {"0000000000000000", "1"}, f"capabilities and no-new-privileges: {rights}"
    limit = int(engine.inspect("server", "{{.HostConfig.Memory}}"))
    say(f"Only {' and '.join(writable)} are writable; no capabilities; memory limit {limit / 2**30:.0f} GiB")


def _answers(engine: Engine, api: Api, say: Say) -> None:
    similar = api.get("/movies/73/similar?by=poster&limit=3")["results"]
    assert len(similar) == 3, similar
    poster = api.raw("/api/v1/movies/73/poster")
    began = time.monotonic()
    found = json.loads(api.raw("/api/v1/posters/similar?limit=1", poster, "image/jpeg"))["results"]
    took = time.monotonic() - began
    assert found[0]["movie"]["movie_id"] == 73, found
    rating = api.send("/predictions", {"ratings": [{"movie": 73, "rating": 4.5}], "movies": [88]})
    say(f"Responses: similar, an uploaded poster ({took:.1f} s, including loading TensorFlow), a prediction")
    assert "rating" in json.dumps(rating), rating
    usage = engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", engine.container("server")).stdout
    say(f"Memory of the server: {usage.split(' / ')[0]}")


def _written(engine: Engine, api: Api, say: Say) -> Callable[[], tuple[Any, ...]]:
    """Write a movie and a rating; return a function that reads them back."""
    api.key = engine.compose("exec", "-T", "server", "posterity", "keys", "create", "trial").stdout.strip()
    poster = api.raw("/api/v1/movies/88/poster")
    added = api.form("/movies", poster, title="Night Train", year="2021", genres="Thriller")
    movie_id = added["movie"]["movie_id"] if "movie" in added else added["movie_id"]
    api.send(f"/users/1/ratings/{movie_id}", {"rating": 4.5}, "PUT")

    def kept() -> tuple[Any, ...]:
        movie = api.get(f"/movies/{movie_id}")
        ratings = api.get("/users/1/ratings?limit=100")["results"]
        rated = [each["rating"] for each in ratings if each["movie"]["movie_id"] == movie_id]
        return movie.get("movie", movie)["title"], rated

    assert kept() == ("Night Train", [4.5]), kept()
    say(f"A movie with a poster and a rating are added, with an API key created in the container (movie {movie_id})")
    return kept


def _killed(engine: Engine, api: Api, kept: Callable[[], tuple[Any, ...]], say: Say) -> None:
    before = kept(), api.raw("/api/v1/movies/73/similar?by=blend&limit=20")
    # From inside, since the engine does not restart a container after `docker kill`.
    program = f"import os, signal; os.kill(int({_MASTER}), signal.SIGKILL)"
    engine.compose("exec", "-T", "server", "python", "-c", program, check=False)
    _until(lambda: engine.inspect("server", "{{.RestartCount}}") == "1", "the container to start again")
    _healthy(engine, say, "Restarted by the engine after SIGKILL")
    after = kept(), api.raw("/api/v1/movies/73/similar?by=blend&limit=20")
    assert after == before, "the kill changed data or responses"
    say("Nothing is lost: the same response bytes, the movie and the rating")


def _indexed_again(engine: Engine, api: Api, kept: Callable[[], tuple[Any, ...]], say: Say) -> None:
    before = api.get("/snapshot")["id"]
    engine.compose("--profile", "rebuild", "up", "--detach", "--no-build", "rebuild")
    _until(lambda: api.get("/snapshot")["id"] != before, "the server to follow to a new snapshot")
    assert kept() == ("Night Train", [4.5]), kept()
    manifest = api.get("/snapshot")
    assert engine.inspect("server", "{{.RestartCount}}") == "1", "the server was restarted"
    say(f"The profile rebuild merged them into snapshot {manifest['id']}; the server serves it without a restart")
    engine.compose("--profile", "rebuild", "stop", "rebuild")
    code = engine.inspect("rebuild", "{{.State.ExitCode}}")
    assert code == "0", f"rebuild ended with {code}"
    engine.compose("--profile", "rebuild", "rm", "--force", "rebuild")
    say("The profile rebuild stops with exit code 0")


def _up_again(engine: Engine, api: Api, say: Say) -> None:
    before = api.get("/snapshot")["id"], engine.container("server")
    began = time.monotonic()
    engine.compose("up", "--detach", "--no-build")
    took = time.monotonic() - began
    assert (api.get("/snapshot")["id"], engine.container("server")) == before, "a second up changed something"
    say(f"A second up neither builds nor restarts the server ({took:.0f} s)")


def _movielens(engine: Engine, api: Api, kept: Callable[[], tuple[Any, ...]], say: Say) -> None:
    engine.compose("--profile", "standins", "up", "--detach", "--no-build", "standins")
    container = engine.container("standins")

    def told() -> dict[str, str]:
        return dict(re.findall(r"^export (\w+)=(\S+)$", engine.docker("logs", container).stdout, re.MULTILINE))

    _until(lambda: "POSTERITY_WEIGHTS_MD5" in told(), "the stand-ins to start")
    for name, value in told().items():
        engine.environment[name] = re.sub(r"//[\d.]+:", "//standins:", value)
    engine.environment["NO_PROXY"] = "standins"
    say("Stand-ins of GroupLens, TMDB and Keras' host are up; TMDB_API_KEY is set")
    engine.compose("up", "--detach", "--no-build")
    _until(lambda: api.get("/snapshot")["weights"] == "file", "the fetched data to be served")  # the stand-in's weights
    _healthy(engine, say, "Fetched and built")
    manifest = api.get("/snapshot")
    log = engine.docker("logs", engine.container("indexer")).stdout
    for line in [line for line in log.splitlines() if re.search(r"fetched|posters|RMSE|published", line)][-8:]:
        say(f"    {line[:110]}")
    assert manifest["posters"]["posters"] >= 240, manifest["posters"]
    assert len(api.get("/movies/73/similar?by=poster&limit=3")["results"]) == 3
    poster = api.raw("/api/v1/movies/73/poster")
    found = json.loads(api.raw("/api/v1/posters/similar?limit=1", poster, "image/jpeg"))["results"]
    assert found[0]["movie"]["movie_id"] == 73, found
    assert kept() == ("Night Train", [4.5]), kept()
    say(f"The fetched data is served from the same volume: snapshot {manifest['id']}, with the added movie and rating")
    engine.compose("--profile", "standins", "rm", "--force", "--stop", "standins")
    engine.compose("up", "--detach", "--no-build")
    assert api.get("/snapshot")["id"] == manifest["id"], "built again without a change"
    say("Another up, without the sources, fetches and builds nothing; the server continues. Log of the indexer:")
    logs = engine.docker("logs", engine.container("indexer"))
    for line in (logs.stdout + logs.stderr).splitlines()[-3:]:
        say(f"    {line[:200]}")


def _stopped(engine: Engine, say: Say) -> None:
    began = time.monotonic()
    engine.compose("stop", "server")
    took = time.monotonic() - began
    code, killed = engine.inspect("server", "{{.State.ExitCode}} {{.State.OOMKilled}}").split()
    assert (code, killed) == ("0", "false"), f"the server ended with {code}; out of memory: {killed}"
    assert took < 40, f"stopping took {took:.0f} s"
    say(f"The server stops with exit code 0 in {took:.1f} s")
    engine.compose(*PROFILES, "down", "--volumes", "--remove-orphans")
    left = engine.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").stdout
    assert not left, f"left behind: {left}"
    say("Nothing is left behind")


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except (OSError, ValueError):
            pass  # not yet
        time.sleep(0.5)
    raise AssertionError(f"timed out after {_PATIENCE} s waiting for {what}")
