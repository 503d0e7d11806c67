"""What real time demands of reads that are answered past the log: lemmas I14 and I15."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

from paxtest.auditor.chosen import Chosen
from paxtest.auditor.lemma import Failure, ballot_text
from paxtest.auditor.node import Ballot, ballot


def failures(traces: dict[str, list[list[Any]]], chosen: Chosen) -> Iterator[Failure]:
    """Holds each read against what was acknowledged, and by whom was led, before it began. All
    times must be of one clock; `chosen` has taken all the traces."""
    effects = chosen.effects
    acknowledged = sorted(
        (at, effects[who][0])
        for at, _, who, outcome in chosen.replies
        if outcome == "ok" and who in effects
    )
    times = [at for at, _ in acknowledged]
    highest = 0
    upto: list[int] = []  # highest slot acknowledged by then
    for _, slot in acknowledged:
        highest = max(highest, slot)
        upto.append(highest)
    leads = sorted(chosen.leads)
    for node, events in traces.items():
        yield from _of_node(node, events, times, upto, leads)


def _of_node(
    node: str,
    events: list[list[Any]],
    times: list[int],
    upto: list[int],
    leads: list[tuple[int, Ballot]],
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
            since = began.pop(event[2], at)
            before = bisect_left(times, since)
            must = upto[before - 1] if before else 0
            applied, leased = event[3], event[4]
            if applied < must:
                yield Failure(
                    "I14", node, at, f"{node} answered a read from the state after slot {applied},"
                    f" but slot {must} had been acknowledged before the read began", must,
                )  # fmt: skip
            if leased is not None:
                mine = ballot(leased)
                for lead_at, other in leads:
                    if lead_at >= at:
                        break
                    if other > mine:
                        yield Failure(
                            "I15", node, at, f"{node} read under the lease of ballot"
                            f" {ballot_text(mine)} when {ballot_text(other)} already led",
                            ballot=ballot_text(mine),
                        )  # fmt: skip
                        break
