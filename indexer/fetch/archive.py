"""Safe extraction of an untrusted zip file: regular files in one folder only, with a limit on size."""

from __future__ import annotations

import errno
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from index.core.errors import InvalidInput
from index.core.files import sync
from indexer.fetch.download import check_space

_CHUNK = 2**20
# zipfile raises all of these for damaged files.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an extraction, against zip bombs."""

    members: int = 200
    size: int = 8 * 10**9  # total bytes
    ratio: int = 100  # total bytes per byte of the zip; about 4 for tables of ratings


def unzip(file: Path, folder: Path, top: str, limits: Limits = Limits()) -> None:
    """Extract a zip file, all of it below a folder ``top``, into an empty folder.

    Bytes are counted while writing, since the sizes in the zip may be wrong.

    Raises:
        InvalidInput: the zip is damaged, over a limit, or has a member that is not a file or folder in ``top``.
        PosterityError: the disk is too small.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check(members, top, limits)
            check_space(folder, sum(member.file_size for member in members))
            remaining = min(limits.size, limits.ratio * file.stat().st_size)
            for member in members:
                remaining -= _extract(archive, member, folder, remaining)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in {errno.EINVAL, errno.ENAMETOOLONG}:
            raise  # an error of the disk
        raise InvalidInput(f"the zip file is damaged ({error}) and was deleted: run the command again") from error


def _check(members: list[zipfile.ZipInfo], top: str, limits: Limits) -> None:
    """Raise InvalidInput for members that are unsafe, by the zip's directory."""
    if len(members) > limits.members:
        raise InvalidInput(f"the zip file has {len(members):,} members; the limit is {limits.members:,}")
    if sum(member.file_size for member in members) > limits.size:
        raise InvalidInput(f"the zip file extracts to more than {limits.size / 1e9:g} GB, the limit")
    names = set()
    for member in members:
        name = member.orig_filename
        parts = PurePosixPath(name).parts
        if name != member.filename or "\\" in name or ".." in parts or not parts or parts[0] != top:
            raise InvalidInput(f"the zip file has a member {name!r}, which is not in its folder {top}/")
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise InvalidInput(f"the zip file has a member {name!r}, which is not a regular file")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise InvalidInput(f"the zip file has a member {name!r} of an unsupported compression type")
        if member.flag_bits & 1:
            raise InvalidInput(f"the zip file has a member {name!r}, which is encrypted")
        normalized = str(PurePosixPath(name)).casefold()  # some file systems ignore case
        if normalized in names:
            raise InvalidInput(f"the zip file has two members {name!r}")
        names.add(normalized)
    files = {str(PurePosixPath(member.filename)).casefold() for member in members if not member.is_dir()}
    for name in names:
        if any(str(parent) in files for parent in PurePosixPath(name).parents):
            raise InvalidInput(f"the zip file has a member {name!r} below a file")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, max_bytes: int) -> int:
    """Extract a member and return the number of bytes written."""
    target = folder / member.filename
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(member) as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            written += len(chunk)
            if written > min(max_bytes, member.file_size):
                raise InvalidInput(
                    f"the zip file's member {member.filename!r} extracts to more than its size or the limit"
                )
            writer.write(chunk)
    if written != member.file_size:
        raise InvalidInput(f"the zip file's member {member.filename!r} is shorter than its size in the zip")
    sync(target)
    return written
