"""Ballot: the number of a proposal, unique to one life of one proposer."""

from __future__ import annotations

from typing import NamedTuple


class Ballot(NamedTuple):
    """Totally ordered: by round, then node, then incarnation (the how-manieth start of the node).

    Node and incarnation make ballots of different proposers, and of one proposer before and
    after a crash, differ even where the round is the same: proposal numbers "must not conflict".
    """

    round: int
    node: str
    incarnation: int

    def __str__(self) -> str:
        return f"{self.round}.{self.node}.{self.incarnation}"


ZERO = Ballot(0, "", 0)
"""Below every ballot that a proposer ever owns."""
