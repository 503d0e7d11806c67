"""One slot as a learner sees it: who accepted which proposal, and what is chosen by that.

A value is chosen when a phase-2 quorum accepted one *proposal*, {ballot, value}. The same value
under two ballots is two proposals: their acceptances are never added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paxtest.auditor.chosen import Chosen, Identity
from paxtest.auditor.identities import Traces, by_identity
from paxtest.auditor.node import Ballot
from paxtest.auditor.slots import SlotId, log_of


@dataclass(frozen=True)
class Proposal:
    """A ballot with a value. `accepted`: node -> when it said so, in ns. `chosen_ns`: when the
    quorum was complete, None if it never was. `commands`: (origin, incarnation, seq) of those that
    the value consists of, where a trace tells."""

    ballot: Ballot
    value: str
    proposed_by: str
    accepted: dict[str, int]
    quorum: int
    chosen_ns: int | None
    commands: tuple[Identity, ...]


def proposals(traces: Traces, number: SlotId) -> list[Proposal]:
    """All proposals that the traces have of one slot, lowest ballot first."""
    learner = Chosen()
    for node, events in sorted(by_identity(traces).items()):
        learner.take(node, events)
    slot = learner.slots.get(number)
    if slot is None:
        return []
    voters, q2 = learner.config(number)
    found = []
    for ballot, values in sorted(slot.values.items()):
        for value, (_, who) in sorted(values.items()):
            accepted = dict(slot.accepted.get(ballot, {}))
            times = sorted(at for node, at in accepted.items() if node in voters)
            found.append(
                Proposal(
                    ballot,
                    value,
                    who,
                    accepted,
                    q2,
                    times[q2 - 1] if len(times) >= q2 else None,
                    tuple(learner.commands.get((number, value), ())),
                )
            )
    return found


def slots(traces: Traces) -> dict[str, tuple[int, int]]:
    """key -> the first and the last slot of its log in which anything was proposed or accepted;
    the key is "" where there is one log for all."""
    numbers: dict[str, list[int]] = {}
    for events in traces.values():
        for event in events:
            if event[1] in ("propose", "accept"):
                slot = event[2] if event[1] == "propose" else event[3]
                number = slot if isinstance(slot, int) else slot[1]
                numbers.setdefault(log_of(slot), []).append(number)
    return {key: (min(mine), max(mine)) for key, mine in numbers.items()}


def sentences(found: Sequence[Proposal]) -> list[str]:
    """What is chosen, and what one would think who counts values instead of proposals."""
    chosen = {p.value for p in found if p.chosen_ns is not None}
    told = []
    if len(chosen) > 1:
        told.append(f"{len(chosen)} values are chosen: agreement is broken.")
    elif chosen:
        told.append(f"Chosen: {next(iter(chosen))}.")
    else:
        told.append("Nothing is chosen as far as the traces tell.")
    by_value: dict[str, set[str]] = {}
    for proposal in found:
        by_value.setdefault(proposal.value, set()).update(proposal.accepted)
    for value, nodes in sorted(by_value.items()):
        quorum = found[0].quorum
        if value not in chosen and len(nodes) >= quorum:
            told.append(
                f"{value} was accepted by {len(nodes)} nodes, but under different ballots: that is"
                " no quorum of one proposal, and does not choose it."
            )
    return told
