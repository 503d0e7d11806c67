"""Trees and files as tar streams, which is how they travel to and from nodes."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from paxtest.errors import ClusterError


def packed(local: Path, name: str, mode: int) -> tuple[bytes, bool]:
    """The file `local` packed as `name` with `mode`, or the tree `local` with the modes it has;
    and whether it is a tree. Owners do not travel: what arrives belongs to whoever unpacks it.
    """
    is_directory = local.is_dir()

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        if not is_directory:
            member.mode = mode
        return member

    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w", dereference=True) as tar:
        tar.add(local, arcname="." if is_directory else name, filter=anonymous)
    return into.getvalue(), is_directory


def unpack(packed: IO[bytes], local: Path) -> None:
    """Unpack regular files and directories below `local`; anything else is left out.

    The sender is a system under test: a name that leads out of `local` is an error, and links
    and devices are never made.
    """
    local.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=packed, mode="r|") as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if path.is_absolute() or ".." in path.parts:
                raise ClusterError(f"a node sent a file that leads out of its tree: {path}")
            target = local.joinpath(*path.parts)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif member.isfile():
                target.parent.mkdir(parents=True, exist_ok=True)
                _write(tar, member, target)


def unpack_file(packed: IO[bytes], local: Path) -> None:
    """Unpack the one regular file of the archive as `local`."""
    local.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=packed, mode="r|") as tar:
        for member in tar:
            if member.isfile():
                _write(tar, member, local)
                return
    raise ClusterError(f"a node sent no regular file to write as {local}")


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(member)
    assert source is not None
    with source, target.open("wb") as file:
        shutil.copyfileobj(source, file)
    target.chmod(member.mode & 0o777 | 0o600)
