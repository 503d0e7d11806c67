"""Acceptor: promises and accepts; the memory of the protocol."""

from __future__ import annotations

from .ballot import ZERO, Ballot
from .bugs import Bugs
from .messages import AcceptRecord, PromiseRecord


class Acceptor:
    """One acceptor for all open slots (those above the chosen prefix).

    `promise` and `accept` change the memory and give the record that must be durable before
    the answer leaves; None stands for a refusal.
    """

    def __init__(self, bugs: Bugs) -> None:
        self.promised: Ballot = ZERO
        self.accepted: dict[int, tuple[Ballot, bytes]] = {}
        self._bugs = bugs
        self._kept_since_s: dict[int, float] = {}  # for bug forget-accepted only

    def promise(self, ballot: Ballot) -> PromiseRecord | None:
        """Phase 1b. A ballot that comes again is promised again."""
        if self.outdated(ballot):
            return None
        self.promised = ballot
        if self._bugs.active("one-ballot-var"):
            self.accepted = {slot: (ballot, value) for slot, (_, value) in self.accepted.items()}
        return PromiseRecord(ballot)

    def accept(self, slot: int, ballot: Ballot, value: bytes, open_: bool) -> AcceptRecord | None:
        """Phase 2b. Accepting raises the promise: accepts may go to any majority, so this
        acceptor need not have promised `ballot` before, and must refuse lower ones after.

        `open_`: False for a slot whose chosen value is known here, which need not be kept.
        """
        if self.outdated(ballot):
            return None
        if not self._bugs.active("accept-no-raise"):
            self.promised = ballot
        if self._bugs.active("old-ballot-commit") and open_:
            known = self.accepted.get(slot)
            if known is not None and known[1] == value:
                ballot = known[0]
        if open_:
            self.accepted[slot] = (ballot, value)
        return AcceptRecord(slot, ballot, value)

    def outdated(self, ballot: Ballot) -> bool:
        """Has a higher ballot been promised?"""
        if self._bugs.active("ballot-no-node"):
            return ballot.round < self.promised.round
        return ballot < self.promised

    def expire(self, now_s: float, ttl_s: float) -> None:
        """Bug forget-accepted: what was accepted is forgotten after a time, chosen or not."""
        since = self._kept_since_s
        for slot in self.accepted:
            since.setdefault(slot, now_s)
        for slot in [s for s, kept_s in since.items() if now_s - kept_s >= ttl_s]:
            del since[slot]
            self.accepted.pop(slot, None)

    def forget(self, slot: int) -> None:
        """The slot's chosen value is known: its proposal need not be reported any more."""
        self.accepted.pop(slot, None)
