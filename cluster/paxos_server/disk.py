"""LocalDisk: a directory of this machine, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class DirectoryInUse(Exception):
    """Another process holds the data directory."""


class LocalDisk:
    """The Disk port on a real file system. Raises OSError as the system gives it: after a failed
    fsync nothing is known of the file, so that the process must end, never retry."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DirectoryInUse(f"{directory} is in use by another process") from error
        self._open: tuple[str, int] | None = None

    def names(self) -> list[str]:
        return sorted(
            entry.name
            for entry in os.scandir(self._directory)
            if entry.name != "lock" and not entry.name.endswith(".tmp")
        )

    def read(self, name: str) -> bytes:
        return (self._directory / name).read_bytes()

    def append(self, name: str, data: bytes) -> None:
        fd = self._append_fd(name)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fdatasync(fd)

    def replace(self, name: str, data: bytes) -> None:
        temporary = self._directory / (name + ".tmp")
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self._directory / name)
        self._sync_directory()

    def truncate(self, name: str, size: int) -> None:
        self._release()
        fd = os.open(self._directory / name, os.O_RDWR)
        try:
            os.ftruncate(fd, size)
            os.fsync(fd)
        finally:
            os.close(fd)

    def remove(self, name: str) -> None:
        if self._open is not None and self._open[0] == name:
            self._release()
        os.unlink(self._directory / name)

    def close(self) -> None:
        self._release()
        os.close(self._lock)

    def _append_fd(self, name: str) -> int:
        if self._open is not None:
            if self._open[0] == name:
                return self._open[1]
            self._release()
        path = self._directory / name
        new = not path.exists()
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if new:
            self._sync_directory()
        self._open = (name, fd)
        return fd

    def _release(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def _sync_directory(self) -> None:
        fd = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
