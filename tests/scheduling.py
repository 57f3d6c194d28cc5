"""Distribution of the tests over the processes of ``pytest -n``."""

from __future__ import annotations

from xdist.scheduler import LoadFileScheduling


class ByFile(LoadFileScheduling):
    """Give each file of tests to one process, for its fixtures, and all tests of the page: they share a server."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "tests/browser" if file.startswith("tests/browser/") else file
