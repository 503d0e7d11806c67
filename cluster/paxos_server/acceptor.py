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

    def promise(self, ballot: Ballot) -> PromiseRecord | None:
        """Phase 1b. A ballot that comes again is promised again."""
        if ballot < self.promised:
            return None
        self.promised = ballot
        return PromiseRecord(ballot)

    def accept(self, slot: int, ballot: Ballot, value: bytes, open_: bool) -> AcceptRecord | None:
        """Phase 2b. Accepting raises the promise: accepts may go to any majority, so this
        acceptor need not have promised `ballot` before, and must refuse lower ones after.

        `open_`: False for a slot whose chosen value is known here, which need not be kept.
        """
        if ballot < self.promised:
            return None
        if not self._bugs.active("accept-no-raise"):
            self.promised = ballot
        if open_:
            self.accepted[slot] = (ballot, value)
        return AcceptRecord(slot, ballot, value)

    def forget(self, slot: int) -> None:
        """The slot's chosen value is known: its proposal need not be reported any more."""
        self.accepted.pop(slot, None)
