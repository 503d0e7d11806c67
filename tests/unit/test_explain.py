"""A counterexample in sentences: the right operations, times and values, nothing unprintable."""

from __future__ import annotations

from typing import Any

import pytest

from paxtest import _core, explain
from paxtest.explain import generic, words

MS = 1_000_000
Row = tuple[int, str, Any, Any, Any, str, int, int | None]


def op(
    process: int, f: str, arg: Any, out: Any, start: int, end: int | None, key: Any = None
) -> Row:
    outcome = "ok" if end is not None else "info"
    return (process, f, key, arg, out, outcome, start * MS, None if end is None else end * MS)


def told(model: str, *rows: Row) -> str:
    history = _core.History.from_ops(rows)
    report = _core.check(history, model)
    assert report["verdict"] == "invalid"
    return explain.explain(history, report)


def test_a_stale_read() -> None:
    said = told(
        "register",
        op(1, "write", 31, 31, 11000, 11500),
        op(2, "write", 32, 32, 11600, 11871),
        op(7, "read", None, 31, 11900, 12043),
    )
    assert said.startswith(
        "p7 read 31 at 12.043 s, but 32 had replaced it: p2's write of 32 was acknowledged at "
        "11.871 s, before that read began (at 11.900 s)."
    )
    assert "31 was there before 32" in said


@pytest.mark.parametrize(
    ("model", "rows", "said"),
    [
        ("register", [op(0, "read", None, 7, 0, 1)], "no operation that may have happened ever"),
        (
            "register",
            [(1, "write", None, 7, 7, "fail", 0, MS), op(0, "read", None, 7, 2, 3)],
            "was refused at 0.001 s, which says that it did not happen; its effect was seen",
        ),
        (
            "register",
            [op(0, "read", None, 7, 0, 1), op(1, "write", 7, 7, 2, 3)],
            "before there was such a value: p1's write of 7, the first source of it, began at",
        ),
        (
            "cas-register",
            [
                op(0, "write", 1, 1, 0, 1),
                op(0, "cas", [1, 2], [1, 2], 2, 3),
                op(1, "cas", [1, 3], [1, 3], 2, 3),
            ],
            "both found 1 and replaced it, but 1 was there only once",
        ),
        (
            "cas-register",
            [op(0, "cas", [1, 2], [1, 2], 0, 9), op(1, "cas", [2, 1], [2, 1], 0, 9)],
            "none can have been first",
        ),
        (
            "append-list",
            [op(0, "append", 1, 1, 0, 1), op(0, "read", None, [], 2, 3)],
            "p0 read [] at 0.003 s, where p0's append of 1 is missing: it was acknowledged at",
        ),
        (
            "append-list",
            [
                op(0, "append", 1, 1, 0, 9),
                op(1, "append", 2, 2, 0, 9),
                op(2, "read", None, [1, 2], 2, 3),
                op(3, "read", None, [2, 1], 2, 3),
            ],
            "neither of these is the beginning of the other",
        ),
        (
            "queue",
            [
                op(0, "enqueue", 1, 1, 0, 1),
                op(0, "enqueue", 2, 2, 2, 3),
                op(0, "dequeue", None, 2, 4, 5),
                op(0, "dequeue", None, 1, 6, 7),
            ],
            "1 went in before 2",
        ),
        (
            "queue",
            [op(0, "enqueue", 1, 1, 0, 1), op(0, "dequeue", None, None, 4, 5)],
            "found nothing to take",
        ),
        (
            "counter",
            [op(0, "add", 1, 1, 0, 1), op(0, "read", None, 0, 2, 3)],
            "saw the count 0 at 0.003 s, but it was greater before",
        ),
        (
            "owned-mutex",
            [op(0, "acquire", None, None, 0, 1), op(1, "acquire", None, None, 2, 3)],
            "p0 and p1 held the lock at the same time",
        ),
        (
            "leader",
            [op(0, "leader", None, [1, "a"], 0, 1), op(1, "leader", None, [1, "b"], 2, 3)],
            'Term 1 had two leaders: p0 saw "a" at 0.001 s, p1 saw "b" at 0.003 s.',
        ),
        (
            "register",
            [
                op(0, "write", 1, 1, 0, 1),
                op(1, "write", 1, 1, 0, 1),
                op(0, "write", 2, 2, 2, 3),
                op(1, "read", None, 1, 6, 7),
            ],
            "p1 read 1 at 0.007 s, but 2 had replaced it: p0's write of 2 was acknowledged at "
            "0.003 s, before that read began (at 0.006 s). Whatever wrote 1 by then had ended "
            "before that write began at 0.002 s.",
        ),
        (
            "register",
            [
                op(0, "write", 1, 1, 0, 100),
                op(1, "write", 2, 2, 0, 100),
                op(2, "write", 1, 1, 0, 100),
                op(3, "read", None, 2, 20, 21),
                op(3, "read", None, 1, 30, 31),
                op(3, "read", None, 2, 40, 41),
            ],
            "No order of these 6 operations explains what each returned, and without any one of "
            "them there is one; it became impossible when",
        ),
    ],
)  # fmt: skip
def test_sentences(model: str, rows: list[Row], said: str) -> None:
    assert said in told(model, *rows)


