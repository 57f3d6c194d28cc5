from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from index.core.errors import InvalidInput, SearchUnavailable
from index.milvus.circuit import Circuit
from index.milvus.service import PATIENCE, Milvus, check_address
from tests.milvus_server import Given, MilvusProcess
from tests.serving import free_port


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("milvus://search.example", "milvus://search.example"),
        (" milvus://search.example:19531/ ", "milvus://search.example:19531"),
        ("milvus+tls://me:secret@search.example/films", "milvus+tls://me:secret@search.example/films"),
        ("milvus://[::1]:19530", "milvus://[::1]:19530"),
    ],
)
def test_an_address_is_kept_without_its_last_slash(address: str, kept: str) -> None:
    assert check_address(address) == kept


@pytest.mark.parametrize(
    "address",
    [
        "search.example",
        "http://search.example",
        "milvus://",
        "milvus://me:secret@host:port",
        "milvus://host:0",
        "milvus://host/1st",
        "milvus://host/a/b",
        "milvus://host?x=1",
        "milvus://[::1",
    ],
)
def test_an_address_of_no_milvus_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no Milvus: write milvus://host:19530") as refused:
        check_address(address)
    assert "secret" not in str(refused.value)


def test_no_message_has_the_password() -> None:
    milvus = Milvus(f"milvus://me:secret@127.0.0.1:{free_port()}/films")
    with pytest.raises(SearchUnavailable) as refused:
        milvus.call("list_collections")
    assert "secret" not in str(refused.value)
    assert milvus.shown in str(refused.value)


def test_after_a_failure_calls_fail_at_once_until_one_that_tries_succeeds() -> None:
    now = 0.0
    circuit = Circuit(3, lambda: now)
    circuit.pass_or_fail()
    circuit.failed("down")
    with pytest.raises(SearchUnavailable, match="down"):
        circuit.pass_or_fail()
    now = 1.1  # the first pause is a second
    circuit.pass_or_fail()
    with pytest.raises(SearchUnavailable):  # one call tries for all
        circuit.pass_or_fail()
    circuit.failed("still down")
    now = 3.0  # the second is two
    with pytest.raises(SearchUnavailable, match="still down"):
        circuit.pass_or_fail()
    now = 3.2
    circuit.pass_or_fail()
    circuit.succeeded()
    circuit.pass_or_fail()
    circuit.pass_or_fail()
    circuit.failed("down again")  # from here on the pauses begin anew
    now = 4.3
    circuit.pass_or_fail()


def test_a_call_that_tries_and_never_ends_does_not_keep_the_circuit_open() -> None:
    now = 0.0
    circuit = Circuit(3, lambda: now)
    circuit.failed("down")
    now = 2.0
    circuit.pass_or_fail()  # and its thread is killed
    now = 5.1
    circuit.pass_or_fail()


@pytest.mark.long
def test_a_milvus_that_hangs_costs_few_calls_their_patience_and_comes_back_by_itself(
    milvus: Given | MilvusProcess,
) -> None:
    if isinstance(milvus, Given):
        pytest.skip("POSTERITY_TEST_MILVUS is a server that others use")
    service = Milvus(milvus.address)
    assert isinstance(service.call("list_collections"), list)
    milvus.pause()
    try:
        begin = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(service.call, "list_collections") for _ in range(40)]
        assert all(isinstance(each.exception(), SearchUnavailable) for each in asked)
        assert time.monotonic() - begin < 10 * PATIENCE  # of the 40 calls eight wait at a time
    finally:
        milvus.go_on()
    comes_back(service)


@pytest.mark.long
def test_a_milvus_that_was_killed_is_found_again_by_itself(milvus: Given | MilvusProcess) -> None:
    if isinstance(milvus, Given):
        pytest.skip("POSTERITY_TEST_MILVUS is a server that others use")
    service = Milvus(milvus.address)
    before = service.call("list_collections")
    milvus.kill()
    try:
        for _ in range(3):
            with pytest.raises(SearchUnavailable, match="does not answer"):
                service.call("list_collections")
    finally:
        milvus.start()
    assert sorted(comes_back(service)) == sorted(before)


def comes_back(service: Milvus) -> list[str]:
    for _ in range(600):
        try:
            found: list[str] = service.call("list_collections")
        except SearchUnavailable:
            time.sleep(0.1)
        else:
            return found
    pytest.fail("Milvus was not found again within a minute")
