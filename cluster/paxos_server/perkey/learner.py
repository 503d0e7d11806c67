"""Learner: finds out what is chosen from what the acceptors have accepted.

It counts *proposals* {ballot, value}, never values: the same value may be accepted by a majority
under different ballots without being chosen, and another value be chosen afterwards.
"""

from __future__ import annotations

from ..ballot import Ballot
from ..bugs import Bugs
from .messages import Entry
from .single import Quorum


class Learner:
    """Of one instance. It hears of acceptances that are durable; an acceptor that has accepted a
    proposal counts for it for ever, whatever it accepts later."""

    def __init__(self, quorum: Quorum, bugs: Bugs) -> None:
        self._quorum = quorum
        self._bugs = bugs
        self._acceptors: dict[object, set[str]] = {}

    def accepted(self, node: str, ballot: Ballot, entry: Entry) -> bool:
        """An acceptor has accepted this proposal. True if it is chosen: a quorum has.

        False proves nothing: who must know runs a proposal of his own (`Writing.settle`), which
        ends with a chosen value, whichever that is.
        """
        proposal: object = ballot
        if self._bugs.active("learn-by-value"):
            proposal = entry.stamp
        acceptors = self._acceptors.setdefault(proposal, set())
        acceptors.add(node)
        return self._quorum(acceptors)
