"""The linearizability checker over the native core: verdicts, evidence, limits, streams."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from paxtest import _core
from paxtest.checkers.linearizable import Linearizable, Live
from paxtest.checkers.protocol import Evidence
from paxtest.errors import HistoryError
from paxtest.models import Inconsistent, Model, Operation, native
from paxtest.operation import Op, encode
from paxtest.verdict import Verdict

Row = tuple[int, str, object, object, object, str, int, int | None]


def write(process: int, value: object, start: int, end: int | None, key: object = "x") -> Row:
    return (process, "write", key, value, value, "ok" if end is not None else "info", start, end)


def read(process: int, value: object, start: int, end: int, key: object = "x") -> Row:
    return (process, "read", key, None, value, "ok", start, end)


def cas(process: int, old: int, new: int, start: int, end: int | None) -> Row:
    value = [old, new]
    return (process, "cas", "x", value, value, "ok" if end is not None else "info", start, end)


def check(*rows: Row, model: str = "cas-register", **options: object) -> _core.CheckReport:
    return _core.check(_core.History.from_ops(rows), model, **options)  # type: ignore[arg-type]


def journal(path: Path, rows: list[Op]) -> Evidence:
    path.write_bytes(b"".join(encode(op) + b"\n" for op in rows))
    return Evidence(path)


STALE = [
    Op(0, 0, 0, "invoke", "write", "x", 1),  # type: ignore[arg-type]
    Op(1, 10, 0, "ok", "write", "x", 1),  # type: ignore[arg-type]
    Op(2, 20, 0, "invoke", "write", "x", 2),  # type: ignore[arg-type]
    Op(3, 30, 0, "ok", "write", "x", 2),  # type: ignore[arg-type]
    Op(4, 40, 1, "invoke", "read", "x"),  # type: ignore[arg-type]
    Op(5, 50, 1, "ok", "read", "x", 1),  # type: ignore[arg-type]
]


def test_a_stale_read_is_invalid_certified_and_explained(tmp_path: Path) -> None:
    result = Linearizable("cas-register").check(journal(tmp_path / "h.jsonl", STALE))
    assert result.verdict is Verdict.INVALID
    assert result.certified
    assert result.algorithm == "zones"
    assert result.first_violation_ns == 50
    assert [op.value for op in result.counterexample] == [1, 2, 1]
    assert result.details["minimal"] is True
    assert "x" in result.explanation


def test_a_valid_history_has_a_witness_in_a_legal_order() -> None:
    report = check(write(0, 1, 0, 100), write(1, 2, 0, 100), read(2, 1, 10, 20), read(2, 2, 30, 40))
    (part,) = report["partitions"]
    assert report["verdict"] == "valid"
    assert list(memoryview(part["witness"]).cast("I")) == [0, 2, 1, 3]


@pytest.mark.parametrize("algorithm", ["zones", "search"])
def test_a_write_of_unknown_outcome_may_happen_late_or_never(algorithm: str) -> None:
    def verdict(*rows: Row) -> str:
        return check(*rows, algorithm=algorithm)["verdict"]

    unknown = write(1, 2, 0, None)
    assert verdict(write(0, 1, 0, 10), unknown, read(2, 1, 20, 30)) == "valid"
    assert verdict(write(0, 1, 0, 10), unknown, read(2, 1, 20, 30), read(2, 2, 40, 50)) == "valid"
    rows = [write(0, 1, 0, 10), unknown, read(2, 2, 20, 30), read(2, 1, 40, 50)]
    assert verdict(*rows) == "invalid"


def test_each_reason_has_its_tag() -> None:
    def tag(*rows: Row) -> str:
        return check(*rows)["partitions"][0]["reason"]["tag"]

    assert tag(read(0, 7, 0, 10)) == "unwritten"
    assert tag(write(0, 1, 20, 30), read(1, 1, 0, 10)) == "too-early"
    assert tag(write(0, 1, 0, 10), write(0, 2, 20, 30), read(1, 1, 40, 50)) == "replaced"
    assert tag(write(0, 1, 0, 5), cas(1, 1, 2, 10, 20), cas(2, 1, 3, 10, 20)) == "two-cas"
    assert tag(cas(1, 1, 2, 10, 20), cas(2, 2, 1, 10, 20)) == "cas-cycle"
    twice = [write(0, v, 10 * i, 10 * i + 5) for i, v in enumerate((1, 1, 2))]
    assert tag(*twice, read(1, 1, 40, 50)) == "no-order"


def test_a_failed_cas_that_returns_what_it_saw_is_a_read() -> None:
    failed: Row = (1, "cas", "x", [5, 6], 1, "fail", 40, 50)
    rows = [write(0, 1, 0, 10), write(0, 2, 20, 30)]
    assert check(*rows, failed)["verdict"] == "invalid"
    assert check(*rows, (*failed[:4], [5, 6], *failed[5:]))["verdict"] == "valid"


def test_initial_values() -> None:
    assert check(read(0, 3, 0, 10), initial=3)["verdict"] == "valid"
    assert check(read(0, 3, 0, 10))["verdict"] == "invalid"
    assert check(read(0, 3, 0, 10), initial=_core.ANY)["verdict"] == "valid"
    assert check(read(0, 3, 0, 5), read(0, 4, 6, 9), initial=_core.ANY)["verdict"] == "invalid"
    # Where the initial value is known, a read of nil tells nothing.
    assert check(write(0, 1, 0, 5), read(0, None, 6, 9), initial=3)["verdict"] == "valid"


@pytest.mark.parametrize(
    "model", sorted({m[0] for m in _core.models()} - {"register", "cas-register"})
)
def test_an_unknown_initial_value_is_refused_where_it_cannot_be_had(model: str) -> None:
    with pytest.raises(ValueError, match=f"initial: model {model} .* ANY is for register"):
        _core.check(_core.History.from_ops([]), model, initial=_core.ANY)


def test_an_invalid_key_outweighs_all_others() -> None:
    rows = [write(0, 1, 0, 10, key="good"), read(0, 9, 20, 30, key="bad")]
    report = check(*rows)
    assert report["verdict"] == "invalid"
    assert {p["key"]: p["verdict"] for p in report["partitions"]} == {
        "good": "valid",
        "bad": "invalid",
    }


def test_budgets_that_run_out_are_unknown_and_named() -> None:
    rows = [(c, "add", "x", 2**c, None, "ok", c, 1000) for c in range(40)]
    rows.append((50, "read", "x", None, 2**50 - 1, "ok", 2000, 2001))
    history = _core.History.from_ops(rows)
    report = _core.check(history, "counter", algorithm="search", time_budget_s=0.05)
    assert report["verdict"] == "unknown"
    assert report["partitions"][0]["limit"] == "time"
    report = _core.check(history, "counter", algorithm="search", memory_budget_mb=1)
    assert report["partitions"][0]["limit"] == "memory"


def test_a_history_that_does_not_fit_the_model_is_an_error(tmp_path: Path) -> None:
    evidence = journal(tmp_path / "h.jsonl", STALE)
    with pytest.raises(HistoryError, match="model queue has no function"):
        Linearizable("queue").check(evidence)
    with pytest.raises(HistoryError, match="unknown model"):
        Linearizable("qeue").check(evidence)
    with pytest.raises(ValueError, match="unknown algorithm"):
        check(write(0, 1, 0, 1), algorithm="guess")
    with pytest.raises(ValueError, match=re.escape("a list [from, to] expected")):
        check((0, "cas", "x", 3, None, "ok", 0, 1))


def test_live_says_so_at_the_event() -> None:
    live = Live("cas-register")
    live.feed(STALE[:5])
    assert live.verdict is Verdict.VALID
    live.feed(STALE[5:])
    assert live.verdict is Verdict.INVALID
    assert live.first_violation_ns == 50


def test_a_stream_may_change_threads() -> None:
    live = Live("cas-register")
    live.feed(STALE[:3])
    thread = threading.Thread(target=live.feed, args=(STALE[3:],))
    thread.start()
    thread.join()
    assert live.verdict is Verdict.INVALID


def test_a_stream_refuses_what_is_no_history() -> None:
    stream = _core.Stream("cas-register")
    with pytest.raises(ValueError, match="did not invoke"):
        stream.feed([(0, 0, 1, "ok", "read", "x", 1)])
    with pytest.raises(ValueError, match="line 1"):
        _core.Stream("cas-register").feed(b'{"index": 0\n')
    with pytest.raises(ValueError, match="has no function"):
        stream.feed([(0, 0, 1, "invoke", "push", "x", 1)])


class Latest(Model):
    """A register, in Python."""

    def step(self, state: Any, op: Operation) -> Any:
        if op.f == "write":
            return op.value
        return state if op.result == state else Inconsistent


@pytest.mark.parametrize(
    ("model", "put", "take"),
    [
        ("register", "write", "read"),
        ("versioned-register", "write", ""),
        ("kv", "put", "get"),
        ("queue", "enqueue", "dequeue"),
        ("stack", "push", "pop"),
        ("set", "add", "remove"),
        (native(Latest), "write", "read"),
    ],
)
@pytest.mark.parametrize("repeats", [False, True])
def test_a_stream_forgets_texts_that_are_gone(
    model: Any, put: str, take: str, repeats: bool
) -> None:
    """Its table of values does not grow with the history."""
    stream = _core.Stream(model)
    if repeats:  # (then a register goes on by search)
        for at in range(2):
            stream.feed([(at, 0, 0, "invoke", put, None, "x"), (at, 0, 0, "ok", put, None, "x")])
            if take:
                stream.feed(_take(at, take, model, "x"))
    for value in range(60_000):
        text = f"text {value}"
        events = [
            (4 * value, 0, 0, "invoke", put, None, text),
            (4 * value + 1, 0, 0, "ok", put, None, text),
        ]
        stream.feed(events + (_take(4 * value + 2, take, model, text) if take else []))
    assert stream.frontier()["values"] < 40_000
    assert stream.verdict() == "valid"
    if take:
        late = [] if take == "remove" else _take(240_002, take, model, "text 3")
        stream.feed(late)
        assert stream.verdict() == ("invalid" if late else "valid")


def _take(at: int, f: str, model: Any, text: str) -> list[tuple[Any, ...]]:
    arg = text if model == "set" else None
    return [(at, 0, 1, "invoke", f, None, arg), (at + 1, 0, 1, "ok", f, None, text)]


class Grouped(Latest):
    """Keys of one first letter depend on each other."""

    def partition(self, op: Operation) -> str:
        assert op.result is None or op.known
        return str(op.key)[0]


def test_models_in_python_work_in_streams() -> None:
    live = Live(Latest)
    live.feed(STALE[:5])
    assert live.verdict is Verdict.VALID
    live.feed(STALE[5:])
    assert live.verdict is Verdict.INVALID

    stream = _core.Stream(native(Grouped))
    for key in ("a1", "b1", "a2"):
        stream.feed([(0, 0, 0, "invoke", "write", key, key), (1, 0, 0, "ok", "write", key, key)])
    stream.feed([(2, 0, 0, "invoke", "read", "b1", None), (3, 0, 0, "ok", "read", "b1", "b1")])
    assert stream.verdict() == "valid"
    stream.feed([(4, 0, 0, "invoke", "read", "a1", None), (5, 9, 0, "ok", "read", "a1", "a1")])
    assert stream.first_violation() == (5, 9, "a")


def test_what_a_model_raises_ends_a_stream() -> None:
    class Broken(Latest):
        def step(self, state: Any, op: Operation) -> Any:
            raise RuntimeError("no idea")

    stream = _core.Stream(native(Broken))
    stream.feed([(0, 0, 0, "invoke", "write", None, 1)])
    with pytest.raises(RuntimeError, match="no idea"):
        stream.feed([(1, 0, 0, "ok", "write", None, 1)])
    assert stream.verdict() == "unknown"
    assert stream.first_violation() is None
    with pytest.raises(ValueError, match="says itself what it starts with"):
        _core.Stream(native(Latest), initial=3)


def test_a_stream_holds_only_what_is_open() -> None:
    stream = _core.Stream("register")
    for value in range(20_000):
        at = 10 * value
        stream.feed(
            [
                (4 * value, at, 0, "invoke", "write", None, value),
                (4 * value + 1, at + 1, 0, "ok", "write", None, value),
                (4 * value + 2, at + 2, 1, "invoke", "read", None, None),
                (4 * value + 3, at + 3, 1, "ok", "read", None, value),
            ]
        )
        assert stream.frontier()["held"] < 500
    assert stream.verdict() == "valid"
