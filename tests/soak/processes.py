"""What Linux says of a process: its memory, open files and mappings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path("/proc/self/smaps_rollup").exists()


@dataclass(frozen=True)
class Sample:
    """A process at one moment."""

    pss: float  # MB: its resident memory, of what it shares only its share
    files: int  # that are open
    mappings: int
    deleted: tuple[str, ...]  # files that are gone and still mapped


def sample(pid: int) -> Sample:
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return Sample(
        pss=_megabytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss"),
        files=len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208  these links lead nowhere
        mappings=len(maps),
        deleted=tuple(sorted({line.split(maxsplit=5)[5] for line in maps if line.endswith(" (deleted)")})),
    )


def peak(pid: int) -> float:
    """MB of resident memory that a process has had at most."""
    return _megabytes(Path(f"/proc/{pid}/status"), "VmHWM")


def holder(pids: list[int], port: int) -> int | None:
    """Which of some processes holds the server's end of the connection from a local ``port``; None of them yet."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) == port}
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            try:
                if str(link.readlink()) in sockets:
                    return pid
            except FileNotFoundError:  # closed meanwhile
                continue
    return None


def _megabytes(file: Path, name: str) -> float:
    (kilobytes,) = re.findall(rf"^{name}:\s+(\d+) kB$", file.read_text(), re.MULTILINE)
    return int(kilobytes) / 1000
