"""A stranger's zip file, unpacked: nothing outside its folder, plain files alone, and no more than is believable."""

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
# What zipfile makes of bytes that are no zip file.
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
    """What is believable."""

    members: int = 200
    size: int = 8 * 10**9  # bytes in all
    ratio: int = 100  # bytes in all for each of the zip; tables of ratings have about 4


def unzip(file: Path, folder: Path, top: str, limits: Limits = Limits()) -> None:
    """Unpacks ``file`` into ``folder``, which is empty; all of it is below a folder ``top``.

    What is unpacked is counted as it is written: a zip's own figures are whatever its maker wrote.

    Raises:
        InvalidInput: the zip is damaged, holds something else than files and folders in ``top``, or too much.
        PosterityError: the disk is too small.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check(members, top, limits)
            check_space(folder, sum(member.file_size for member in members))
            left = min(limits.size, limits.ratio * file.stat().st_size)
            for member in members:
                left -= _extract(archive, member, folder, left)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in {errno.EINVAL, errno.ENAMETOOLONG}:
            raise  # the disk is at fault
        raise InvalidInput(f"the zip file is damaged ({error}), and was not kept: give the command again") from error


def _check(members: list[zipfile.ZipInfo], top: str, limits: Limits) -> None:
    if len(members) > limits.members:
        raise InvalidInput(f"the zip file has {len(members):,} members; at most {limits.members:,} are unpacked")
    if sum(member.file_size for member in members) > limits.size:
        raise InvalidInput(f"the zip file unpacks to more than {limits.size / 1e9:g} GB")
    names = set()
    for member in members:
        name = member.orig_filename
        parts = PurePosixPath(name).parts
        if name != member.filename or "\\" in name or ".." in parts or not parts or parts[0] != top:
            raise InvalidInput(f"the zip file has a member {name!r}, which is not in its folder {top}/")
        mode = member.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise InvalidInput(f"the zip file has a member {name!r}, which is no plain file")
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise InvalidInput(f"the zip file has a member {name!r}, which is packed in an unusual way")
        if member.flag_bits & 1:
            raise InvalidInput(f"the zip file has a member {name!r}, which is encrypted")
        plain = str(PurePosixPath(name)).casefold()  # on some disks two such names are one
        if plain in names:
            raise InvalidInput(f"the zip file has two members {name!r}")
        names.add(plain)
    files = {str(PurePosixPath(member.filename)).casefold() for member in members if not member.is_dir()}
    for name in names:
        if any(str(parent) in files for parent in PurePosixPath(name).parents):
            raise InvalidInput(f"the zip file has a member {name!r} below a file")


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, most: int) -> int:
    """How many bytes were written."""
    target = folder / member.filename
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(member) as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            written += len(chunk)
            if written > min(most, member.file_size):
                raise InvalidInput(f"the zip file's member {member.filename!r} unpacks to more than is believable")
            writer.write(chunk)
    if written != member.file_size:
        raise InvalidInput(f"the zip file's member {member.filename!r} is shorter than it says")
    sync(target)
    return written
