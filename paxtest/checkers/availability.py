"""Availability: the share of operations that got an answer, second by second. Never a verdict."""

from __future__ import annotations

from typing import Any

from paxtest import history
from paxtest.checkers.protocol import Evidence
from paxtest.operation import NEMESIS, Type
from paxtest.verdict import CheckResult, Verdict

SECOND_NS = 1_000_000_000
SECONDS_KEPT = 24 * 3600
"""Longer runs are summed up in whole, but their seconds are listed up to here only."""

SERVED = frozenset({"cas-mismatch", "empty"})
"""Error classes of answers that are service: the system worked, the data said no."""


class Availability:
    """`details`: {"ok_share": x or null, "seconds": [[second, ok, ended], ...], "longest_outage":
    {"from_s", "to_s", "seconds"} or null}.

    An operation counts in the second in which it ended; one that was still open at the end of the
    history, in the last. `fail` answers count as ended and not ok, except where the system
    refused for reasons of the data (a compare-and-set whose value did not match): such an answer
    is service. An outage is a time in which operations were tried and none succeeded: from the
    last success (or the first try) before it to the first success (or the end) after it.
    """

    name = "availability"

    def check(self, evidence: Evidence) -> CheckResult:
        ok: dict[int, int] = {}
        ended: dict[int, int] = {}
        first_ns = last_success_ns = last_ns = None
        outage: tuple[int, int] | None = None
        open_ = set()
        total = 0
        for op in history.read(evidence.history):
            if op.process == NEMESIS:
                continue
            if first_ns is None:
                first_ns = last_success_ns = op.time_ns
            last_ns = op.time_ns
            if op.type is Type.INVOKE:
                open_.add(op.process)
                continue
            open_.discard(op.process)
            total += 1
            second = op.time_ns // SECOND_NS
            ended[second] = ended.get(second, 0) + 1
            served = op.type is Type.OK or (
                op.type is Type.FAIL and op.error is not None and op.error[0] in SERVED
            )
            if served:
                ok[second] = ok.get(second, 0) + 1
                outage = _longer(outage, last_success_ns, op.time_ns)
                last_success_ns = op.time_ns
        if last_ns is not None:
            outage = _longer(outage, last_success_ns, last_ns)
            if open_:
                last = last_ns // SECOND_NS
                ended[last] = ended.get(last, 0) + len(open_)
                total += len(open_)
        seconds = sorted(ended)
        details: dict[str, Any] = {
            "ok_share": round(sum(ok.values()) / total, 6) if total else None,
            "seconds": [[s, ok.get(s, 0), ended[s]] for s in seconds[:SECONDS_KEPT]],
            "longest_outage": None
            if outage is None
            else {
                "from_s": round(outage[0] / 1e9, 3),
                "to_s": round(outage[1] / 1e9, 3),
                "seconds": round((outage[1] - outage[0]) / 1e9, 3),
            },
        }
        if len(seconds) > SECONDS_KEPT:
            details["limits"] = [f"only the first {SECONDS_KEPT} seconds are listed"]
        return CheckResult(name=self.name, verdict=Verdict.VALID, operations=total, details=details)


def _longer(
    best: tuple[int, int] | None, start_ns: int | None, end_ns: int
) -> tuple[int, int] | None:
    if start_ns is None or end_ns <= start_ns:
        return best
    if best is None or end_ns - start_ns > best[1] - best[0]:
        return start_ns, end_ns
    return best
