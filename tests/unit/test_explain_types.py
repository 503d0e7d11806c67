"""A real counterexample of every data type, and the sentences that it gets."""

from __future__ import annotations

from typing import Any

import pytest

from paxtest import _core, explain

MS = 1_000_000
Row = tuple[int, str, Any, Any, Any, str, int, int | None]


def op(process: int, f: str, arg: Any, out: Any, start: int, end: int | None) -> Row:
    outcome = "ok" if end is not None else "info"
    return (process, f, None, arg, out, outcome, start * MS, None if end is None else end * MS)


def told(model: str, *rows: Row) -> str:
    history = _core.History.from_ops(rows)
    report = _core.check(history, model)
    assert report["verdict"] == "invalid"
    return explain.explain(history, report)


CASES: list[tuple[str, str, list[Row], str]] = [
    (
        "set, found after its remove", "set",
        [
            op(1, "add", 3, 3, 0, 100),
            op(2, "remove", 3, 3, 200, 300),
            op(7, "contains", 3, True, 400, 500),
        ],
        "p7 found 3 at 0.500 s, but it was not there: p2's remove of 3 was acknowledged at "
        "0.300 s, before that operation began at 0.400 s, and nobody was adding it in between.",
    ),
    (
        "set, not found after its add", "set",
        [op(1, "add", 3, 3, 0, 100), op(7, "contains", 3, False, 400, 500)],
        "p7 found no 3 at 0.500 s, but it was there: p1's add of 3 was acknowledged at 0.100 s, "
        "before that operation began at 0.400 s, and nobody was removing it in between.",
    ),
    (
        "set, never added", "set",
        [op(7, "contains", 3, True, 400, 500)],
        "p7 found 3 at 0.500 s, but no operation that may have happened had begun to add 3 by "
        "then.",
    ),
    (
        "set, seen and gone by itself", "set",
        [
            op(1, "add", 3, 3, 0, None),
            op(2, "contains", 3, True, 100, 200),
            op(2, "contains", 3, False, 300, 400),
        ],
        "p2 found no 3 at 0.400 s, but it was there: p2 found 3 at 0.200 s, before that "
        "operation began at 0.300 s, and nobody was removing it in between.",
    ),
    (
        "mutex, held twice", "mutex",
        [op(1, "acquire", None, None, 0, 100), op(2, "acquire", None, None, 200, 300)],
        "p2 got the lock at 0.300 s, but p1 held it: p1's acquire was acknowledged at 0.100 s, "
        "and nobody was releasing it from then until 0.300 s.",
    ),
    (
        "mutex, released twice", "mutex",
        [
            op(1, "acquire", None, None, 0, 100),
            op(1, "release", None, None, 200, 300),
            op(1, "release", None, None, 400, 500),
        ],
        "p1 released the lock at 0.500 s, but nobody held it: p1's release was acknowledged at "
        "0.300 s, and nobody was acquiring it from then until 0.500 s.",
    ),
    (
        "mutex, released first", "mutex",
        [op(1, "release", None, None, 0, 100)],
        "p1 released the lock at 0.100 s, but nobody held it: no operation that may have "
        "happened had begun to acquire it by then.",
    ),
    (
        "mutex, more holders than one release makes room for", "mutex",
        [
            op(1, "acquire", None, None, 0, 300),
            op(2, "acquire", None, None, 0, 310),
            op(3, "acquire", None, None, 0, 320),
            op(4, "release", None, None, 0, 200),
        ],
        "p3 got the lock at 0.320 s, but it was taken: by then 2 other acquires had been done, "
        "and no more than 1 release had begun.",
    ),
    (
        "semaphore, one permit too many", "semaphore",
        [op(1, "acquire", None, None, 0, 100), op(2, "acquire", None, None, 200, 300)],
        "p2 got a permit at 0.300 s, but all were taken: by then 1 other acquire had been done, "
        "and no release had begun. (Done: p1's acquire was acknowledged at 0.100 s.)",
    ),
    (
        "semaphore, nothing to release", "semaphore",
        [op(1, "acquire", None, None, 0, 100), op(2, "release", None, None, 200, 300),
         op(3, "release", None, None, 400, 500)],
        "p3 released a permit at 0.500 s, but none was taken: by then no more than 1 acquire had "
        "begun, and 1 other release had been done.",
    ),
    (
        "versioned register, stale", "versioned-register",
        [
            op(1, "write", 31, 1, 0, 100),
            op(2, "write", 32, 2, 200, 300),
            op(7, "read", None, [1, 31], 400, 500),
        ],
        "p7 read version 1 (31) at 0.500 s, but version 2 (32) had replaced it: p2's write of "
        "32, which made it, was acknowledged at 0.300 s, before that read began at 0.400 s.",
    ),
    (
        "versioned register, two values", "versioned-register",
        [op(1, "write", 31, 1, 0, 100), op(2, "write", 32, 2, 0, 300),
         op(7, "read", None, [2, 31], 0, 500)],
        "Version 2 had two values: 32 by p2's write of 32 (at 0.300 s), and "
        "31 by p7's read (at 0.500 s).",
    ),
    (
        "versioned register, made twice", "versioned-register",
        [op(1, "write", 31, 1, 0, 100), op(2, "write", 32, 1, 0, 300)],
        "Version 1 was made twice: by p1's write of 31",
    ),
    (
        "versioned register, never written", "versioned-register",
        [op(7, "read", None, [1, 31], 0, 500)],
        "p7 read [1, 31] at 0.500 s, but no operation that may have happened ever wrote 31.",
    ),
    (
        "versioned register, lost change", "versioned-register",
        [
            op(1, "write", 31, 31, 0, 100),
            op(2, "write", 32, 32, 0, 300),
            op(7, "read", None, [1, 32], 400, 500),
        ],
        "p7 read version 1 at 0.500 s, but before that operation began at 0.400 s 2 changes had "
        "been acknowledged",
    ),
    (
        "versioned register, too many", "versioned-register",
        [op(1, "write", 31, 31, 0, 100), op(7, "read", None, [2, 31], 400, 500)],
        "p7 read version 2 at 0.500 s, but only 1 change had begun by then, and each raises the "
        "version by one.",
    ),
    (
        "versioned register, cas of another value", "versioned-register",
        [op(1, "write", 31, 1, 0, 100), op(2, "cas", [30, 32], 2, 200, 300)],
        "p2's cas from 30 to 32 (at 0.300 s) made version 2, but version 1 was 31: p1's write",
    ),
    (
        "multi-register, stale", "multi-register",
        [
            op(1, "write", {"x": 1}, None, 0, 100),
            op(2, "write", {"x": 2}, None, 200, 300),
            op(7, "read", None, {"x": 1}, 400, 500),
        ],
        'p7 read "x" = 1 at 0.500 s, but 2 had replaced it: p2\'s write of {"x": 2} was '
        "acknowledged at 0.300 s, before that operation began at 0.400 s.",
    ),
    (
        "multi-register, never written", "multi-register",
        [op(7, "read", None, {"x": 1}, 400, 500)],
        'p7 read "x" = 1 at 0.500 s, but no operation that may have happened ever wrote that.',
    ),
    (
        "multi-register, too early", "multi-register",
        [op(7, "read", None, {"x": 1}, 400, 500), op(1, "write", {"x": 1}, None, 600, 700)],
        'p7 read "x" = 1 at 0.500 s, before there was such a value: p1\'s write of {"x": 1} began '
        "at 0.600 s.",
    ),
    (
        "multi-register, torn", "multi-register",
        [op(1, "write", {"x": 1, "y": 1}, None, 0, 900),
         op(7, "read", None, {"x": 1, "y": None}, 400, 500)],
        'p7 saw half of what was written at once (at 0.500 s): "x" = 1 of p1\'s write of '
        '{"x": 1, "y": 1}, but "y" = nil, which was there before it.',
    ),
    (
        "multi-register, crossed reads", "multi-register",
        [
            op(1, "write", {"x": 1}, None, 0, 900),
            op(2, "write", {"y": 1}, None, 0, 901),
            op(7, "read", None, {"x": 1, "y": None}, 0, 500),
            op(8, "read", None, {"x": None, "y": 1}, 0, 510),
        ],
        'p7 read "x" = 1 at 0.500 s, but still "y" = nil; p8 read "y" = 1 at 0.510 s, but still '
        '"x" = nil: neither can have come first.',
    ),
    (
        "multi-register, its own write gone", "multi-register",
        [op(1, "txn", [["w", "x", 1], ["r", "x", None]], [["w", "x", 1], ["r", "x", 2]], 0, 100)],
        "p1's transaction (at 0.100 s) read \"x\" = 2, where it had itself left 1 just before",
    ),
    (
        "kv, a text from nowhere", "kv",
        [op(7, "get", None, "b", 400, 500)],
        'p7 read "b" at 0.500 s, a text that no puts and appends that may have happened make.',
    ),
    (
        "kv, replaced", "kv",
        [
            op(1, "put", "a", "a", 0, 100),
            op(2, "put", "b", "b", 200, 300),
            op(7, "get", None, "a", 400, 500),
        ],
        'p7 read "a" at 0.500 s, but that text had been replaced: p2\'s write of "b" was '
        "acknowledged at 0.300 s, before that read began at 0.400 s.",
    ),
    (
        "kv, without an append", "kv",
        [
            op(1, "put", "a", "a", 0, 100),
            op(2, "append", "b", "b", 200, 300),
            op(3, "get", None, "ab", 310, 320),
            op(7, "get", None, "a", 400, 500),
        ],
        'p7 read "a" at 0.500 s, but ',
    ),
    (
        "kv, before the append", "kv",
        [
            op(1, "put", "a", "a", 0, 100),
            op(7, "get", None, "ab", 150, 180),
            op(2, "append", "b", "b", 200, 300),
        ],
        'p7 read "ab" at 0.180 s, before there was such a text: p2\'s append of "b", the only '
        "source of it, began at 0.200 s.",
    ),
    (
        "kv, two orders", "kv",
        [
            op(1, "append", "a", "a", 0, 900),
            op(2, "append", "b", "b", 0, 901),
            op(7, "get", None, "ab", 150, 180),
            op(8, "get", None, "ba", 150, 181),
        ],
        "each text was put or appended once, but one of them stands behind different ones",
    ),
    (
        "stack, from under another", "stack",
        [
            op(1, "push", 1, 1, 0, 100),
            op(1, "push", 2, 2, 200, 300),
            op(2, "pop", None, 1, 400, 500),
            op(3, "pop", None, 2, 600, 700),
        ],
        "p2 took 1 at 0.500 s, but 2 lay on it: p1's push of 1 was acknowledged at 0.100 s, "
        "before p1's push of 2 began at 0.200 s; that was acknowledged at 0.300 s, before 1 was "
        "asked for at 0.400 s, and 2 was only taken by p3's pop of 2, which began at 0.600 s.",
    ),
    (
        "stack, from under one that stays", "stack",
        [
            op(1, "push", 1, 1, 0, 100),
            op(1, "push", 2, 2, 200, 300),
            op(2, "pop", None, 1, 400, 500),
        ],
        "and 2 was never taken.",
    ),
    (
        "priority queue, a better one there", "priority-queue",
        [
            op(1, "insert", 1, 1, 0, 100),
            op(1, "insert", 2, 2, 200, 300),
            op(2, "delete-min", None, 2, 400, 500),
        ],
        "p2 took 2 at 0.500 s, though one that comes before it was there all the while: 1 (put "
        "there by p1, acknowledged at 0.100 s).",
    ),
    (
        "priority queue, found empty", "priority-queue",
        [op(1, "insert", 1, 1, 0, 100), op(2, "delete-min", None, None, 400, 500)],
        "p2 found nothing to take (at 0.400 s - 0.500 s), though all the while at least one of "
        "these was there: 1 (put there by p1, acknowledged at 0.100 s).",
    ),
    (
        "queue, the same element put and taken too often", "queue",
        [
            op(1, "enqueue", 1, 1, 0, 100),
            op(2, "dequeue", None, 1, 200, 300),
            op(3, "dequeue", None, 1, 310, 400),
            op(1, "enqueue", 1, 1, 500, 600),
        ],
        "p3 took 1 at 0.400 s, by when it had been taken twice, but been put there once at most.",
    ),
    (
        "append-list, named element", "append-list",
        [op(1, "append", 1, 1, 0, 100), op(2, "read", None, [1, 9], 200, 300)],
        "p2 read [1, 9] at 0.300 s, but no operation that may have happened put 9 there.",
    ),
    (
        "append-list, before the append", "append-list",
        [op(2, "read", None, [1], 200, 300), op(1, "append", 1, 1, 400, 500)],
        "p2 read [1] at 0.300 s, before p1's append of 1 began at 0.400 s, the only source of "
        "what was read.",
    ),
    (
        "grow-set, no chain", "grow-set",
        [
            op(1, "add", 1, 1, 0, 900),
            op(2, "add", 2, 2, 0, 901),
            op(3, "read", None, [1], 200, 300),
            op(4, "read", None, [2], 200, 301),
        ],
        "each of the two lacks an element of the other.",
    ),
    (
        "owned mutex, released by another", "owned-mutex",
        [op(1, "acquire", None, None, 0, 100), op(2, "release", None, None, 200, 300)],
        "p2's release was acknowledged at 0.300 s, but its owner did not hold the lock.",
    ),
    (
        "fenced mutex, a token twice", "fenced-mutex",
        [
            op(1, "acquire", None, 5, 0, 100),
            op(1, "release", None, None, 200, 300),
            op(2, "acquire", None, 5, 400, 500),
        ],
        "p1 (at 0.100 s) and p2 (at 0.500 s) were both given the token 5; each must be greater "
        "than all before.",
    ),
    (
        "leader", "leader",
        [op(1, "leader", None, [3, "n1"], 0, 100), op(2, "leader", None, [3, "n2"], 200, 300)],
        'Term 3 had two leaders: p1 saw "n1" at 0.100 s, p2 saw "n2" at 0.300 s.',
    ),
    (
        "counter, a lost addition", "counter",
        [op(1, "fetch-add", 1, 0, 0, 900), op(2, "fetch-add", 1, 0, 0, 901)],
        "both found the same count, but each addition changes it: one of the two was lost.",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "rows", "said"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_sentences(model: str, rows: list[Row], said: str) -> None:
    assert said in told(model, *rows)


def test_every_data_type_has_a_case() -> None:
    known = {name for name in explain.TAGS if name not in ("register", "cas-register")}
    assert known == {case[1] for case in CASES}


def test_every_built_in_type_has_sentences() -> None:
    assert set(explain.TAGS) == {name for name, *_ in _core.models()}
