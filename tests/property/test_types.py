"""Data types through the Python face: verdicts against brute force, and everything certified.

The oracle is the verifier's own reading of each type (`paxtest.checkers.semantics`), which
shares no code with the core. Seeds are printed on failure.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from paxtest import _core
from paxtest.checkers.semantics import find
from paxtest.checkers.verify import Columns, brute_force, certify

HISTORIES = 400

Do = Callable[[Any, str, Any], tuple[Any, Any]]
"""(state, function, argument) -> (next state, result); KeyError where it cannot happen."""


def _list(state: Any, f: str, arg: Any) -> tuple[Any, Any]:
    return ([*state, arg], arg) if f in ("append", "add") else (state, list(state))


def _set(state: Any, f: str, arg: Any) -> tuple[Any, Any]:
    if f == "contains":
        return state, arg in state
    return ([v for v in state if v != arg] + [arg] * (f == "add")), arg


def _take(at: int, order: bool = False) -> Do:
    def do(state: Any, f: str, arg: Any) -> tuple[Any, Any]:
        if arg is not None:
            return (sorted([*state, arg]) if order else [*state, arg]), arg
        if not state:
            return state, None
        rest = list(state)
        taken = rest.pop(at)
        return rest, taken

    return do


def _counter(state: Any, f: str, arg: Any) -> tuple[Any, Any]:
    after = state + (f != "read")
    return after, {"read": state, "fetch-add": state, "add-and-get": after}.get(f)


def _kv(state: Any, f: str, arg: Any) -> tuple[Any, Any]:
    if f == "get":
        return state, state
    return (arg if f == "put" else state + arg), arg


def _lock(state: Any, f: str, arg: Any) -> tuple[Any, Any]:
    if (f == "acquire") == state:
        raise KeyError("held, or not held")
    return not state, None


# model -> functions (a trailing "!" wants a new value), initial state, what they do
TYPES: dict[str, tuple[list[str], Any, Do]] = {
    "counter": (["add", "read", "fetch-add", "add-and-get"], 0, _counter),
    "append-list": (["append!", "read"], [], _list),
    "grow-set": (["add!", "read"], [], _list),
    "set": (["add!", "contains!", "remove!"], [], _set),
    "queue": (["enqueue!", "dequeue"], [], _take(0)),
    "stack": (["push!", "pop"], [], _take(-1)),
    "priority-queue": (["insert!", "delete-min"], [], _take(0, order=True)),
    "kv": (["put!", "append!", "append!", "get"], "", _kv),
    "mutex": (["acquire", "release"], False, _lock),
    "semaphore": (["acquire", "release"], False, _lock),
}


def make(model: str, rng: random.Random) -> list[Any]:
    """Up to 10 operations of up to 4 processes; half of the histories have a wrong answer."""
    functions, state, do = TYPES[model]
    rows: list[list[Any]] = []
    running: dict[int, tuple[int, bool]] = {}
    fresh, now, total = 0, 0, rng.randint(2, 10)
    names = list(range(rng.randint(1, 4)))
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
                f, arg = f[:-1], f"x{number}y" if model == "kv" else number
            running[slot] = (len(rows), False)
            now += any(row[0] == names[slot] and row[7] == now for row in rows)
            rows.append([names[slot], f, None, arg, None, "info", now, None])
            continue
        row, done = running[slot]
        if not done:
            try:
                state, rows[row][4] = do(state, rows[row][1], rows[row][3])
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
            if isinstance(a[4], bool):
                a[4] = not a[4]
            if rng.random() < 0.3:
                a[5], a[4] = "fail", None
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("model", sorted(TYPES))
def test_agrees_with_brute_force_and_is_certified(model: str) -> None:
    semantics = find(model)
    assert semantics is not None
    invalid = 0
    for seed in range(HISTORIES):
        rows = make(model, random.Random(seed))
        history = _core.History.from_ops(rows)
        report = _core.check(history, model)
        expected = brute_force(Columns(history), range(len(history)), semantics)
        said = f"{model}, seed {seed}: {report['verdict']}\n" + "\n".join(map(str, rows))
        assert expected is not None, said
        assert report["verdict"] == ("valid" if expected else "invalid"), said
        assert certify(history, report), said
        invalid += not expected
    assert HISTORIES / 20 < invalid < HISTORIES * 0.9
