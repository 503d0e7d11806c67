"""The independent verifier: every kind of wrong claim is caught, right ones are confirmed."""

from __future__ import annotations

import random
from array import array
from typing import Any

import pytest

from paxtest import _core
from paxtest.checkers import verify
from paxtest.errors import InternalError

Row = tuple[int, str, Any, Any, Any, str, int, int | None]

# write 1, then read 1 while write 2 is under way, then read 2, then a write that failed; one
# write whose outcome nobody knows.
ROWS: list[Row] = [
    (0, "write", "x", 1, 1, "ok", 0, 10),
    (1, "read", "x", None, 1, "ok", 20, 40),
    (0, "write", "x", 2, 2, "ok", 25, 45),
    (1, "read", "x", None, 2, "ok", 50, 60),
    (2, "write", "x", 3, 3, "fail", 50, 60),
    (3, "write", "x", 4, 4, "info", 50, None),
]


def report(
    witness: list[int] | None = None,
    counterexample: list[int] | None = None,
    model: str = "register",
    key: Any = "x",
) -> _core.CheckReport:
    part: dict[str, Any] = {"key": key, "verdict": "valid", "algorithm": "", "operations": 0}
    if witness is not None:
        part["witness"] = array("I", witness).tobytes()
    if counterexample is not None:
        part |= {"verdict": "invalid", "counterexample": counterexample}
    return {"verdict": part["verdict"], "model": model, "partitions": [part]}  # type: ignore[typeddict-item,return-value]


def certify(rows: list[Row], claim: _core.CheckReport, **more: Any) -> bool:
    return verify.certify(_core.History.from_ops(rows), claim, **more)


@pytest.mark.parametrize("witness", [[0, 1, 2, 3], [0, 1, 2, 3, 5]])
def test_a_right_witness(witness: list[int]) -> None:
    assert certify(ROWS, report(witness))


@pytest.mark.parametrize(
    ("witness", "said"),
    [
        ([0, 1, 2], "in no witness"),  # an operation that happened is missing
        ([0, 1, 2, 3, 3], "twice"),
        ([0, 1, 2, 3, 5, 5], "twice"),
        ([0, 1, 2, 3, 4], "cannot have happened"),  # it failed
        ([1, 0, 2, 3], "when it had completed"),  # against real time
        ([0, 2, 1, 3], "cannot have happened"),  # reads 1 after 2 was written
        ([0, 1, 2, 5, 3], "cannot have happened"),  # reads 2 after 4 was written
        ([], "in no witness"),
    ],
)
def test_a_wrong_witness(witness: list[int], said: str) -> None:
    with pytest.raises(InternalError, match=said):
        certify(ROWS, report(witness))


def test_a_witness_of_two_keys() -> None:
    rows: list[Row] = [
        (0, "write", "x", 1, 1, "ok", 0, 10),
        (0, "write", "y", 1, 1, "ok", 20, 30),
    ]
    with pytest.raises(InternalError, match="mixes partitions"):
        certify(rows, report([0, 1]))


STALE: list[Row] = [*ROWS[:4], (1, "read", "x", None, 1, "ok", 70, 80)]


def test_a_right_counterexample() -> None:
    assert certify(STALE, report(counterexample=[0, 2, 4]))


def test_a_counterexample_that_lacks_what_was_read_is_completed_first() -> None:
    # By itself a read of 1 is impossible; with the write that belongs to it, it is not.
    with pytest.raises(InternalError, match="can be linearized"):
        certify(ROWS, report(counterexample=[1]))
    assert certify(STALE, report(counterexample=[2, 4]))


def test_a_counterexample_that_is_none() -> None:
    with pytest.raises(InternalError, match="can be linearized"):
        certify(STALE, report(counterexample=[0, 1, 2, 3]))
    with pytest.raises(InternalError, match="can be linearized"):
        certify(STALE, report(counterexample=[]))


def test_a_counterexample_too_big_to_verify_is_not_certified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verify, "CONFIGURATIONS_MAX", 3)
    rows: list[Row] = [(i, "write", "x", i, i, "ok", 0, 10) for i in range(6)]
    rows.append((7, "read", "x", None, 0, "ok", 20, 30))
    rows.append((7, "read", "x", None, 1, "ok", 40, 50))
    assert not certify(rows, report(counterexample=list(range(8))))


