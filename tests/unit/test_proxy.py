"""Links of a local cluster: what TCP sees of a cut, slow, lossy or late link."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from paxtest.cluster import proxy
from paxtest.cluster.links import Shape
from paxtest.cluster.proxy import LinkState, Listener

HOST = "127.0.0.1"


@dataclass
class Wire:
    """A caller's address and the callee's connections, a link each way between them."""

    there: LinkState
    back: LinkState
    listener: Listener
    changed: asyncio.Condition
    address: tuple[str, int] = ("", 0)
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(
        default_factory=asyncio.Queue
    )
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address)
        self.writers.append(writer)
        return reader, writer

    async def connect(
        self,
    ) -> tuple[
        tuple[asyncio.StreamReader, asyncio.StreamWriter],
        tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ]:
        """(caller's streams, callee's streams) of a new connection."""
        caller = await self.dial()
        return caller, await asyncio.wait_for(self.accepted.get(), 5)

    async def set(self, link: LinkState, **how: object) -> None:
        link.set(**how)  # type: ignore[arg-type]
        async with self.changed:
            self.changed.notify_all()


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    rng = random.Random(7)
    there, back = LinkState(rng), LinkState(rng)
    changed = asyncio.Condition()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made.writers.append(writer)
        made.accepted.put_nowait((reader, writer))

    callee = await asyncio.start_server(accept, HOST, 0)
    target = callee.sockets[0].getsockname()[:2]
    listener = Listener(there, back, source_host=HOST, target=target, changed=changed)
    made = Wire(there, back, listener, changed)
    server = await listener.listen(HOST, 0)
    made.address = server.sockets[0].getsockname()[:2]
    yield made
    server.close()
    callee.close()
    for connection in tuple(listener.connections):
        connection.abort()
    for writer in made.writers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def silent(reader: asyncio.StreamReader, for_s: float = 0.15) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), for_s)
        return False
    except TimeoutError:
        return True


async def read(reader: asyncio.StreamReader, count: int) -> bytes:
    return await asyncio.wait_for(reader.readexactly(count), 10)


async def test_bytes_pass_both_ways_unchanged(wire: Wire) -> None:
    (reader, writer), (callee_reader, callee_writer) = await wire.connect()
    data = random.Random(1).randbytes(3_000_000)
    writer.write(data)
    callee_writer.write(data[::-1])
    got = await asyncio.gather(read(callee_reader, len(data)), read(reader, len(data)))
    assert got == [data, data[::-1]]


async def test_an_end_passes_and_the_answer_still_comes(wire: Wire) -> None:
    (reader, writer), (callee_reader, callee_writer) = await wire.connect()
    writer.write(b"question")
    writer.write_eof()
    assert await asyncio.wait_for(callee_reader.read(), 5) == b"question"
    callee_writer.write(b"answer")
    callee_writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 5) == b"answer"
    await forgotten(wire)


async def forgotten(wire: Wire) -> None:
    until = time.monotonic() + 5
    while wire.listener.connections or wire.there.pipes or wire.back.pipes:
        assert time.monotonic() < until, "the proxy keeps a connection that is over"
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("side", ["caller", "callee"])
async def test_a_reset_ends_the_other_side(wire: Wire, side: str) -> None:
    streams = dict(zip(("caller", "callee"), await wire.connect(), strict=True))
    victim = streams["callee" if side == "caller" else "caller"][0]
    reset(streams[side][1])
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(victim.read(), 5) == b""
    await forgotten(wire)


def reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def test_nobody_listening_is_a_reset(wire: Wire) -> None:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        wire.listener.target = probe.getsockname()
    reader, _ = await wire.dial()
    with pytest.raises(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
        raise ConnectionResetError
    await forgotten(wire)


async def test_a_cut_holds_what_is_sent_until_the_heal(wire: Wire) -> None:
    (reader, writer), (callee_reader, callee_writer) = await wire.connect()
    await wire.set(wire.there, cut=True)
    writer.write(b"held")
    callee_writer.write(b"passes")
    assert await read(reader, 6) == b"passes", "the other direction is open"
    assert await silent(callee_reader)
    await wire.set(wire.there, cut=False)
    assert await read(callee_reader, 4) == b"held"


async def test_ends_and_resets_are_held_too(wire: Wire) -> None:
    (_, writer), (first, _) = await wire.connect()
    (_, other), (second, _) = await wire.connect()
    await wire.set(wire.there, cut=True)
    writer.write(b"last words")
    writer.close()
    reset(other)
    assert await asyncio.gather(silent(first), silent(second)) == [True, True]
    await wire.set(wire.there, cut=False)
    assert await asyncio.wait_for(first.read(), 5) == b"last words"
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(second.read(), 5) == b""


@pytest.mark.parametrize("direction", ["there", "back"])
async def test_a_new_connection_hangs_while_either_direction_is_cut(
    wire: Wire, direction: str
) -> None:
    link = getattr(wire, direction)
    await wire.set(link, cut=True)
    reader, writer = await wire.dial()
    writer.write(b"hello")
    assert await silent(reader)
    assert wire.accepted.empty(), "the callee knows nothing of it"
    await wire.set(link, cut=False)
    callee_reader, _ = await asyncio.wait_for(wire.accepted.get(), 5)
    assert await read(callee_reader, 5) == b"hello"


async def test_who_hangs_up_while_it_hangs_is_forgotten(wire: Wire) -> None:
    await wire.set(wire.back, cut=True)
    for end in (lambda w: w.close(), reset):
        _, writer = await wire.dial()
        writer.write(b"hello")
        await writer.drain()
        end(writer)
    await forgotten(wire)
    await wire.set(wire.back, cut=False)
    assert wire.accepted.empty()


async def test_what_is_held_is_bounded(wire: Wire) -> None:
    (_, writer), (callee_reader, _) = await wire.connect()
    await wire.set(wire.there, cut=True)
    connection = next(iter(wire.listener.connections))
    data = bytes(20_000_000)
    writer.write(data)
    until = time.monotonic() + 5
    while not connection.there._paused:
        assert time.monotonic() < until
        await asyncio.sleep(0.005)
    assert connection.there._queued_bytes <= 2 * proxy.QUEUE_BYTES
    assert writer.transport.get_write_buffer_size() > 0, "the sender feels it"
    await wire.set(wire.there, cut=False)
    assert len(await read(callee_reader, len(data))) == len(data)


async def test_a_slow_reader_slows_the_sender(wire: Wire) -> None:
    (_, writer), (callee_reader, _) = await wire.connect()
    await wire.set(wire.there, shape=Shape(delay_s=0.001))
    data = bytes(20_000_000)
    writer.write(data)
    await asyncio.sleep(0.1)
    connection = next(iter(wire.listener.connections))
    assert connection.there._queued_bytes <= 2 * proxy.QUEUE_BYTES
    assert len(await read(callee_reader, len(data))) == len(data)


async def test_too_many_connections_are_reset(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CONNECTIONS", 2)
    await wire.connect()
    await wire.connect()
    reader, _ = await wire.dial()
    with pytest.raises(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
        raise ConnectionResetError
    assert len(wire.listener.connections) == 2


async def test_a_delay_is_kept_in_its_direction(wire: Wire) -> None:
    (reader, writer), (callee_reader, callee_writer) = await wire.connect()
    await wire.set(wire.there, shape=Shape(delay_s=0.2))
    began = time.monotonic()
    writer.write(b"x")
    callee_writer.write(b"y")
    await read(reader, 1)
    back_s = time.monotonic() - began
    await read(callee_reader, 1)
    there_s = time.monotonic() - began
    assert there_s >= 0.2 > back_s


async def test_a_rate_is_shared_by_all_connections_of_a_link(wire: Wire) -> None:
    pairs = [await wire.connect() for _ in range(2)]
    await wire.set(wire.there, shape=Shape(rate_bytes_s=200_000))
    began = time.monotonic()
    for (_, writer), _ in pairs:
        writer.write(bytes(40_000))
    await asyncio.gather(*(read(reader, 40_000) for _, (reader, _) in pairs))
    assert time.monotonic() - began >= 0.35


async def test_jitter_and_loss_never_reorder(wire: Wire) -> None:
    (_, writer), (callee_reader, _) = await wire.connect()
    await wire.set(wire.there, shape=Shape(delay_s=0.01, jitter_s=0.01, loss=0.02))
    data = random.Random(2).randbytes(100_000)
    for start in range(0, len(data), 1000):
        writer.write(data[start : start + 1000])
        await asyncio.sleep(0)
    assert await read(callee_reader, len(data)) == data


async def test_a_heal_lets_waiting_bytes_go_at_once(wire: Wire) -> None:
    (_, writer), (callee_reader, _) = await wire.connect()
    await wire.set(wire.there, shape=Shape(delay_s=60))
    writer.write(b"late")
    assert await silent(callee_reader)
    await wire.set(wire.there, shape=Shape())
    assert await read(callee_reader, 4) == b"late"


def test_losses_cost_what_tcp_would_take() -> None:
    link = LinkState(random.Random(3))
    link.set(shape=Shape(loss=0.5))
    extra = [round(link.due_s(10.0, 100) - 10.0, 6) for _ in range(4000)]
    once, twice = 0.2, 0.6
    assert 0.45 < extra.count(0.0) / len(extra) < 0.55
    assert 0.20 < extra.count(once) / len(extra) < 0.30
    assert 0.09 < extra.count(twice) / len(extra) < 0.16


def test_losing_everything_is_a_cut() -> None:
    link = LinkState(random.Random(0))
    link.set(shape=Shape(loss=1.0))
    assert link.blocked
