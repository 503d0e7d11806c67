"""A lost disk: what comes back without it is another voter, and becomes one by itself."""

from __future__ import annotations

import random
from typing import Any

import pytest

from paxtest.auditor import audit
from paxtest.cluster.paxos_server import engine
from paxtest.cluster.paxos_server.bugs import NONE, Bugs
from paxtest.cluster.paxos_server.config import Config, Reads
from paxtest.cluster.paxos_server.enrolment import Enrolling, begin
from paxtest.cluster.paxos_server.identity import OtherTerms, name_of
from paxtest.cluster.paxos_server.membership import Configurations
from paxtest.cluster.paxos_server.messages import Claim, Message, Promise, Register
from paxtest.cluster.paxos_server.recovery import Remembered
from paxtest.cluster.paxos_server.simulator.disk import SimulatedDisk
from paxtest.cluster.paxos_server.simulator.simulation import Options, Simulation
from paxtest.cluster.paxos_server.simulator.world import SimulatedClock, World
from paxtest.cluster.paxos_server.storage import Storage
from paxtest.simulated import judgements

NAMES = ("n1", "n2", "n3")


class Nodes:
    """Three nodes whose messages arrive at once, and that sync at once."""

    def __init__(self, windows: dict[str, int] | None = None) -> None:
        self.clock = SimulatedClock(World(1))
        self.windows = windows or {}
        self.disks = dict.fromkeys(NAMES, 0)
        self.stores: dict[str, SimulatedDisk] = {}
        self.engines: dict[str, engine.Engine] = {}
        self.storages: dict[str, Storage] = {}

    def start(self, name: str, wipe: bool = False) -> None:
        if wipe or name not in self.stores:
            self.stores[name] = SimulatedDisk()
            self.disks[name] += 100
        config = Config(name, NAMES, window=self.windows.get(name, 8))
        storage = self.storages[name] = Storage(self.stores[name])
        memory = storage.open()
        storage.append(begin(config, memory, self.disks[name], NONE))
        storage.flush()
        self.engines[name] = engine.engine(config, memory, self.clock, random.Random(0), NONE)

    def kill(self, name: str) -> None:
        del self.engines[name]

    def tell(self, name: str, source: str, message: Message) -> list[tuple[str, Any]]:
        """Let a node take in a message; what it sends, when all is durable."""
        self.engines[name].receive(source, message)
        return self.pump(name)

    def pump(self, name: str) -> list[tuple[str, Any]]:
        node, storage = self.engines[name], self.storages[name]
        sent: list[tuple[str, Any]] = []
        while True:
            out = node.take()
            sent += out.messages
            storage.append(out.records)
            if not out.sync:
                break
            storage.flush()
            node.durable(out.lsn)
        memory = node.settled()
        if memory is not None:
            self.engines[name] = engine.engine(
                node.config, memory, self.clock, random.Random(0), NONE
            )
        return sent

    def ask_around(self, *names: str) -> None:
        """Each lays its claims, and hears the answers of those that run."""
        for name in names:
            mine = self.engines[name]
            mine.tick()
            claims = [m for m in self.pump(name) if isinstance(m[1], Claim)]
            for other, claim in claims:
                if other in self.engines:
                    for destination, answer in self.tell(other, mine.node, claim):
                        if isinstance(answer, Register) and name_of(destination) == name:
                            self.tell(name, self.engines[other].node, answer)

    def called(self) -> dict[str, str]:
        return {name: node.node for name, node in self.engines.items()}


def founded() -> Nodes:
    nodes = Nodes()
    for name in NAMES:
        nodes.start(name)
    nodes.ask_around(*NAMES)
    assert nodes.called() == {name: name for name in NAMES}
    return nodes


def test_a_cluster_is_founded_when_all_have_heard_of_all() -> None:
    nodes = Nodes()
    nodes.start("n1")
    nodes.start("n2")
    nodes.ask_around("n1", "n2")
    assert [node.role for node in nodes.engines.values()] == ["enrolling", "enrolling"]
    nodes.engines["n1"].request(1, [b"GET", b"k"])
    assert nodes.engines["n1"].take().replies[0][1].startswith(b"-FAIL")
    nodes.start("n3")
    nodes.clock._base_s += 1
    nodes.ask_around("n3", "n1", "n2")
    assert nodes.called() == {name: name for name in NAMES}


def test_who_has_been_settled_is_so_after_a_restart() -> None:
    nodes = founded()
    nodes.start("n2")
    assert nodes.called()["n2"] == "n2"


def test_a_lost_disk_is_followed_by_a_newcomer() -> None:
    nodes = founded()
    nodes.start("n2", wipe=True)
    nodes.ask_around("n2")
    assert nodes.called()["n2"] == "n2~c8"
    assert nodes.engines["n2"].incarnation > 200  # the number of no former life
    nodes.start("n2")
    assert nodes.called()["n2"] == "n2~c8"


