"""PeerNetwork: messages to other nodes over TCP, one connection for each direction.

The sender of messages opens the connection; messages flow one way on it, so that cutting one
direction of a link cuts one direction. Nothing is promised: what cannot be sent is dropped.

A frame is a 4-byte length and a msgpack list of messages; the first frame of a connection is
the sender's name; an empty frame asks the receiver for one byte back. A connection on which no
such byte came for `SILENCE_S` is given up and dialled anew, so that a link that packets were
silently dropped on works again soon after it heals.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Container
from typing import Any, cast

import msgspec

from .identity import name_of
from .messages import Message, decode_messages, encode

_LENGTH = struct.Struct("<I")
FRAME_LIMIT = 64 * 1024 * 1024
FRAME_BYTES = 8 * 1024 * 1024  # more than this in one frame only if it is one message
NAME_LIMIT = 256  # until the sender has named itself, a frame is no longer than this
CONNECTIONS_LIMIT = 64
QUEUE_LIMIT = 4096
HELD_LIMIT_BYTES = 16 * 1024 * 1024
PING_S = 0.25
SILENCE_S = 1.0
DIAL_TIMEOUT_S = 0.25
REDIAL_S = 0.1
BUFFER_BYTES = 4 * 1024 * 1024

Deliver = Callable[[str, list[Any]], None]
Decode = Callable[[bytes], list[Any]]


class _Outgoing(asyncio.Protocol):
    """The sending end of one connection."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.lost: asyncio.Future[None] = loop.create_future()
        self.heard_s = loop.time()
        self.writable = True
        self._loop = loop

    def data_received(self, data: bytes) -> None:
        self.heard_s = self._loop.time()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)


def frames(messages: list[Message]) -> list[bytes]:
    """The messages in as few frames as their sizes allow."""
    payload = encode(messages)
    if len(payload) <= FRAME_BYTES or len(messages) == 1:
        return [_LENGTH.pack(len(payload)) + payload]
    half = len(messages) // 2
    return frames(messages[:half]) + frames(messages[half:])


