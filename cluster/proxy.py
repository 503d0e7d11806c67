"""TCP proxies as the links of a local cluster: each direction can be cut, delayed, lossy, slow.

What a network does to packets, a proxy can only do to a byte stream, so this is how it looks to
TCP above a bad network:

- A cut direction delivers nothing, on old connections too. Bytes, ends of streams and resets are
  held (in the kernel's buffers and ours, both bounded) and go on after the heal, as TCP's
  retransmissions would.
- A connection made while either direction is cut is accepted by this machine's kernel, but does
  not reach the destination: the caller hears nothing until the heal, or hangs up.
- Lost segments are late by TCP's retransmission timeout: 0.2 s, doubled for each further loss.
  Nothing is ever reordered.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from typing import cast

from paxtest.cluster.links import Shape

QUEUE_BYTES = 256 << 10
"""Held per direction of a connection before reading pauses."""

CONNECTIONS = 8192
"""Through one proxy at a time; further ones are reset."""

SEGMENT_BYTES = 1448
RETRANSMISSION_S = 0.2
_RETRANSMISSIONS = 8


class LinkState:
    """One direction of one link, shared by all connections over it."""

    def __init__(self, rng: random.Random) -> None:
        self.shape = Shape()
        self.cut = False
        self.pipes: set[Pipe] = set()
        self._rng = rng
        self._busy_until_s = 0.0

    @property
    def blocked(self) -> bool:
        return self.cut or self.shape.loss >= 1

    def set(self, *, cut: bool | None = None, shape: Shape | None = None) -> None:
        if cut is not None:
            self.cut = cut
        if shape is not None:
            self.shape = shape
            self._busy_until_s = 0.0
        for pipe in tuple(self.pipes):
            pipe.link_changed(retime=shape is not None)

    def due_s(self, now_s: float, size_bytes: int) -> float:
        """When a segment that enters the link now leaves it."""
        shape = self.shape
        due_s = now_s
        if shape.rate_bytes_s:
            due_s = max(now_s, self._busy_until_s) + size_bytes / shape.rate_bytes_s
            self._busy_until_s = due_s
        due_s += shape.delay_s
        if shape.jitter_s:
            due_s += self._rng.uniform(-shape.jitter_s, shape.jitter_s)
        wait_s = RETRANSMISSION_S
        for _ in range(_RETRANSMISSIONS):
            if not shape.loss or self._rng.random() >= shape.loss:
                break
            due_s += wait_s
            wait_s *= 2
        return due_s


class Pipe:
    """One direction of one connection: from `source` over `link` to `sink`."""

    def __init__(
        self,
        link: LinkState,
        loop: asyncio.AbstractEventLoop,
        on_finish: Callable[[], None],
    ) -> None:
        self.link = link
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.sink_full = False
        self._loop = loop
        self._queue: deque[tuple[float, bytes]] = deque()
        self._queued_bytes = 0
        self.finished = False  # the end was passed on
        self._ended = False  # nothing more will come from the source
        self._closed = False  # ... and nothing can be sent to it either
        self._on_finish = on_finish
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self.leaks = False  # all that comes is lost
        link.pipes.add(self)

    def feed(self, data: bytes) -> None:
        if self.leaks:
            return
        link = self.link
        if not self._queue and self.sink and not link.blocked and link.shape == Shape():
            self.sink.write(data)
            return
        now_s = self._loop.time()
        for start in range(0, len(data), SEGMENT_BYTES):
            segment = data[start : start + SEGMENT_BYTES]
            self._enqueue(now_s, segment)
        self.drain()

    def _enqueue(self, now_s: float, segment: bytes) -> None:
        due_s = self.link.due_s(now_s, len(segment))
        if self._queue:
            due_s = max(due_s, self._queue[-1][0])
        self._queue.append((due_s, segment))
        self._queued_bytes += len(segment)

    def end(self, *, closed: bool) -> None:
        """The source has sent all; `closed`: it also takes nothing any more."""
        self._ended = True
        self._closed = self._closed or closed
        if closed:
            self.source = None
        self.drain()

    def link_changed(self, *, retime: bool) -> None:
        if retime:
            waiting, self._queue, self._queued_bytes = self._queue, deque(), 0
            now_s = self._loop.time()
            for _, segment in waiting:
                self._enqueue(now_s, segment)
        self.drain()

    def drain(self) -> None:
        """Deliver what is due, and arrange for the rest."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self.sink and not self.link.blocked:
            now_s = self._loop.time()
            while self._queue and self._queue[0][0] <= now_s and not self.sink_full:
                _, segment = self._queue.popleft()
                self._queued_bytes -= len(segment)
                self.sink.write(segment)
            if self._queue and not self.sink_full:
                self._timer = self._loop.call_at(self._queue[0][0], self.drain)
            elif not self._queue and self._ended:
                self._deliver_end(self.sink)
        self._flow()

    def _deliver_end(self, sink: asyncio.Transport) -> None:
        self._ended = False
        self.finished = True
        if self._closed:
            sink.close()
        elif not sink.is_closing():
            with contextlib.suppress(OSError, RuntimeError):
                sink.write_eof()
            self._on_finish()

    def _flow(self) -> None:
        """Read from the source only what can be held. Before the sink is there, reading goes on
        (within the bound): who hangs up before he is connected must be noticed."""
        if self.source is None or self.source.is_closing():
            return
        full = self._queued_bytes >= QUEUE_BYTES or self.sink_full
        pause = full or (self.sink is not None and self.link.blocked)
        if pause != self._paused:
            self._paused = pause
            (self.source.pause_reading if pause else self.source.resume_reading)()

    def discard(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._queue.clear()
        self.link.pipes.discard(self)


class Connection:
    """A connection through the proxy: two sides, a pipe each way."""

    def __init__(self, listener: Listener) -> None:
        loop = listener.loop
        self.listener = listener
        self.there = Pipe(listener.forward, loop, self._finish)
        self.back = Pipe(listener.backward, loop, self._finish)
        self.caller = _Side(self, out=self.there, into=self.back)
        self.callee = _Side(self, out=self.back, into=self.there)
        self.connected = False
        self.dialing: asyncio.Task[None] | None = None

    def begin(self) -> None:
        if len(self.listener.connections) >= CONNECTIONS:
            self.abort()
            return
        self.listener.connections.add(self)
        self.dialing = self.listener.loop.create_task(self._dial())

    async def _dial(self) -> None:
        listener = self.listener
        await listener.open()
        try:
            await listener.loop.create_connection(
                lambda: self.callee, *listener.target, local_addr=(listener.source_host, 0)
            )
        except OSError:
            self.abort()  # nobody listens there: the nearest thing to "refused" that is left

    def _finish(self) -> None:
        """Once both sides have said all, both can go."""
        if self.there.finished and self.back.finished:
            for transport in (self.there.source, self.back.source):
                if transport:
                    transport.close()

    def lose(self) -> None:
        """Pass nothing on any more: to be aborted soon."""
        for pipe in (self.there, self.back):
            pipe.leaks = True

    def abort(self) -> None:
        """Reset both sides and forget the connection."""
        for pipe in (self.there, self.back):
            if pipe.sink:
                pipe.sink.abort()
            if pipe.source:
                pipe.source.abort()
        self.forget()

    def forget(self) -> None:
        if self.dialing and not self.connected:
            self.dialing.cancel()
        self.there.discard()
        self.back.discard()
        self.listener.connections.discard(self)


class _Side(asyncio.Protocol):
    def __init__(self, connection: Connection, *, out: Pipe, into: Pipe) -> None:
        self._connection = connection
        self._out = out
        self._into = into

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._out.source = self._into.sink = cast(asyncio.Transport, transport)
        if self is self._connection.caller:
            self._connection.begin()
        else:
            self._connection.connected = True
        self._out.drain()
        self._into.drain()

    def data_received(self, data: bytes) -> None:
        self._out.feed(data)

    def eof_received(self) -> bool:
        if not self._connection.connected:
            self._connection.abort()
            return False
        self._out.end(closed=False)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._into.sink = None
        if not self._connection.connected or self._out.sink is None:
            self._connection.forget()
            return
        self._out.end(closed=True)

    def pause_writing(self) -> None:
        self._into.sink_full = True
        self._into.drain()

    def resume_writing(self) -> None:
        self._into.sink_full = False
        self._into.drain()


class Listener:
    """Where one node must connect to reach one port of another."""

    def __init__(
        self,
        forward: LinkState,
        backward: LinkState,
        *,
        source_host: str,
        target: tuple[str, int],
        changed: asyncio.Condition,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.forward = forward
        self.backward = backward
        self.source_host = source_host
        self.target = target
        self.connections: set[Connection] = set()
        self._changed = changed

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Raises OSError where the address is taken."""
        return await self.loop.create_server(lambda: Connection(self).caller, host, port)

    async def open(self) -> None:
        """Wait until neither direction is cut."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: not (self.forward.blocked or self.backward.blocked)
            )
