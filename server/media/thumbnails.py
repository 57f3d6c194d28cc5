"""Thumbnails of posters, in the widths of the web page: a cache on disk."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Literal

from index.core.files import write_durably
from index.posters.images import ENCODERS, JPEG_QUALITY, WEBP_QUALITY, decode_image, read_image
from index.snapshot.poster_files import SHOWN, content_of

Width = Literal[120, 240, 360, 480]  # pixels
Format = Literal["webp", "jpeg"]

# End of every name: earlier versions kept the colour profile.
_ENDS = {"webp": f"{WEBP_QUALITY}-srgb.webp", "jpeg": f"{JPEG_QUALITY}-srgb.jpeg"}
_AT_ONCE = 2  # images decoded at a time: a large one takes 100 MB

log = logging.getLogger(__name__)


class Thumbnails:
    """Posters as small WebP or JPEG files. Threads and processes may share the folder; it may be deleted at any time.

    Args:
        folder: of the files. If it cannot be written to, thumbnails are made for every request.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Semaphore(_AT_ONCE)

    def get(self, poster: Path, width: int, form: Format = "webp") -> tuple[bytes, str]:
        """Return an image at most ``width`` pixels wide, and the name of its poster's content.

        Raises:
            OSError: the poster file does not exist.
            BadImage: the poster file is damaged.
        """
        end = _ENDS[form]
        content, name = content_of(poster), f"{poster.stem}-{width}"
        try:
            return (self._folder / f"{name}-{content}-{end}").read_bytes(), content
        except OSError:
            pass
        with self._turn:
            picture = read_image(poster)
            small = ENCODERS[form](decode_image(picture), width)
        content = hashlib.sha256(picture).hexdigest()[:SHOWN]  # of what was read: a build may replace the file
        self._keep(self._folder / f"{name}-{content}-{end}", name, small)
        return small, content

    def _keep(self, file: Path, name: str, content: bytes) -> None:
        try:
            self._folder.mkdir(exist_ok=True)
            write_durably(file, content)
            for earlier in self._folder.glob(f"{name}-*{file.suffix}"):  # of the poster before
                if earlier != file:
                    earlier.unlink(missing_ok=True)
        except OSError as error:
            log.warning("thumbnails cannot be cached, so each request makes its own: %s", error.strerror)
