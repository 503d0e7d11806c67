"""A shell on this very machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import IO

from paxtest.remote.shell import Shell, Sink

_CHUNK_BYTES = 1 << 16


class LocalRemote(Shell):
    """Runs commands as child processes. `env` is added to each one's environment.

    By subprocess in threads, not by the loop: under uvloop a child inherits copies of its pipes'
    ends under other numbers, so that a command which leaves a daemon behind would never end.
    """

    def __init__(self, node: str, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__(node, env=env, is_root=os.geteuid() == 0)

    async def execute(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        process = subprocess.Popen(  # noqa: ASYNC220 (returns at exec)
            argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            ended = await asyncio.to_thread(_finish, process, stdin, stdout, stderr, limit_s)
        finally:
            _end(process)
        if not ended:
            return None
        code = process.returncode
        return code if code >= 0 else 128 - code  # as a shell puts it


def _finish(
    process: subprocess.Popen[bytes],
    stdin: bytes | None,
    stdout: Sink,
    stderr: Sink,
    limit_s: float,
) -> bool:
    """Feed and drain the pipes until the process and both streams have ended; False when the
    limit passed first. Blocks."""
    deadline_s = time.monotonic() + limit_s
    pumps = [
        threading.Thread(target=_read, args=(process.stdout, stdout), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, stderr), daemon=True),
    ]
    if process.stdin is not None:
        pumps.append(threading.Thread(target=_write, args=(process.stdin, stdin), daemon=True))
    for pump in pumps:
        pump.start()
    for pump in pumps:
        pump.join(max(0.0, deadline_s - time.monotonic()))
    try:
        process.wait(max(0.0, deadline_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return not any(pump.is_alive() for pump in pumps)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process; its pipes are closed by the pumps, or by nobody's reading.

    The group too: a grandchild that holds a pipe would keep a pump waiting.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _read(pipe: IO[bytes], sink: Sink) -> None:
    with contextlib.suppress(ValueError, OSError), pipe:
        while data := os.read(pipe.fileno(), _CHUNK_BYTES):
            sink.write(data)


def _write(pipe: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError), pipe:
        pipe.write(data)
