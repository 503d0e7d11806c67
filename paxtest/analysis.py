"""Analysis: from a stored history to the run's verdict."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from paxtest import agreements, history
from paxtest.checkers.agreement import Agreement
from paxtest.checkers.audit import TraceAudit
from paxtest.checkers.linearizable import Linearizable
from paxtest.checkers.protocol import Checker, Evidence
from paxtest.errors import InternalError
from paxtest.plan import Plan
from paxtest.store import Run
from paxtest.verdict import (
    EXIT_CODES,
    EXIT_CRASH,
    CheckResult,
    Counts,
    FaultCounts,
    RunResult,
    Verdict,
    worst,
)

log = logging.getLogger("paxtest.analysis")


def analyse(run: Run, checkers: Sequence[Checker], plan: Plan, faults: FaultCounts) -> RunResult:
    """Run every checker over what the run left, and audit the traces where there are any. A
    checker that crashes costs its own answer only.

    The verdict is the worst of the checks; one that would be `valid` is `vacuous` when faults
    were asked for and none took effect while operations were in flight.
    """
    evidence = Evidence(
        run.history, run.logs(), plan.checker.time_budget_s, plan.checker.memory_budget_mb
    )
    for checker in checkers:
        if isinstance(checker, Linearizable):
            checker.algorithm = plan.checker.algorithm
    checks = [_check(checker, evidence) for checker in checkers]
    if run.agreements.exists():
        checks.append(_check(Agreement(agreements.load(run.agreements)), evidence))
    if run.traces():
        checks.append(_check(TraceAudit(run, _linearizable(checks)), evidence))
    verdict = worst(check.verdict for check in checks)
    counts = history.tally(run.history)
    reason = next((c.explanation for c in checks if c.verdict is verdict and c.explanation), "")
    limits = [f"{c.name}: {limit}" for c in checks for limit in c.details.get("limits", [])]
    if verdict is Verdict.VALID and plan.nemesis.kinds and not faults.effective:
        verdict = Verdict.VACUOUS
        reason = (
            f"{faults.injected} faults were injected and none was seen to take effect while "
            "operations were in flight: nothing was put to the test"
        )
    crashed = [c for c in checks if c.details.get("crashed")]
    first = [c.first_violation_ns for c in checks if c.first_violation_ns is not None]
    return RunResult(
        verdict,
        EXIT_CRASH if crashed and verdict is not Verdict.INVALID else EXIT_CODES[verdict],
        plan.seed,
        reason=reason,
        operations=Counts(counts.invoked, counts.ok, counts.fail, counts.info),
        faults=faults,
        first_violation_s=min(first) / 1e9 if first else None,
        checks=checks,
        limits=limits,
    )


def _linearizable(checks: Sequence[CheckResult]) -> bool | None:
    known = {Verdict.VALID: True, Verdict.INVALID: False}
    return next((known.get(c.verdict) for c in checks if c.name == Linearizable.name), None)


def _check(checker: Checker, evidence: Evidence) -> CheckResult:
    began = time.monotonic()
    try:
        result = checker.check(evidence)
    except Exception as error:
        log.exception("checker %s crashed", checker.name)
        loud = "INTERNAL ERROR, not a verdict: " if isinstance(error, InternalError) else ""
        result = CheckResult(
            checker.name,
            Verdict.UNKNOWN,
            explanation=f"{loud}the checker crashed: {type(error).__name__}: {error}",
            details={"crashed": True},
        )
    if not result.seconds:
        result.seconds = round(time.monotonic() - began, 6)
    return result
