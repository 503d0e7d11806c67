"""Tracing: the trace of a node of the engine `perkey`; `..trace` says what the events are.

Each key has a log of its own, and each of its versions an instance of Paxos of its own. So a slot
is [key, version] here, and a promise is for one slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ballot import Ballot
from ..messages import Message, Record, encode
from ..trace import Trace, value_id
from .messages import (
    Accepted,
    AcceptRecord,
    ChosenRecord,
    Entry,
    LearnRecord,
    Promise,
    PromiseRecord,
    Version,
)

if TYPE_CHECKING:
    from .parts import Parts

Slot = tuple[str, int]
Proposals = list[tuple[Slot, Ballot, str]]


def slot_of(key: bytes, version: int) -> Slot:
    return (key.decode("latin-1"), version)


class Tracing:
    """Notes what the proof speaks of, while there is a trace."""

    def __init__(self, parts: Parts, trace: Trace) -> None:
        self._trace = trace
        self._node = parts.node
        chosen, promised, accepted = [], [], []
        for name, key in parts.keys.states.items():
            if key.chosen is not None:
                chosen.append((*slot_of(name, key.version), key.chosen.stamp))
            slot = slot_of(name, key.version + 1)
            promised.append((slot, key.acceptor.promised))
            accepted += _proposal(name, key.accepted)
        membership = parts.membership
        trace.add(
            "start", parts.incarnation, promised, chosen, 0, membership.q1, membership.q2,
            membership.voters, "versions", accepted,
        )  # fmt: skip

    # --- what passes in and out ---

    def durable(self, lsn: int) -> None:
        self._trace.add("fsync", lsn)

    def records(self, records: list[Record], lsn: int) -> None:
        """Records that leave for the log; the last one has number `lsn`."""
        number = lsn - len(records)
        for record in records:
            number += 1
            match record:
                case AcceptRecord(key, ballot, entry):
                    slot = slot_of(key, entry.version)
                    self._trace.add("accept", number, slot, ballot, entry_id(entry))
                case PromiseRecord(key, version, ballot):
                    self._trace.add("promise", number, ballot, slot_of(key, version))
                case ChosenRecord(key, version):
                    self._trace.add("chosen", number, slot_of(key, version))
                case LearnRecord(key, entry):
                    self._trace.add("chosen", number, slot_of(key, entry.version))

    def sent(self, destination: str, message: Message) -> None:
        """What an acceptor says: its promise, and wherever it tells of an acceptance."""
        if isinstance(message, Promise):
            slot = slot_of(message.key, message.version)
            self._trace.add("send", destination, "1b", message.ballot, slot)
            self._told(destination, message.key, message.accepted)
        elif isinstance(message, Accepted):
            slot = slot_of(message.key, message.version)
            self._trace.add("send", destination, "2b", message.ballot, slot)
        elif isinstance(message, Version):
            self._told(destination, message.key, message.accepted)

    def received(self, source: str, message: Message) -> None:
        if isinstance(message, Promise):
            slot = slot_of(message.key, message.version)
            reported = _proposal(message.key, message.accepted)
            self._trace.add("receive", source, "1b", message.ballot, reported, slot)

    def to_self(self, message: Message) -> None:
        self.sent(self._node, message)
        self.received(self._node, message)

    def _told(self, peer: str, key: bytes, accepted: tuple[Ballot, Entry] | None) -> None:
        for slot, ballot, _ in _proposal(key, accepted):
            self._trace.add("send", peer, "2b", ballot, slot)

    # --- what no message or record shows ---

    def report(self, promise: Promise) -> None:
        """A promise is made up; it leaves when it is durable."""
        slot = slot_of(promise.key, promise.version)
        reported = _proposal(promise.key, promise.accepted)
        self._trace.add("report", promise.ballot, slot, reported)

    def propose(self, key: bytes, ballot: Ballot, entry: Entry) -> None:
        slot = slot_of(key, entry.version)
        self._trace.add("propose", slot, ballot, entry_id(entry), [entry.stamp])

    def learnt(self, key: bytes, entry: Entry) -> None:
        """The entry is the key's value here from now on."""
        slot = slot_of(key, entry.version)
        self._trace.add("apply", slot, entry_id(entry), [entry.stamp])

    def answered(self, entry: Entry) -> None:
        """The commands that made the entry are acknowledged."""
        self._trace.add("reply", entry.stamp.number, "ok")

    def admit(self, read: int, key: bytes) -> None:
        self._trace.add("admit", read, slot_of(key, 0)[0])

    def read(self, read: int, key: bytes, version: int) -> None:
        self._trace.add("read", read, slot_of(key, version), None)


def entry_id(entry: Entry) -> str:
    """The name of an entry."""
    return value_id(encode(entry))


def _proposal(key: bytes, accepted: tuple[Ballot, Entry] | None) -> list[Any]:
    """The one that was accepted, if any, as a promise reports it."""
    if accepted is None:
        return []
    ballot, entry = accepted
    return [(slot_of(key, entry.version), ballot, entry_id(entry))]
