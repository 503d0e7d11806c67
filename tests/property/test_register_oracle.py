"""Registers against brute force: verdicts, certificates and streams of random histories.

Small histories, up to six clients, with failures, unknown outcomes and repeated values; half of
them come from a register that misbehaves now and then. The native tests
(core/tests/register.rs) do the same for a million.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from paxtest import _core
from paxtest.checkers import verify

HISTORIES = 2000


@dataclass
class Event:
    process: int
    type: str
    f: str
    value: object


def record(rng: random.Random, *, distinct: bool, cas: bool) -> list[Event]:
    """A random history: each operation takes effect between its events, or not at all."""
    clients = rng.randint(1, 6)
    operations = rng.randint(2, 12)
    unknown = rng.choice([0, 0, 0.1, 0.4])
    wrong = rng.choice([0, 0, 0.1, 0.25])
    sees = rng.random() < 0.3
    state: int | None = None
    before: int | None = None
    fresh = 0
    events: list[Event] = []
    open_: dict[int, tuple[str, object, str | None, object]] = {}
    process = list(range(clients))
    while operations or open_:
        c = rng.randrange(clients)
        if c not in open_:
            if not operations:
                continue
            operations -= 1
            f = rng.choice(["read", "write", "cas", "cas"] if cas else ["read", "write"])
            fresh += 1
            new = fresh if distinct else rng.randint(1, 3)
            value: object = None
            if f == "write":
                value = new
            elif f == "cas":
                value = [rng.choice([state, before, 1]), new]
            open_[c] = (f, value, None, None)
            events.append(Event(process[c], "invoke", f, value))
            continue
        f, value, done, result = open_[c]
        if rng.random() < unknown / 2:
            del open_[c]
            if rng.random() < 0.5:
                events.append(Event(process[c], "info", f, value))
            process[c] = max(process) + 1
        elif done is None:
            done, result = "ok", value
            if f == "read":
                result = before if rng.random() < wrong else state
            elif f == "write":
                if rng.random() >= wrong:
                    before, state = state, value  # type: ignore[assignment]
            else:
                old, new = value  # type: ignore[misc]
                if state == old or rng.random() < wrong:
                    before, state = state, new
                else:
                    done, result = "fail", state if sees else value
            open_[c] = (f, value, done, result)
        else:
            events.append(Event(process[c], done, f, result))
            del open_[c]
    return events


def jsonl(events: list[Event]) -> bytes:
    rows = (
        f'{{"index":{i},"time_ns":{i},"process":{e.process},"type":"{e.type}","f":"{e.f}",'
        f'"value":{"null" if e.value is None else e.value}}}\n'.replace("None", "null")
        for i, e in enumerate(events)
    )
    return "".join(rows).encode()


@dataclass
class Operation:
    f: str
    value: object
    result: object
    inv: int
    ret: float
    must: bool


def linearizable(events: list[Event], known: int | None = None) -> bool:
    """All orders, in plain Python. `known`: events after that one have not been seen, but that
    operations which failed did not happen is known."""
    ops: list[Operation] = []
    open_: dict[int, Operation] = {}
    cut = len(events) if known is None else known + 1
    for i, e in enumerate(events):
        if e.type == "invoke":
            open_[e.process] = Operation(e.f, e.value, None, i, float("inf"), False)
            if i < cut:
                ops.append(open_[e.process])
            continue
        op = open_.pop(e.process)
        if e.type == "ok" and i < cut:
            op.result, op.ret, op.must = e.value, i, True
        elif e.type == "fail":
            if i < cut and op.f == "cas" and e.value not in (None, op.value):
                op.f, op.result, op.ret, op.must = "read", e.value, i, True
            elif op in ops:
                ops.remove(op)
    ops = [op for op in ops if op.must or op.f != "read"]
    must = sum(1 << i for i, op in enumerate(ops) if op.must)
    seen: set[tuple[int, object]] = set()
    stack: list[tuple[int, object]] = [(0, None)]
    while stack:
        done, state = stack.pop()
        if done & must == must:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        first = min(op.ret for i, op in enumerate(ops) if op.must and not done >> i & 1)
        for i, op in enumerate(ops):
            if done >> i & 1 or op.inv > first:
                continue
            after = state
            if op.f == "write":
                after = op.value
            elif op.f == "cas":
                old, after = op.value  # type: ignore[misc]
                if old != state:
                    continue
            elif op.result != state:
                continue
            stack.append((done | 1 << i, after))
    return False


@pytest.mark.parametrize("distinct", [True, False], ids=["distinct", "repeated"])
@pytest.mark.parametrize("model", ["register", "cas-register"])
def test_against_brute_force(model: str, distinct: bool) -> None:
    valid = streamed = 0
    for seed in range(HISTORIES):
        rng = random.Random(seed)
        events = record(rng, distinct=distinct, cas=model == "cas-register")
        data = jsonl(events)
        history = _core.History.from_bytes(data, "jsonl")
        expected = "valid" if linearizable(events) else "invalid"
        where = f"seed {seed}\n{data.decode()}"
        at = set()
        for algorithm in ("auto", "search"):
            report = _core.check(history, model, algorithm=algorithm)
            assert report["verdict"] == expected, f"{algorithm}, {where}"
            assert verify.certify(history, report), where
            at.add(report["at"])
        assert len(at) == 1, where
        (event,) = at
        if event is not None:
            assert not linearizable(events, event), where
            assert linearizable(events, event - 1), where
        stream = _core.Stream(model)
        for line in data.splitlines(keepends=True):
            stream.feed(line)
        stream.finish()
        assert stream.verdict() == expected, f"stream, {where}"
        violation = stream.first_violation()
        assert (violation is None) == (event is None), where
        if violation is not None and event is not None:
            # A stream learns only later that an operation failed.
            assert violation[0] >= event, where
            failed = any(e.type == "fail" for e in events)
            assert failed or violation[0] == event, where
            streamed += 1
        valid += expected == "valid"
    assert HISTORIES // 10 < valid < HISTORIES * 95 // 100
    assert streamed == HISTORIES - valid


def test_minimal_counterexamples_need_each_operation() -> None:
    """Without any one operation, and what observes it, the rest can be linearized."""
    checked = 0
    for seed in range(400):
        rng = random.Random(seed)
        events = record(rng, distinct=seed % 2 == 0, cas=True)
        history = _core.History.from_bytes(jsonl(events), "jsonl")
        report = _core.check(history, "cas-register")
        if report["verdict"] == "valid":
            continue
        (part,) = report["partitions"]
        assert part["minimal"]
        ops = [history.operation(i) for i in part["counterexample"]]
        assert not linearizable(rebuild(ops)), seed
        for gone in ops:
            assert linearizable(rebuild(closed(ops, gone))), (seed, gone)
        checked += 1
    assert checked > 50


def closed(ops: list[_core.OperationDict], gone: _core.OperationDict) -> list[_core.OperationDict]:
    left = list(ops)
    out = [gone]
    while out:
        one = out.pop()
        if one not in left:
            continue
        left.remove(one)
        if one["f"] == "read" or one["type"] == "fail":
            continue
        wrote = one["arg"] if one["f"] == "write" else one["arg"][1]
        out += [op for op in left if saw(op) == [wrote]]
    return left


def saw(op: _core.OperationDict) -> list[object]:
    if op["f"] == "write":
        return []
    if op["f"] == "cas" and op["type"] != "fail":
        return [op["arg"][0]]
    return [op["out"]]


def rebuild(ops: list[_core.OperationDict]) -> list[Event]:
    """The events of some operations; each is a process of its own."""
    events: list[tuple[int, Event]] = []
    for number, op in enumerate(ops):
        events.append((op["inv"], Event(number, "invoke", op["f"], op["arg"])))
        if op["ret"] is not None:
            value = op["out"] if op["f"] == "read" or op["type"] == "fail" else op["arg"]
            events.append((op["ret"], Event(number, op["type"], op["f"], value)))
    return [event for _, event in sorted(events, key=lambda e: e[0])]
