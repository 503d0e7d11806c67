"""Lemmas: what the proof of Paxos rests on, and how a failure of one is told."""

from __future__ import annotations

import msgspec

from paxtest.auditor.slots import SlotId

LEMMAS = {
    "I1": "one value at most is proposed in a slot under a ballot",
    "I2": "a node proposes only under ballots of its own present life",
    "I3": "what an acceptor promised and accepted durably never goes back, not over a restart",
    "I4": "after a promise no lower ballot is accepted (P1)",
    "I5": "an answer leaves an acceptor only when what it says is durable",
    "I6": "a promise reports the highest proposal accepted in every slot it covers",
    "I7": "a proposal has a quorum of promises, and the value of the highest they report (P2c)",
    "I8": "every phase-1 quorum meets every phase-2 quorum",
    "I9": "after a value is chosen every higher ballot proposes that value (P2b)",
    "I10": "one value at most is chosen in a slot",
    "I11": "only chosen values are applied, in order, without gaps",
    "I12": "a command is acknowledged only when it is chosen, and refused only when it never is",
    "I13": "a command takes effect once at most",
    "I14": "a read sees everything that was acknowledged before it began",
    "I15": "no node reads under a lease once a higher ballot leads",
}
"""In the order of the proof: a later one follows from, or builds on, the ones before."""

SUBJECTS = {
    "I1": ("propose", "accept"),
    "I2": ("propose",),
    "I3": ("promise", "accept"),
    "I4": ("accept",),
    "I5": ("send",),
    "I6": ("report",),
    "I7": ("propose",),
    "I8": ("start",),
    "I9": ("propose",),
    "I10": ("accept",),
    "I11": ("apply", "install", "snapshot"),
    "I12": ("reply",),
    "I13": ("apply",),
    "I14": ("read",),
    "I15": ("leased read",),
}
"""The kinds of events that a lemma speaks of: where there is none, it was not checked."""

TIMED = ("I14", "I15")
"""They compare moments on different nodes."""

THEOREMS = frozenset({"I9", "I10"})
"""They follow from I1 to I8: they cannot be the first to fail."""


class Failure(msgspec.Struct, frozen=True):
    """A lemma that does not hold: at which node, slot and ballot (where these make sense), at
    which moment of the run, and how, in a sentence."""

    lemma: str
    node: str
    time_ns: int
    text: str
    slot: SlotId | None = None
    ballot: str | None = None

    @property
    def order(self) -> tuple[int, int]:
        """Earliest first; of the same moment the lemma that the others build on: an overlap of
        leases (I15) is why a read is stale (I14)."""
        number = int(self.lemma[1:])
        return (self.time_ns, {14: 15, 15: 14}.get(number, number))


def ballot_text(ballot: object) -> str:
    """`[3, "n1", 2]` as `3.n1.2`."""
    return ".".join(str(part) for part in ballot) if isinstance(ballot, list | tuple) else "?"
