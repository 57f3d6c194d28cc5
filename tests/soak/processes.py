"""Memory, open files and mappings of a process, from Linux's /proc."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path("/proc/self/smaps_rollup").exists()


@dataclass(frozen=True)
class Sample:
    """A process at one moment."""

    pss: float  # MB, proportional set size
    files: int  # open files
    mappings: int
    deleted: tuple[str, ...]  # deleted files that are still mapped


def sample(pid: int) -> Sample:
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return Sample(
        pss=_megabytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss"),
        files=len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208  some links are dangling
        mappings=len(maps),
        deleted=tuple(sorted({line.split(maxsplit=5)[5] for line in maps if line.endswith(" (deleted)")})),
    )


def peak(pid: int) -> float:
    """Return the peak resident memory of a process, in MB."""
    return _megabytes(Path(f"/proc/{pid}/status"), "VmHWM")


def holder(pids: list[int], port: int) -> int | None:
    """Return the process with the server's end of the connection from a local ``port``; None if none accepted it."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) == port}
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(link.readlink()) in sockets:
                    return pid
            except FileNotFoundError:  # closed in the meantime
                continue
    return None


def _megabytes(file: Path, name: str) -> float:
    (kilobytes,) = re.findall(rf"^{name}:\s+(\d+) kB$", file.read_text(), re.MULTILINE)
    return int(kilobytes) / 1000
