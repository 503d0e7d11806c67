"""Stats: how many operations of each function ended how, and how long they took.

A function that never ended as ok makes the verdict `unknown`, not `invalid` (as in Jepsen's
checker of that name): nothing wrong was seen, but what that function does was not tested either.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

from paxtest import history
from paxtest.checkers.protocol import Evidence
from paxtest.verdict import CheckResult, Verdict

QUANTILES = {"p50_ms": 0.50, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}


def quantile(ascending: array[int], share: float) -> int:
    """The smallest value that at least `share` of the values do not exceed (nearest rank)."""
    rank = -(-len(ascending) * share // 1)
    return ascending[max(0, int(rank) - 1)]


class Stats:
    """`functions`: those that the workload meant to test; whatever else occurs is counted too.

    `details`: {"functions": {f: {"invoked", "ok", "fail", "info", "latency": {"p50_ms", "p95_ms",
    "p99_ms", "max_ms"}}}}. Latencies are of operations that ended as ok or fail; those of unknown
    outcome have none. A latency is null where there is none.
    """

    name = "stats"

    def __init__(self, functions: Iterable[str] = ()) -> None:
        self.functions = frozenset(functions)

    def check(self, evidence: Evidence) -> CheckResult:
        counts: dict[str, Counter[str]] = {f: Counter() for f in sorted(self.functions)}
        latencies: dict[str, array[int]] = {}
        total = 0
        for operation in history.pair(history.read(evidence.history)):
            total += 1
            counts.setdefault(operation.f, Counter())[operation.type] += 1
            if operation.completed_ns is not None:
                taken = latencies.setdefault(operation.f, array("q"))
                taken.append(operation.completed_ns - operation.invoked_ns)
        table = {
            f: {
                "invoked": count.total(),
                "ok": count["ok"],
                "fail": count["fail"],
                "info": count["info"],
                "latency": _latency(latencies.get(f, array("q"))),
            }
            for f, count in counts.items()
        }
        untested = sorted(f for f, count in counts.items() if not count["ok"])
        return CheckResult(
            name=self.name,
            verdict=Verdict.UNKNOWN if untested or not total else Verdict.VALID,
            operations=total,
            explanation=_explain(untested, counts, total),
            details={"functions": table},
        )


def _latency(taken: array[int]) -> dict[str, float | None]:
    if not taken:
        return dict.fromkeys(QUANTILES)
    ascending = array("q", sorted(taken))
    return {name: round(quantile(ascending, q) / 1e6, 3) for name, q in QUANTILES.items()}


def _explain(untested: list[str], counts: dict[str, Counter[str]], total: int) -> str:
    if not total:
        return "The history holds no operation, so nothing was tested."
    parts = [
        f"no {f} ever succeeded ({count['fail']} failed, {count['info']} unknown)"
        if (count := counts[f])
        else f"no {f} was ever invoked"
        for f in untested
    ]
    return f"Not tested: {'; '.join(parts)}." if parts else ""
