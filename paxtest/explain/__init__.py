"""Tell a counterexample in prose.

`explain` turns what the native core found (a tag, the operations it speaks of, a sub-history
that cannot be linearized) into sentences; `operations` gives that sub-history as results and
reports hold it. Sentences for a data type live in a module of its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from paxtest import _core
from paxtest.explain import (
    counter,
    generic,
    kv,
    leader,
    lists,
    locks,
    multi,
    queues,
    register,
    sets,
    versioned,
)
from paxtest.explain.words import Tags, Teller, value
from paxtest.verdict import Operation

__all__ = ["explain", "explain_partition", "first_invalid", "lines", "operations"]

# Data type -> tag of a reason -> its sentences. What is not here is told by `generic`.
TAGS: dict[str, Tags] = {
    "register": register.TAGS,
    "cas-register": register.TAGS,
    "versioned-register": versioned.TAGS,
    "multi-register": multi.TAGS,
    "kv": kv.TAGS,
    "append-list": lists.TAGS,
    "grow-set": lists.TAGS,
    "set": sets.TAGS,
    "queue": queues.TAGS,
    "stack": queues.STACK,
    "priority-queue": queues.TAGS,
    "counter": counter.TAGS,
    "mutex": locks.MUTEX,
    "owned-mutex": locks.OWNED,
    "fenced-mutex": locks.OWNED,
    "semaphore": locks.SEMAPHORE,
    "leader": leader.TAGS,
}


def first_invalid(report: _core.CheckReport) -> _core.Partition | None:
    """The partition whose history became impossible first; None if none did."""
    bad = [part for part in report["partitions"] if part["verdict"] == "invalid"]
    return min(bad, key=_when, default=None)


def _when(part: _core.Partition) -> tuple[bool, int, int]:
    at = part.get("at")
    return (at is None, at or 0, len(part.get("counterexample", ())))


def explain(history: _core.History, report: _core.CheckReport, initial: Any = None) -> str:
    """Why the verdict is what it is, in sentences; "" for valid.

    `initial`: the value before the first operation, as the check was given it.
    """
    bad = first_invalid(report)
    if bad is not None:
        said = explain_partition(history, bad, report["model"], initial)
        others = sum(part["verdict"] == "invalid" for part in report["partitions"]) - 1
        if others:
            keys = "1 other key is" if others == 1 else f"{others} other keys are"
            said += f" {keys} not linearizable either."
        return said
    return generic.unknown(history, report)


def explain_partition(
    history: _core.History, part: _core.Partition, model: str, initial: Any = None
) -> str:
    """Why this partition is not linearizable as `model`."""
    tell = Teller(history, part.get("counterexample", ()), initial)
    reason = part.get("reason")
    said: list[str] = []
    tell_reason = TAGS.get(model, {}).get(reason["tag"]) if reason is not None else None
    if reason is not None and tell_reason is not None:
        said = tell_reason(tell, reason["ops"])
    if not said:
        said = generic.invalid(tell, part)
    if part["key"] is not None:
        said.insert(0, f"Key {value(part['key'])}:")
    return " ".join(said)


def operations(history: _core.History, numbers: Iterable[int]) -> list[Operation]:
    """Operations as results hold them."""
    return [_operation(history.operation(number)) for number in numbers]


def lines(history: _core.History, numbers: Sequence[int]) -> list[str]:
    """Operations for people, one a line, in order of invocation."""
    tell = Teller(history, numbers)
    return [tell.line(number) for number in sorted(numbers)]


def _operation(op: _core.OperationDict) -> Operation:
    return Operation(
        index=op["index"],
        process=op["process"],
        f=op["f"],
        type=op["type"],
        invoked_ns=op["invoked_ns"],
        completed_ns=op["completed_ns"],
        key=op["key"],
        value=op["value"],
        node=op["node"],
        error=op["error"],
    )