def test_disks_lost_one_after_the_other_are_all_noticed() -> None:
    """Those who took the place of lost disks know who was there before them."""
    nodes = founded()
    for name in (*NAMES, *NAMES):
        nodes.start(name, wipe=True)
        nodes.ask_around(name)
        assert nodes.called()[name].startswith(f"{name}~"), name


def test_who_is_undecided_itself_cannot_make_a_newcomer() -> None:
    """n3 was wiped while the cluster was founded; nobody knows yet whether it counted."""
    nodes = Nodes()
    for name in NAMES:
        nodes.start(name)
    nodes.tell("n1", "n3~64", Claim(100, 1, (8, None, None)))
    nodes.start("n3", wipe=True)
    nodes.ask_around("n3")
    assert nodes.engines["n3"].role == "enrolling"
    nodes.clock._base_s += 1
    nodes.ask_around("n1", "n2")
    nodes.clock._base_s += 1
    nodes.ask_around("n3")
    assert nodes.called() == {"n1": "n1", "n2": "n2", "n3": "n3~c8"}


def test_a_node_that_waits_says_whom_it_waits_for() -> None:
    nodes = Nodes()
    nodes.start("n1")
    nodes.start("n2")
    for _ in range(3):
        nodes.ask_around("n1", "n2")
        node = nodes.engines["n1"]
        assert isinstance(node, Enrolling) and node.waits_for() is None
        nodes.clock._base_s += 1.1
    nodes.ask_around("n1", "n2")
    node = nodes.engines["n1"]
    assert isinstance(node, Enrolling)
    assert node.waits_for() == ("waits for n3: a new disk votes when all others have registered it")
    nodes.kill("n2")
    nodes.clock._base_s += 1.1
    nodes.ask_around("n1")
    nodes.clock._base_s += 1.1
    nodes.ask_around("n1")
    assert str(node.waits_for()).startswith("waits for n2, n3:")


def test_an_answer_to_a_former_disk_means_nothing() -> None:
    nodes = founded()
    nodes.start("n2", wipe=True)
    for source in ("n1", "n3"):
        answer = Register(100, 1, True, dict.fromkeys(NAMES, 100), (8, None, None))
        nodes.tell("n2", source, answer)
    assert nodes.engines["n2"].role == "enrolling"


def test_agreements_of_different_rounds_do_not_add_up() -> None:
    nodes = Nodes()
    nodes.start("n2")
    nodes.engines["n2"].tick()
    nodes.pump("n2")
    register = dict.fromkeys(NAMES, 100)
    nodes.tell("n2", "n1~64", Register(100, 1, False, register, (8, None, None)))
    nodes.clock._base_s += 2
    nodes.engines["n2"].tick()
    for number, role in ((1, "enrolling"), (2, "enrolling")):
        nodes.tell("n2", "n3~64", Register(100, number, False, register, (8, None, None)))
        assert nodes.engines["n2"].role == role
    nodes.tell("n2", "n1~64", Register(100, 2, False, register, (8, None, None)))
    assert nodes.called()["n2"] == "n2"


def test_another_window_is_refused_and_told_how_to_mend() -> None:
    nodes = founded()
    nodes.windows["n2"] = 16
    nodes.start("n2", wipe=True)
    nodes.ask_around("n2")
    told = str(nodes.engines["n2"].ended())
    assert "--window 16" in told and "start this one with --window 8" in told
    memory = Storage(nodes.stores["n1"]).open()
    with pytest.raises(OtherTerms, match="its cluster with --window 8"):
        begin(Config("n1", NAMES, window=16), memory, 1, NONE)


def test_who_is_alone_needs_nobody() -> None:
    memory = Remembered()
    begin(Config("n1", ("n1",)), memory, 7, NONE)
    assert memory.identity.node == "n1"


def test_the_bug_has_the_name_of_the_lost_disk() -> None:
    memory = Remembered()
    begin(Config("n1", NAMES), memory, 7, Bugs(["amnesiac-rejoin"]))
    assert memory.identity.node == "n1"


def test_a_newcomer_takes_the_place_of_the_lost_disk_at_one_stroke() -> None:
    configurations = Configurations(NAMES, NONE, 8)
    assert configurations.awaits("n2~c8") and not configurations.awaits("n2")
    assert configurations.change(10, ["PROMOTE", "n2~c8", "n2"]) is None
    assert configurations.at(18).voters == ("n1", "n2~c8", "n3")
    assert configurations.roles(18)[1] == ("n2", "", "voter")
    assert not configurations.awaits("n2")
    assert configurations.change(20, ["PROMOTE", "n2"]) == "n2 is no learner"
    assert configurations.removed("n2") and not configurations.removed("n2~c8")


