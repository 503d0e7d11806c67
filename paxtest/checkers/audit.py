"""Audit: the traces of the bundled Paxos, held against the lemmas of its proof. Not black-box:
it says which promise of the protocol was broken, where the history says what clients saw of it."""

from __future__ import annotations

import gc

import msgspec

from paxtest.auditor.files import audit_run
from paxtest.auditor.told import tell
from paxtest.checkers.protocol import Evidence
from paxtest.store import Run
from paxtest.verdict import CheckResult, Verdict

NAME = "audit"


class TraceAudit:
    """`details`: docs/reference/audit.md, and the `limits`. `linearizable`: what the check of the
    history said, None where it does not know. Valid means that no lemma fails in what the traces
    hold; what they lack stands in the limits."""

    name = NAME

    def __init__(self, run: Run, linearizable: bool | None) -> None:
        self._run = run
        self._linearizable = linearizable

    def check(self, evidence: Evidence) -> CheckResult:
        # Hundreds of thousands of small lists and no cycles: collecting in between takes longer.
        collects = gc.isenabled()
        gc.disable()
        try:
            found, _ = audit_run(self._run)
        finally:
            if collects:
                gc.enable()
        return CheckResult(
            self.name,
            Verdict.INVALID if found.failed else Verdict.VALID,
            operations=found.events,
            explanation=" ".join(found.sentences(self._linearizable)),
            details={
                **msgspec.to_builtins(tell(found, self._linearizable)),
                "limits": list(found.incomplete),
            },
        )
