"""The RESP parser: any split of the bytes gives the same commands; no bytes break it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paxtest.cluster.paxos_server.resp import Parser

words = st.lists(st.binary(max_size=40), min_size=1, max_size=6)


def encoded(args: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(args) + b"".join(b"$%d\r\n%b\r\n" % (len(a), a) for a in args)


@given(st.lists(words, max_size=5), st.lists(st.integers(1, 30), max_size=40))
def test_any_split_gives_the_same_commands(commands: list[list[bytes]], cuts: list[int]) -> None:
    data = b"".join(map(encoded, commands))
    parser = Parser()
    got: list[list[bytes]] = []
    position = 0
    for cut in [*cuts, len(data) + 1]:
        got += parser.feed(data[position : position + cut])
        position += cut
    assert got == commands


@given(st.binary(max_size=300), st.lists(st.integers(1, 30), max_size=20))
def test_arbitrary_bytes_are_parsed_or_refused_however_they_are_split(
    data: bytes, cuts: list[int]
) -> None:
    whole, split = Parser(), Parser()
    commands = whole.feed(data)
    assert all(args for args in commands)
    got: list[list[bytes]] = []
    position = 0
    for cut in [*cuts, len(data) + 1]:
        got += split.feed(data[position : position + cut])
        position += cut
    assert got == commands
    assert (split.problem is None) == (whole.problem is None)


@given(st.lists(words, min_size=1, max_size=3), st.data())
def test_commands_before_the_damage_are_parsed(
    commands: list[list[bytes]], data: st.DataObject
) -> None:
    stream = bytearray(b"".join(map(encoded, commands)))
    last = len(stream) - len(encoded(commands[-1]))
    stream[data.draw(st.integers(last, len(stream) - 1))] = data.draw(st.integers(0, 255))
    assert Parser().feed(bytes(stream))[: len(commands) - 1] == commands[:-1]


def test_inline_commands() -> None:
    assert Parser().feed(b"SET k v\r\nPING\n\r\n") == [[b"SET", b"k", b"v"], [b"PING"]]
