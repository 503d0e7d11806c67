"""Single-decree Paxos: one acceptor and one proposer of one instance, which decides one value.

Lamport, "Paxos Made Simple" (2001), section 2. Nothing here knows of keys, messages or disks:
whoever calls must make a promise or an acceptance durable before he tells anybody of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Generic, TypeVar

from ..ballot import ZERO, Ballot

V = TypeVar("V")
Quorum = Callable[[Collection[str]], bool]
"""Do these acceptors make a quorum?"""


class Acceptor(Generic[V]):
    """`promised`: no proposal below it is accepted any more. `accepted`: the last {ballot, value}
    that was."""

    __slots__ = ("accepted", "promised")

    def __init__(self) -> None:
        self.promised: Ballot = ZERO
        self.accepted: tuple[Ballot, V] | None = None

    def prepare(self, ballot: Ballot) -> bool:
        """Phase 1b: promise, unless a higher ballot has been promised."""
        if ballot < self.promised:
            return False
        self.promised = ballot
        return True

    def accept(self, ballot: Ballot, value: V) -> bool:
        """Phase 2b: accept, unless a higher ballot has been promised. This raises the promise:
        the proposal may come to an acceptor that never saw the prepare."""
        if ballot < self.promised:
            return False
        self.promised = ballot
        self.accepted = (ballot, value)
        return True


class Phase(StrEnum):
    """Where a proposer stands with its present ballot."""

    IDLE = "idle"
    PREPARING = "preparing"
    ACCEPTING = "accepting"


class Proposer(Generic[V]):
    """Tries to get a value chosen: its own, or another that may have been chosen already. Whether
    it succeeds is the learner's business.

    `value` is what an accept carries, `own` what the proposer would like to be chosen, from the
    moment on at which it first may say so (`propose`). One ballot at a time; a ballot must never
    be used for two values, which the caller sees to by never giving the same one twice.
    """

    __slots__ = ("_accepted", "_highest", "_phase1", "_promised", "ballot", "own", "phase",
                 "value")  # fmt: skip

    def __init__(self, phase1: Quorum) -> None:
        self.own: V | None = None
        self.value: V | None = None
        self.ballot: Ballot = ZERO
        self.phase = Phase.IDLE
        self._phase1 = phase1
        self._promised: set[str] = set()
        self._accepted: set[str] = set()
        self._highest: Ballot = ZERO

    @property
    def answered(self) -> Collection[str]:
        """Acceptors that have said yes to what is being asked."""
        return self._promised if self.phase is Phase.PREPARING else self._accepted

    def prepare(self, ballot: Ballot) -> None:
        """Phase 1a: begin anew with a ballot higher than any before."""
        assert ballot > self.ballot
        self.ballot, self.phase, self.value = ballot, Phase.PREPARING, self.own
        self._promised, self._accepted, self._highest = set(), set(), ZERO

    def skip_prepare(self, ballot: Ballot) -> None:
        """Phase 2 at once. Only with the lowest ballot of the instance, reserved to this
        proposer: nothing can have been accepted below it, so there is nothing to ask for."""
        assert self.ballot == ZERO
        self.ballot, self.phase = ballot, Phase.ACCEPTING

    def propose(self, own: V) -> None:
        """Phase 2a with a value of one's own, as the acceptors have left the choice (`value` is
        None). It stays this proposer's value under all later ballots."""
        assert self.phase is Phase.ACCEPTING and self.value is None and self.own is None
        self.own = self.value = own

    def on_promise(self, node: str, ballot: Ballot, accepted: tuple[Ballot, V] | None) -> bool:
        """Phase 1b arrived. True when a quorum has just become complete: send `value` to any
        acceptors. It is that of the highest ballot reported, our own only if there is none, and
        None if there is no own one yet: then `propose` one."""
        if self.phase is not Phase.PREPARING or ballot != self.ballot:
            return False
        self._promised.add(node)
        if accepted is not None and accepted[0] > self._highest:
            self._highest, self.value = accepted
        if not self._phase1(self._promised):
            return False
        self.phase = Phase.ACCEPTING
        return True

    def on_accepted(self, node: str, ballot: Ballot) -> None:
        """Phase 2b arrived: this acceptor need not be asked again."""
        if self.phase is Phase.ACCEPTING and ballot == self.ballot:
            self._accepted.add(node)

    def on_refused(self, ballot: Ballot) -> bool:
        """An acceptor has promised a higher ballot. True when that is news: give this one up."""
        if self.phase is Phase.IDLE or ballot != self.ballot:
            return False
        self.phase = Phase.IDLE
        return True
