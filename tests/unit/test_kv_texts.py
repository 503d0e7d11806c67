"""Strings with texts that are written twice: decided without the search, proved by few."""

from __future__ import annotations

from typing import Any

import pytest

from paxtest import _core
from paxtest.checkers.verify import certify

Row = tuple[Any, ...]


def op(process: int, f: str, text: str, start: int, end: int | None) -> Row:
    argument, result = (None, text) if f == "get" else (text, None)
    return (process, f, "k", argument, result, "info" if end is None else "ok", start, end)


def checked(*rows: Row) -> dict[str, Any]:
    history = _core.History.from_ops(sorted(rows, key=lambda row: int(row[6])))
    report = _core.check(history, "kv")
    assert certify(history, report)
    part: dict[str, Any] = dict(report["partitions"][0])
    return part


TWICE = (op(0, "append", "a;", 0, 10), op(1, "append", "a;", 2, 12))


def test_either_of_two_appends_may_have_been_seen() -> None:
    part = checked(
        *TWICE,
        op(2, "get", "a;", 5, 6),
        op(2, "append", "b;", 20, 21),
        op(3, "get", "a;a;b;", 30, 31),
    )
    assert (part["verdict"], part["algorithm"]) == ("valid", "chunks")


def test_an_append_that_came_after_both_cannot_stand_before_either() -> None:
    part = checked(
        *TWICE,
        op(2, "append", "b;", 20, 21),
        op(2, "append", "c;", 22, 23),
        op(3, "get", "b;a;", 30, 31),
    )
    assert (part["verdict"], part["algorithm"], part["minimal"]) == ("invalid", "chunks", True)
    assert part["reason"]["tag"] == "too-early"
    assert len(part["counterexample"]) == 4, "the append that nobody saw is in it"


@pytest.mark.parametrize(("second", "verdict"), [(30, "valid"), (9, "invalid")])
def test_a_text_put_twice_may_come_back(second: int, verdict: str) -> None:
    """The get of the end saw the second put, if that came after the one between."""
    part = checked(
        op(0, "put", "a;", 0, 5),
        op(1, "put", "a;", second, second + 1),
        op(2, "put", "b;", 20, 21),
        op(2, "append", "c;", 40, 41),
        op(3, "get", "a;c;", 50, 51),
    )
    assert (part["verdict"], part["algorithm"]) == (verdict, "chunks")
