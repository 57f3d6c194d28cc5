"""VGG16's weights without its top, as Keras publishes them, on to the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from index.core.files import sync
from index.core.progress import Count, uncounted
from index.posters.vgg16 import IMAGENET_FILE, IMAGENET_MD5
from indexer.datasets.sources import weights_path
from indexer.fetch.download import WEIGHTS, discard, download, md5_of, unfinished
from indexer.fetch.web import Web, is_address

SITE = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"


def fetch_weights(
    data: Path,
    web: Web,
    *,
    source: str | None = None,
    md5: str | None = None,
    again: bool = False,
    count: Count = uncounted,
    say: Callable[[str], None],
) -> Path:
    """The weights file, after it was fetched unless it is there.

    Args:
        source: an address, of the file or of the folder it is in (then with a / at its end), or a path.
        md5: of another VGG16 than Keras'.
        again: fetch it even so.

    Raises:
        SourceUnavailable, Busy: it is not to be had.
        InvalidInput: it is not what it should be.
        PosterityError: the disk is too small, or another process fetches the same.
    """
    target = weights_path(data)
    wanted = (md5 or IMAGENET_MD5).lower()
    if target.is_file() and not again and md5_of(target) == wanted:
        say(f"The weights are in {target} already (--again fetches them anew)")
        return target
    source = source or SITE
    if is_address(source) and source.endswith("/"):
        source += IMAGENET_FILE
    with unfinished(data, "weights") as folder:
        part = download(web, source, folder, IMAGENET_FILE, WEIGHTS, md5=wanted, count=count)
        part.replace(target)
        sync(target.parent)
        discard(part)
    say(f"The weights are in {target}")
    return target
