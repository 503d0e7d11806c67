"""Recovery: what a node of the engine `perkey` remembers, and the log that keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..bugs import NONE, Bugs
from ..messages import BootRecord, CheckpointRecord, Record
from ..ports import Disk
from ..wal import Wal
from .keys import Key
from .messages import (
    AcceptRecord,
    AnyRecord,
    ChosenRecord,
    LearnRecord,
    PromiseRecord,
    decode_records,
)


@dataclass
class Memory:
    """`incarnation`: lives so far."""

    incarnation: int = 0
    keys: dict[bytes, Key] = field(default_factory=dict)


def remember(records: Iterable[AnyRecord]) -> Memory:
    """Replay records in the order in which they were written."""
    memory = Memory()
    for record in records:
        match record:
            case BootRecord(incarnation):
                memory.incarnation = incarnation
            case CheckpointRecord():
                pass
            case PromiseRecord(name, version, ballot):
                key = memory.keys.setdefault(name, Key())
                if version == key.version + 1:
                    key.acceptor.prepare(ballot)
            case AcceptRecord(name, ballot, entry):
                key = memory.keys.setdefault(name, Key())
                if entry.version == key.version + 1:
                    key.acceptor.accept(ballot, entry)
            case LearnRecord(name, entry):
                memory.keys.setdefault(name, Key()).advance(entry)
            case ChosenRecord(name, version):
                key = memory.keys[name]
                if key.accepted is not None and key.accepted[1].version == version:
                    key.advance(key.accepted[1])
    return memory


def checkpoint(memory: Memory) -> list[Record]:
    """The records from which `remember` makes this memory again."""
    records: list[Record] = [CheckpointRecord(0), BootRecord(memory.incarnation)]
    for name, key in memory.keys.items():
        if key.chosen is not None:
            records.append(LearnRecord(name, key.chosen))
        # In this order: what was accepted may be below what was promised since.
        if key.accepted is not None:
            records.append(AcceptRecord(name, *key.accepted))
        records.append(PromiseRecord(name, key.version + 1, key.acceptor.promised))
    return records


class Storage:
    """The write-ahead log is all there is: a value is written once, as an entry of it."""

    def __init__(self, disk: Disk, bugs: Bugs = NONE) -> None:
        self._wal = Wal(disk, bugs=bugs, decode=decode_records)

    @property
    def torn_bytes(self) -> int:
        """How many bytes of an unfinished write `open` cut off."""
        return self._wal.torn_bytes

    def open(self) -> Memory:
        """What the node remembers. Raises CorruptLog, OSError."""
        return remember(self._wal.open())

    def append(self, records: list[Record]) -> None:
        """Keep records in memory until `flush`."""
        self._wal.append(records)

    def flush(self) -> None:
        """Make all records durable. Raises OSError."""
        self._wal.flush()

    def save(self, memory: Memory) -> None:
        """Begin the log anew with what is remembered. Raises OSError."""
        self._wal.restart(checkpoint(memory))
