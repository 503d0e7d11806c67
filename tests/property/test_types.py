"""Data types through the Python face: verdicts against brute force, and everything certified.

The oracle is the verifier's own reading of each type (`paxtest.checkers.semantics`), which
shares no code with the core. Seeds are printed on failure.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from paxtest import _core, explain
from paxtest.checkers.semantics import Semantics, find
from paxtest.checkers.verify import Columns, brute_force, certify

HISTORIES = 2000

Do = Callable[[Any, str, Any, int], tuple[Any, Any]]
"""(state, function, argument, process) -> (next state, result); KeyError where it cannot happen."""


def _list(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    return ([*state, arg], arg) if f in ("append", "add") else (state, list(state))


def _set(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    if f == "contains":
        return state, arg in state
    return ([v for v in state if v != arg] + [arg] * (f == "add")), arg


def _take(at: int, order: bool = False) -> Do:
    def do(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
        if arg is not None:
            return (sorted([*state, arg]) if order else [*state, arg]), arg
        if not state:
            return state, None
        rest = list(state)
        taken = rest.pop(at)
        return rest, taken

    return do


def _counter(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    after = state + (f != "read")
    return after, {"read": state, "fetch-add": state, "add-and-get": after}.get(f)


def _kv(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    if f == "get":
        return state, state
    return (arg if f == "put" else state + arg), arg


def _lock(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    if (f == "acquire") == state:
        raise KeyError("held, or not held")
    return not state, None


def _owned(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    holder, token = state
    if holder != (None if f == "acquire" else who):
        raise KeyError("held, or not by this one")
    return ((who, token + 3), token + 3) if f == "acquire" else ((None, token), None)


def _versioned(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    version, value = state
    if f == "read":
        return state, [version, value]
    if f == "cas" and arg[0] != value:
        raise KeyError("another value")
    after = (version + 1, arg[1] if f == "cas" else arg)
    return after, [version + 1, arg] if version % 2 else version + 1


def _register(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    if f == "read":
        return state, state
    if f == "cas" and arg[0] != state:
        raise KeyError("another value")
    return (arg[1] if f == "cas" else arg), arg


def _registers(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    if f == "read":
        return state, dict(state)
    if f == "write":
        return {**state, **arg}, arg
    after, seen = dict(state), []
    for f_, register, value in arg:
        if f_ == "w":
            after[register] = value
        seen.append([f_, register, after.get(register)])
    return after, seen


def _leader(state: Any, f: str, arg: Any, who: int) -> tuple[Any, Any]:
    return state + 1, [state // 2, f"n{state // 2 % 3}"]


class Type(NamedTuple):
    functions: list[str]
    """A trailing "!" wants an argument."""
    initial: Any
    do: Do
    argument: Callable[[str, int], Any] = lambda f, number: number
    """(function, number) -> the argument."""


def _cas(f: str, number: int) -> Any:
    return [number % 3 + 1, number] if f == "cas" else number


def _several(f: str, number: int) -> Any:
    some = ["x", "y", "z"][number % 3 :][:2]
    if f == "write":
        return dict.fromkeys(some, number)
    return [["r", "x", None], *(["w", register, number] for register in some[:1]), ["r", "y", None]]


TYPES = {
    "register": Type(["read", "write!"], None, _register),
    "cas-register": Type(["read", "write!", "cas!"], None, _register, _cas),
    "versioned-register": Type(["read", "write!", "cas!"], (0, None), _versioned, _cas),
    "multi-register": Type(["read", "write!", "txn!"], {}, _registers, _several),
    "counter": Type(["add", "read", "fetch-add", "add-and-get"], 0, _counter),
    "append-list": Type(["append!", "read"], [], _list),
    "grow-set": Type(["add!", "read"], [], _list),
    "set": Type(["add!", "contains!", "remove!"], [], _set),
    "queue": Type(["enqueue!", "dequeue"], [], _take(0)),
    "stack": Type(["push!", "pop"], [], _take(-1)),
    "priority-queue": Type(["insert!", "delete-min"], [], _take(0, order=True)),
    "kv": Type(["put!", "append!", "append!", "get"], "", _kv, lambda f, n: f"x{n}y"),
    "mutex": Type(["acquire", "release"], False, _lock),
    "owned-mutex": Type(["acquire", "release"], (None, 0), _owned),
    "fenced-mutex": Type(["acquire", "release"], (None, 0), _owned),
    "semaphore": Type(["acquire", "release"], False, _lock),
    "leader": Type(["leader"], 0, _leader),
}


class Start(NamedTuple):
    given: Any
    """The initial value as a user gives it."""
    state: Any
    """And as TYPES spells it."""


STARTS = {
    "register": [Start(2, 2), Start([1, "a"], [1, "a"]), Start(True, True)],
    "cas-register": [Start(2, 2), Start({"a": [1]}, {"a": [1]})],
    "versioned-register": [
        Start([4, 2], (4, 2)),
        Start(2, (0, 2)),
        Start([0, [1, 2]], (0, [1, 2])),
    ],
    "multi-register": [Start({"x": 2, "y": 1}, {"x": 2, "y": 1})],
    "counter": [Start(7, 7), Start(-3, -3)],
    "append-list": [Start([2, 2, "b"], [2, 2, "b"])],
    "grow-set": [Start([2, "b"], [2, "b"])],
    "set": [Start([2, 1], [2, 1]), Start((3,), [3])],
    "queue": [Start([2, 90], [2, 90])],
    "stack": [Start([2, 90], [2, 90])],
    "priority-queue": [Start([90, 2], [2, 90])],
    "kv": [Start("x1y", "x1y"), Start("old", "old")],
    "semaphore": [Start(1, False)],
}


def make(
    model: str,
    rng: random.Random,
    start: Start | None = None,
    *,
    operations: tuple[int, int] = (2, 10),
    clients: tuple[int, int] = (1, 4),
) -> list[Any]:
    """Operations of some processes; half of the histories have a wrong answer."""
    functions, state, do, argument = TYPES[model]
    if start is not None:
        state = start.state
    rows: list[list[Any]] = []
    running: dict[int, tuple[int, bool]] = {}
    fresh, now, total = 0, 0, rng.randint(*operations)
    names = list(range(rng.randint(*clients)))
    processes = len(names)
    while len(rows) < total or running:
        slot = rng.randrange(len(names))
        now += rng.randint(0, 1)  # ties occur
        if slot not in running:
            if len(rows) >= total:
                continue
            f, arg = rng.choice(functions), None
            if f.endswith("!"):
                fresh += 1
                one_of_few = rng.random() < 0.4 or f in ("contains!", "remove!")
                number = rng.randint(1, 3) if one_of_few else fresh + 3
                f = f[:-1]
                arg = argument(f, number)
            running[slot] = (len(rows), False)
            now += any(row[0] == names[slot] and row[7] == now for row in rows)
            rows.append([names[slot], f, None, arg, None, "info", now, None])
            continue
        row, done = running[slot]
        if not done:
            try:
                state, rows[row][4] = do(state, rows[row][1], rows[row][3], rows[row][0])
            except KeyError:
                if rng.random() < 0.7:
                    continue
                rows[row][5:] = ["fail", rows[row][6], now]
                del running[slot]
                continue
            running[slot] = (row, True)
            continue
        del running[slot]
        if rng.random() < 0.15:
            rows[row][4] = None
            names[slot], processes = processes, processes + 1
        else:
            rows[row][5:] = ["ok", rows[row][6], now]
    for _ in range(rng.choice([0, 0, 1, 2])):
        told = [row for row in rows if row[5] == "ok"]
        if told:
            a = rng.choice(told)
            b = rng.choice([row for row in told if row[1] == a[1]])
            a[4], b[4] = b[4], a[4]
            if model == "leader" and a is not b:
                a[4] = [b[4][0], a[4][1]]
            if isinstance(a[4], bool):
                a[4] = not a[4]
            if rng.random() < 0.3:
                a[5], a[4] = "fail", None
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("model", sorted(TYPES))
def test_invalid_verdicts_of_longer_histories_are_certified(model: str) -> None:
    invalid = 0
    for seed in range(60):
        rows = make(model, random.Random(seed), operations=(12, 24), clients=(2, 6))
        history = _core.History.from_ops(rows)
        report = _core.check(history, model)
        if report["verdict"] == "invalid":
            assert certify(history, report), f"{model}, seed {seed}\n" + "\n".join(map(str, rows))
            invalid += 1
    assert invalid > 0


@pytest.mark.parametrize("model", sorted(STARTS))
def test_initial_values(model: str) -> None:
    """Given ones make the same verdicts as brute force has, certified, in streams too."""
    invalid = 0
    for seed in range(HISTORIES // 5):
        rng = random.Random(seed)
        start = rng.choice(STARTS[model])
        rows = make(model, rng, start)
        history = _core.History.from_ops(rows)
        report = _core.check(history, model, initial=start.given)
        semantics = find(model, start.given)
        assert semantics is not None
        expected = _brute_force(history, semantics)
        said = f"{model}, seed {seed}, {start}: {report['verdict']}\n" + "\n".join(map(str, rows))
        assert report["verdict"] == ("valid" if expected else "invalid"), said
        assert certify(history, report, initial=start.given), said
        stream = _core.Stream(model, initial=start.given)
        stream.feed(_events(history))
        stream.finish()
        assert stream.verdict() == report["verdict"], said
        explain.explain(history, report, start.given)
        invalid += not expected
    assert invalid > HISTORIES / 100


def _brute_force(history: _core.History, semantics: Semantics) -> bool | None:
    columns = Columns(history)
    return brute_force(columns, {op: columns.call(op) for op in range(len(history))}, semantics)


def _events(history: _core.History) -> list[Any]:
    """The events of a history as a stream takes them."""
    events = []
    for number in range(len(history)):
        op = history.operation(number)
        start = (op["inv"], 0, op["process"], "invoke", op["f"], op["key"], op["arg"])
        events.append(start)
        if op["ret"] is not None:
            events.append((op["ret"], 0, op["process"], op["type"], op["f"], op["key"], op["out"]))
    return sorted(events, key=lambda e: e[0])


@pytest.mark.parametrize(
    ("model", "initial", "takes"),
    [
        ("kv", 1, "a string"),
        ("kv", ["a"], "a string"),
        ("counter", "1", "an integer"),
        ("counter", [1], "an integer"),
        ("semaphore", -1, "number of permits"),
        ("append-list", 1, "a list of the elements"),
        ("grow-set", "a", "a list of the elements"),
        ("set", {"a": 1}, "a list of the elements"),
        ("queue", [1, None], "none of them nil"),
        ("stack", 3, "none of them nil"),
        ("priority-queue", "a", "none of them nil"),
        ("multi-register", [1], "a map"),
        ("mutex", True, "no initial value"),
        ("owned-mutex", 1, "no initial value"),
        ("fenced-mutex", 1, "no initial value"),
        ("leader", {"1": "n1"}, "no initial value"),
        ("register", object(), "a value of type object"),
    ],
)
def test_what_a_model_cannot_start_with_is_an_error(model: str, initial: Any, takes: str) -> None:
    history = _core.History.from_ops([])
    with pytest.raises(ValueError, match=takes):
        _core.check(history, model, initial=initial)
    with pytest.raises(ValueError, match=takes):
        _core.Stream(model, initial=initial)


@pytest.mark.parametrize("model", sorted(TYPES))
def test_agrees_with_brute_force_and_is_certified(model: str) -> None:
    semantics = find(model)
    assert semantics is not None
    invalid = 0
    for seed in range(HISTORIES):
        rows = make(model, random.Random(seed))
        history = _core.History.from_ops(rows)
        report = _core.check(history, model)
        expected = _brute_force(history, semantics)
        said = f"{model}, seed {seed}: {report['verdict']}\n" + "\n".join(map(str, rows))
        assert expected is not None, said
        assert report["verdict"] == ("valid" if expected else "invalid"), said
        assert certify(history, report), said
        invalid += not expected
    assert HISTORIES / 20 < invalid < HISTORIES * 0.9
