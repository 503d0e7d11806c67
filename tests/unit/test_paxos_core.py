"""The core, step by step: each rule of Paxos that the proof leans on."""

from __future__ import annotations

import random

import pytest

from paxtest.cluster.paxos_server.acceptor import Acceptor
from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.bugs import NONE, Bugs
from paxtest.cluster.paxos_server.config import Config
from paxtest.cluster.paxos_server.events import Durable, Output, Receive
from paxtest.cluster.paxos_server.membership import Configurations, Membership
from paxtest.cluster.paxos_server.messages import (
    NOOP,
    Accept,
    Accepted,
    CatchUp,
    Chosen,
    Heartbeat,
    Nack,
    Prepare,
    Promise,
)
from paxtest.cluster.paxos_server.proposer import Proposer
from paxtest.cluster.paxos_server.recovery import Remembered
from paxtest.cluster.paxos_server.replica import Replica
from paxtest.cluster.paxos_server.simulator.world import SimulatedClock, World

NODES = ("n1", "n2", "n3")
LOW, HIGH, HIGHER = Ballot(1, "n2", 1), Ballot(2, "n3", 1), Ballot(3, "n2", 1)


def replica() -> Replica:
    clock = SimulatedClock(World(0))
    return Replica(Config("n1", NODES), Remembered(incarnation=1), clock, random.Random(0))


def sent(out: Output) -> list[object]:
    return [message for _, message in out.messages]


def test_a_promise_leaves_only_when_it_is_durable() -> None:
    node = replica()
    out = node.step(Receive("n2", Prepare(LOW, 1)))
    assert sent(out) == [] and out.sync and len(out.records) == 1
    out = node.step(Durable(out.lsn))
    assert out.messages == [("n2", Promise(LOW, 1, [], [], 0))]


def test_an_acceptance_leaves_only_when_it_is_durable() -> None:
    node = replica()
    out = node.step(Receive("n2", Accept(LOW, 1, NOOP, 0)))
    assert sent(out) == [] and out.sync
    assert sent(node.step(Durable(out.lsn))) == [Accepted(LOW, 1)]


def test_accepting_raises_the_promise() -> None:
    node = replica()
    node.step(Receive("n3", Accept(HIGH, 1, NOOP, 0)))
    assert sent(node.step(Receive("n2", Accept(LOW, 1, NOOP, 0)))) == [Nack(LOW, HIGH, 1)]
    assert sent(node.step(Receive("n2", Prepare(LOW, 1)))) == [Nack(LOW, HIGH, 0)]


def test_without_the_raise_a_lower_ballot_overwrites() -> None:
    """What the bug does: the case that the rule is for."""
    acceptor = Acceptor(Bugs(["accept-no-raise"]))
    acceptor.accept(1, HIGH, b"chosen", open_=True)
    assert acceptor.accept(1, LOW, b"other", open_=True) is not None
    assert acceptor.accepted[1] == (LOW, b"other")


def test_a_promise_reports_what_was_accepted_and_what_is_chosen() -> None:
    node = replica()
    for slot, value in enumerate((NOOP, NOOP, NOOP), 1):
        node.step(Receive("n2", Accept(LOW, slot, value, 0)))
    node.step(Receive("n2", Heartbeat(LOW, 2, 1)))
    out = node.step(Receive("n3", Prepare(HIGH, 2)))
    assert sent(node.step(Durable(out.lsn)))[-1] == Promise(
        HIGH, 2, [(3, LOW, NOOP)], [(2, NOOP)], 2
    )


def test_a_proposer_adopts_the_value_of_the_highest_ballot_and_fills_gaps() -> None:
    proposer = Proposer("n1", 1, Configurations(NODES, NONE), NONE)
    proposer.saw(HIGHER)
    ballot = proposer.prepare(1)
    assert ballot > HIGHER
    assert not proposer.promise("n2", Promise(ballot, 1, [(1, LOW, b"a"), (3, HIGH, b"c")], [], 0))
    assert proposer.promise("n3", Promise(ballot, 1, [(1, HIGH, b"b"), (3, LOW, b"d")], [], 0))
    assert proposer.adopt(0) == {1: b"b", 2: NOOP, 3: b"c"}
    assert proposer.adopt(1) == {2: NOOP, 3: b"c"}


def test_promises_for_another_ballot_and_doubled_ones_do_not_count() -> None:
    proposer = Proposer("n1", 1, Configurations(NODES, NONE), NONE)
    ballot = proposer.prepare(1)
    promise = Promise(ballot, 1, [], [], 0)
    assert not proposer.promise("n2", Promise(LOW, 1, [], [], 0))
    assert not proposer.promise("n2", promise)
    assert not proposer.promise("n2", promise)
    assert proposer.promise("n3", promise)


def test_a_follower_takes_over_only_what_it_accepted_under_the_leaders_ballot() -> None:
    node = replica()
    node.step(Receive("n2", Accept(LOW, 1, NOOP, 0)))
    out = node.step(Receive("n3", Heartbeat(HIGH, 1, 1)))
    assert node.learner.chosen_upto == 0
    assert CatchUp(1) in sent(out)
    node.step(Receive("n3", Chosen(1, [NOOP], 1)))
    assert (node.learner.chosen_upto, node.applied) == (1, 1)


def test_the_incarnation_keeps_ballots_of_two_lives_apart() -> None:
    configurations = Configurations(NODES, NONE)
    lives = [Proposer("n1", incarnation, configurations, NONE).prepare(1) for incarnation in (1, 2)]
    assert lives[0] != lives[1]


@pytest.mark.parametrize(
    ("nodes", "q1", "q2", "fits"),
    [(3, 2, 2, True), (3, 3, 1, True), (3, 1, 2, False), (4, 2, 2, False), (4, 2, 3, True)],
)
def test_quorums_that_need_not_meet_are_refused(nodes: int, q1: int, q2: int, fits: bool) -> None:
    names = [f"n{i}" for i in range(nodes)]
    if fits:
        Membership(names, NONE, q1, q2)
    else:
        with pytest.raises(ValueError, match="need not intersect"):
            Membership(names, NONE, q1, q2)
