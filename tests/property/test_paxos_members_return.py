"""Members: whatever befell a cluster, once all is well every node that is to vote does so soon,
under load too, and nodes can be removed and added again."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from paxtest.cluster.paxos_server.replica import Replica
from paxtest.cluster.paxos_server.simulator.node import SimulatedNode
from paxtest.cluster.paxos_server.simulator.simulation import Options, Simulation

SEEDS = 10
SOON_S = 20.0
"""Of virtual time. It takes 2 s at most; what never happened would not in 60 s either."""


class Cluster:
    """Nodes with spare ones, faults of the simulator's, and some of those that are meant for the
    nodes on their way in."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(f"members return {seed}")
        families = [f for f in ("partition", "kill", "pause", "delay", "election", "disk")
                    if rng.random() < 0.6]  # fmt: skip
        options = Options(nodes=rng.choice((3, 3, 4, 5)), families=(*families, "member"))
        self.simulation = Simulation(seed, options)
        self.world, self.nodes = self.simulation.world, self.simulation.nodes
        self.striking = True
        for node in self.nodes:
            node.start()
        self.world.run(0.3)
        for client in range(rng.choice((0, 1, 4, 8))):
            self.write(client)

    def leader(self) -> tuple[SimulatedNode, Replica] | None:
        """The one of the highest ballot, with what it is."""
        leaders = [(n, n.replica) for n in self.nodes if isinstance(n.replica, Replica)]
        leaders = [(n, r) for n, r in leaders if r.leading]
        return max(leaders, key=lambda pair: pair[1].proposer.ballot, default=None)

    def roles(self) -> dict[str, str]:
        """Of the members, as the leader tells; none where nobody leads."""
        leader = self.leader()
        return {} if leader is None else {name: role for name, _, role in leader[1].members()}

    def write(self, client: int) -> None:
        """Without end, one command after the other."""
        leader = self.leader()
        if leader is None:
            self.world.after(0.02, self.write, client)
        else:
            node = leader[0]
            node.request(
                [b"SET", b"k%d" % client, b"v" * 20],
                lambda reply: self.world.after(0.003, self.write, client),
            )

    def change(self, verb: bytes, name: str) -> list[bytes | None]:
        """Ask the leader; its reply is in the list when it has come."""
        replies: list[bytes | None] = []
        leader = self.leader()
        if leader is not None:
            more = [b"none:0"] if verb == b"ADD" else []
            leader[0].request([b"MEMBERS", verb, name.encode(), *more], replies.append)
        return replies

    def strike(self) -> None:
        """The leader is removed; a node that has no vote is added, once or twice, or dies, or loses
        its disk."""
        if not self.striking:
            return
        self.world.after(self.world.around(0.2), self.strike)
        roles, leader = self.roles(), self.leader()
        out = [node for node in self.nodes if roles.get(node.name, "learner") == "learner"]
        if leader is None or not out:
            return
        node, what = self.rng.choice(out), self.rng.choice(("remove", "add", "add", "kill", "wipe"))
        if what == "remove" and len(roles) > 2:
            self.change(b"REMOVE", leader[0].name)
        elif what == "add":
            for _ in range(self.rng.choice((1, 2))):
                self.change(b"ADD", node.name)
        elif what in ("kill", "wipe"):
            node.kill() if what == "kill" else node.wipe()
            self.world.after(self.world.around(0.3), node.start)

    def heal(self) -> None:
        self.striking = False
        self.simulation.faults.heal()
        self.world.run(self.world.now_s + 1.0)
        for node in self.nodes:
            node.start()

    def soon(self, happens: Callable[[], bool]) -> bool:
        over_s = self.world.now_s + SOON_S
        while not happens() and self.world.now_s < over_s:
            self.world.run(self.world.now_s + 0.25)
        return happens()

    def all_vote(self) -> bool:
        return set(self.roles().values()) == {"voter"}

    def agreed(self, verb: bytes, name: str) -> bool:
        """Ask until it is so; then wait until it is in force."""

        def done() -> bool:
            replies = self.change(verb, name)
            self.world.run(self.world.now_s + 0.5)
            return any(r == b"+OK\r\n" or b" member" in (r or b"")[:30] for r in replies)

        return self.soon(done) and self.soon(
            lambda: self.all_vote() and (name in self.roles()) == (verb == b"ADD")
        )


@pytest.mark.parametrize("seed", range(SEEDS))
def test_who_is_to_vote_does_so_when_faults_are_over(seed: int) -> None:
    cluster = Cluster(seed)
    cluster.simulation.faults.start()
    cluster.strike()
    cluster.world.run(cluster.world.now_s + 1.5)
    cluster.heal()
    assert cluster.soon(cluster.all_vote), cluster.roles()
    name = cluster.rng.choice(sorted(cluster.roles()))
    assert len(cluster.roles()) == 1 or cluster.agreed(b"REMOVE", name), (name, cluster.roles())
    for node in cluster.nodes:
        node.start()
        assert cluster.agreed(b"ADD", node.name), (node.name, cluster.roles())
    assert [crash for node in cluster.nodes for crash in node.crashes] == []
