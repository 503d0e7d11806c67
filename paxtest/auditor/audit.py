"""Audit: all lemmas over the traces of all nodes, and the earliest that fails."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from paxtest.auditor import reads
from paxtest.auditor.chosen import Chosen
from paxtest.auditor.identities import Traces, by_identity
from paxtest.auditor.keys import KeysAudit
from paxtest.auditor.lemma import LEMMAS, SUBJECTS, THEOREMS, TIMED, Failure
from paxtest.auditor.node import NodeAudit
from paxtest.auditor.slots import per_key

Kinds = dict[str, dict[str, list[list[Any]]]]
"""node -> kind -> its events."""

NO_COMMON_CLOCK = "the nodes are on several machines: their times cannot be compared"
NOT_SEEN = "nothing that it speaks of happened"


class Status(StrEnum):
    """Of a lemma. incomplete: it does not fail in what there is, but traces or parts of them are
    missing. not checked: there was nothing to hold it against."""

    HOLDS = "holds"
    FAILED = "failed"
    INCOMPLETE = "incomplete"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Audit:
    """`failed`: for each lemma that fails its earliest failure, earliest first. `incomplete`: what
    is missing, in sentences. `events`: how many were looked at. `counts`: failures by lemma.
    `skipped`: why a lemma was not checked, by lemma."""

    failed: tuple[Failure, ...]
    events: int
    incomplete: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def earliest(self) -> Failure | None:
        """The failure to look at: a lemma on which the theorems rest before a theorem."""
        return next(
            (f for f in self.failed if f.lemma not in THEOREMS),
            self.failed[0] if self.failed else None,
        )

    def first(self, lemma: str) -> Failure | None:
        """The earliest failure of one lemma."""
        return next((f for f in self.failed if f.lemma == lemma), None)

    def status(self, lemma: str) -> tuple[Status, str]:
        """How one lemma stands, and why where it neither holds nor fails."""
        if self.first(lemma) is not None:
            return Status.FAILED, ""
        if lemma in self.skipped:
            return Status.NOT_CHECKED, self.skipped[lemma]
        if self.incomplete:
            return Status.INCOMPLETE, "; ".join(self.incomplete)
        return Status.HOLDS, ""

    def sentences(self, linearizable: bool | None = None) -> list[str]:
        """What was found, for people. `linearizable`: the black-box verdict, None for unknown."""
        first = self.earliest
        missing = [f"Incomplete: {why}." for why in self.incomplete]
        if first is None:
            what = "No lemma fails" if self.incomplete or self.skipped else "All lemmas hold"
            told = [f"{what} over {self.events:,} events."]
            if linearizable is False:
                told.append(
                    "The history is not linearizable all the same: look at the reads, the sessions"
                    " or the state machine, not at the agreement."
                )
            return told + missing
        told = [
            f"The earliest lemma to fail is {first.lemma} ({LEMMAS[first.lemma]}), at"
            f" {first.time_ns / 1e9:.4f} s: {first.text}."
        ]
        rest = [f"{f.lemma} at {f.time_ns / 1e9:.4f} s" for f in self.failed if f is not first]
        if rest:
            told.append(f"After it failed: {', '.join(rest)}.")
        return told + missing


def audit(traces: Traces) -> Audit:
    """Hold the traces (node -> its events, `paxos_server/trace.py`) against every lemma.

    O(events), except for sorting. A node without a trace makes the audit incomplete: what it
    accepted cannot be counted. Where a trace was cut, everything is looked at up to that moment;
    traces of several machines, whose clocks differ, are never held against real time.
    """
    kinds = _by_kind(traces)
    usable, incomplete, one_clock, whole = _usable(traces, kinds)
    parted = by_identity(usable)
    if parted is not traces:
        traces, kinds = parted, _by_kind(parted)
    failures: list[Failure] = []
    chosen = Chosen(one_clock)
    for node, events in sorted(traces.items()):
        failures += (KeysAudit if per_key(events) else NodeAudit)(node).walk(events)
        failures += _quorums(node, kinds[node].get("start", ()), kinds[node].get("config", ()))
        chosen.take(node, events)
    failures += [f for f in chosen.failures() if whole or f.lemma not in ("I11", "I12")]
    skipped = _unseen(kinds)
    if one_clock:
        reading = {node: events for node, events in traces.items() if "read" in kinds[node]}
        failures += reads.failures(reading, chosen)
    else:
        skipped |= dict.fromkeys(TIMED, NO_COMMON_CLOCK)
    first: dict[str, Failure] = {}
    counts: dict[str, int] = {}
    for failure in sorted(failures, key=lambda f: f.order):
        first.setdefault(failure.lemma, failure)
        counts[failure.lemma] = counts.get(failure.lemma, 0) + 1
    events_seen = sum(map(len, traces.values()))
    return Audit(tuple(first.values()), events_seen, tuple(incomplete), counts, skipped)


def _by_kind(traces: Traces) -> Kinds:
    kinds: Kinds = {}
    for node, events in traces.items():
        mine: dict[str, list[list[Any]]] = defaultdict(list)
        for event in events:
            mine[event[1]].append(event)
        kinds[node] = dict(mine)
    return kinds


def _usable(traces: Traces, kinds: Kinds) -> tuple[Traces, list[str], bool, bool]:
    """(what can be judged, what is missing, whether all times are of one clock, whether what was
    accepted is known of every node)."""
    clocks: set[str] = set()
    voters = set(traces)
    cuts: dict[str, int] = {}
    for node, mine in kinds.items():
        clocks |= {event[2] for event in mine.get("clock", ())}
        for event in mine.get("start", ()):
            voters |= set(event[8])
        if "cut" in mine:
            cuts[node] = mine["cut"][0][0]
    one_clock = len(clocks) <= 1 and "" not in clocks
    incomplete = []
    missing = sorted(node for node in voters if not traces.get(node))
    if missing:
        incomplete.append(f"no trace of {', '.join(missing)}: what it accepted is not counted")
    if cuts:
        node = min(cuts, key=lambda name: (cuts[name], name))
        incomplete.append(
            f"the trace of {node} is cut at {cuts[node] / 1e9:.4f} s"
            + (": nothing later is looked at" if one_clock else "")
        )
        if one_clock:
            traces = {name: _until(events, cuts[node]) for name, events in traces.items()}
    return traces, incomplete, one_clock, not missing and (one_clock or not cuts)


def _until(events: list[list[Any]], time_ns: int) -> list[list[Any]]:
    return events[: bisect_right(events, time_ns, key=lambda event: event[0])]


def _unseen(kinds: Kinds) -> dict[str, str]:
    """Lemmas of which nothing in the traces speaks."""
    seen = {kind for mine in kinds.values() for kind in mine}
    if any(event[4] is not None for mine in kinds.values() for event in mine.get("read", ())):
        seen.add("leased read")
    return {lemma: NOT_SEEN for lemma, subjects in SUBJECTS.items() if seen.isdisjoint(subjects)}


def _quorums(node: str, starts: Sequence[list[Any]], configs: Sequence[list[Any]]) -> list[Failure]:
    """I8 by arithmetic: q1 + q2 > n."""
    claims = [(start[0], start[8], start[6], start[7]) for start in starts]
    claims += [(at, voters, q1, q2) for at, _, _, voters, q1, q2 in configs]
    for at, voters, q1, q2 in claims:
        if q1 + q2 <= len(voters):
            return [
                Failure(
                    "I8", node, at, f"{node} takes {q1} promises and {q2} acceptances of"
                    f" {len(voters)} nodes for quorums: these need not meet",
                )
            ]  # fmt: skip
    return []
