"""Leadership: a leader that a quorum answers stays one, however often it beats."""

from __future__ import annotations

import random

from paxtest.cluster.paxos_server.bugs import NONE
from paxtest.cluster.paxos_server.config import Config
from paxtest.cluster.paxos_server.leadership import Leadership
from paxtest.cluster.paxos_server.membership import Membership
from paxtest.cluster.paxos_server.simulator.world import SimulatedClock, World

NODES = ("n1", "n2", "n3")


def leading() -> tuple[World, Leadership]:
    world = World(0)
    config = Config(node="n1", nodes=NODES)
    leadership = Leadership(
        config, lambda: Membership(NODES, NONE), SimulatedClock(world), random.Random(0), NONE
    )
    leadership.won(0.0)
    return world, leadership


def test_many_early_beats_do_not_unseat_a_leader() -> None:
    world, leadership = leading()
    for step in range(5000):
        world.now_s = step * 0.001
        beat = leadership.beat(world.now_s)
        if beat > 200:
            leadership.acknowledged("n2", beat - 200)
        assert not leadership.lost(world.now_s)


def test_a_leader_whom_nobody_answers_steps_down() -> None:
    _, leadership = leading()
    leadership.acknowledged("n3", leadership.beat(0.5))
    assert not leadership.lost(1.4)
    assert leadership.lost(1.6)


def test_a_lease_counts_from_the_sending_of_the_acknowledged_beat() -> None:
    world, leadership = leading()
    beat = leadership.beat(1.0)
    assert not leadership.leased(1.0)
    world.now_s = 1.3
    leadership.acknowledged("n2", beat)
    assert leadership.leased(1.44)
    assert not leadership.leased(1.46)
