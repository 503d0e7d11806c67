"""Snapshots: what they hold, in which order they become durable, and how others get them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.config import Config, Reads
from paxtest.cluster.paxos_server.messages import (
    AcceptRecord,
    BootRecord,
    ChosenRecord,
    LearnRecord,
    PromiseRecord,
    SnapshotChunk,
)
from paxtest.cluster.paxos_server.recovery import Remembered, checkpoint, remember
from paxtest.cluster.paxos_server.replica import Replica
from paxtest.cluster.paxos_server.simulator.disk import SimulatedDisk
from paxtest.cluster.paxos_server.simulator.network import Weather
from paxtest.cluster.paxos_server.simulator.simulation import Options, Simulation
from paxtest.cluster.paxos_server.simulator.world import SimulatedClock, World
from paxtest.cluster.paxos_server.storage import Storage
from paxtest.cluster.paxos_server.wal import CorruptLog

B = Ballot(2, "n1", 1)
MEMORY = Remembered(1, B, {4: (B, b"d")}, {3: b"c"}, 3, 2, b"the state after two slots")


def stored() -> SimulatedDisk:
    disk = SimulatedDisk()
    storage = Storage(disk)
    storage.open()
    storage.append([BootRecord(1), PromiseRecord(B)])
    storage.append([AcceptRecord(s, B, b"abcd"[s - 1 : s]) for s in range(1, 5)])
    storage.append([ChosenRecord(3)])
    storage.flush()
    storage.save(MEMORY)
    return disk


def test_the_log_begins_anew_and_nothing_is_forgotten() -> None:
    disk = stored()
    assert disk.names() == ["snapshot", "wal-0000000002"]
    storage = Storage(disk)
    assert storage.open() == MEMORY
    storage.append([AcceptRecord(5, B, b"e")])
    storage.flush()
    assert Storage(disk).open().accepted == {4: (B, b"d"), 5: (B, b"e")}


def test_an_old_log_that_was_not_yet_dropped_does_no_harm() -> None:
    disk = stored()
    disk.files["wal-0000000001"] = bytearray(b"half removed")
    assert Storage(disk).open() == MEMORY


def test_a_snapshot_without_its_checkpoint_does_no_harm() -> None:
    """Power loss between the two: the whole old log is still there."""
    disk = SimulatedDisk()
    storage = Storage(disk)
    storage.open()
    storage.append([BootRecord(1), PromiseRecord(B)])
    storage.append([AcceptRecord(s, B, b"abcd"[s - 1 : s]) for s in range(1, 5)])
    storage.append([ChosenRecord(3)])
    storage.flush()
    disk.files["snapshot"] = stored().files["snapshot"]
    memory = Storage(disk).open()
    assert (memory.chosen_upto, memory.snapshot_slot) == (3, 2)
    assert memory.accepted == {4: (B, b"d")}
    assert memory.chosen == {3: b"c"}


def test_a_corrupt_snapshot_is_refused() -> None:
    disk = stored()
    disk.files["snapshot"][-1] ^= 1
    with pytest.raises(CorruptLog, match="snapshot"):
        Storage(disk).open()


def test_who_is_far_behind_is_sent_a_snapshot_in_chunks() -> None:
    simulation = Simulation(5, Options(nodes=5, families=(), operations=1, snapshot_every=10))
    world, nodes = simulation.world, simulation.nodes
    for node in nodes[:4]:
        node.start()
    world.run(1.0)
    replies: list[bytes | None] = []
    for i in range(200):
        nodes[0].request([b"SET", b"k%d" % i, b"x" * 100], replies.append)
        world.run(world.now_s + 0.02)
    assert replies == [b"+OK\r\n"] * 200
    leader = next(node for node in nodes if node.leading)
    assert leader.replica is not None and leader.replica.learner.compacted > 0
    nodes[4].start()
    world.run(world.now_s + 3)
    late = nodes[4].replica
    assert late is not None
    assert late.state.snapshot() == leader.replica.state.snapshot()
    assert "snapshot" in nodes[4].disk.names()
    nodes[4].kill()
    nodes[4].start()
    assert nodes[4].replica is not None
    # The last slots may not have been written down yet; what the snapshot held was.
    assert nodes[4].replica.state.data[b"k150"] == b"x" * 100


def test_a_log_of_large_values_is_compacted_before_its_slots_are_many() -> None:
    config = Config("n1", ("n1",), snapshot_every=1000, log_bytes=10_000)
    clock = SimulatedClock(World(1))
    node = Replica(config, Remembered(incarnation=1), clock, random.Random(0))
    node.stand()
    largest = snapshots = 0
    for number in range(1, 101):
        node.request(number, [b"SET", b"k", b"x" * 1000])
        saved = []
        while (out := node.take()).sync:
            saved.append(out.save)
            node.durable(out.lsn)
        snapshots += sum(save is not None for save in [*saved, out.save])
        largest = max(largest, node.learner.log_bytes)
    assert node.applied >= 100 and 5 <= snapshots <= 25
    assert largest < 12_000
    assert node.learner.log_bytes == sum(map(len, node.learner.log.values()))


def test_doubled_chunks_of_a_snapshot_do_not_multiply() -> None:
    """Each chunk that was answered twice used to start a second transfer beside the first."""
    simulation = Simulation(
        5, Options(nodes=3, families=(), operations=1, snapshot_every=10, reads=Reads.LOG)
    )
    world, nodes = simulation.world, simulation.nodes
    for node in nodes[:2]:
        node.start()
    world.run(1.0)
    replies: list[bytes | None] = []
    for i in range(100):
        nodes[0].request([b"SET", b"k%d" % i, b"x" * 1000], replies.append)
        world.run(world.now_s + 0.02)
    simulation.network.weather = Weather(duplication=1.0)
    sent: Counter[type] = Counter()
    send = simulation.network.send
    simulation.network.send = lambda source, destination, message: (  # type: ignore[method-assign]
        sent.update([type(message)]), send(source, destination, message)
    )[1]  # fmt: skip
    nodes[2].start()
    replica = nodes[2].replica
    assert replica is not None
    while replica.applied < 100:
        assert world.now_s < 60, sent
        world.run(world.now_s + 0.1)
    chunks = 100_000 // simulation.nodes[0].config.snapshot_chunk_bytes
    assert sent[SnapshotChunk] <= 3 * chunks + 20


def test_a_snapshot_arrives_though_newer_ones_come_faster_than_its_chunks() -> None:
    """The transfer used to begin anew with each of them."""
    simulation = Simulation(12, Options(nodes=3, families=(), snapshot_every=10))
    world, nodes = simulation.world, simulation.nodes
    config = nodes[0].config
    for node in nodes[:2]:
        node.start()
    world.run(1.0)

    def write(number: int) -> None:
        """Without end."""

        def again(reply: bytes | None) -> None:
            world.after(0.001, write, number + 4)

        nodes[0].request([b"SET", b"k%d" % (number % 40), b"x" * 20], again)

    for number in range(4):
        write(number)
    world.run(2.0)
    nodes[2].start()
    world.run(4.0)
    first, late = nodes[0].replica, nodes[2].replica
    assert isinstance(first, Replica) and isinstance(late, Replica)
    assert len(first.snapshots.data) > 20 * config.snapshot_chunk_bytes
    assert late.applied > 2000 and first.applied - late.applied < 500


def test_what_is_learnt_beyond_a_gap_survives_a_checkpoint() -> None:
    """A leader that has no vote in a slot holds its value by having learnt it alone."""
    clock = SimulatedClock(World(0))
    replica = Replica(
        Config("n1", ("n1", "n2", "n3")), Remembered(incarnation=1), clock, random.Random(0)
    )
    replica.execution.learn(1, b"")
    replica.execution.learn(3, b"")
    replica.execution.apply()
    replica.snap(1)
    memory = replica.take().save
    assert (memory.snapshot_slot, memory.chosen) == (1, {3: b""})
    records = [*checkpoint(memory), LearnRecord(2, b""), ChosenRecord(3)]
    assert remember(records, 1, memory.snapshot).chosen_upto == 3