def test_keys_are_named_and_counted() -> None:
    bad = [op(0, "read", None, 7, 0, 1, "a"), op(0, "read", None, 7, 2, 3, "b")]
    said = told("register", *bad)
    assert said.startswith('Key "a": p0 read 7')
    assert said.endswith("1 other key is not linearizable either.")


def test_without_times_events_are_counted() -> None:
    history = _core.History.from_bytes(
        b'{"process":0,"type":"invoke","f":"read"}\n{"process":0,"type":"ok","f":"read","value":1}\n'
    )
    report = _core.check(history, "register")
    assert "p0 read 1 at event 1," in explain.explain(history, report)


def test_times_are_as_fine_as_they_must_be() -> None:
    rows = [(0, "write", None, 1, 1, "ok", 100, 200), (0, "write", None, 2, 2, "ok", 300, 400)]
    tell = words.Teller(_core.History.from_ops(rows), [0, 1])
    assert tell.ended(0) == "at 0.000000200 s"


@pytest.mark.parametrize(
    "value",
    ["\x1b[31mred", "a\nb", "\u202egnp.exe", "x" * 10_000, ["y" * 500] * 500, {"k\x00": "\ud7ff"}],
)
def test_values_from_outside_are_printable_and_cut(value: Any) -> None:
    said = words.value(value)
    assert said.isprintable()
    assert len(said) <= 60
    bad = told("register", op(0, "read", None, value, 0, 1, "k\x1b"))
    assert bad.isprintable()
    assert len(bad) < 1000


def test_deep_values() -> None:
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    assert words.value(deep) == "[[[[[...]]]]]"


def test_every_value_is_spelled() -> None:
    assert (
        words.value([None, True, 1, 2.5, "a", {"b": []}]) == '[nil, true, 1, 2.5, "a", {"b": []}]'
    )


def test_forced_orders_leave_out_what_follows() -> None:
    history = _core.History.from_ops([op(0, "write", i, i, 10 * i, 10 * i + 5) for i in range(4)])
    assert generic.forced_orders(words.Teller(history), [0, 1, 2, 3]) == [(0, 1), (1, 2), (2, 3)]


def test_unknown_says_what_ran_out_and_what_to_do() -> None:
    history = _core.History.from_ops([])
    report: Any = {
        "verdict": "unknown",
        "model": "register",
        "partitions": [
            {"key": "a", "verdict": "valid"},
            {"key": "b", "verdict": "unknown", "limit": "time", "verified": 12},
        ],
    }
    said = explain.explain(history, report)
    assert said.startswith('The time budget ran out for 1 of 2 keys ("b"); 1 were found')
    assert "the first 12 events" in said
    assert "--time-budget" in said


def test_valid_needs_no_words() -> None:
    history = _core.History.from_ops([op(0, "write", 1, 1, 0, 1)])
    assert explain.explain(history, _core.check(history, "register")) == ""


def test_operations_as_results_hold_them() -> None:
    history = _core.History.from_ops(
        [op(0, "write", 1, 1, 0, None, "k"), op(1, "read", None, 1, 0, 5)]
    )
    write, read = explain.operations(history, [0, 1])
    assert (write.type, write.completed_ns, write.value, write.key) == ("info", None, 1, "k")
    assert (read.type, read.completed_ns, read.value) == ("ok", 5 * MS, 1)
