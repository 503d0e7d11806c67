"""The client over redis-py: no retries, and each answer means what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from paxtest.client import Refused
from paxtest.cluster.systems.redis_client import RedisClient
from paxtest.history import Journal
from paxtest.node import Node
from paxtest.operation import Op, Type
from paxtest.workers import Worker

NODE = Node("n1", 0, "127.0.0.1")


@asynccontextmanager
async def server(
    answer: Callable[[list[bytes]], bytes | None],
) -> AsyncIterator[tuple[int, list[Any]]]:
    """A RESP server on loopback; `answer` None closes the connection. Yields (port, commands)."""
    commands: list[list[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                words = []
                for _ in range(int(line[1:])):
                    size = int((await reader.readline())[1:])
                    words.append((await reader.readexactly(size + 2))[:-2])
                commands.append(words)
                reply = answer(words)
                if reply is None:
                    break
                writer.write(reply)
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1], commands
    finally:
        listening.close()
        await listening.wait_closed()


def op(f: str, value: Any = None) -> Op:
    return Op(0, 0, 0, Type.INVOKE, f, "k", value)


@pytest.mark.parametrize(("f", "value"), [("write", 1), ("cas", [1, 2]), ("read", None)])
async def test_a_command_leaves_exactly_once_when_the_server_drops_the_connection(
    f: str, value: Any, tmp_path: Path
) -> None:
    async with server(lambda words: None) as (port, commands):
        journal = Journal(tmp_path / "h.jsonl")
        worker = Worker(0, NODE, lambda: RedisClient(port), journal, 5.0)
        _, completion = await worker.perform(0, f, "k", value)
        await worker.close()
        journal.close()
    assert [words[0] for words in commands] == [b"GET" if f == "read" else b"SET"]
    assert completion.type is (Type.FAIL if f == "read" else Type.INFO)
    assert completion.error is not None and completion.error[0] == "connection"


async def test_a_silent_server_is_asked_once(tmp_path: Path) -> None:
    async with server(lambda words: b"") as (port, commands):
        journal = Journal(tmp_path / "h.jsonl")
        worker = Worker(0, NODE, lambda: RedisClient(port), journal, 0.3)
        _, completion = await worker.perform(0, "write", "k", 1)
        await worker.close()
        journal.close()
    assert len(commands) == 1 and completion.type is Type.INFO
    assert completion.error is not None and completion.error[0] == "timeout"


@pytest.mark.parametrize(
    ("f", "value", "reply", "type_", "result"),
    [
        ("read", None, b"$-1\r\n", Type.OK, None),
        ("read", None, b"$2\r\n17\r\n", Type.OK, 17),
        ("read", None, b"$7\r\ngarbage\r\n", Type.OK, "garbage"),
        ("write", 5, b"+OK\r\n", Type.OK, None),
        ("cas", [1, 2], b"+OK\r\n", Type.OK, None),
        ("cas", [1, 2], b"$-1\r\n", Type.FAIL, None),
        ("write", 5, b"-FAIL no leader\r\n", Type.FAIL, None),
        ("write", 5, b"-ERR syntax\r\n", Type.INFO, None),
        ("write", 5, b"-UNKNOWN the leader changed\r\n", Type.INFO, None),
        ("write", 5, b"-SOMETHING else\r\n", Type.INFO, None),
    ],
)
async def test_what_an_answer_means(
    f: str, value: Any, reply: bytes, type_: Type, result: Any
) -> None:
    async with server(lambda words: reply) as (port, _):
        client = RedisClient(port)
        await client.open(NODE)
        completion = await client.invoke(op(f, value))
        await client.close()
    assert completion.type is type_ and completion.value == result


async def test_cas_is_one_command() -> None:
    async with server(lambda words: b"+OK\r\n") as (port, commands):
        client = RedisClient(port)
        await client.open(NODE)
        await client.invoke(op("cas", [3, 4]))
        await client.close()
    assert commands == [[b"SET", b"k", b"4", b"IFEQ", b"3"]]


async def test_no_connection_is_a_refusal() -> None:
    async with server(lambda words: None) as (port, _):
        pass
    with pytest.raises(Refused):
        await RedisClient(port).open(NODE)
