"""Recovery: what a node remembers, rebuilt from the records it wrote."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .ballot import ZERO, Ballot
from .identity import Identity
from .messages import (
    AcceptRecord,
    AnyRecord,
    BootRecord,
    CheckpointRecord,
    ChosenRecord,
    DiskRecord,
    LearnRecord,
    PromiseRecord,
    Record,
    RegisterRecord,
    SettledRecord,
)


@dataclass
class Remembered:
    """`incarnation`: lives so far. `accepted`: the open slots. `chosen`: slots
    snapshot_slot + 1 .. chosen_upto; `snapshot`: the state after snapshot_slot."""

    incarnation: int = 0
    promised: Ballot = ZERO
    accepted: dict[int, tuple[Ballot, bytes]] = field(default_factory=dict)
    chosen: dict[int, bytes] = field(default_factory=dict)
    chosen_upto: int = 0
    snapshot_slot: int = 0
    snapshot: bytes = b""
    identity: Identity = field(default_factory=Identity)


def remember(
    records: Iterable[AnyRecord], snapshot_slot: int = 0, snapshot: bytes = b""
) -> Remembered:
    """Replay records in the order in which they were written, on top of a snapshot."""
    memory = Remembered(chosen_upto=snapshot_slot, snapshot_slot=snapshot_slot, snapshot=snapshot)
    learnt: dict[int, bytes] = {}
    for record in records:
        if isinstance(record, AcceptRecord):  # `match` is thrice as slow, and logs are long
            slot, ballot = record.slot, record.ballot
            if ballot > memory.promised:
                memory.promised = ballot
            known = memory.accepted.get(slot)
            if slot > memory.chosen_upto and (known is None or known[0] <= ballot):
                memory.accepted[slot] = (ballot, record.value)
        elif isinstance(record, ChosenRecord):
            _choose(memory, learnt, record.upto)
        elif isinstance(record, LearnRecord):
            learnt[record.slot] = record.value
        elif isinstance(record, PromiseRecord):
            memory.promised = max(memory.promised, record.ballot)
        elif isinstance(record, BootRecord):
            memory.incarnation = record.incarnation
        else:
            _identify(memory.identity, record)
    return memory


def _identify(identity: Identity, record: AnyRecord) -> None:
    if isinstance(record, DiskRecord):
        identity.disk = record.disk
    elif isinstance(record, RegisterRecord):
        identity.register[record.name] = record.disk
    elif isinstance(record, SettledRecord):
        identity.node, identity.terms = record.node, record.terms
        identity.register = dict(record.register)


def _choose(memory: Remembered, learnt: dict[int, bytes], upto: int) -> None:
    for slot in range(memory.chosen_upto + 1, upto + 1):
        accepted = memory.accepted.pop(slot, None)
        value = learnt.pop(slot, None)
        if value is None:
            if accepted is None:
                break  # the record of what was chosen is lost (bug volatile-accept): learn anew
            value = accepted[1]
        memory.chosen[slot] = value
        memory.chosen_upto = slot


def checkpoint(memory: Remembered) -> list[Record]:
    """The records from which, with the snapshot, `remember` makes this memory again."""
    identity = memory.identity
    settled = []
    if identity.terms is not None:
        settled = [SettledRecord(identity.node, identity.terms, dict(identity.register))]
    return [
        CheckpointRecord(memory.snapshot_slot),
        DiskRecord(identity.disk),
        *settled,
        BootRecord(memory.incarnation),
        PromiseRecord(memory.promised),
        *(LearnRecord(slot, value) for slot, value in sorted(memory.chosen.items())),
        ChosenRecord(memory.chosen_upto),
        *(AcceptRecord(slot, *accepted) for slot, accepted in sorted(memory.accepted.items())),
    ]
