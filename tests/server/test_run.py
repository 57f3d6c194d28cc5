"""The server as real processes: several workers, signals, sockets."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from index.snapshot.store import SnapshotStore
from server.media.body_sizes import MAX_CONTENT_LENGTH
from tests.conftest import World
from tests.server.middleware.test_metrics import Samples, scraped, value
from tests.serving import Serving, get, serving
from tests.soak.editions import Edition

pytestmark = pytest.mark.system

UPLOAD = "/api/v1/posters/similar"


def metrics(server: Serving) -> Samples:
    with urllib.request.urlopen(f"{server.address}/metrics", timeout=60) as reply:  # noqa: S310
        return scraped(reply.read().decode())


@pytest.mark.parametrize("upload", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_server_that_is_stopped_answers_what_it_has_begun(world: World, upload: bool) -> None:
    path = UPLOAD if upload else "/api/v1/similar/batch"
    body = (world.posters / "3.jpg").read_bytes() if upload else b'{"movies": [3], "by": "taste"}'
    with serving("serve", "--data", world.data) as server:
        if upload:
            get(f"{server.address}{path}", body)  # loads TensorFlow, which may take most of the 30 seconds' grace
            if Path("/proc/self/maps").exists():
                assert "libtensorflow" in server.loaded_libraries()
        with socket.create_connection(("127.0.0.1", server.port), timeout=120) as client:
            stream = client.makefile("rb")
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
            head += "" if upload else "Content-Type: application/json\r\n"
            client.sendall(f"{head}\r\n".encode())
            assert stream.readline().startswith(b"HTTP/1.1 100")  # a thread waits for the body
            client.sendall(body[:-10])
            with socket.create_connection(("127.0.0.1", server.port), timeout=120) as idle:
                idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                assert idle.recv(15) == b"HTTP/1.1 200 OK"
                server.process.send_signal(signal.SIGTERM)
                while idle.recv(4096):  # until it is closed: the server is stopping
                    pass
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port), timeout=60)
            client.sendall(body[-10:])
            assert stream.readline() == b"\r\n"  # end of the 100 response
            assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
            reply = stream.read()
            assert json.loads(reply.partition(b"\r\n\r\n")[2])["results"][0]["movie"]["movie_id"] == 3
            stream.close()
        assert server.process.wait(timeout=60) == 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_several_processes_count_together_and_one_that_dies_is_replaced(world: World, tmp_path: Path) -> None:
    route = "/api/v1/movies/<movie>"
    counts = {"name": "posterity_requests_total", "method": "GET", "route": route, "status": "200"}
    with (
        (tmp_path / "log").open("w") as log,
        serving("serve", "--data", world.data, "--workers", 2, "--log-format", "json", stderr=log) as server,
    ):
        for _ in range(20):
            assert get(f"{server.address}/api/v1/movies/3")["movie"]["movie_id"] == 3
        assert value(metrics(server), **counts) == 20
        killed = server.workers()[0]
        os.kill(killed, signal.SIGKILL)
        for _ in range(20):
            get(f"{server.address}/api/v1/movies/3")
        assert value(metrics(server), **counts) == 40
    assert server.process.returncode == 0
    (record,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert record["logger"] == "gunicorn.error"
    assert str(killed) in record["message"]
    assert record["request_id"] == "-"


def test_requests_are_logged_with_the_id_that_is_echoed(world: World, tmp_path: Path) -> None:
    variables = {"POSTERITY_ACCESS_LOG": "1", "POSTERITY_LOG_FORMAT": "json"}
    with pytest.MonkeyPatch.context() as environment, (tmp_path / "log").open("w") as log:
        for name, text in variables.items():
            environment.setenv(name, text)
        with serving("serve", "--data", world.data, stderr=log) as server:
            asked = urllib.request.Request(f"{server.address}/livez?x=1", headers={"X-Request-Id": "mine.1"})  # noqa: S310
            with urllib.request.urlopen(asked, timeout=60) as reply:  # noqa: S310
                assert reply.headers["X-Request-Id"] == "mine.1"
    (record,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (record["request_id"], record["path"], record["status"]) == ("mine.1", "/livez", 200)


def test_slow_clients_silence_nobody_and_are_told_counted_and_logged(world: World, tmp_path: Path) -> None:
    options = ("--threads", 1, "--request-timeout", 1, "--access-log", "--log-format", "json")
    with (
        (tmp_path / "log").open("w") as log,
        serving("serve", "--data", world.data, *options, stderr=log) as server,
        ExitStack() as stack,
    ):

        def sending(begun: bytes) -> socket.socket:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            client.sendall(begun)
            return client

        slow = [
            sending(b"GET / HT"),
            sending(f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na".encode()),
        ]
        for path in ("/livez", "/readyz", "/api/v1/movies/3/similar"):
            get(f"{server.address}{path}")
        assert value(metrics(server), "posterity_uploads") == 0
        large = sending(
            f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_CONTENT_LENGTH + 1}\r\n\r\n".encode()
        )
        large.sendall(bytes(2**20))
        told = {}
        for client, status in ((large, 413), (slow[0], 408), (slow[1], 408)):
            with closing(http.client.HTTPResponse(client)) as reply:
                reply.begin()
                problem = json.loads(reply.read())
            assert (reply.status, problem["status"]) == (status, status)
            assert reply.headers["Content-Type"] == "application/problem+json"
            told[reply.headers["X-Request-Id"]] = status
        malformed = sending(b"nonsense\r\n\r\n")
        assert malformed.recv(12) == b"HTTP/1.0 400"
        counted = metrics(server)
        late = {"name": "posterity_requests_total", "route": "unmatched", "status": "408"}
        assert [value(counted, **late, method=method) for method in ("other", "POST")] == [1, 1]
        assert value(counted, **late | {"status": "400"}, method="other") == 1
    records = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    logged = {each["request_id"]: each["status"] for each in records}
    assert told.items() <= logged.items()
    (late_upload,) = [each for each in records if each["status"] == 408 and each["method"] == "POST"]
    assert (late_upload["path"], late_upload["route"], late_upload["client"]) == (UPLOAD, "unmatched", "127.0.0.1")
    assert late_upload["ms"] > 1000
    assert [each["path"] for each in records if each["status"] == 400] == ["-"]


def test_nothing_is_left_of_a_server_that_was_stopped(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with serving("serve", "--data", world.data, "--workers", 2) as server:
        get(f"{server.address}/livez")
        (folder,) = tmp_path.glob("posterity-metrics-*")
        assert list(folder.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_requests_that_never_reach_the_application_are_refused_as_problems(world: World) -> None:
    heads = {
        414: f"GET /api/v1/movies?q={'a' * 5000} HTTP/1.1",
        400: "GET /api/v1/movies HTTP/1.1\r\nno header",
        431: f"GET /api/v1/movies HTTP/1.1\r\nCookie: {'a' * 40_000}",
    }
    with serving("serve", "--data", world.data) as server:
        for status, head in heads.items():
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
                client.sendall(f"{head}\r\nHost: x\r\n\r\n".encode())
                stream = client.makefile("rb")
                assert stream.readline().split(b" ", 2)[1] == str(status).encode()
                lines, _, body = stream.read().partition(b"\r\n\r\n")
                stream.close()
            assert b"Content-Type: application/problem+json" in lines
            problem = json.loads(body)
            assert set(problem) == {"type", "title", "status", "detail", "instance"}
            assert problem["status"] == status
            assert problem["detail"]


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_worker_that_a_truncated_file_ended_is_replaced_by_one_that_serves_the_snapshot_before(
    world: World, data: Path
) -> None:
    store = SnapshotStore(data)
    newer = Edition("the world", store.path(), world.manifest).publish(store)
    with serving("serve", "--data", data) as server:
        similar = f"{server.address}/api/v1/movies/3/similar?by=taste&limit=100"  # deeper than the stored neighbours
        assert get(similar)["snapshot"] == newer
        before = server.workers()
        for file in store.path().rglob("*.npy"):
            os.truncate(file, 0)
        while server.workers() == before or not server.workers():
            with suppress(OSError):  # SIGBUS ends the worker and its connections
                get(f"{server.address}/api/v1/users/1/recommendations")
        replaced = server.workers()
        assert get(similar)["snapshot"] == world.manifest.id
        refused = get(f"{server.address}/readyz")["parts"]["snapshot"]["refused"]
        assert refused["id"] == newer
        assert "is damaged" in refused["reason"]
        for _ in range(10):
            get(f"{server.address}/api/v1/users/1/recommendations")
        assert server.workers() == replaced


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_worker_that_cannot_start_for_a_while_does_not_end_the_server(world: World, data: Path) -> None:
    reader, writer = os.pipe()
    with open(reader) as log, open(writer, "w") as stream, serving("serve", "--data", data, stderr=stream) as server:  # noqa: PTH123
        assert get(f"{server.address}/api/v1/movies/3")["snapshot"] == world.manifest.id
        (data / "library.db").write_bytes(b"no database, but long enough to look like the header of one" * 20)
        os.kill(server.workers()[0], signal.SIGKILL)
        assert any("a worker cannot start; it tries again" in line for line in log)
        (data / "library.db").unlink()
        assert get(f"{server.address}/api/v1/movies/3")["snapshot"] == world.manifest.id


def test_a_server_imports_pymilvus_without_pandas_and_pictures_need_none_either() -> None:
    script = """
import sys
import numpy as np
from server.run import leave_out_unused
leave_out_unused(milvus=True)
from pymilvus import DataType, MilvusClient
schema = MilvusClient.create_schema(auto_id=False)
schema.add_field("row", DataType.INT64, is_primary=True)
schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)
print(len(schema.fields), "pandas.core" in sys.modules)
from index.posters import vgg16
vector = vgg16.load("untrained")(np.zeros((1, 224, 224, 3), dtype=np.uint8))
print(vector.shape[1], "pandas.core" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["2", "False", "25088", "False"]


def test_a_library_that_needs_pandas_gets_it(tmp_path: Path) -> None:
    (tmp_path / "needy").mkdir()
    (tmp_path / "needy" / "__init__.py").write_text("from needy import part")
    (tmp_path / "needy" / "part.py").write_text("import pandas\nVERSION = pandas.__version__")
    script = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from server.run import import_without_pandas
import_without_pandas("needy")
import needy, pandas
print(needy.part.VERSION == pandas.__version__)
"""
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "True\n"
