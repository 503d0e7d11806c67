"""Reads past the log, chosen for each request, and the order of one connection's commands."""

from __future__ import annotations

import random

import pytest

from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.bugs import NONE, Bugs
from paxtest.cluster.paxos_server.config import Config, Reads
from paxtest.cluster.paxos_server.events import Durable, Output, Receive, Request
from paxtest.cluster.paxos_server.messages import (
    Accept,
    Accepted,
    CatchUp,
    Chosen,
    Command,
    Fill,
    Forward,
    Heartbeat,
    Poll,
    Promise,
    Standing,
    encode_batch,
)
from paxtest.cluster.paxos_server.recovery import Remembered
from paxtest.cluster.paxos_server.replica import Replica
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.cluster.paxos_server.simulator.world import SimulatedClock, World
from paxtest.cluster.paxos_server.statemachine import StateMachine
from paxtest.simulated import judgements

NODES = ("n1", "n2", "n3")
BALLOT, HIGHER = Ballot(1, "n2", 1), Ballot(2, "n3", 1)
GET = [b"GET", b"k"]


def replica(node: str = "n1", bugs: Bugs = NONE) -> Replica:
    clock = SimulatedClock(World(0))
    return Replica(Config(node, NODES), Remembered(incarnation=1), clock, random.Random(0), bugs)


def sent(out: Output) -> list[object]:
    return [message for _, message in out.messages]


def a_set(value: bytes, seq: int = 1, after: int = 0) -> Command:
    return Command("n2", 1, seq, 0, [b"SET", b"k", value], after)


def test_a_quorum_read_waits_until_what_others_accepted_is_chosen() -> None:
    node = replica()
    node.step(Receive("n2", Heartbeat(BALLOT, 0, 1)))
    out = node.step(Request(1, GET, Reads.QUORUM))
    assert sorted(d for d, m in out.messages if m == Poll(1, 1)) == ["n2", "n3"]
    out = node.step(Receive("n3", Standing(1, 1, 0, 1)))
    assert out.replies == [] and ("n2", Fill(1)) in out.messages
    out = node.step(Receive("n2", Chosen(1, [encode_batch([a_set(b"new")])], 1)))
    assert out.replies == [(1, b"$3\r\nnew\r\n")]


def test_a_quorum_read_needs_a_quorum_and_the_answers_to_its_own_poll() -> None:
    node = replica()
    node.step(Request(1, GET, Reads.QUORUM))
    assert node.step(Receive("n3", Standing(1, 7, 0, 0))).replies == []
    assert node.step(Receive("n3", Standing(9, 1, 0, 0))).replies == []
    assert node.step(Receive("n3", Standing(1, 1, 0, 0))).replies == [(1, b"$-1\r\n")]


def test_a_quorum_read_fetches_what_others_know_to_be_chosen() -> None:
    node = replica()
    node.step(Request(1, GET, Reads.QUORUM))
    out = node.step(Receive("n3", Standing(1, 1, 5, 5)))
    assert out.replies == [] and ("n3", CatchUp(1)) in out.messages


def test_without_repair_a_quorum_read_shows_what_may_vanish() -> None:
    """What the bug does: the case that waiting is for."""
    node = replica(bugs=Bugs(["read-no-repair"]))
    node.step(Request(1, GET))
    pending = [(1, BALLOT, encode_batch([a_set(b"new")]))]
    out = node.step(Receive("n3", Standing(1, 1, 0, 1, pending)))
    assert out.replies == [(1, b"$3\r\nnew\r\n")]


def test_an_acceptor_tells_of_what_it_has_accepted() -> None:
    node = replica()
    node.step(Receive("n2", Accept(BALLOT, 3, b"", 0)))
    assert sent(node.step(Receive("n3", Poll(4, 5)))) == [Standing(4, 5, 0, 3)]


def leader() -> Replica:
    """n1 leads and its no-op is chosen in slot 1."""
    node = replica()
    node.stand()
    ballot = node.proposer.ballot
    out = node.take()
    node.step(Durable(out.lsn))
    out = node.step(Receive("n3", Promise(ballot, 1, [], [], 0)))
    node.step(Durable(out.lsn))
    node.step(Receive("n3", Accepted(ballot, 1)))
    assert node.leading and node.applied == 1
    return node


def test_a_leader_fills_the_slots_that_a_read_waits_for() -> None:
    node = leader()
    out = node.step(Receive("n3", Fill(3)))
    slots = {m.slot for m in sent(out) if isinstance(m, Accept)}
    assert slots == {2, 3}


def test_a_leader_that_hears_another_value_was_chosen_applies_that() -> None:
    node = leader()
    node.step(Request(1, [b"SET", b"k", b"mine"]))
    out = node.step(Receive("n3", Chosen(2, [encode_batch([a_set(b"theirs")])], 2)))
    assert out.replies == []
    assert node.state.data == {b"k": b"theirs"}


def test_a_command_that_overtook_its_predecessor_waits_for_it() -> None:
    machine = StateMachine(NONE)
    assert machine.apply(a_set(b"second", 2, after=1)) is None and machine.data == {}
    assert machine.apply(a_set(b"first", 1)) == b"+OK\r\n"
    assert machine.apply(a_set(b"second", 2, after=1)) == b"+OK\r\n"
    assert machine.data == {b"k": b"second"}


def test_a_command_whose_predecessor_was_given_up_does_not_wait() -> None:
    machine = StateMachine(NONE)
    assert machine.apply(Command("n2", 1, 2, 2, [b"SET", b"k", b"v"], 1)) == b"+OK\r\n"


def test_commands_of_one_connection_name_their_predecessor() -> None:
    node = replica()
    node.step(Receive("n2", Heartbeat(BALLOT, 0, 1)))
    commands = []
    for number, connection in ((1, 7), (2, 8), (3, 7)):
        out = node.step(Request(number, [b"SET", b"k", b"v"], None, connection))
        commands += [c for m in sent(out) if isinstance(m, Forward) for c in m.commands]
    assert [(c.seq, c.after) for c in commands] == [(1, 0), (2, 0), (3, 1)]


@pytest.mark.parametrize("way", [Reads.READINDEX, Reads.QUORUM])
def test_a_read_with_a_write_behind_it_goes_through_the_log(way: Reads) -> None:
    node = replica()
    node.step(Receive("n2", Heartbeat(BALLOT, 0, 1)))
    node.step(Request(1, GET, way, 7))
    out = node.step(Request(2, [b"SET", b"k", b"v"], None, 7))
    commands = [c for m in sent(out) if isinstance(m, Forward) for c in m.commands]
    assert [(c.args[0], c.after) for c in commands] == [(b"GET", 0), (b"SET", 1)]
    assert node.step(Receive("n3", Standing(1, 1, 0, 0))).replies == []


def test_quorum_reads_are_linearizable() -> None:
    options = Options(reads=Reads.QUORUM, workload="register")
    assert [j.problems for j in judgements(range(20), options) if j.problems] == []
