"""Shell: what the three remotes share. A remote only has to carry one argv to its node."""

from __future__ import annotations

import io
import math
import posixpath
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

from paxtest.errors import RemoteError, UsageError
from paxtest.remote import archive
from paxtest.remote.protocol import Output

OUTPUT_LIMIT_BYTES = 16 << 20
"""Kept of stdout and of stderr, each, by `run`; what is beyond is dropped, and stderr says so."""

TRANSFER_TIMEOUT_S = 120.0

GRACE_S = 2.0
"""Beyond `timeout_s`: how long the answer that the command was killed may take to arrive."""

# tar exits with 1 when a file changed while it was read: normal for a log that is being written.
_PACK = 'tar -cf - -C "$1" -- "$2" || [ $? -eq 1 ]'
_UNPACK = 'mkdir -p -- "$1" && tar -xof - -C "$1"'
_KIND = 'if [ -d "$1" ]; then echo directory; elif [ -e "$1" ]; then echo file; fi'


class Sink(Protocol):
    """Takes a stream of bytes."""

    def write(self, data: bytes, /) -> object: ...


class Capped:
    """A sink that keeps the first `limit_bytes` and counts what it drops."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.dropped_bytes = 0
        self._kept = io.BytesIO()

    def write(self, data: bytes, /) -> None:
        room = self.limit_bytes - self._kept.tell()
        self._kept.write(data[:room])
        self.dropped_bytes += max(0, len(data) - room)

    def text(self) -> str:
        return self._kept.getvalue().decode("utf-8", "replace")


class Shell:
    """A Remote, but for `execute`, which the subclasses bring.

    `env` is added to the environment of every command. `is_root` says whether commands already
    run as root, so that `sudo` has nothing to do.
    """

    def __init__(self, node: str, *, env: Mapping[str, str] | None = None, is_root: bool) -> None:
        self.node = node
        self.env = dict(env or {})
        self.is_root = is_root

    async def execute(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        """Run argv to its end: the exit code (128+n: killed by signal n), or None when no end
        came within `limit_s`, after which nothing of it is waited for."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is kept open between commands."""

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout_s: float = 30.0,
        sudo: bool = False,
        check: bool = True,
    ) -> Output:
        stdout = Capped(OUTPUT_LIMIT_BYTES)
        stderr = Capped(OUTPUT_LIMIT_BYTES)
        code = await self._timed(argv, env, stdin, timeout_s, sudo, stdout, stderr)
        errors = stderr.text()
        if stdout.dropped_bytes or stderr.dropped_bytes:
            errors += (
                f"\n[paxtest kept the first {OUTPUT_LIMIT_BYTES} bytes of each stream; dropped:"
                f" {stdout.dropped_bytes} of stdout, {stderr.dropped_bytes} of stderr]"
            )
        if check and code != 0:
            raise RemoteError(self.node, argv, code, errors)
        return Output(code, stdout.text(), errors)

    async def upload(self, local: Path, remote: str, *, mode: int = 0o644) -> None:
        data, is_directory = archive.packed(local, posixpath.basename(remote), mode)
        directory = remote if is_directory else posixpath.dirname(remote)
        await self.run(
            ["sh", "-c", _UNPACK, "sh", directory or "."], stdin=data, timeout_s=TRANSFER_TIMEOUT_S
        )

    async def download(self, remote: str, local: Path) -> None:
        kind = (await self.run(["sh", "-c", _KIND, "sh", remote])).stdout.strip()
        directory, name = posixpath.split(remote.rstrip("/"))
        if kind == "directory":
            directory, name = remote, "."
        argv = ["sh", "-c", _PACK, "sh", directory or ".", f"./{name}"]
        if not kind:
            raise RemoteError(self.node, ["download", remote], 1, "no such file or directory")
        with tempfile.TemporaryFile() as packed:
            stderr = Capped(OUTPUT_LIMIT_BYTES)
            code = await self._timed(argv, None, None, TRANSFER_TIMEOUT_S, False, packed, stderr)
            if code != 0:
                raise RemoteError(self.node, argv, code, stderr.text())
            packed.seek(0)
            _unpack(packed, local, is_directory=kind == "directory")

    async def _timed(
        self,
        argv: Sequence[str],
        env: Mapping[str, str] | None,
        stdin: bytes | None,
        timeout_s: float,
        sudo: bool,
        stdout: Sink,
        stderr: Sink,
    ) -> int:
        """The exit code; RemoteError when `timeout_s` has passed, the command being killed then.

        coreutils' timeout runs beside the command, on the node: no connection is needed for it
        to kill, and it takes the whole process group.
        """
        if not argv or not argv[0] or any("\0" in arg for arg in argv):
            raise UsageError(
                f"not a command: {list(argv)!r}", "give at least a program, and no NUL bytes"
            )
        if not 0 < timeout_s < math.inf:
            raise UsageError(f"timeout_s must be positive and finite, not {timeout_s!r}")
        full = ["sudo", "-n", "--"] if sudo and not self.is_root else []
        pairs = {**self.env, **(env or {})}
        if pairs:
            full += ["env", *(f"{name}={value}" for name, value in pairs.items())]
        full += ["timeout", "-s", "KILL", f"{timeout_s:.3f}", *argv]
        began_s = time.monotonic()
        code = await self.execute(full, stdin, stdout, stderr, timeout_s + GRACE_S)
        late = time.monotonic() - began_s >= timeout_s
        if code is None or (late and code in (124, 137)):
            hint = f"the limit was {timeout_s:g} s; the command was killed on the node"
            text = stderr.text() if isinstance(stderr, Capped) else ""
            raise RemoteError(self.node, argv, None, text, hint)
        return code


def _unpack(packed: IO[bytes], local: Path, *, is_directory: bool) -> None:
    if is_directory:
        archive.unpack(packed, local)
    else:
        archive.unpack_file(packed, local)
