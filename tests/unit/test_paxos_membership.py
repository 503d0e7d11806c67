"""Membership: one change at a time, in force a window later; who joins learns before it votes."""

from __future__ import annotations

import pytest

from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.bugs import NONE, Bugs
from paxtest.cluster.paxos_server.config import Reads
from paxtest.cluster.paxos_server.membership import Configurations
from paxtest.cluster.paxos_server.messages import Command, Promise
from paxtest.cluster.paxos_server.proposer import Phase, Proposer
from paxtest.cluster.paxos_server.simulator.simulation import Options, Simulation
from paxtest.cluster.paxos_server.statemachine import StateMachine
from paxtest.simulated import judgements

NODES = ("n1", "n2", "n3")


def joined(window: int = 8) -> Configurations:
    """n4 was added in slot 10 and lets vote by slot 12."""
    configurations = Configurations(NODES, NONE, window)
    assert configurations.change(10, ["ADD", "n4", "host:1"]) is None
    assert configurations.change(12, ["PROMOTE", "n4"]) is None
    return configurations


def test_a_change_is_in_force_a_window_later() -> None:
    configurations = joined()
    assert configurations.at(19).voters == NODES
    assert configurations.at(20).voters == (*NODES, "n4")
    assert configurations.at(20).q2 == 3


def test_a_second_change_is_refused_while_one_is_in_flight() -> None:
    configurations = Configurations(NODES, NONE)
    assert configurations.change(1, ["ADD", "n4", "host:1"]) is None
    assert "n4 is to vote" in str(configurations.change(2, ["ADD", "n5", "host:1"]))
    assert "n4 is to vote" in str(configurations.change(2, ["REMOVE", "n1"]))
    assert configurations.change(3, ["PROMOTE", "n4"]) is None
    assert "in force from slot 11 on" in str(configurations.change(10, ["REMOVE", "n1"]))
    assert configurations.change(11, ["REMOVE", "n1"]) is None


def test_changes_that_make_no_sense_are_refused() -> None:
    configurations = Configurations(("n1",), NONE)
    assert "last member" in str(configurations.change(1, ["REMOVE", "n1"]))
    assert "no member" in str(configurations.change(1, ["REMOVE", "n2"]))
    assert "a member already" in str(configurations.change(1, ["ADD", "n1", "host:1"]))
    fixed = Configurations(NODES, NONE, 8, 2, 2)
    assert "--q1" in str(fixed.change(1, ["REMOVE", "n1"]))


def test_promises_over_a_suffix_of_two_configurations_need_a_quorum_of_each() -> None:
    configurations = joined()
    assert not configurations.promised(19, {"n1", "n2"})
    assert configurations.promised(19, {"n1", "n2", "n4"})
    assert not configurations.promised(19, {"n1", "n4"})


def test_the_bug_puts_a_change_in_force_at_once() -> None:
    configurations = Configurations(NODES, Bugs(["eager-reconfig"]))
    assert configurations.change(1, ["ADD", "n4", "host:1"]) is None
    assert configurations.change(1, ["ADD", "n5", "host:1"]) is None
    assert len(configurations.at(2).voters) == 5


def test_a_snapshot_holds_the_members() -> None:
    machine = StateMachine(NONE, joined())
    other = StateMachine(NONE, Configurations(NODES, NONE))
    other.restore(machine.snapshot())
    assert other.configurations.rows() == machine.configurations.rows()
    assert other.snapshot() == machine.snapshot()


def test_the_state_machine_refuses_for_certain() -> None:
    machine = StateMachine(NONE, Configurations(NODES, NONE))
    machine.slot = 5
    command = Command("n1", 1, 1, 0, [b"MEMBERS", b"REMOVE", b"n9"])
    assert machine.apply(command) == b"-FAIL n9 is no member\r\n"


def leading(configurations: Configurations) -> Proposer:
    proposer = Proposer("n1", 1, configurations, NONE)
    ballot = proposer.prepare(1)
    for node in NODES[:2]:
        proposer.promise(node, Promise(ballot, 1, [], [], 0))
    proposer.lead(0)
    return proposer


def test_a_leader_never_proposes_further_than_a_window_ahead() -> None:
    proposer = leading(Configurations(NODES, NONE))
    assert [proposer.open_next(1, 1, 0.0) for _ in range(8)] == list(range(1, 9))
    assert not proposer.may_open(0, 8)
    assert proposer.may_open(1, 8)


def test_a_leader_needs_promises_of_those_who_vote_in_the_slot() -> None:
    configurations = Configurations(NODES, NONE, 2)
    proposer = leading(configurations)
    for slot in (1, 2, 3):
        proposer.open_next(1, 1, 0.0)
        configurations.change(slot, ["ADD", "n4", "host:1"] if slot == 1 else ["PROMOTE", "n4"])
    assert proposer.next_slot == configurations.horizon == 4
    assert not proposer.may_open(3, 2) and proposer.unpromised() == ["n3", "n4"]
    reported = [(5, Ballot(1, "n0", 1), b"old")]
    proposer.promised_late("n4", Promise(proposer.ballot, 4, reported, [], 0))
    assert proposer.may_open(3, 2)
    assert proposer.adopted == {4: b"", 5: b"old"}
    proposer.promised_late("n3", Promise(proposer.ballot, 4, [], [], 6))
    assert proposer.next_slot == 7 and proposer.phase is Phase.LEADING


