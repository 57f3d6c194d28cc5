from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

OWN = {name: value for name, value in os.environ.items() if name not in {"MALLOC_ARENA_MAX", "GLIBC_TUNABLES"}}


def told_by(script: str) -> str:
    """Return what a script says in a process of its own."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=OWN).stdout


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="needs the malloc of glibc")
@pytest.mark.parametrize("shared", [True, False])
def test_threads_of_a_worker_share_one_arena(shared: bool) -> None:
    script = f"""
import ctypes, threading
from server.state.memory import share_arena
if {shared}: share_arena()
barrier = threading.Barrier(5)
def hold():
    held = ctypes.create_string_buffer(10_000)
    barrier.wait()
    barrier.wait()
threads = [threading.Thread(target=hold) for _ in range(4)]
for thread in threads: thread.start()
barrier.wait()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
barrier.wait()
"""
    found = told_by(script).count("<heap nr=")
    assert found == 1 if shared else found > 1


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs the malloc of glibc")
def test_free_memory_before_what_is_in_use_is_given_back() -> None:
    script = """
import ctypes
from pathlib import Path
from server.state.memory import give_back
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])
begin = resident()
held = [ctypes.create_string_buffer(60_000) for _ in range(1000)]
full = resident()
held = held[-1]
print(full - begin, resident() - begin)
give_back()
print(resident() - begin)
"""
    held, kept, left = map(int, told_by(script).split())
    assert held > 10_000  # pages
    assert kept > held / 2
    assert left < held / 10
