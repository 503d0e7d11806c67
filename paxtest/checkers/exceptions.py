"""Unexpected exceptions: errors that no client foresaw. Shown, and never a verdict.

A client classifies what its system may answer; whatever else it raises, the worker records under
the class "unexpected" with the exception's type and words. Such an operation is sound (info, or
fail for a read), but an error that occurs often means that the client misses something.
"""

from __future__ import annotations

from typing import Any

from paxtest import history
from paxtest.checkers.protocol import Evidence
from paxtest.operation import NEMESIS
from paxtest.verdict import CheckResult, Verdict

UNEXPECTED = "unexpected"
KINDS_KEPT = 50


class UnexpectedExceptions:
    """`details`: {"unexpected": [{"class", "count", "f", "first_s", "example"}, most frequent
    first], "classified": {class: count}}; "limit" where kinds were left out."""

    name = "exceptions"

    def check(self, evidence: Evidence) -> CheckResult:
        unexpected: dict[str, dict[str, Any]] = {}
        classified: dict[str, int] = {}
        total = left_out = 0
        for op in history.read(evidence.history):
            if op.error is None or op.process == NEMESIS:
                continue
            total += 1
            kind, text = op.error
            if kind != UNEXPECTED:
                if kind in classified or len(classified) < KINDS_KEPT:
                    classified[kind] = classified.get(kind, 0) + 1
                else:
                    left_out += 1
                continue
            name = text.partition(":")[0].strip() or "?"
            found = unexpected.get(name)
            if found is not None:
                found["count"] += 1
                if op.f not in found["f"]:
                    found["f"].append(op.f)
            elif len(unexpected) < KINDS_KEPT:
                unexpected[name] = {
                    "class": name,
                    "count": 1,
                    "f": [op.f],
                    "first_s": round(op.time_ns / 1e9, 3),
                    "example": text,
                }
            else:
                left_out += 1
        ranked = sorted(unexpected.values(), key=lambda found: -found["count"])
        details: dict[str, Any] = {"unexpected": ranked, "classified": classified}
        if left_out:
            details["limits"] = [
                f"errors of more than {KINDS_KEPT} kinds: {left_out} of further kinds not listed"
            ]
        return CheckResult(
            name=self.name,
            verdict=Verdict.VALID,
            operations=total,
            explanation=_explain(ranked),
            details=details,
        )


def _explain(ranked: list[dict[str, Any]]) -> str:
    if not ranked:
        return ""
    said = ", ".join(f"{found['class']} ({found['count']} times)" for found in ranked[:5])
    return f"The client raised what it does not classify: {said}."
