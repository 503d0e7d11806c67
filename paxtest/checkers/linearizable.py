"""Linearizable: is there an order in which the data type does what the clients saw?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from paxtest import _core
from paxtest.checkers import verify
from paxtest.checkers.protocol import Evidence
from paxtest.errors import HistoryError
from paxtest.operation import Op
from paxtest.verdict import CheckResult, Operation, Verdict

if TYPE_CHECKING:
    from paxtest._core import CheckReport, History, Partition


class Linearizable:
    """Checks a history against a model, each key on its own.

    `model`: a name from `paxtest list models`. `algorithm`: auto, search or the name of a fast
    one. `initial`: the value before the first operation (None: what the model says of itself).
    Raises HistoryError for a file that is no history or does not fit the model, InternalError
    where the independent verifier disagrees with the native core.
    """

    name = "linearizable"

    def __init__(self, model: str, algorithm: str = "auto", *, initial: Any = None) -> None:
        self.model = model
        self.algorithm = algorithm
        self.initial = initial

    def check(self, evidence: Evidence) -> CheckResult:
        started = time.monotonic()
        history = read(evidence)
        try:
            report = _core.check(
                history,
                self.model,
                algorithm=self.algorithm,
                initial=self.initial,
                time_budget_s=evidence.time_budget_s,
                memory_budget_mb=evidence.memory_budget_mb,
            )
        except ValueError as error:
            raise HistoryError(
                str(error), "`paxtest list models` shows each model with its functions"
            ) from error
        initial = verify.UNSET if self.initial is None else self.initial
        certified = verify.certify(history, report, initial=initial)
        result = summarise(history, report)
        result.certified = certified
        result.seconds = time.monotonic() - started
        return result


def read(evidence: Evidence) -> History:
    """The history, parsed. Raises HistoryError."""
    try:
        return _core.History.read(str(evidence.history))
    except _core.FormatError as error:
        message, line, text, hint = error.args
        where = f"{evidence.history}, line {line}" if line else str(evidence.history)
        raise HistoryError(f"{where}: {message}" + (f": {text}" if text else ""), hint) from error


def summarise(history: History, report: CheckReport) -> CheckResult:
    """The core's report as the result of a checker, not yet certified."""
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
    if verdict is Verdict.INVALID:
        worst = _first_invalid(report["partitions"])
        result.counterexample = [_operation(history, i) for i in worst["counterexample"]]
        result.details["key"] = worst["key"]
        result.details["reason"] = worst["reason"]
        result.details["minimal"] = worst["minimal"]
        result.details["invalid_keys"] = [
            p["key"] for p in report["partitions"] if p["verdict"] == "invalid"
        ][:1000]
        result.first_violation_ns = _first_violation_ns(history, report)
        result.explanation = (
            f"Key {worst['key']!r} is not linearizable: no order of these "
            f"{len(result.counterexample)} operations gives what the clients saw."
        )
    elif verdict is Verdict.UNKNOWN:
        result.details["undecided"] = [
            {
                "key": p["key"],
                "limit": p["limit"],
                "verified_events": p["verified"],
                "operations": p["operations"],
            }
            for p in report["partitions"]
            if p["verdict"] == "unknown"
        ][:1000]
        result.explanation = _undecided(report)
    return result


def _first_invalid(partitions: Sequence[Partition]) -> Partition:
    """The partition that became impossible first."""
    invalid = [p for p in partitions if p["verdict"] == "invalid"]
    return min(invalid, key=lambda p: p["at"] if p["at"] is not None else 2**32)


def _first_violation_ns(history: History, report: CheckReport) -> int | None:
    """When the event came at which the first key became impossible."""
    at = report["at"]
    worst = _first_invalid(report["partitions"])
    for i in worst["counterexample"]:
        operation = history.operation(i)
        if at is not None and operation["ret"] == at:
            completed: int | None = operation["completed_ns"]
            return completed
    return None


def _operation(history: History, index: int) -> Operation:
    o = history.operation(index)
    return Operation(
        index=o["index"],
        process=o["process"],
        f=o["f"],
        type=o["type"],
        invoked_ns=o["invoked_ns"],
        completed_ns=o["completed_ns"],
        key=o["key"],
        value=o["value"],
        node=o["node"],
        error=o["error"],
    )


def _undecided(report: CheckReport) -> str:
    undecided = [p for p in report["partitions"] if p["verdict"] == "unknown"]
    limits = sorted({p["limit"] for p in undecided})
    return (
        f"{len(undecided)} of {len(report['partitions'])} keys could not be decided: the "
        f"{' and '.join(limits)} budget ran out. Fewer concurrent clients per key, fewer "
        "operations per key or distinct written values make a history easier to check."
    )


class Live:
    """The verdict while the history is still being recorded."""

    def __init__(self, model: str) -> None:
        self._stream = _core.Stream(model)

    def feed(self, ops: Sequence[Op]) -> None:
        """The next events, in the order of the history."""
        self._stream.feed(
            [(op.index, op.time_ns, op.process, op.type, op.f, op.key, op.value) for op in ops]
        )

    @property
    def verdict(self) -> Verdict:
        """So far: valid as long as nothing is wrong."""
        return Verdict(self._stream.verdict())

    @property
    def first_violation_ns(self) -> int | None:
        """Run time of the event that made the history impossible."""
        violation = self._stream.first_violation()
        return None if violation is None else violation[1]
