"""Download of VGG16's ImageNet weights without the top layers, as published by Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from index.core.files import move_durably
from index.core.progress import Count, uncounted
from index.posters.vgg16 import IMAGENET_FILE, IMAGENET_MD5
from indexer.datasets.sources import weights_path
from indexer.fetch.download import WEIGHTS, discard, download, download_folder, md5_of
from indexer.fetch.web import HttpClient, is_url

SITE = "https://storage.googleapis.com/tensorflow/keras-applications/vgg16/"


def fetch_weights(
    data: Path,
    client: HttpClient,
    *,
    source: str | None = None,
    md5: str | None = None,
    again: bool = False,
    count: Count = uncounted,
    notify: Callable[[str], None],
) -> Path:
    """Return the weights file; fetch it if it is missing.

    Args:
        data: the data directory.
        client: for downloads.
        source: URL of the file, or of its folder with a / at the end; or a path.
        md5: the expected MD5, of other weights than Keras'.
        again: fetch it even if it exists.
        count: reports downloaded bytes.
        notify: receives messages for the user, a line each.

    Raises:
        SourceUnavailable: the download failed.
        Busy: the server asks to come back much later.
        InvalidInput: the file is not a weights file, or its MD5 is wrong.
        PosterityError: the disk is too small, or another process is fetching weights.
    """
    target = weights_path(data)
    expected = (md5 or IMAGENET_MD5).lower()
    if target.is_file() and not again and md5_of(target) == expected:
        notify(f"The weights are already in {target} (--again fetches them again)")
        return target
    source = source or SITE
    if is_url(source) and source.endswith("/"):
        source += IMAGENET_FILE
    with download_folder(data, "weights") as folder:
        part = download(client, source, folder, IMAGENET_FILE, WEIGHTS, md5=expected, count=count)
        move_durably(part, target)
        discard(part)
    notify(f"The weights are in {target}")
    return target
