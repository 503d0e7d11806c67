"""Membership: who votes on which slot, and how many votes make a quorum."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .bugs import Bugs


class Membership:
    """The voters, and quorum sizes of phase 1 and phase 2.

    Any q1 and q2 will do as long as each phase-1 quorum meets each phase-2 quorum
    (Howard, Malkhi, Spiegelman: Flexible Paxos, 2016): q1 + q2 > number of voters.
    """

    def __init__(
        self, voters: Iterable[str], bugs: Bugs, q1: int | None = None, q2: int | None = None
    ) -> None:
        self.voters = tuple(sorted(voters))
        self._set = frozenset(self.voters)
        n = len(self.voters)
        majority = n // 2 + 1
        if bugs.active("half-majority"):
            majority = (n + 1) // 2
        self.q1 = q1 if q1 is not None else majority
        self.q2 = q2 if q2 is not None else majority
        if bugs.active("bad-flex-quorum"):
            self.q2 = n - self.q1
        elif not bugs.active("half-majority") and not 1 <= n + 1 - self.q1 <= self.q2 <= n:
            raise ValueError(
                f"quorums of {self.q1} (phase 1) and {self.q2} (phase 2) of {n} voters need not"
                f" intersect; q1 + q2 must exceed {n} and neither may"
            )

    def is_voter(self, node: str) -> bool:
        return node in self._set

    def phase1(self, promisers: Collection[str]) -> bool:
        """Do these promises make a phase-1 quorum?"""
        return len(self._set.intersection(promisers)) >= self.q1

    def phase2(self, acceptors: Collection[str]) -> bool:
        """Do these acceptances make a phase-2 quorum?"""
        return len(self._set.intersection(acceptors)) >= self.q2
