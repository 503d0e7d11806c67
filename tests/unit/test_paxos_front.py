"""What a client's connection does with commands, without any server behind it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxtest.cluster.paxos_server import front, network
from paxtest.cluster.paxos_server.config import Reads
from paxtest.cluster.paxos_server.front import Cell, Connection
from paxtest.cluster.paxos_server.messages import Chosen, Message, decode_messages
from paxtest.cluster.paxos_server.resp import FRAME_LIMIT, Parser


class Transport:
    """Remembers what was written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = self.aborted = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Backend:
    """Keeps commands, for the test to answer."""

    def __init__(self) -> None:
        self.commands: list[tuple[Cell, list[bytes]]] = []

    def submit(self, cell: Cell, args: list[bytes], reads: Reads | None, connection: int) -> None:
        self.commands.append((cell, args))

    def reads(self, name: bytes) -> Reads | bytes:
        raise AssertionError("not asked here")

    def snapshot(self, cell: Cell) -> None:
        raise AssertionError("not asked here")

    def info(self) -> list[tuple[str, str | int]]:
        return [("node", "n1")]

    def paxos(self, args: list[bytes], resp3: bool) -> bytes:
        raise AssertionError("not asked here")


class Client:
    def __init__(self, connections: set[Connection] | None = None) -> None:
        self.backend = Backend()
        self.transport = Transport()
        self.connection = Connection(self.backend, set() if connections is None else connections)
        self.connection.connection_made(cast(asyncio.Transport, self.transport))

    def says(self, data: bytes) -> bytes:
        """The bytes that come back at once."""
        before = len(self.transport.written)
        self.connection.data_received(data)
        return self.transport.written[before:]


def test_commands_before_a_malformed_one_are_answered_before_the_connection_ends() -> None:
    client = Client()
    assert client.says(b"GET a\r\nGET b\r\n*x\r\nGET c\r\n") == b""
    (a, _), (b, _) = client.backend.commands
    b.answer(b"$1\r\nB\r\n")
    assert not client.transport.closed
    a.answer(b"$1\r\nA\r\n")
    assert client.transport.written == (
        b"$1\r\nA\r\n$1\r\nB\r\n-ERR Protocol error: invalid length b'x'\r\n"
    )
    assert client.transport.closed


def test_quit_waits_for_what_was_asked_before() -> None:
    client = Client()
    client.says(b"GET a\r\nQUIT\r\nGET b\r\n")
    assert not client.transport.closed
    ((cell, _),) = client.backend.commands
    cell.answer(b"$-1\r\n")
    assert client.transport.written == b"$-1\r\n+OK\r\n" and client.transport.closed


def test_the_end_of_input_waits_for_what_was_asked_before() -> None:
    client = Client()
    client.says(b"GET a\r\n")
    assert client.connection.eof_received()
    client.backend.commands[0][0].answer(b"$-1\r\n")
    assert client.transport.written == b"$-1\r\n" and client.transport.closed
    assert not Client().connection.eof_received()


def test_too_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "CONNECTIONS_LIMIT", 2)
    connections: set[Connection] = set()
    clients = [Client(connections) for _ in range(3)]
    assert [client.transport.closed for client in clients] == [False, False, True]
    assert clients[2].transport.written == b"-ERR max number of clients reached\r\n"
    clients[0].connection.connection_lost(None)
    assert not Client(connections).transport.closed


def test_too_many_commands_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "PIPELINE_LIMIT", 3)
    client = Client()
    client.says(b"GET a\r\n" * 4)
    client.says(b"GET a\r\n")
    assert len(client.backend.commands) == 4
    for cell, _ in client.backend.commands:
        cell.answer(b"$-1\r\n")
    assert client.transport.written.endswith(b"-ERR more than 3 commands without an answer\r\n")
    assert client.transport.closed


def test_a_client_that_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "UNREAD_LIMIT_BYTES", 100)
    client = Client()
    client.says(b"PING " + b"x" * 50 + b"\r\n")
    assert not client.transport.aborted
    client.says(b"PING " + b"x" * 50 + b"\r\n")
    assert client.transport.aborted