def test_a_promotion_that_comes_late_does_not_bring_a_lost_disk_back() -> None:
    """n2's second disk was to vote, and was lost too; its third one votes when the command for the
    second is executed at last."""
    configurations = Configurations(NAMES, NONE, 8)
    assert configurations.change(10, ["PROMOTE", "n2~c9", "n2"]) is None
    assert configurations.awaits("n2~c8"), "it never voted"
    said = configurations.change(20, ["PROMOTE", "n2~c8", "n2"])
    assert said == "n2~c9 votes by now where n2~c8 was to"
    assert configurations.at(28).voters == ("n1", "n2~c9", "n3")


def test_sizes_of_quorums_outlive_a_lost_disk() -> None:
    configurations = Configurations(NAMES, NONE, 8, 2, 2)
    assert configurations.change(10, ["PROMOTE", "n2~c8", "n2"]) is None
    assert (configurations.at(18).q1, configurations.at(18).q2) == (2, 2)


def test_promises_of_a_lost_disk_and_of_its_successor_are_of_two_voters() -> None:
    configurations = Configurations(NAMES, NONE)
    assert not configurations.promised(1, {"n1", "n2~c8"})
    assert configurations.promised(1, {"n1", "n2"})


class Cluster:
    """Simulated nodes on blank disks, without faults but those that a test makes."""

    def __init__(self, nodes: int, bugs: tuple[str, ...] = ()) -> None:
        options = Options(nodes=nodes, families=("wipe",), reads=Reads.LOG, bugs=bugs)
        self.simulation = Simulation(4, options)
        self.world, self.nodes = self.simulation.world, self.simulation.nodes
        for node in self.nodes:
            node.start()
        self.run(1.0)

    def run(self, for_s: float) -> None:
        self.world.run(self.world.now_s + for_s)

    def ask(self, *words: str) -> bytes | None:
        replies: list[bytes | None] = []
        leader = next(node for node in self.nodes if node.leading)
        leader.request([word.encode() for word in words], replies.append)
        self.run(0.5)
        return replies[0]

    def voters(self) -> list[str]:
        leader = next(node for node in self.nodes if node.leading)
        traced = [event for event in leader.trace.events if event[1] == "config"]
        return list(traced[-1][3]) if traced else []


def test_every_disk_of_a_cluster_can_be_lost_in_turn() -> None:
    cluster = Cluster(3)
    for i, node in enumerate(cluster.nodes):
        assert cluster.ask("SET", f"k{i}", f"v{i}") == b"+OK\r\n"
        node.wipe()
        node.start()
        cluster.run(2.0)
        assert cluster.ask("SET", "last", f"v{i}") == b"+OK\r\n"  # so that all is durable
    assert [name_of(voter) for voter in cluster.voters()] == ["n1", "n2", "n3"]
    assert all("~" in voter for voter in cluster.voters())
    assert cluster.ask("GET", "k0") == b"$2\r\nv0\r\n"
    cluster.nodes[0].kill()
    cluster.run(1.0)
    assert cluster.ask("GET", "k1") == b"$2\r\nv1\r\n"
    assert audit({node.name: node.trace.events for node in cluster.nodes}).failed == ()


def test_a_minority_of_lost_disks_returns_to_vote_without_an_operator() -> None:
    cluster = Cluster(5)
    assert cluster.ask("SET", "k", "v") == b"+OK\r\n"
    for node in cluster.nodes[:2]:
        node.wipe()
    cluster.run(1.0)
    for node in cluster.nodes[:2]:
        node.start()
    cluster.run(2.0)
    assert [voter for voter in cluster.voters() if "~" in voter] == ["n1~7d0", "n2~7d0"]
    for node in cluster.nodes[2:4]:  # which only votes of the new ones make up for
        node.kill()
    cluster.run(1.0)
    assert cluster.ask("GET", "k") == b"$1\r\nv\r\n"


def test_with_lost_disks_the_correct_server_is_valid_and_the_bug_is_found() -> None:
    options = Options(workload="register", families=("wipe", "partition", "election"))
    assert [j.problems for j in judgements(range(8), options) if j.problems] == []
    bad = Options(bugs=("amnesiac-rejoin",), workload="register", families=options.families)
    assert any(j.lemma == "I3" for j in judgements(range(4), bad))


def test_a_promise_of_the_lost_disk_is_not_its_successors() -> None:
    """A leader does not count the successor's promise where the lost disk votes."""
    nodes = founded()
    nodes.start("n2", wipe=True)
    nodes.ask_around("n2")
    candidate = nodes.engines["n1"]
    candidate.stand()
    ballot = next(m.ballot for d, m in nodes.pump("n1") if d == "n2")
    promise = Promise(ballot, 1, [], [], 0)
    nodes.tell("n1", "n2~c8", promise)
    assert not candidate.leading
    nodes.tell("n1", "n3", promise)
    assert candidate.leading
