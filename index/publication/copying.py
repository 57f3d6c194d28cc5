"""Copy files between a data directory and a storage, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from index.core.progress import Count
from index.publication.file_list import File

AT_ONCE = 8


def copy_files(files: Mapping[File, str], copy: Callable[[File, str], None], count: Count) -> None:
    """Copy each file; after an error no further one is begun, and it is raised once those that began have ended.

    Args:
        files: file -> path.
        copy: copies one, by its path.
        count: reports bytes copied.
    """
    total, done, lock = sum(file.size for file in files), 0, threading.Lock()

    def counted(file: File, path: str) -> None:
        nonlocal done
        copy(file, path)
        with lock:
            done += file.size
            count(done, total)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(counted, file, path) for file, path in files.items()]
        try:
            for future in futures:
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)