def test_a_transaction_is_no_longer_than_a_command_may_be() -> None:
    client = Client()
    client.says(b"MULTI\r\n")
    command = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1000000\r\n" + b"v" * 1_000_000 + b"\r\n"
    assert [client.says(command)[:7] for _ in range(4)] == [b"+QUEUED"] * 4
    refusal = b"-ERR more than %d bytes in a transaction\r\n" % FRAME_LIMIT
    assert client.says(command) == refusal
    assert client.says(b"EXEC\r\n").startswith(b"-EXECABORT")
    assert client.backend.commands == []
    client.says(b"MULTI\r\n")
    assert client.says(command) == b"+QUEUED\r\n"


def test_what_redis_clients_ask_when_they_connect() -> None:
    client = Client()
    says = client.says
    assert says(b"CONFIG GET save\r\n") == b"*2\r\n$4\r\nsave\r\n$0\r\n\r\n"
    assert says(b"config get append* nothing\r\n").startswith(b"*4\r\n$11\r\nappendfsync\r\n")
    assert says(b"CONFIG SET save x\r\n").startswith(b"-ERR")
    assert says(b"COMMAND COUNT\r\n")[:1] == b":"
    assert says(b"COMMAND DOCS\r\n")[:4] == b"-ERR"
    assert says(b"CLIENT GETNAME\r\n") == b"$-1\r\n"
    assert says(b"COMMAND INFO get nope\r\n") == (
        b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n"
        + b"*0\r\n" * 4
        + b"*-1\r\n"
    )
    assert says(b"COMMAND\r\n").count(b"+write\r\n") > 10
    assert says(b"CLIENT SETNAME me\r\n") == says(b"CLIENT SETINFO LIB-NAME x\r\n") == b"+OK\r\n"
    assert says(b"CLIENT GETNAME\r\n") == b"$2\r\nme\r\n"
    assert says(b"CLIENT ID\r\n")[:1] == b":"
    assert b"redis_version:" in says(b"INFO server\r\n")
    assert says(b"HELLO 3\r\n")[:1] == b"%"
    assert says(b"CONFIG GET save\r\n") == b"%1\r\n$4\r\nsave\r\n$0\r\n\r\n"


def test_a_large_argument_costs_no_more_than_its_size() -> None:
    """Each byte is joined to the others a few times, however many pieces they come in."""
    parser = Parser()
    piece = 10
    data = b"*2\r\n$3\r\nGET\r\n$1000000\r\n" + b"x" * 1_000_000 + b"\r\n"
    joined = 0
    for i in range(0, len(data), piece):
        commands = parser.feed(data[i : i + piece])
        joined += sum(map(len, parser._parts)) if len(parser._parts) == 1 else 0
    assert commands == [[b"GET", b"x" * 1_000_000]]
    assert joined < 10_000


@given(st.lists(st.integers(0, 300), max_size=20))
def test_messages_are_divided_into_frames_by_their_size(sizes: list[int]) -> None:
    patch = pytest.MonkeyPatch()
    with patch.context() as context:
        context.setattr(network, "FRAME_BYTES", 400)
        messages: list[Message] = [Chosen(i, [b"x" * n], 0) for i, n in enumerate(sizes)]
        frames = network.frames(messages)
    payloads = [frame[4:] for frame in frames]
    assert [int.from_bytes(frame[:4], "little") for frame in frames] == list(map(len, payloads))
    assert [m for payload in payloads for m in decode_messages(payload)] == messages
    assert all(len(p) <= 400 or len(decode_messages(p)) == 1 for p in payloads)


def test_what_a_dead_peer_is_sent_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "HELD_LIMIT_BYTES", 1000)
    monkeypatch.setattr(network, "QUEUE_LIMIT", 20)
    link = network._Link("n1", "127.0.0.1", 1)
    for i in range(50):
        link.send(Chosen(i, [b"x" * 100], 0))
        link.flush()
    assert sum(map(len, link._held)) == link._held_bytes <= 1000
    assert decode_messages(link._held[-1][4:]) == [Chosen(49, [b"x" * 100], 0)]
    for i in range(50):
        link.send(Chosen(i, [], 0))
        link.flush()
    assert len(link._held) == 20
