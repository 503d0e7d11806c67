"""Linearizable: is there an order in which the data type does what the clients saw?"""

from __future__ import annotations

import time
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paxtest import _core, explain
from paxtest.checkers import verify
from paxtest.checkers.protocol import Evidence
from paxtest.errors import HistoryError
from paxtest.models.base import Model, native
from paxtest.models.semantics import partition, semantics
from paxtest.operation import Op, encode
from paxtest.verdict import CheckResult, Verdict

if TYPE_CHECKING:
    from paxtest._core import CheckReport, History

KEYS_LISTED = 1000
"""Keys that the details of a result name, at most."""


class Linearizable:
    """Checks a history against a model, each key on its own.

    `model`: a name from `paxtest list models`, or a `Model` of your own. `algorithm`: auto,
    search or the name of a fast one. `initial`: the value before the first operation (None:
    what the model says of itself).
    Raises HistoryError for a file that is no history or does not fit the model, InternalError
    where the independent verifier disagrees with the native core.
    """

    name = "linearizable"

    def __init__(
        self,
        model: str | Model | type[Model],
        algorithm: str = "auto",
        *,
        initial: Any = None,
    ) -> None:
        self.model = model() if isinstance(model, type) else model
        # Kept, since it remembers what the model said.
        self._native = self.model if isinstance(self.model, str) else native(self.model)
        self.algorithm = algorithm
        self.initial = initial

    def check(self, evidence: Evidence) -> CheckResult:
        started = time.monotonic()
        history = read(evidence)
        try:
            report = _core.check(
                history,
                self._native,
                algorithm=self.algorithm,
                initial=self.initial,
                time_budget_s=evidence.time_budget_s,
                memory_budget_mb=evidence.memory_budget_mb,
            )
        except ValueError as error:
            raise HistoryError(
                str(error), "`paxtest list models` shows each model with its functions"
            ) from error
        certified = self._certify(history, report)
        result = summarise(history, report, self.initial)
        result.certified = certified
        result.seconds = time.monotonic() - started
        return result

    def _certify(self, history: History, report: CheckReport) -> bool:
        if not isinstance(self.model, str):
            return verify.certify(
                history,
                report,
                semantics=semantics(self.model),
                partition=partition(self.model),
            )
        initial = verify.UNSET if self.initial is None else self.initial
        return verify.certify(history, report, initial=initial)


def read(evidence: Evidence) -> History:
    """The history, parsed. Raises HistoryError."""
    try:
        return _core.History.read(str(evidence.history))
    except _core.FormatError as error:
        message, line, text, hint = error.args
        where = f"{evidence.history}, line {line}" if line else str(evidence.history)
        raise HistoryError(f"{where}: {message}" + (f": {text}" if text else ""), hint) from error


def summarise(history: History, report: CheckReport, initial: Any = None) -> CheckResult:
    """The core's report as the result of a checker, not yet certified.

    `initial`: the value before the first operation, as the check was given it.
    """
    verdict = Verdict(report["verdict"])
    result = CheckResult(
        name=Linearizable.name,
        verdict=verdict,
        algorithm="+".join(sorted(report["algorithms"])),
        keys=len(report["partitions"]),
        operations=report["operations"],
        seconds=report["seconds"],
    )
    result.details["algorithms"] = report["algorithms"]
    result.details["model"] = report["model"]
    result.explanation = explain.explain(history, report, initial)
    bad = explain.first_invalid(report)
    if bad is not None:
        result.counterexample = explain.operations(history, bad["counterexample"])
        result.first_violation_ns = _completed_ns(history, report["at"])
        result.details["key"] = bad["key"]
        result.details["reason"] = bad["reason"]
        result.details["minimal"] = bad["minimal"]
        result.details["invalid_keys"] = [
            p["key"] for p in report["partitions"] if p["verdict"] == "invalid"
        ][:KEYS_LISTED]
    undecided = [
        {
            "key": p["key"],
            "limit": p["limit"],
            "verified_events": p["verified"],
            "operations": p["operations"],
        }
        for p in report["partitions"]
        if p["verdict"] == "unknown"
    ]
    if undecided:
        result.details["undecided"] = undecided[:KEYS_LISTED]
    return result


def _completed_ns(history: History, at: int | None) -> int | None:
    """When the event at position `at` came: the completion of some operation."""
    rets = array("I", history.columns()["ret"])
    if at is None or at not in rets:
        return None
    completed: int | None = history.operation(rets.index(at))["completed_ns"]
    return completed


class Live:
    """The verdict while the history is still being recorded.

    `model`: a name, or a `Model` of your own. `initial`: as for `Linearizable`. `time_budget_s`
    bounds each step of the search, where the model needs one; a step that takes longer makes the
    verdict unknown for good.
    """

    def __init__(
        self,
        model: str | Model | type[Model],
        time_budget_s: float = 60.0,
        *,
        initial: Any = None,
    ) -> None:
        known = model if isinstance(model, str) else native(model)
        self._stream = _core.Stream(known, initial=initial, time_budget_s=time_budget_s)

    def feed(self, ops: Sequence[Op]) -> None:
        """The next events, in the order of the history. As bytes, which the core reads without
        holding the interpreter's lock: whoever drives the load beside it must not be held up."""
        self._stream.feed(b"\n".join(encode(op) for op in ops))

    @property
    def verdict(self) -> Verdict:
        """So far: valid as long as nothing is wrong."""
        return Verdict(self._stream.verdict())

    @property
    def first_violation_ns(self) -> int | None:
        """Run time of the event that made the history impossible."""
        violation = self._stream.first_violation()
        return None if violation is None else violation[1]
