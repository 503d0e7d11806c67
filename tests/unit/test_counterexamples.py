"""Counterexamples of long histories are small, and the verifier confirms them."""

from __future__ import annotations

from typing import Any

import pytest

from paxtest import _core
from paxtest.checkers.verify import certify

Call = tuple[int, str, Any, Any]


def history(calls: list[Call]) -> _core.History:
    """One call after the other."""
    return _core.History.from_ops(
        [
            (process, f, None, arg, out, "ok", 10 * i, 10 * i + 5)
            for i, (process, f, arg, out) in enumerate(calls)
        ]
    )


def queue(i: int) -> list[Call]:
    return [(0, "enqueue", i, i), (1, "dequeue", None, i)]


def stack(i: int) -> list[Call]:
    return [(0, "push", i, i), (1, "pop", None, i)]


def priority(i: int) -> list[Call]:
    return [(0, "insert", i, i), (1, "delete-min", None, i)]


def set_(i: int) -> list[Call]:
    return [(0, "add", i % 9, i % 9), (1, "contains", i % 9, True), (2, "remove", i % 9, i % 9)]


def register(i: int) -> list[Call]:
    return [(0, "write", i % 5, i % 5), (1, "read", None, i % 5)]


def several(i: int) -> list[Call]:
    return [(0, "write", {"x": i, "y": i}, None), (1, "read", None, {"x": i, "y": i})]


def owned(i: int) -> list[Call]:
    owner = i % 9
    return [(owner, "acquire", None, None), (owner, "release", None, None)]


CASES: dict[str, tuple[Any, list[Call], int]] = {
    "queue": (queue, [(0, "enqueue", -1, -1), (1, "dequeue", None, None)], 3),
    "stack": (stack, [(0, "push", -1, -1), (1, "pop", None, None)], 2),
    "priority-queue": (priority, [(0, "insert", -1, -1), (1, "delete-min", None, None)], 3),
    "set": (set_, [(1, "contains", 99, True)], 1),
    "multi-register": (several, [(1, "read", None, {"x": 999_999})], 1),
    "owned-mutex": (owned, [(77, "acquire", None, None), (88, "acquire", None, None)], 2),
    "fenced-mutex": (
        lambda i: [(i % 9, "acquire", None, i), (i % 9, "release", None, None)],
        [(77, "acquire", None, 10**6), (88, "acquire", None, 10**6)],
        2,
    ),
}


@pytest.mark.parametrize("model", CASES)
def test_what_goes_well_is_left_out(model: str) -> None:
    well, wrong, most = CASES[model]
    calls = [call for i in range(150) for call in well(i)]
    late = [call for i in range(150, 300) for call in well(i)] if "mutex" not in model else []
    found = history([*calls, *wrong, *late])
    report = _core.check(found, model)
    [part] = report["partitions"]
    assert part["verdict"] == "invalid"
    assert len(part["counterexample"]) <= most, part
    assert part["minimal"]
    assert certify(found, report)


def test_what_a_register_was_given_later_is_left_out() -> None:
    """Five values over and over: none of the later writes can have been what was read."""
    early = [call for i in range(5) for call in register(i)]
    late = [call for i in range(2000) for call in register(i)]
    report = _core.check(history([*early, (1, "read", None, 0), *late]), "register")
    [part] = report["partitions"]
    assert part["at"] == 21
    assert len(part["counterexample"]) <= 3, part
    assert part["minimal"]


def test_of_what_came_too_late_the_first_is_kept() -> None:
    late = [call for i in range(2000) for call in register(i)]
    report = _core.check(history([(1, "read", None, 0), *late]), "register")
    [part] = report["partitions"]
    assert part["counterexample"] == [0, 1], part
    assert part["minimal"]


@pytest.mark.parametrize("model", ["counter", "mutex", "semaphore"])
def test_what_began_when_all_was_decided_is_left_out(model: str) -> None:
    good: list[Call] = [(0, "acquire", None, None), (0, "release", None, None)]
    bad: Call = (1, "release", None, None)
    if model == "counter":
        good, bad = [(0, "add", 1, 1)], (1, "read", None, 99)
    report = _core.check(history([*good, bad, *(good * 500)]), model)
    [part] = report["partitions"]
    assert part["verdict"] == "invalid"
    assert len(part["counterexample"]) <= len(good) + 1, part
