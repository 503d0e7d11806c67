"""Audit: all lemmas over the traces of all nodes, and the earliest that fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from paxtest.auditor import reads
from paxtest.auditor.chosen import Chosen
from paxtest.auditor.lemma import LEMMAS, THEOREMS, Failure
from paxtest.auditor.node import NodeAudit

PROTOCOL = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12")
SERVICE = ("I13", "I14", "I15")


@dataclass(frozen=True)
class Audit:
    """`failed`: for each lemma that fails its earliest failure, earliest first. `incomplete`:
    why lemmas could not be judged. `events`: how many were looked at."""

    failed: tuple[Failure, ...]
    events: int
    incomplete: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def earliest(self) -> Failure | None:
        """The failure to look at: a lemma on which the theorems rest before a theorem."""
        return next(
            (f for f in self.failed if f.lemma not in THEOREMS),
            self.failed[0] if self.failed else None,
        )

    def sentences(self, linearizable: bool | None = None) -> list[str]:
        """What was found, for people. `linearizable`: the black-box verdict, None for unknown."""
        first = self.earliest
        if first is None:
            told = [f"All lemmas hold over {self.events:,} events."]
            if linearizable is False:
                told.append(
                    "The history is not linearizable all the same: look at the reads, the sessions"
                    " or the state machine, not at the agreement."
                )
            return told + list(self.incomplete)
        told = [
            f"The earliest lemma to fail is {first.lemma} ({LEMMAS[first.lemma]}), at"
            f" {first.time_ns / 1e9:.4f} s: {first.text}."
        ]
        rest = [f"{f.lemma} at {f.time_ns / 1e9:.4f} s" for f in self.failed if f is not first]
        if rest:
            told.append(f"After it failed: {', '.join(rest)}.")
        return told + list(self.incomplete)


def audit(traces: dict[str, list[list[Any]]]) -> Audit:
    """Hold the traces (node -> its events, `paxos_server/trace.py`) against every lemma.

    O(events), except for sorting. A node without a trace makes the audit incomplete: what it
    accepted cannot be counted.
    """
    failures: list[Failure] = []
    incomplete = []
    missing = sorted(node for node, events in traces.items() if not events)
    if missing:
        incomplete.append(f"no trace of {', '.join(missing)}: what it accepted is not counted")
    chosen = Chosen()
    for node, events in sorted(traces.items()):
        failures += NodeAudit(node).walk(events)
        failures += _quorums(node, events)
        chosen.take(node, events)
    failures += [f for f in chosen.failures() if not missing or f.lemma not in ("I11", "I12")]
    failures += reads.failures(traces)
    first: dict[str, Failure] = {}
    counts: dict[str, int] = {}
    for failure in sorted(failures, key=lambda f: f.order):
        first.setdefault(failure.lemma, failure)
        counts[failure.lemma] = counts.get(failure.lemma, 0) + 1
    return Audit(tuple(first.values()), sum(map(len, traces.values())), tuple(incomplete), counts)


def _quorums(node: str, events: list[list[Any]]) -> list[Failure]:
    """I8 by arithmetic: q1 + q2 > n."""
    for event in events:
        if event[1] == "start":
            q1, q2, nodes = event[6], event[7], event[8]
            if q1 + q2 <= len(nodes):
                return [
                    Failure(
                        "I8", node, event[0], f"{node} takes {q1} promises and {q2} acceptances of"
                        f" {len(nodes)} nodes for quorums: these need not meet",
                    )
                ]  # fmt: skip
    return []
