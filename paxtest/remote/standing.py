"""Standing shell: one shell in a container that takes command after command.

An exec of its own costs the engine a tenth of a second of processor time, a command in a shell
that is there already a few milliseconds; and a fault that strikes in the middle of an election is
over, or not, by that.
"""

from __future__ import annotations

import contextlib
import secrets
import select
import shlex
import socket
import struct
import time
import weakref
from typing import Any

from paxtest.remote.shell import Sink

_CHUNK_BYTES = 1 << 16
_HEADER = struct.Struct(">BxxxL")  # stream (1 stdout, 2 stderr), length of the payload
STDOUT = 1


class Wire:
    """The connection to an exec: stdin goes in as it is, the streams come out multiplexed."""

    def __init__(self, api: Any, container: str, argv: list[str], *, stdin: bool) -> None:
        """Starts argv as root in the container. Blocks; raises what the SDK raises."""
        self.id: str = api.exec_create(container, argv, stdin=stdin, user="0")["Id"]
        stream = api.exec_start(self.id, socket=True)
        # A plain socket hides below SocketIO; over TLS or ssh, the stream is the socket.
        self.socket: Any = getattr(stream, "_sock", stream)
        self._buffer = bytearray(_read_ahead(stream, self.socket))
        # Whoever attaches to a cluster only looks, and has no end at which to close anything.
        self._finish = weakref.finalize(self, _let_go, stream)

    def receive(self, deadline_s: float) -> tuple[int, bytes] | None:
        """The next (stream, bytes); (0, b"") at the end; None when the deadline came first."""
        while True:
            if len(self._buffer) >= _HEADER.size:
                kind, length = _HEADER.unpack_from(self._buffer)
                end = _HEADER.size + length
                if len(self._buffer) >= end:
                    payload = bytes(self._buffer[_HEADER.size : end])
                    del self._buffer[:end]
                    return kind, payload
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return None
            self.socket.settimeout(left_s)
            try:
                data = self.socket.recv(_CHUNK_BYTES)
            except TimeoutError:
                return None
            if not data:
                return 0, b""
            self._buffer += data

    def send(self, data: bytes) -> None:
        self.socket.settimeout(None)
        self.socket.sendall(data)

    def end_input(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def quiet(self) -> bool:
        """Open, with nothing to be read."""
        return not self._buffer and not select.select([self.socket], [], [], 0)[0]

    def close(self) -> None:
        self._finish()


def _let_go(stream: Any) -> None:
    # The response owns the connection, and must let go of it before the stream does.
    response = getattr(stream, "_response", None)
    with contextlib.suppress(OSError):
        if response is not None:
            response.close()
        stream.close()


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


# In the background, its process group is known: `timeout` makes one of its own. What is still in it
# afterwards would go on to write into these streams. (A background command ignores SIGINT; `env`
# sees to it that this one does not.)
_ONE = """env --default-signal=INT,QUIT %s </dev/null & wait $!; code=$?
kill -s 0 -- -$! 2>/dev/null && left=left || left=none
printf '%s%%d %%s\\n' $code $left; printf '%s\\n' >&2
"""


def new_token() -> str:
    """What no command says, but one that knows it. Its first letter comes once: else what a command
    says last could make a token of its own with the beginning of this one."""
    return f"t{secrets.token_hex(16)}"


class StandingShell:
    """`sh` in a container, fed with commands one at a time. Its methods block."""

    def __init__(self, api: Any, container: str) -> None:
        self._wire = Wire(api, container, ["sh"], stdin=True)
        self._token = new_token()
        self._shared = False

    def usable(self) -> bool:
        """Nobody else writes into its streams, as far as can be seen, and it has not ended."""
        return not self._shared and self._wire.quiet()

    def run(self, argv: list[str], stdout: Sink, stderr: Sink, deadline_s: float) -> int | None:
        """The exit code; None when the deadline came first, after which the shell is of no use.
        ConnectionError when it ended before the command did. argv[0] is to make a process group.
        """
        # Both streams say when the command is over: what one says comes in no order to the other.
        line = _ONE % (shlex.join(argv), self._token, self._token)
        self._wire.send(line.encode("utf-8", "surrogateescape"))
        out, errors = _Until(stdout, self._token), _Until(stderr, self._token)
        while out.rest is None or errors.rest is None:
            came = self._wire.receive(deadline_s)
            if came is None:
                return None
            kind, data = came
            if not kind:
                raise ConnectionError("the shell in the container ended before the command did")
            (out if kind == STDOUT else errors).take(data)
        code, left = out.rest.split()
        self._shared = left != b"none"
        return int(code)

    def close(self) -> None:
        self._wire.close()


class _Until:
    """Passes a stream on until a line begins with a token; `rest` is what is left of that line."""

    def __init__(self, sink: Sink, token: str) -> None:
        self.rest: bytes | None = None
        self._sink = sink
        self._token = token.encode()
        self._held = b""

    def take(self, data: bytes) -> None:
        if self.rest is not None:  # of a process that was left behind: nobody's
            return
        self._held += data
        found = self._held.find(self._token)
        if found >= 0:
            line = self._held[found + len(self._token) :]
            if b"\n" in line:
                self._sink.write(self._held[:found])
                self.rest = line[: line.index(b"\n")]
            return
        free = max(0, len(self._held) - len(self._token) + 1)
        self._sink.write(self._held[:free])
        self._held = self._held[free:]
