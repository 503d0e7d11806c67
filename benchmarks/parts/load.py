"""Load from one process: connections that each have one request under way, for some seconds.

The same driver for every protocol, so that what it costs is the same for all that it measures.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import uvloop

Address = tuple[str, int]
DIAL_TIMEOUT_S = 10.0
KEYS = 100_000
VALUE = b"VXK"  # what redis-benchmark writes


@dataclass
class Answered:
    """`seconds`: how long the load ran. `latencies_s`: of each request answered as expected.
    `refused`: answers of another kind, one of them in `example`."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0
    example: bytes = b""

    @property
    def per_s(self) -> float:
        return len(self.latencies_s) / self.seconds

    def quantile_ms(self, q: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(q * len(ordered)))] * 1e3 if ordered else 0.0


class Exchange:
    """How to make requests, and how to tell a whole answer from a part of one."""

    def __init__(
        self,
        request: Callable[[int], bytes],
        whole: Callable[[bytes], bool],
        good: bytes,
        keys: int = KEYS,
    ) -> None:
        self.request = request
        self.whole = whole
        self.good = good
        self.keys = keys


class _Client(asyncio.Protocol):
    def __init__(self, exchange: Exchange, answered: Answered, until_s: float) -> None:
        self._exchange = exchange
        self._answered = answered
        self._until_s = until_s
        self._buffer = b""
        self._sent_s = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self) -> None:
        self._sent_s = time.perf_counter()
        self._transport.write(self._exchange.request(random.randrange(self._exchange.keys)))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._exchange.whole(self._buffer):
            return
        now_s = time.perf_counter()
        if self._buffer.startswith(self._exchange.good):
            self._answered.latencies_s.append(now_s - self._sent_s)
        else:
            self._answered.refused += 1
            self._answered.example = self._buffer
        self._buffer = b""
        if now_s < self._until_s:
            self.send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


async def _drive(address: Address, clients: int, seconds: float, exchange: Exchange) -> Answered:
    loop = asyncio.get_running_loop()
    answered = Answered()
    connected: list[_Client] = []
    for _ in range(clients):  # one after the other: a backlog that overflows is not measured here
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            _, client = await loop.create_connection(
                lambda: _Client(exchange, answered, time.perf_counter()), *address
            )
        connected.append(client)
    began_s = time.perf_counter()
    for client in connected:
        client._until_s = began_s + seconds
        client.send()
    await asyncio.wait([client.ended for client in connected], timeout=seconds + DIAL_TIMEOUT_S)
    answered.seconds = time.perf_counter() - began_s
    return answered


def measure(address: Address, clients: int, seconds: float, exchange: Exchange) -> Answered:
    """Load for some seconds. Raises OSError when nobody listens."""
    return uvloop.run(_drive(address, clients, seconds, exchange))


def _http_whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = answer[:end].lower().rpartition(b"content-length:")[2]
    return len(answer) >= end + 4 + int(length.split(b"\r\n")[0])


def etcd_put(host: str) -> Exchange:
    """Puts to etcd's JSON gateway (its keys and values travel in base64)."""
    from base64 import b64encode

    head = b"POST /v3/kv/put HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b"

    def request(key: int) -> bytes:
        body = b'{"key":"%b","value":"%b"}' % (b64encode(b"key:%012d" % key), b64encode(VALUE))
        return head % (host.encode(), len(body), body)

    return Exchange(request, _http_whole, b"HTTP/1.1 200")


def redis_set(keys: int = KEYS) -> Exchange:
    """SET in the Redis protocol."""
    command = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$%d\r\n%b\r\n"
    return Exchange(
        lambda key: command % (key, len(VALUE), VALUE),
        lambda answer: answer.endswith(b"\r\n"),
        b"+OK",
        keys,
    )