class _Link:
    """Everything sent to one peer. Of what the connection cannot take, at most QUEUE_LIMIT
    frames and HELD_LIMIT_BYTES are held, and the oldest dropped."""

    def __init__(self, own: str, host: str, port: int) -> None:
        self._own = own
        self._host = host
        self._port = port
        self._queue: deque[Message] = deque(maxlen=QUEUE_LIMIT)
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._protocol: _Outgoing | None = None
        self._transport: asyncio.WriteTransport | None = None

    def send(self, message: Message) -> None:
        self._queue.append(message)

    def rename(self, own: str) -> None:
        """From now on the sender is called so; a connection that said otherwise ends."""
        self._own = own
        if self._transport is not None:
            self._transport.abort()

    def flush(self) -> None:
        """Hand what was sent to the connection, if it can take it."""
        held = self._held
        if self._queue:
            for frame in frames(list(self._queue)):
                held.append(frame)
                self._held_bytes += len(frame)
            self._queue.clear()
        if not held:
            return
        if (
            self._transport is None
            or self._protocol is None
            or not self._protocol.writable
            or self._transport.is_closing()  # uvloop raises on what the other side just closed
        ):
            while len(held) > QUEUE_LIMIT or (self._held_bytes > HELD_LIMIT_BYTES and held):
                self._held_bytes -= len(held.popleft())
            return
        self._transport.write(held[0] if len(held) == 1 else b"".join(held))
        held.clear()
        self._held_bytes = 0

    async def run(self) -> None:
        """Keep the connection up, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(DIAL_TIMEOUT_S):
                    transport, protocol = await loop.create_connection(
                        lambda: _Outgoing(loop), self._host, self._port
                    )
            except (OSError, TimeoutError):
                await asyncio.sleep(REDIAL_S)
                continue
            _tune(transport.get_extra_info("socket"))
            transport.set_write_buffer_limits(high=BUFFER_BYTES)
            name = encode(self._own)
            transport.write(_LENGTH.pack(len(name)) + name)
            self._transport, self._protocol = transport, protocol
            self.flush()
            try:
                await self._watch(transport, protocol)
            finally:
                self._transport = self._protocol = None
                transport.abort()
            await asyncio.sleep(REDIAL_S / 2)

    async def _watch(self, transport: asyncio.WriteTransport, protocol: _Outgoing) -> None:
        """Return when the connection is lost or silent."""
        loop = asyncio.get_running_loop()
        while not protocol.lost.done():
            if protocol.writable:
                transport.write(_LENGTH.pack(0))
            await asyncio.wait([protocol.lost], timeout=PING_S)
            self.flush()
            if loop.time() - protocol.heard_s > SILENCE_S:
                return


class _Incoming(asyncio.Protocol):
    """The receiving end of one connection."""

    def __init__(
        self,
        peers: Container[str],
        deliver: Deliver,
        connections: dict[_Incoming, None],
        decode: Decode,
    ) -> None:
        self._decode = decode
        self._peers = peers
        self._deliver = deliver
        self._connections = connections
        self._buffer = bytearray()
        self._source: str | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections[self] = None
        if len(self._connections) > CONNECTIONS_LIMIT:
            # The oldest that has not named itself goes, be it this one.
            nameless = (c for c in self._connections if c._source is None)
            next(nameless).abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.pop(self, None)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        position = 0
        try:
            while len(buffer) - position >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, position)
                if length > (NAME_LIMIT if self._source is None else FRAME_LIMIT):
                    raise msgspec.DecodeError("frame too large")
                end = position + _LENGTH.size + length
                if end > len(buffer):
                    break
                self._frame(bytes(buffer[position + _LENGTH.size : end]))
                position = end
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.abort()  # not a node of ours: this connection ends, nothing else happens
            return
        del buffer[:position]

    def _frame(self, payload: bytes) -> None:
        if not payload:
            if self._transport is not None:
                self._transport.write(b".")
        elif self._source is None:
            name = msgspec.msgpack.decode(payload, type=str)
            if name_of(name) not in self._peers:
                raise msgspec.ValidationError(f"unknown node {name!r}")
            self._source = name
        else:
            self._deliver(self._source, self._decode(payload))


class PeerNetwork:
    """The Network port. `node`: what this node is called in the protocol (`identity.py`). `peers`:
    name -> (host, port). `deliver(source, messages)` takes what arrives, whichever of this node's
    disks it was meant for; `decode` reads a frame of messages."""

    def __init__(
        self,
        node: str,
        peers: dict[str, tuple[str, int]],
        deliver: Deliver,
        decode: Decode = decode_messages,
    ) -> None:
        self._decode = decode
        self._own = node
        self._links = {peer: _Link(node, *address) for peer, address in peers.items()}
        self._deliver = deliver
        self._connections: dict[_Incoming, None] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen and dial. Raises OSError when the port is taken."""
        peers = self._links.keys()  # that may become more
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Incoming(peers, self._deliver, self._connections, self._decode), host, port,
            reuse_address=True,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(link.run()) for link in self._links.values()]

    def add(self, peer: str, address: tuple[str, int]) -> None:
        """Reach another node from now on. What was known of it before stays."""
        if peer not in self._links and peer != name_of(self._own):
            self._links[peer] = link = _Link(self._own, *address)
            self._tasks.append(asyncio.create_task(link.run()))

    def rename(self, node: str) -> None:
        """Name this node so to the others from now on."""
        if node != self._own:
            self._own = node
            for link in self._links.values():
                link.rename(node)

    def send(self, destination: str, message: Message) -> None:
        link = self._links.get(name_of(destination))
        if link is not None:
            link.send(message)

    def flush(self) -> None:
        """Let leave what was sent since the last flush; messages to one node share a frame."""
        for link in self._links.values():
            link.flush()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.abort()


def _tune(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(SILENCE_S * 1000))
