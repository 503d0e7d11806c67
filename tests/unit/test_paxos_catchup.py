"""Catching up: nobody waits for ever for what was asked for once."""

from __future__ import annotations

import random

from paxtest.cluster.paxos_server.config import Config
from paxtest.cluster.paxos_server.messages import (
    NOOP,
    CatchUp,
    Chosen,
    Heartbeat,
    HeartbeatAck,
    Message,
    Promise,
)
from paxtest.cluster.paxos_server.recovery import Remembered
from paxtest.cluster.paxos_server.replica import Replica
from paxtest.cluster.paxos_server.simulator.world import SimulatedClock, World

SENT = list[tuple[str, Message]]


class Behind:
    """n1 has just been elected. It knows no slot; n2, which promised, knows of twenty that are
    chosen, and has compacted its log."""

    def __init__(self) -> None:
        self.world = World(0)
        config = Config("n1", ("n1", "n2", "n3"))
        memory = Remembered(incarnation=1)
        self.node = Replica(config, memory, SimulatedClock(self.world), random.Random(0))
        self.node.stand()
        self.pump()
        self.node.receive("n2", Promise(self.node.proposer.ballot, 1, [], [], 20))
        assert self.node.leading
        assert [d for d, m in self.pump() if isinstance(m, CatchUp)] == ["n2"]

    def pump(self) -> SENT:
        """What leaves; the disk is fast."""
        sent: SENT = []
        while True:
            out = self.node.take()
            sent += out.messages
            if not out.sync:
                return sent
            self.node.durable(out.lsn)

    def turn(self, n3_knows: int) -> SENT:
        """A tenth of a second passes, in which n3 alone answers."""
        self.world.now_s += 0.1
        self.node.tick()
        sent = self.pump()
        for destination, message in sent:
            if isinstance(message, Heartbeat) and destination == "n3":
                self.node.receive("n3", HeartbeatAck(message.ballot, message.beat, n3_knows))
        return sent + self.pump()


def test_a_leader_asks_whoever_knows_when_the_first_one_does_not_answer() -> None:
    behind = Behind()
    asked = [d for _ in range(5) for d, m in behind.turn(n3_knows=20) if isinstance(m, CatchUp)]
    assert "n3" in asked
    behind.node.receive("n3", Chosen(1, [NOOP] * 20, 20))
    behind.pump()
    assert behind.node.leading and behind.node.applied == 20
    assert not [m for _ in range(5) for _, m in behind.turn(20) if isinstance(m, CatchUp)]


def test_a_leader_that_nobody_can_tell_what_it_lacks_makes_room_for_another() -> None:
    """n2 died when it had promised: what is left knows of no more than the leader does."""
    behind = Behind()
    for _ in range(15):
        behind.turn(n3_knows=0)
    assert not behind.node.leading


def test_a_leader_that_is_being_told_goes_on() -> None:
    behind = Behind()
    for slot in range(1, 16):
        behind.turn(n3_knows=20)
        behind.node.receive("n3", Chosen(slot, [NOOP], 20))
    assert behind.node.leading and behind.node.applied == 15
