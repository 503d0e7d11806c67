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


def test_is_not_asked_again_for_another_history() -> None:
    """Though its values have other ids there, and look alike where they differ."""
    asked: list[tuple[Any, Operation]] = []

    class Counting(CasRegister):
        def step(self, state: Any, op: Operation) -> Any:
            asked.append((state, op))
            return repr(op.value)

    def writes(*values: Any) -> _core.History:
        return history(
            *((0, "write", "x", v, None, "ok", 10 * i, 10 * i + 5) for i, v in enumerate(values))
        )

    model = native(Counting)
    _core.check(writes("a", "b", [1, "c"], {"d": None}), model)
    before = len(asked)
    assert before == 4
    _core.check(writes("a", "b", [1, "c"], {"d": None}), model)
    assert len(asked) == before
    # Each first value is written in the initial state, which "a" alone was before.
    for first in ("1", 1, True, [1], ["1"], "a"):
        _core.check(writes(first, "z"), model)
    assert [op.value for state, op in asked[before:] if state is None] == ["1", 1, True, [1], ["1"]]
    _core.check(writes("b", "a"), model)
    _core.check(writes("unrelated", "a", "b"), model)
    assert [state for state, op in asked if op.value == "b"].count("'a'") == 1


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


def test_the_models_of_the_guide_work() -> None:
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "python-models.md"
    names: dict[str, Any] = {}
    for block in guide.read_text().split("```python\n")[1:]:
        code = block.split("```")[0]
        if "class " in code:
            exec(code, names)

    def verdict(model: str, *rows: tuple[Any, ...]) -> str:
        return _core.check(history(*rows), native(names[model]))["verdict"]

    transfer = (0, "transfer", "bank", ["a", "b", 30], None, "ok", 0, 10)
    for money, expected in [({"a": 70, "b": 130}, "valid"), ({"a": 100, "b": 100}, "invalid")]:
        read = (1, "read", "bank", None, money, "ok", 20, 30)
        assert verdict("Bank", transfer, read) == expected
    assert verdict("Register", *GOOD[:1], (1, "read", "x", None, 1, "ok", 20, 30)) == "valid"
    assert verdict("AtMostOnce", (0, "add", "x", 1, None, "ok", 0, 5)) == "valid"
    rows = [(0, "transfer", "t/1", ["a", "b", 30], None, "ok", 0, 10)]
    rows.append((1, "read", "t/2", None, {"a": 70, "b": 130}, "ok", 20, 30))
    assert verdict("Tables", *rows) == "valid"


def test_many_keys_on_several_threads() -> None:
    """States with a hash of their own run Python while the core works on other keys."""

    class Wrapped:
        def __init__(self, value: Any) -> None:
            self.value = value

        def __hash__(self) -> int:
            return hash(tuple(x for x in (self.value, *range(50))))

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Wrapped) and self.value == other.value

    class Register(Model):
        initial = Wrapped(None)

        def step(self, state: Wrapped, op: Operation) -> Any:
            if op.f == "write":
                return Wrapped(op.value)
            return state if op.result == state.value else Inconsistent

    rows = []
    for i in range(2000):
        rows.append((i % 4, "write", i % 40, i, None, "ok", 10 * i, 10 * i + 8))
        rows.append((4 + i % 4, "read", i % 40, None, i, "ok", 10 * i + 9, 10 * i + 12))
    report = _core.check(history(*rows), native(Register), threads=4)
    assert report["verdict"] == "valid"
    assert len(report["partitions"]) == 40
