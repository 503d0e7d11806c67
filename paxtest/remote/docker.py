"""A shell in a container, through the Docker engine's exec."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker.errors
import requests.exceptions

from paxtest.errors import RemoteError
from paxtest.remote.shell import Shell, Sink

_CHUNK_BYTES = 1 << 16
_HEADER = struct.Struct(">BxxxL")  # stream (1 stdout, 2 stderr), length of the payload
_STDOUT = 1
_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="paxtest-docker")
"""The SDK blocks. A pool of our own, so that a slow engine cannot starve asyncio's."""


async def in_thread(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call a blocking function of the SDK beside the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, lambda: function(*arguments, **keywords))


class DockerRemote(Shell):
    """Runs commands as root in the container `container`; `api` is docker.APIClient."""

    def __init__(
        self, node: str, container: str, api: Any, *, env: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(node, env=env, is_root=True)
        self.container = container
        self._api = api

    async def execute(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        try:
            code: int | None = await in_thread(
                self._blocking, argv, stdin, stdout, stderr, time.monotonic() + limit_s
            )
        except (docker.errors.APIError, requests.exceptions.RequestException, OSError) as error:
            raise RemoteError(
                self.node,
                argv,
                -1,
                f"the Docker engine refused: {error}",
                f"see whether the container still runs: docker ps -a --filter id={self.container}",
            ) from error
        return code

    def _blocking(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, deadline_s: float
    ) -> int | None:
        made = self._api.exec_create(self.container, argv, stdin=stdin is not None, user="0")
        stream = self._api.exec_start(made["Id"], socket=True)
        try:
            # A plain socket hides below SocketIO; over TLS or ssh, the stream is the socket.
            wire = getattr(stream, "_sock", stream)
            ahead = _read_ahead(stream, wire)
            if stdin is not None:
                threading.Thread(target=_feed, args=(wire, stdin), daemon=True).start()
            if not _pump(wire, ahead, stdout, stderr, deadline_s):
                return None
        finally:
            # The response owns the connection, and must let go of it before the stream does.
            response = getattr(stream, "_response", None)
            if response is not None:
                response.close()
            stream.close()
        while time.monotonic() < deadline_s:
            state = self._api.exec_inspect(made["Id"])
            if not state["Running"] and state["ExitCode"] is not None:
                return int(state["ExitCode"])
            time.sleep(0.005)
        return None


def _feed(wire: Any, data: bytes) -> None:
    """Send stdin and its end; a command that does not read its stdin is no error."""
    with contextlib.suppress(OSError):
        wire.sendall(data)
        wire.shutdown(socket.SHUT_WR)


def _read_ahead(stream: Any, wire: Any) -> bytes:
    """What the HTTP client has read beyond the headers: a quick command's output can arrive with
    them, and the SDK hands out the socket below that buffer.
    """
    response = getattr(stream, "_response", None)
    reader: Any = getattr(getattr(getattr(response, "raw", None), "_fp", None), "fp", None)
    if not hasattr(reader, "peek"):
        return b""
    wire.settimeout(0)  # what is there is there: do not wait for more
    try:
        return bytes(reader.peek())
    finally:
        wire.settimeout(None)


def _pump(wire: Any, ahead: bytes, stdout: Sink, stderr: Sink, deadline_s: float) -> bool:
    """Split the multiplexed stream into the two sinks; False when the deadline passed first."""
    buffer = bytearray()
    data = ahead
    while True:
        buffer += data
        while len(buffer) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(buffer)
            end = _HEADER.size + length
            if len(buffer) < end:
                break
            (stdout if kind == _STDOUT else stderr).write(bytes(buffer[_HEADER.size : end]))
            del buffer[:end]
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return False
        wire.settimeout(left_s)
        try:
            data = wire.recv(_CHUNK_BYTES)
        except TimeoutError:
            return False
        if not data:
            return True
