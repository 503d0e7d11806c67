"""A shell on this very machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

from paxtest.remote.shell import Shell, Sink

_CHUNK_BYTES = 1 << 16


class LocalRemote(Shell):
    """Runs commands as child processes. `env` is added to each one's environment."""

    def __init__(self, node: str, *, env: Mapping[str, str] | None = None) -> None:
        super().__init__(node, env=env, is_root=os.geteuid() == 0)

    async def execute(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdout is not None and process.stderr is not None
        pumps = asyncio.gather(
            _write(process.stdin, stdin or b""),
            _read(process.stdout, stdout),
            _read(process.stderr, stderr),
            process.wait(),
        )
        try:
            await asyncio.wait_for(pumps, limit_s)
        except TimeoutError:
            return None
        finally:
            await _end(process)
        code = process.returncode
        return code if code is None or code >= 0 else 128 - code  # as a shell puts it


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill what is left of the process and let go of its pipes."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(process.wait()), 1.0)
    # Pipes stay open when a grandchild holds their other end; asyncio has no public way to close.
    process._transport.close()  # type: ignore[attr-defined]


async def _write(pipe: asyncio.StreamWriter | None, data: bytes) -> None:
    if pipe is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        pipe.write(data)
        await pipe.drain()
    pipe.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await pipe.wait_closed()


async def _read(pipe: asyncio.StreamReader, sink: Sink) -> None:
    while data := await pipe.read(_CHUNK_BYTES):
        sink.write(data)