def test_writers_that_came_too_late_make_no_counterexample_too_big(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A value written again and again after the read cannot be what was read."""
    monkeypatch.setattr(verify, "CONFIGURATIONS_MAX", 10)
    rows: list[Row] = [
        (0, "write", "x", 1, 1, "ok", 0, 10),
        (0, "write", "x", 2, 2, "ok", 20, 30),
        (1, "read", "x", None, 1, "ok", 40, 50),
    ]
    rows += [(n, "write", "x", 1, 1, "ok", 60, 70) for n in range(2, 60)]
    assert certify(rows, report(counterexample=[0, 1, 2]))


def test_a_cas_of_unknown_outcome_needs_its_value_too() -> None:
    rows: list[Row] = [
        (0, "write", "x", 1, 1, "ok", 0, 10),
        (1, "cas", "x", [1, 2], None, "info", 20, None),
        (2, "read", "x", None, 2, "ok", 40, 50),
    ]
    wrong = report(counterexample=[1, 2])
    with pytest.raises(InternalError, match="can be linearized"):
        certify(rows, {**wrong, "model": "cas-register"})


def test_unknown_is_not_certified() -> None:
    claim: Any = {
        "verdict": "unknown",
        "model": "register",
        "partitions": [{"key": "x", "verdict": "unknown", "limit": "time", "verified": 0}],
    }
    assert not certify(ROWS, claim)


def test_a_model_without_semantics_is_not_certified() -> None:
    assert not certify(ROWS, report([0, 1, 2, 3], model="mine"))


def test_the_initial_value() -> None:
    rows: list[Row] = [
        (0, "read", "x", None, 7, "ok", 0, 10),
        (0, "read", "x", None, None, "ok", 20, 30),
    ]
    with pytest.raises(InternalError):
        certify(rows, report([0, 1]))
    assert certify(rows, report([0, 1]), initial=7)  # then a read of nil tells nothing
    assert certify(rows[:1], report([0]), initial=_core.ANY)


FUNCTIONS: dict[str, list[tuple[str, list[Any], list[Any]]]] = {
    # function, arguments, results to choose from
    "register": [("write", [1, 2], [1]), ("read", [None], [None, 1, 2])],
    "cas-register": [
        ("write", [1, 2], [1]),
        ("read", [None], [None, 1, 2]),
        ("cas", [[1, 2], [2, 1]], [None]),
    ],
    "versioned-register": [
        ("write", ["a", "b"], [1, 2, None]),
        ("read", [None], [[1, "a"], [2, "b"], [1, "b"]]),
        ("cas", [["a", "b"]], [2, 3]),
    ],
    "multi-register": [
        ("write", [{"x": 1}, {"x": 2, "y": 1}], [None]),
        ("read", [None], [{"x": 1}, {"x": 2, "y": 1}, {"y": None}]),
        ("txn", [[["r", "x", None], ["w", "y", 1]]], [[["r", "x", 1], ["w", "y", 1]]]),
    ],
    "kv": [("put", ["a", ""], [None]), ("append", ["b"], [None]), ("get", [None], ["", "a", "ab"])],
    "counter": [
        ("add", [1, 2, -1, None], [None]),
        ("read", [None], [0, 1, 2]),
        ("fetch-add", [1], [0, 1]),
        ("add-and-get", [2], [2, 3]),
        ("dec", [1], [None]),
    ],
    "grow-set": [("add", [1, 2], [None]), ("read", [None], [[], [1], [2, 1]])],
    "set": [
        ("add", [1, 2], [None, True, False]),
        ("remove", [1], [None, True, False]),
        ("contains", [1, 2], [True, False, 1]),
    ],
    "append-list": [("append", [1, 2], [None]), ("read", [None], [[], [1], [1, 2], [2, 1]])],
    "queue": [("enqueue", [1, 2, 3], [None]), ("dequeue", [None], [None, 1, 2, 3])],
    "stack": [("push", [1, 2, 3], [None]), ("pop", [None], [None, 1, 2, 3])],
    "priority-queue": [
        ("insert", [1, 2, 3], [None]),
        ("delete-min", [None], [None, 1, 2]),
        ("delete-max", [None], [3]),
    ],
    "mutex": [("acquire", [None], [None]), ("release", [None], [None])],
    "owned-mutex": [("acquire", [None, "a"], [None]), ("release", [None, "a"], [None])],
    "fenced-mutex": [("acquire", [None], [1, 2, 3]), ("release", [None], [None])],
    "semaphore": [("acquire", [1, None, 2], [None]), ("release", [1], [None])],
    "leader": [("leader", [None], [[1, "a"], [1, "b"], [2, "b"], None])],
}


def random_rows(rng: random.Random, model: str) -> list[Row]:
    rows: list[Row] = []
    clock = [0] * 3
    for _ in range(rng.randint(1, 7)):
        process = rng.randrange(3)
        f, args, outs = rng.choice(FUNCTIONS[model])
        start = clock[process] + rng.randint(1, 6)
        end = start + rng.randint(1, 12)
        outcome = rng.choices(["ok", "info", "fail"], [8, 2, 1])[0]
        clock[process] = end
        number = process if outcome != "info" else 100 + len(rows)
        rows.append(
            (number, f, "k", rng.choice(args), rng.choice(outs), outcome, start,
             None if outcome == "info" else end)
        )  # fmt: skip
    return rows


@pytest.mark.parametrize("model", sorted(FUNCTIONS))
def test_core_and_verifier_agree(model: str) -> None:
    """Both read every data type the same: what the core claims is confirmed, and a brute force
    over the whole history finds the core's verdict."""
    verdicts = {"valid": 0, "invalid": 0}
    for seed in range(250):
        rows = random_rows(random.Random(f"{model} {seed}"), model)
        history = _core.History.from_ops(rows)
        found = _core.check(history, model)
        verdict = found["verdict"]
        verdicts[verdict] += 1
        semantics = verify.find(model)
        assert semantics is not None
        columns = verify.Columns(history)
        expected = verify.brute_force(
            columns, {op: columns.call(op) for op in range(len(history))}, semantics
        )
        assert expected == (verdict == "valid"), f"seed {seed}: {rows}"
        assert verify.certify(history, found), f"seed {seed}: {rows}"
    assert min(verdicts.values()) > 5, verdicts


def test_every_model_has_semantics() -> None:
    assert {name for name, *_ in _core.models()} == set(FUNCTIONS)


@pytest.mark.parametrize("model", sorted(FUNCTIONS))
def test_corrupted_witnesses_are_caught_or_still_right(model: str) -> None:
    """Swaps, losses and doublings: the verifier never lets one pass that brute force refutes."""
    caught = 0
    for seed in range(150):
        rng = random.Random(f"corrupt {model} {seed}")
        history = _core.History.from_ops(random_rows(rng, model))
        found = _core.check(history, model)
        if found["verdict"] != "valid" or not found["partitions"]:
            continue
        witness = list(memoryview(found["partitions"][0]["witness"]).cast("I"))
        if len(witness) < 2:
            continue
        a, b = rng.sample(range(len(witness)), 2)
        kind = rng.choice(["swap", "lose", "double"])
        if kind == "swap":
            witness[a], witness[b] = witness[b], witness[a]
        elif kind == "double":
            witness.insert(b, witness[a])
        else:
            del witness[a]
        columns = verify.Columns(history)
        right = is_linearization(columns, witness, verify.find(model))
        try:
            verify.certify(history, report(witness, model=model, key="k"))
            passed = True
        except InternalError:
            passed = False
            caught += 1
        assert passed == right, f"seed {seed}: {kind} {witness}"
    assert caught >= 3


def is_linearization(columns: verify.Columns, witness: list[int], semantics: Any) -> bool:
    """By the definition, in quadratic time."""
    happened = {op for op in range(len(columns)) if columns.outcome[op] == 0}
    if len(set(witness)) < len(witness) or happened - set(witness):
        return False
    machine = semantics.machine()
    for at, op in enumerate(witness):
        call = columns.call(op)
        if any(columns.ret[later] < columns.inv[op] for later in witness[at + 1 :]):
            return False
        if (call.failed and not semantics.learns(call)) or not machine.apply(call):
            return False
    return True
