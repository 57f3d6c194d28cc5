"""Connection to Milvus: opened at the first call, with a time limit on every call and a circuit breaker.

pymilvus is imported at the first call.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from index.core.addresses import split_address, without_user
from index.core.errors import InvalidInput, SearchUnavailable
from index.milvus.circuit import Circuit

PATIENCE = 5.0  # seconds that a call of a search may take
PATIENCE_OF_BUILDS = 120.0  # seconds for a call that makes or drops something, which Milvus puts off under load
_PORT = 19530
_SCHEMES = {"milvus": "http", "milvus+tls": "https"}
_ANSWERS = {100, 101, 103, 700}  # Milvus' codes: it answers, but a collection is missing, not loaded or not indexed


def check_address(address: str) -> str:
    """Return the address of a Milvus; nothing is connected.

    Raises:
        InvalidInput: it is no address, or pymilvus is not installed.
    """
    written = address.strip().rstrip("/")
    shown = without_user(written)
    parts = split_address(written)
    if (
        parts is None
        or parts.scheme not in _SCHEMES
        or not parts.hostname
        or parts.port == 0
        or parts.query
        or parts.fragment
        or not re.fullmatch(r"([A-Za-z_]\w*)?", parts.path.strip("/"), re.ASCII)
    ):
        raise InvalidInput(
            f"{shown!r} is no Milvus: write milvus://host:19530, milvus://user:password@host:19530/database or"
            " milvus+tls://…"
        )
    if find_spec("pymilvus") is None:
        raise InvalidInput(f"{shown!r} needs the Python package pymilvus: run pip install 'posterity[milvus]'")
    return written


class Milvus:
    """One Milvus. Threads may share it; forked processes may not.

    Args:
        address: see ``check_address``.

    Raises:
        InvalidInput: it is no address of a Milvus.
    """

    def __init__(self, address: str) -> None:
        self._address = check_address(address)
        parts = urlsplit(self._address)
        port = parts.port or _PORT
        self.shown = f"milvus://{parts.hostname}:{port}{parts.path}"  # without user name and password
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        self._uri = f"{_SCHEMES[parts.scheme]}://{host}:{port}"
        self._token = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else ""
        self._database = parts.path.strip("/")
        self._circuit = Circuit(PATIENCE)
        self._connecting = Lock()
        self._client: Any = None

    def call(self, method: str, *arguments: Any, patience: float = PATIENCE, **options: Any) -> Any:
        """Return the answer of a method of pymilvus' client.

        Args:
            method: name of the method.
            arguments: of the method.
            patience: seconds that it may take.
            options: of the method.

        Raises:
            SearchUnavailable: there is no answer in time, or the collection is missing or not loaded.
        """
        from grpc import RpcError
        from pymilvus.exceptions import MilvusException

        self._circuit.pass_or_fail()
        try:
            answer = getattr(self._connected(patience), method)(*arguments, timeout=patience, **options)
        except MilvusException as error:
            reason = f"{self.shown} does not answer ({_one_line(error.message)})"
            if error.code in _ANSWERS:
                self._circuit.succeeded()
                raise SearchUnavailable(
                    f"{self.shown} lacks a collection ({_one_line(error.message)}): wait until it is loaded, or build"
                    " the snapshot again"
                ) from error
            self._circuit.failed(reason)
            raise SearchUnavailable(reason) from error
        except RpcError as error:
            reason = f"{self.shown} does not answer ({_one_line(error)})"
            self._circuit.failed(reason)
            raise SearchUnavailable(reason) from error
        self._circuit.succeeded()
        return answer

    def takes_float16(self) -> bool:
        """Return True if the server has float16 vectors, as Milvus has from 2.4 on.

        Raises:
            SearchUnavailable: it does not answer.
        """
        said = str(self.call("get_server_version", patience=PATIENCE_OF_BUILDS))
        numbers = re.search(r"(\d+)\.(\d+)", said)
        return numbers is not None and (int(numbers[1]), int(numbers[2])) >= (2, 4)

    def make_database(self) -> None:
        """Create the database of the address, if it names one that is missing.

        Raises:
            SearchUnavailable: Milvus does not answer.
        """
        if self._database:
            whole = Milvus(urlunsplit(urlsplit(self._address)._replace(path="")))
            if self._database not in whole.call("list_databases", patience=PATIENCE_OF_BUILDS):
                whole.call("create_database", self._database, patience=PATIENCE_OF_BUILDS)

    def _connected(self, patience: float) -> Any:
        if self._client is None:
            with self._connecting:
                if self._client is None:
                    self._client = self._connect(patience)
        return self._client

    def _connect(self, patience: float) -> Any:
        from pymilvus import MilvusClient

        self._circuit.pass_or_fail()  # while this call waited for the lock, another may have failed
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # every error is raised, too
        return MilvusClient(self._uri, db_name=self._database, token=self._token, timeout=patience, dedicated=True)


@cache
def milvus_at(address: str) -> Milvus:
    """Return the Milvus at an address: one per process, so that all snapshots share its connection and its circuit.

    Raises:
        InvalidInput: it is no address of a Milvus.
    """
    return Milvus(address)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300]
