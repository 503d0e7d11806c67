"""Trace: what one node did, in order, for the auditor to hold against the proof.

An event is a list: [time_ns, kind, ...]; times are of one clock for all nodes (CLOCK_MONOTONIC of
the machine, or virtual time), so that nodes on one machine can be compared. Ballots are
[round, node, incarnation]; values are named by a hash (`value_id`), since who audits need not see
them. Kinds:

    clock      the machine's boot; events of one clock can be compared. Absent: virtual time
    start      incarnation, promised, chosen_upto, snapshot_slot, q1, q2, nodes, reads,
               [[slot, ballot, value]...] recovered as accepted, what the node is called in
               what follows (a lost disk's successor has another name)
    config     first slot, [voter...], q1, q2  a membership, and from where on it is in force
    promise    lsn, ballot                     a record that was written; durable from
    accept     lsn, slot, ballot, value        "fsync lsn" on
    chosen     lsn, upto
    fsync      lsn
    report     ballot, from_slot, [[slot, ballot, value]...], chosen_upto
                                               a promise is made up; it leaves when durable
    send       destination, "1a" ballot, from_slot
                            "1b" ballot
                            "2a" ballot, slot, value
                            "2b" ballot, slot
    receive    source, the same, but for
                            "1b" ballot, [[slot, ballot, value]...], chosen_upto
    lead       ballot, [node...] whose promises made the quorum
    propose    slot, ballot, value, [[origin, incarnation, seq]...]
    apply      slot, value, [[origin, incarnation, seq]...] those that took effect here
    snapshot   slot, hash                      taken here
    install    slot, hash, applied             another node's; `applied` before it
    admit      seq                             a read began that the state is to answer
    read       seq, applied, ballot            it was answered from the state after `applied`;
                                               ballot of this node's lease, or null
    reply      seq, ok | fail | unknown        to a command that went through the log
    cut        bytes                           the trace ends here: it has reached its limit

The engine perkey has a log for every key, and an instance of Paxos for every version of it; there
a slot is [key, version] (the key in Latin-1), no node leads, and differently from the above:

    start      incarnation, [[slot, ballot]...] promised, [[key, version, stamp]...] chosen, 0, q1,
               q2, nodes, "versions", [[slot, ballot, value]...] accepted
    promise    lsn, ballot, slot
    chosen     lsn, slot
    report     ballot, slot, [[slot, ballot, value]] or []
    send       destination, "1b" ballot, slot; "2b" stands for whatever tells of an acceptance
    receive    source, "1b" ballot, [[slot, ballot, value]] or [], slot
    propose, apply                             name one command: the stamp of the entry
    admit      seq, key
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .ballot import Ballot
from .messages import (
    NOOP,
    Accept,
    Accepted,
    AcceptRecord,
    ChosenRecord,
    Command,
    Message,
    Prepare,
    Promise,
    PromiseRecord,
    Record,
)

TraceEvent = list[Any]


@lru_cache(maxsize=8192)
def value_id(value: bytes) -> str:
    """The name of a value: `noop`, or 16 hexadecimal digits of its BLAKE2b hash."""
    return "noop" if value == NOOP else hashlib.blake2b(value, digest_size=8).hexdigest()


class Trace:
    """Collects events; whoever drives the node takes them from `events`. `now_ns`: the clock.
    `lean`: without the messages that only a person who reads the trace would miss. `sent` and
    `received`: the types of the messages that are to be noted: only what the proof speaks of."""

    def __init__(self, now_ns: Callable[[], int], lean: bool = False) -> None:
        self.events: list[TraceEvent] = []
        self._now_ns = now_ns
        self.sent = frozenset({Promise, Accepted} if lean else {Prepare, Promise, Accept, Accepted})
        self.received = frozenset({Promise} if lean else self.sent)

    def add(self, kind: str, *more: Any) -> None:
        """Note an event that happens now."""
        self.events.append([self._now_ns(), kind, *more])

    def take(self) -> list[TraceEvent]:
        """The events since the last call."""
        events, self.events = self.events, []
        return events

    def records(self, records: list[Record], lsn: int) -> None:
        """Records that leave for the log; the last one has number `lsn`."""
        number = lsn - len(records)
        for record in records:
            number += 1
            if isinstance(record, AcceptRecord):
                self.add("accept", number, record.slot, record.ballot, value_id(record.value))
            elif isinstance(record, ChosenRecord):
                self.add("chosen", number, record.upto)
            elif isinstance(record, PromiseRecord):
                self.add("promise", number, record.ballot)

    def message(self, kind: str, peer: str, message: Message) -> None:
        """`kind`: send or receive, of a message that is one of `sent` or `received`."""
        match message:
            case Accepted(ballot, slot):
                self.add(kind, peer, "2b", ballot, slot)
            case Accept(ballot, slot, value, _):
                self.add(kind, peer, "2a", ballot, slot, value_id(value))
            case Prepare(ballot, from_slot):
                self.add(kind, peer, "1a", ballot, from_slot)
            case Promise():
                if kind == "send":
                    self.add(kind, peer, "1b", message.ballot)
                else:
                    accepted = _named(message)
                    self.add(kind, peer, "1b", message.ballot, accepted, message.chosen_upto)

    def report(self, promise: Promise) -> None:
        """What a promise will say, when it is made up; it leaves when it is durable."""
        self.add("report", promise.ballot, promise.from_slot, _named(promise), promise.chosen_upto)

    def propose(self, slot: int, ballot: Ballot, value: bytes, commands: list[Command]) -> None:
        self.add("propose", slot, ballot, value_id(value), identities(commands))

    def reply(self, seq: int, reply: bytes) -> None:
        """Told apart as clients do: anything but an error happened."""
        outcome = "ok"
        if reply.startswith(b"-"):
            outcome = "fail" if reply.startswith(b"-FAIL") else "unknown"
        self.add("reply", seq, outcome)


def _named(promise: Promise) -> list[tuple[int, Ballot, str]]:
    return [(slot, ballot, value_id(value)) for slot, ballot, value in promise.accepted]


def identities(commands: list[Command]) -> list[tuple[str, int, int]]:
    """(origin, incarnation, seq) of each."""
    return [(c.origin, c.incarnation, c.seq) for c in commands]


def state_id(snapshot: bytes) -> str:
    """The name of a state."""
    return hashlib.blake2b(snapshot, digest_size=8).hexdigest()
