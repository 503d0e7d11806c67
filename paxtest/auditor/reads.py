"""What real time demands of reads that are answered past the log: lemmas I14 and I15."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from paxtest.auditor.chosen import Chosen
from paxtest.auditor.lemma import Failure, ballot_text
from paxtest.auditor.node import Ballot, ballot
from paxtest.auditor.slots import SlotId, log_of, place


class Acknowledged:
    """In each log the highest slot that had been acknowledged by any moment."""

    def __init__(self, chosen: Chosen) -> None:
        effects = chosen.effects
        self._times: dict[str, list[int]] = {}
        self._slots: dict[str, list[Any]] = {}
        for at, slot in sorted(
            (at, effects[who][0])
            for at, _, who, outcome in chosen.replies
            if outcome == "ok" and who in effects
        ):
            highest = self._slots.setdefault(log_of(slot), [])
            highest.append(max(highest[-1], slot) if highest else slot)
            self._times.setdefault(log_of(slot), []).append(at)

    def before(self, at: int, log: str) -> SlotId | None:
        """None if nothing had been."""
        number = bisect_left(self._times.get(log, ()), at)
        slot: SlotId | None = self._slots[log][number - 1] if number else None
        return slot


def failures(traces: dict[str, list[list[Any]]], chosen: Chosen) -> Iterator[Failure]:
    """Holds each read against what was acknowledged, and by whom was led, before it began. All
    times must be of one clock; `chosen` has taken all the traces."""
    acknowledged = Acknowledged(chosen)
    leads = sorted(chosen.leads)
    for node, events in traces.items():
        yield from _of_node(node, events, acknowledged, leads)


def _of_node(
    node: str, events: list[list[Any]], acknowledged: Acknowledged, leads: list[tuple[int, Ballot]]
) -> Iterator[Failure]:
    began: dict[int, int] = {}
    local = False
    for event in events:
        at, kind = event[0], event[1]
        if kind == "start":
            began.clear()
            local = event[9] == "local"  # reads that claim nothing
        elif kind == "admit":
            began[event[2]] = at
        elif kind == "read" and not local:
            applied: Any = event[3]
            must = acknowledged.before(began.pop(event[2], at), log_of(applied))
            if must is not None and applied < must:
                yield Failure(
                    "I14", node, at, f"{node} answered a read from the state after {place(applied)}"
                    f", but {place(must)} had been acknowledged before the read began", must,
                )  # fmt: skip
            if event[4] is not None:
                yield from _overlap(node, at, ballot(event[4]), leads)


def _overlap(
    node: str, at: int, mine: Ballot, leads: list[tuple[int, Ballot]]
) -> Iterator[Failure]:
    """Did a higher ballot lead already when this node read under its lease?"""
    for lead_at, other in leads:
        if lead_at >= at:
            return
        if other > mine:
            yield Failure(
                "I15", node, at, f"{node} read under the lease of ballot {ballot_text(mine)} when"
                f" {ballot_text(other)} already led", ballot=ballot_text(mine),
            )  # fmt: skip
            return
