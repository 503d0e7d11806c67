"""The state machine: what each command does, once."""

from __future__ import annotations

import pytest

from paxtest.cluster.paxos_server.bugs import NONE
from paxtest.cluster.paxos_server.messages import Command
from paxtest.cluster.paxos_server.statemachine import StateMachine, encode_args
from paxtest.cluster.paxos_server.validation import check

SCRIPT = """
GET k                    -> $-1
SET k 1                  -> +OK
GET k                    -> $1 1
SET k 2 NX               -> $-1
SET j 2 NX               -> +OK
SET j 3 XX               -> +OK
SET new 3 XX             -> $-1
SET k 5 IFEQ 2           -> $-1
SET k 5 IFEQ 1           -> +OK
SET k 6 IFEQ 5 GET       -> $1 5
SET k 7 IFEQ 5 GET       -> $1 6
GET k                    -> $1 6
SET none 7 IFEQ 5        -> $-1
INCR k                   -> :7
INCRBY k -10             -> :-3
DECRBY k 4               -> :-7
SET k abc                -> +OK
INCR k                   -> -ERR value is not an integer or out of range
APPEND k de              -> :5
STRLEN k                 -> :5
MGET k none j            -> *3 $5 abcde $-1 $1 3
EXISTS k none j          -> :2
DEL k none j             -> :2
RPUSH l a b c            -> :3
LPUSH l z                -> :4
LRANGE l 0 -1            -> *4 $1 z $1 a $1 b $1 c
LRANGE l -2 9            -> *2 $1 b $1 c
LRANGE l 3 1             -> *0
RPOP l                   -> $1 c
LPOP l                   -> $1 z
LLEN l                   -> :2
GET l                    -> -WRONGTYPE Operation against a key holding the wrong kind of value
SADD l x                 -> -WRONGTYPE Operation against a key holding the wrong kind of value
SADD s b a b             -> :2
SADD s b c               -> :1
SISMEMBER s b            -> :1
SMEMBERS s               -> *3 $1 a $1 b $1 c
SREM s a b x             -> :2
SCARD s                  -> :1
SREM s c                 -> :1
EXISTS s                 -> :0
RPOP none                -> $-1
MSET k 8 m 9 k 10        -> +OK
MGET k m                 -> *2 $2 10 $1 9
MSET s 1                 -> +OK
MSET k 1 m               -> -ERR wrong number of arguments for 'mset' command
"""


def run(machine: StateMachine, *words: str) -> str:
    args = [word.encode() for word in words]
    problem = check(args)
    reply = machine.execute(args) if problem is None else problem
    return " ".join(reply.decode().split("\r\n")).strip()


def test_each_command() -> None:
    machine = StateMachine(NONE)
    for line in SCRIPT.strip().splitlines():
        command, _, expected = line.partition("->")
        assert run(machine, *command.split()) == expected.strip(), line


@pytest.mark.parametrize(
    "words",
    [
        ["NOSUCH", "k"],
        ["GET"],
        ["GET", "k", "j"],
        ["SET", "k"],
        ["SET", "k", "v", "IFEQ"],
        ["SET", "k", "v", "NX", "XX"],
        ["SET", "k", "v", "EX", "1"],
        ["INCRBY", "k", "1e3"],
        ["INCRBY", "k", "9223372036854775808"],
        ["GET", "k" * 5000],
        ["MSET", "k", "v", "k" * 5000, "v"],
        ["DEL", "k", "k" * 5000],
        ["SET", "k", "v" * (1024 * 1024 + 1)],
    ],
)
def test_what_can_never_be_executed_is_refused_before_it_is_proposed(words: list[str]) -> None:
    assert run(StateMachine(NONE), *words).startswith("-ERR ")


def test_overflow() -> None:
    machine = StateMachine(NONE)
    run(machine, "SET", "k", str(2**63 - 1))
    assert run(machine, "INCR", "k") == "-ERR increment or decrement would overflow"


def test_transaction_happens_at_one_point() -> None:
    machine = StateMachine(NONE)
    packed = [encode_args([b"SET", b"a", b"1"]), encode_args([b"INCR", b"a"])]
    assert machine.execute([b"MULTI", *packed]) == b"*2\r\n+OK\r\n:2\r\n"


def incr(seq: int, ack: int = 1, incarnation: int = 1) -> Command:
    return Command("n1", incarnation, seq, ack, [b"INCR", b"k"])


def test_a_command_that_comes_again_is_not_executed_again() -> None:
    machine = StateMachine(NONE)
    assert machine.apply(incr(1)) == b":1\r\n"
    assert machine.apply(incr(2)) == b":2\r\n"
    assert machine.apply(incr(1)) == b":1\r\n"
    assert machine.apply(incr(2)) == b":2\r\n"
    assert machine.apply(incr(3, ack=3)) == b":3\r\n"
    assert machine.apply(incr(2)).startswith(b"-UNKNOWN")
    assert machine.data[b"k"] == b"3"
    assert list(machine.sessions["n1"].replies) == [3]


def test_a_former_life_of_a_node_can_do_nothing_any_more() -> None:
    machine = StateMachine(NONE)
    machine.apply(incr(1))
    machine.apply(incr(1, incarnation=2))
    assert machine.apply(incr(2, incarnation=1)).startswith(b"-UNKNOWN")
    assert machine.data[b"k"] == b"2"


def test_snapshot_holds_data_and_sessions() -> None:
    machine = StateMachine(NONE)
    machine.apply(incr(1))
    for words in (["RPUSH", "l", "a"], ["SADD", "s", "x", "y"], ["SET", "t", "v"]):
        run(machine, *words)
    other = StateMachine(NONE)
    other.restore(machine.snapshot())
    assert other.data == machine.data
    assert other.snapshot() == machine.snapshot()
    assert other.apply(incr(1)) == b":1\r\n"
    assert other.data[b"k"] == b"1"
