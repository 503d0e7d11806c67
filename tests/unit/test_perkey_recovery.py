"""What a node of the engine perkey remembers after a crash."""

from __future__ import annotations

from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.messages import BootRecord
from paxtest.cluster.paxos_server.perkey.keys import Key
from paxtest.cluster.paxos_server.perkey.messages import (
    AcceptRecord,
    ChosenRecord,
    Entry,
    LearnRecord,
    PromiseRecord,
    Stamp,
)
from paxtest.cluster.paxos_server.perkey.recovery import Memory, Storage, checkpoint, remember
from paxtest.cluster.paxos_server.simulator.disk import SimulatedDisk

LOW, HIGH = Ballot(2, "a", 1), Ballot(3, "b", 1)


def entry(version: int, value: bytes) -> Entry:
    stamp = Stamp("a", 1, version)
    return Entry(version, stamp, ("s", [value]), [stamp])


def facts(key: Key) -> tuple[object, ...]:
    return key.chosen, key.acceptor.promised, key.accepted


def test_an_accepted_entry_that_is_chosen_is_written_once() -> None:
    one, two = entry(1, b"x"), entry(2, b"y")
    records = [AcceptRecord(b"k", LOW, one), ChosenRecord(b"k", 1), AcceptRecord(b"k", LOW, two)]
    assert facts(remember(records).keys[b"k"]) == (one, LOW, (LOW, two))


def test_a_lost_record_of_what_was_chosen_leaves_it_accepted() -> None:
    one = entry(1, b"x")
    assert facts(remember([AcceptRecord(b"k", LOW, one)]).keys[b"k"]) == (None, LOW, (LOW, one))


def test_a_learnt_entry_passes_over_versions() -> None:
    records = [AcceptRecord(b"k", LOW, entry(1, b"x")), LearnRecord(b"k", entry(7, b"z"))]
    key = remember(records).keys[b"k"]
    assert key.version == 7 and key.accepted is None


def test_a_checkpoint_keeps_what_was_accepted_below_a_later_promise() -> None:
    """Replayed the other way round, the promise would have the acceptance refused."""
    key = Key(entry(1, b"x"))
    assert key.acceptor.accept(LOW, entry(2, b"y")) and key.acceptor.prepare(HIGH)
    again = remember(checkpoint(Memory(4, {b"k": key})))
    assert again.incarnation == 4 and facts(again.keys[b"k"]) == facts(key)


def test_the_log_begins_anew_with_a_checkpoint() -> None:
    disk = SimulatedDisk()
    storage = Storage(disk)
    memory = storage.open()
    storage.append([BootRecord(1), PromiseRecord(b"k", 1, LOW)])
    storage.flush()
    memory.incarnation = 1
    memory.keys[b"k"] = Key(entry(5, b"v"))
    storage.save(memory)
    assert len(disk.names()) == 1
    again = Storage(disk).open()
    assert again.incarnation == 1 and again.keys[b"k"].chosen == entry(5, b"v")
