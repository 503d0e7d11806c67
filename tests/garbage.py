"""Bytes that no client and no node would send, thrown at a live server of one node.

    python tests/garbage.py --minutes 15 [--seed 1]

Whatever arrives on a connection, another client's commands must go on being answered, and right.
The same throws, fewer of them, are a test (tests/property/test_paxos_garbage.py).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sockets import throw

from paxtest.cluster.paxos_server.bugs import NONE
from paxtest.cluster.paxos_server.config import Config
from paxtest.cluster.paxos_server.messages import decode_messages, encode
from paxtest.cluster.paxos_server.resp import INLINE_LIMIT
from paxtest.cluster.paxos_server.server import Server, Settings

Address = tuple[str, int]
TIMEOUT_S = 20.0
WORDS = [
    b"GET", b"SET", b"MULTI", b"EXEC", b"DISCARD", b"INCRBY", b"LRANGE", b"HELLO", b"CLIENT",
    b"CONFIG", b"COMMAND", b"INFO", b"PAXOS", b"DUMP", b"QUIT", b"SMEMBERS", b"RPUSH", b"IFEQ",
    b"3", b"-1", b"9223372036854775807", b"", b"\r\n", b"\x00\xff", b"k", b"x" * 5000,
]  # fmt: skip
PIECES = [
    b"*", b"$", b"\r\n", b"\n", b":", b"+", b"-", b"*3\r\n", b"$3\r\n", b"$-1\r\n", b"*-1\r\n",
    b"*1025\r\n", b"$999999999\r\n", b"*0\r\n", b"\x00", b"0" * 20, b"x" * (INLINE_LIMIT + 1),
]  # fmt: skip
MESSAGES: list[bytes] = [
    encode([["hb", [1, "n2", 1], 3, 4]]), encode([["2a", [1, "n2", 1], 1, b"", 0]]),
    encode([["fw", []], ["ch", 1, [b""], 1]]), encode([["cu", 1]]), encode([[b"hb"], 7, None]),
]  # fmt: skip


class Node:
    """A server of one node in a thread of its own, and a client that must not notice anything."""

    def __init__(self, directory: Path, clients: Address, peers: Address) -> None:
        self.clients, self.peers = clients, peers
        # Patient: a machine that is busy elsewhere is no harm done by what is thrown.
        config = Config("n1", ("n1",), step_down_s=TIMEOUT_S, request_timeout_s=TIMEOUT_S)
        settings = Settings(config, clients, peers, {"n2": (peers[0], 1)}, directory, NONE)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self.server = Server(settings)
        self.problems: list[str] = []
        self._loop.set_exception_handler(lambda _, context: self.problems.append(str(context)))
        self._thread = threading.Thread(target=self._run)
        self._writes = 0

    def _run(self) -> None:
        failure = self._loop.run_until_complete(self.server.run(self._stop))
        if failure is not None:
            self.problems.append(failure)

    def __enter__(self) -> Node:
        self._thread.start()
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self._client = socket.create_connection(self.clients, TIMEOUT_S)
                break
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and self._thread.is_alive(), self.problems
                time.sleep(0.01)  # waits for the condition of the loop
        while self.ask(b"SET w 0\r\n") != b"+OK\r\n":
            assert time.monotonic() < deadline, self.problems
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT_S)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def ask(self, line: bytes) -> bytes:
        """A command that has a reply of one line."""
        self._client.sendall(line)
        reply = b""
        while not reply.endswith(b"\r\n"):
            received = self._client.recv(65536)
            assert received, "the server closed a connection that did nothing wrong"
            reply += received
        return reply

    def unharmed(self) -> None:
        """Raises AssertionError when the other client notices anything."""
        self._writes += 1
        assert self.ask(b"SET w %d\r\n" % self._writes) == b"+OK\r\n"
        assert self.ask(b"INCR w\r\n") == b":%d\r\n" % (self._writes + 1)
        assert not self.problems, self.problems


def on_the_client_port(rng: random.Random) -> list[bytes]:
    """Commands, pieces of commands and noise, damaged and cut at any place."""
    data = b""
    for _ in range(rng.randrange(1, 8)):
        match rng.randrange(4):
            case 0:
                words = rng.choices(WORDS, k=rng.randrange(1, 5))
                data += b"*%d\r\n" % len(words)
                data += b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
            case 1:
                data += b" ".join(rng.choices(WORDS, k=rng.randrange(1, 5))) + b"\r\n"
            case 2:
                data += b"".join(rng.choices(PIECES, k=rng.randrange(1, 6)))
            case _:
                data += rng.randbytes(rng.randrange(200))
    return _cut(rng, _damaged(rng, data) if rng.random() < 0.5 else data)


def on_the_peer_port(rng: random.Random) -> list[bytes]:
    """Frames with and without a name, of damaged messages and of none. Messages that survive the
    damage are left out: a node that lies is no malformed input."""
    data = b""
    if rng.random() < 0.7:
        data += _frame(encode(rng.choice(["n2", "n2", "n1", "n9", "", "\n" * 300])))
    for _ in range(rng.randrange(5)):
        payload = _damaged(rng, rng.choice(MESSAGES))
        try:
            decode_messages(payload)
        except (msgspec.DecodeError, UnicodeDecodeError):
            data += _frame(payload)
    if rng.random() < 0.5:
        data += rng.randbytes(rng.randrange(100))
    return _cut(rng, data)


def _damaged(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(damaged) + 1)
        match rng.randrange(3):
            case 0:
                del damaged[at : at + rng.randrange(1, 4)]
            case 1:
                damaged[at:at] = rng.randbytes(rng.randrange(1, 4))
            case _:
                damaged[at : at + 1] = rng.randbytes(1)
    return bytes(damaged)


def _frame(payload: bytes) -> bytes:
    return struct.pack("<I", len(payload)) + payload


def _cut(rng: random.Random, data: bytes) -> list[bytes]:
    places = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(3)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def seeds(first: int) -> Iterator[int]:
    while True:
        yield first
        first += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    until_s = time.monotonic() + options.minutes * 60
    with (
        tempfile.TemporaryDirectory() as folder,
        Node(Path(folder), ("127.76.8.1", 7379), ("127.76.8.1", 7380)) as node,
    ):
        for seed in seeds(options.seed):
            rng = random.Random(seed)
            try:
                throw(node.clients, on_the_client_port(rng))
                throw(node.peers, on_the_peer_port(rng))
                node.unharmed()
            except (AssertionError, OSError) as problem:
                raise SystemExit(f"seed {seed}: {problem!r} {node.problems}") from problem
            if time.monotonic() > until_s:
                break
    print(f"seeds {options.seed} to {seed}: no harm done")


if __name__ == "__main__":
    main()
