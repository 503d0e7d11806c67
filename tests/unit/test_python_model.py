"""Models written in Python."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from paxtest import _core
from paxtest.checkers.linearizable import Linearizable
from paxtest.checkers.protocol import Evidence
from paxtest.errors import UsageError
from paxtest.models import Inconsistent, Model, Operation, native
from paxtest.verdict import Verdict


class CasRegister(Model):
    """nil at first."""

    def step(self, state: Any, op: Operation) -> Any:
        if op.f == "write":
            return op.value
        if op.f == "cas":
            old, new = op.value
            return new if state == old else Inconsistent
        return state if op.result == state else Inconsistent(f"{state} was there")

    def read_only(self, op: Operation) -> bool:
        return op.f == "read"


class LossyCounter(Model):
    """An increment may or may not count."""

    initial = 0

    def step(self, state: int, op: Operation) -> Any:
        if op.f == "add":
            return {state, state + 1}
        return state if op.result == state else Inconsistent


class Sum(CasRegister):
    """Keys of one letter depend on each other."""

    def partition(self, op: Operation) -> str:
        return str(op.key)[0]


def history(*rows: tuple[Any, ...]) -> _core.History:
    return _core.History.from_ops(rows)


GOOD = [
    (0, "write", "x", 1, None, "ok", 0, 10),
    (1, "cas", "x", [1, 2], None, "ok", 5, 15),
    (2, "read", "x", None, 2, "ok", 20, 30),
]
BAD = [*GOOD, (3, "read", "x", None, 1, "ok", 40, 50)]


@pytest.mark.parametrize(("rows", "verdict"), [(GOOD, "valid"), (BAD, "invalid")])
def test_says_what_the_native_model_says(rows: list[tuple[Any, ...]], verdict: str) -> None:
    report = _core.check(history(*rows), native(CasRegister))
    assert report["verdict"] == verdict
    assert _core.check(history(*rows), "cas-register")["verdict"] == verdict
    assert report["model"] == "CasRegister"
    assert report["algorithms"] == {"search": 1}


def test_is_asked_once_for_each_state_and_operation() -> None:
    asked: Counter[tuple[Any, ...]] = Counter()

    class Counting(CasRegister):
        def step(self, state: Any, op: Operation) -> Any:
            asked[(state, op.f, str(op.value), op.result)] += 1
            return super().step(state, op)

    rows = []
    for i in range(3000):
        value = i % 5
        rows.append((0, "write", "x", value, None, "ok", 20 * i, 20 * i + 5))
        rows.append((1, "read", "x", None, value, "ok", 20 * i + 6, 20 * i + 9))
    report = _core.check(history(*rows), native(Counting), minimise=False)
    assert report["verdict"] == "valid"
    assert max(asked.values()) == 1
    assert len(asked) <= 6 * 10


def test_nondeterminism() -> None:
    adds = [(c, "add", "x", 1, None, "ok", c, 100) for c in range(4)]
    for value, verdict in [(0, "valid"), (3, "valid"), (5, "invalid")]:
        rows = [*adds, (9, "read", "x", None, value, "ok", 200, 210)]
        assert _core.check(history(*rows), native(LossyCounter))["verdict"] == verdict


def test_a_partition_of_its_own() -> None:
    rows = [
        (0, "write", "a1", 1, None, "ok", 0, 10),
        (0, "read", "a2", None, 1, "ok", 20, 30),
        (0, "read", "b1", None, None, "ok", 40, 50),
    ]
    report = _core.check(history(*rows), native(Sum))
    assert report["verdict"] == "valid"
    assert [p["key"] for p in report["partitions"]] == ["a", "b"]
    assert _core.check(history(*rows), native(CasRegister))["verdict"] == "invalid"


def test_what_it_raises_is_raised() -> None:
    class Broken(Model):
        def step(self, state: Any, op: Operation) -> Any:
            raise ZeroDivisionError("on purpose")

    class Unhashable(Model):
        def step(self, state: Any, op: Operation) -> Any:
            return {"a": 1}

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        _core.check(history(*GOOD), native(Broken))
    with pytest.raises(TypeError, match="hashable"):
        _core.check(history(*GOOD), native(Unhashable))


def test_what_is_no_model_is_refused() -> None:
    class Listy(Model):
        initial = []  # type: ignore[assignment]  # noqa: RUF012

    with pytest.raises(UsageError, match="no model"):
        native("register")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cannot be hashed"):
        native(Listy)


def test_is_certified_like_any_other(tmp_path: Path) -> None:
    for rows, verdict in [(GOOD, Verdict.VALID), (BAD, Verdict.INVALID)]:
        path = tmp_path / f"{verdict}.jsonl"
        history(*rows).write(str(path), "jsonl")
        result = Linearizable(CasRegister).check(Evidence(path))
        assert result.verdict is verdict
        assert result.certified
