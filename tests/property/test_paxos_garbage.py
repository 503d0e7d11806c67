"""Malformed input ends its own connection and nothing else, on either port."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from garbage import Node, on_the_client_port, on_the_peer_port
from hypothesis import given, settings
from hypothesis import strategies as st
from sockets import throw

from paxtest.cluster.paxos_server import network, server
from paxtest.cluster.paxos_server.messages import encode
from paxtest.cluster.paxos_server.resp import FRAME_LIMIT
from paxtest.cluster.paxos_server.statemachine import VALUE_LIMIT
from paxtest.cluster.paxos_server.validation import KEY_LIMIT


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    directory = tmp_path_factory.mktemp("node")
    with Node(directory, ("127.75.32.1", 7379), ("127.75.32.1", 7380)) as node:
        yield node
    assert not node.problems


def test_thrown_at_a_live_server(node: Node) -> None:
    for seed in range(300):
        rng = random.Random(seed)
        try:
            throw(node.clients, on_the_client_port(rng))
            throw(node.peers, on_the_peer_port(rng))
            node.unharmed()
        except (AssertionError, OSError) as problem:
            raise AssertionError(f"seed {seed}: {problem!r}") from problem


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=4), st.booleans())
def test_any_bytes(node: Node, parts: list[bytes], to_peers: bool) -> None:
    throw(node.peers if to_peers else node.clients, parts)
    node.unharmed()


def bulk(*words: bytes) -> bytes:
    data = b"*%d\r\n" % len(words)
    return data + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (bulk(b"SET", b"k" * KEY_LIMIT, b"v" * VALUE_LIMIT), b"+OK\r\n"),
        (bulk(b"SET", b"k" * (KEY_LIMIT + 1), b"v"), b"-ERR the key exceeds 4096 bytes\r\n"),
        (
            bulk(b"SET", b"k", b"v" * (VALUE_LIMIT + 1)),
            b"-ERR an argument exceeds 1048576 bytes\r\n",
        ),
        (
            bulk(b"RPUSH", b"k", *[b"v" * VALUE_LIMIT] * 4),
            b"-ERR Protocol error: command exceeds 4194304 bytes\r\n",
        ),
        (
            b"*2\r\n$3\r\nGET\r\n$%d\r\n" % FRAME_LIMIT,
            b"-ERR Protocol error: command exceeds 4194304 bytes\r\n",
        ),
        (b"*1025\r\n", b"-ERR Protocol error: more than 1024 arguments\r\n"),
        (b"PING\r\n" * 2 + b"*1\r\n:", b"+PONG\r\n+PONG\r\n-ERR Protocol error: expected '$'"),
    ],
)  # fmt: skip
def test_limits_of_commands(node: Node, sent: bytes, answered: bytes) -> None:
    assert throw(node.clients, [sent])[: len(answered)] == answered
    node.unharmed()


def test_the_bytes_that_wait_are_limited(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WAITING_LIMIT_BYTES", 1000)
    sent = bulk(b"SET", b"k", b"v" * 400) * 5
    answers = throw(node.clients, [sent]).split(b"\r\n")
    assert answers[:2] == [b"+OK", b"+OK"] and answers[2].startswith(b"-FAIL commands of ")
    node.unharmed()  # the two have been answered: nothing waits any more
    assert throw(node.clients, [bulk(b"SET", b"k", b"v" * 900)]) == b"+OK\r\n"


def test_a_peer_must_name_itself_first(node: Node) -> None:
    too_long = (network.NAME_LIMIT + 1).to_bytes(4, "little")
    assert throw(node.peers, [too_long, b"x" * 10]) == b""
    name, empty = encode("n2"), (0).to_bytes(4, "little")
    greeting = len(name).to_bytes(4, "little") + name
    assert throw(node.peers, [greeting, empty]) == b"."
    node.unharmed()
