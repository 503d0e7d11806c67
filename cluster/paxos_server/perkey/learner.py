"""Learner: finds out what was chosen from what the acceptors have accepted.

It counts *proposals* {ballot, value}, never values: the same value may be accepted by a majority
under different ballots without being chosen, and another value be chosen afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..ballot import Ballot
from ..bugs import Bugs
from .messages import Entry
from .single import Quorum


def chosen(
    accepted: Mapping[str, tuple[Ballot, Entry]], quorum: Quorum, bugs: Bugs
) -> Entry | None:
    """The value chosen, as far as these acceptors show it: acceptor -> its accepted proposal.

    None proves nothing: the learner may then run a proposal of its own (`Writing.settle`), which
    ends with a chosen value, whichever that is.
    """
    voters: dict[object, set[str]] = {}
    for node, (ballot, entry) in accepted.items():
        proposal = entry.stamp if bugs.active("learn-by-value") else ballot
        voters.setdefault(proposal, set()).add(node)
        if quorum(voters[proposal]):
            return entry
    return None
