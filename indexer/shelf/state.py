"""State of a scan: the facts of NFO files that were read before, so that the next scan reads only changed ones."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from index.core.files import write_durably
from indexer.shelf.film import Facts
from indexer.shelf.nfo import MAX_BYTES, BadNfo, NotAFilm, read_nfo

_VERSION = 1
_DEFAULTS = asdict(Facts())


@dataclass(slots=True)
class State:
    """Facts of NFO files by path, with the size and the time of change of each file, and the result of the scan."""

    before: dict[str, list[Any]] = field(default_factory=dict)  # path -> size, mtime in ns, what was read
    after: dict[str, list[Any]] = field(default_factory=dict)  # of this scan
    inputs: str = ""  # fingerprint of all that the data set was made of
    result: dict[str, Any] = field(default_factory=dict)  # the summary of that
    read: int = 0  # files that this scan read

    @classmethod
    def load(cls, file: Path) -> State:
        """Return the state of the last scan; an empty one if the file is missing, damaged or of another version."""
        try:
            found = json.loads(file.read_text())
            if found["version"] != _VERSION:
                return cls()
            return cls(dict(found["nfo"]), inputs=str(found["inputs"]), result=dict(found["result"]))
        except (OSError, ValueError, KeyError, TypeError):
            return cls()

    def save(self, file: Path) -> None:
        """Write the state for the next scan."""
        found = {"version": _VERSION, "inputs": self.inputs, "result": self.result, "nfo": self.after}
        write_durably(file, json.dumps(found, separators=(",", ":")).encode())

    def facts(self, file: Path) -> Facts:
        """Return the facts of an NFO file, read anew only if its size or time of change differs.

        Raises:
            NotAFilm: the file is of a series, an episode or music.
            BadNfo: the XML cannot be read, or the file is larger than ``MAX_BYTES``.
            OSError: the file cannot be read.
        """
        status, path = file.stat(), str(file)
        known = self.before.get(path)
        if known is None or known[:2] != [status.st_size, status.st_mtime_ns]:
            known = [status.st_size, status.st_mtime_ns, self._read(file)]
        self.after[path] = known
        found: dict[str, Any] = known[2]
        if "series" in found:
            raise NotAFilm(found["series"])
        facts = Facts(**{name: _frozen(value) for name, value in found["facts"].items()})
        if "problem" in found:
            raise BadNfo(found["problem"], facts)
        return facts

    def _read(self, file: Path) -> dict[str, Any]:
        self.read += 1
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            return {"problem": f"it is larger than {MAX_BYTES:,} bytes", "facts": {}}
        try:
            return {"facts": _compact(read_nfo(content))}
        except NotAFilm as reason:
            return {"series": str(reason)}
        except BadNfo as error:
            return {"problem": str(error), "facts": _compact(error.facts)}


def _compact(facts: Facts) -> dict[str, Any]:
    """Return the fields that are not empty, as JSON has them."""
    found = {name: getattr(facts, name) for name in _DEFAULTS if getattr(facts, name) != _DEFAULTS[name]}
    if "labels" in found:
        found["labels"] = {kind: labels for kind, labels in facts.labels.items() if labels}
    return found


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return {kind: tuple(labels) for kind, labels in value.items()} if isinstance(value, dict) else value