class Cluster:
    """Three simulated voters and two nodes that wait to be added."""

    def __init__(self) -> None:
        self.simulation = Simulation(
            1, Options(nodes=3, families=("member",), reads=Reads.LOG, snapshot_every=10)
        )
        self.world, self.nodes = self.simulation.world, self.simulation.nodes
        for node in self.nodes:
            node.start()
        self.world.run(1.0)

    def ask(self, *words: str) -> bytes | None:
        """The leader's answer."""
        replies: list[bytes | None] = []
        leader = next(node for node in self.nodes if node.leading)
        leader.request([word.encode() for word in words], replies.append)
        self.world.run(self.world.now_s + 0.5)
        return replies[0]

    def write(self, key: str) -> None:
        """Write without end, one command after the other."""

        def again(reply: bytes | None) -> None:
            self.world.after(0.001, self.write, key)

        leader = next(node for node in self.nodes if node.leading)
        leader.request([b"SET", key.encode(), b"v"], again)

    def members(self) -> dict[str, str]:
        leader = next(node for node in self.nodes if node.leading)
        assert leader.replica is not None
        return {node: role for node, _, role in leader.replica.members()}


def test_a_node_that_joins_learns_and_then_votes() -> None:
    cluster = Cluster()
    for i in range(60):
        assert cluster.ask("SET", f"k{i}", "v") == b"+OK\r\n"
    assert cluster.ask("MEMBERS", "ADD", "n4", "none:0") == b"+OK\r\n"
    cluster.world.run(cluster.world.now_s + 1.0)
    assert cluster.members() == dict.fromkeys(("n1", "n2", "n3", "n4"), "voter")
    late = cluster.nodes[3].replica
    assert late is not None and late.applied >= 60


def test_a_node_that_joins_votes_however_busy_the_others_are() -> None:
    """Between two heartbeats more slots are chosen than a window holds."""
    cluster = Cluster()
    for client in range(4):
        cluster.write(f"k{client}")
    assert cluster.ask("MEMBERS", "ADD", "n4", "none:0") == b"+OK\r\n"
    cluster.world.run(cluster.world.now_s + 1.0)
    assert cluster.members()["n4"] == "voter"
    assert cluster.ask("MEMBERS", "ADD", "n5", "none:0") == b"+OK\r\n"


def test_a_leader_that_is_removed_steps_down_and_ends() -> None:
    cluster = Cluster()
    leader = next(node for node in cluster.nodes if node.leading)
    assert cluster.ask("MEMBERS", "REMOVE", leader.name) == b"+OK\r\n"
    cluster.world.run(cluster.world.now_s + 2.0)
    assert not leader.leading
    rest = {"n1", "n2", "n3"} - {leader.name}
    assert set(cluster.members()) == rest
    leader.stand()
    assert leader.replica is not None and leader.replica.role == "removed"
    assert leader.replica.ended() is None  # it may be added again
    cluster.world.run(cluster.world.now_s + 30.0)
    assert leader.replica is None


def test_one_voter_after_the_other_can_be_replaced() -> None:
    cluster = Cluster()
    for new, old in (("n4", "n1"), ("n5", "n2")):
        assert cluster.ask("MEMBERS", "ADD", new, "none:0") == b"+OK\r\n"
        cluster.world.run(cluster.world.now_s + 1.0)
        assert cluster.ask("MEMBERS", "REMOVE", old) == b"+OK\r\n"
        cluster.world.run(cluster.world.now_s + 2.0)
    for node in cluster.nodes[:2]:
        node.kill()
    assert cluster.ask("SET", "k", "v") == b"+OK\r\n"
    assert set(cluster.members()) == {"n3", "n4", "n5"}


def test_a_removal_that_would_leave_no_quorum_of_answering_members_is_refused() -> None:
    cluster = Cluster()
    others = [node for node in cluster.nodes[:3] if not node.leading]
    others[0].kill()
    cluster.world.run(cluster.world.now_s + 2.0)
    refusal = cluster.ask("MEMBERS", "REMOVE", others[1].name)
    assert refusal is not None and refusal.startswith(b"-FAIL without")
    assert set(cluster.members()) == {"n1", "n2", "n3"}
    assert cluster.ask("MEMBERS", "REMOVE", others[0].name) == b"+OK\r\n"  # who does not answer


def test_a_node_that_was_removed_can_be_added_again_with_its_disk() -> None:
    cluster = Cluster()
    other = next(node for node in cluster.nodes[:3] if not node.leading)
    assert cluster.ask("MEMBERS", "REMOVE", other.name) == b"+OK\r\n"
    cluster.world.run(cluster.world.now_s + 1.0)
    assert other.replica is not None and other.replica.role == "removed"
    assert cluster.ask("MEMBERS", "ADD", other.name, "none:0") == b"+OK\r\n"
    cluster.world.run(cluster.world.now_s + 1.0)
    assert cluster.members()[other.name] == "voter"
    assert other.replica.role != "removed"


@pytest.mark.parametrize("reads", [Reads.QUORUM, Reads.READINDEX])
def test_changes_of_members_under_faults_are_linearizable(reads: Reads) -> None:
    options = Options(
        reads=reads, workload="register", families=("partition", "kill", "election", "member")
    )
    assert [j.problems for j in judgements(range(10), options) if j.problems] == []
