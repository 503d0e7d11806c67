"""Which operations lie before which, and what is under way in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from paxtest.explain.words import Teller


def ended_before(tell: Teller, a: int, b: int) -> bool:
    """Whether `a` completed before `b` was invoked; never so where its outcome is unknown."""
    ret = tell.op(a)["ret"]
    return ret is not None and ret < tell.op(b)["inv"]


def begun_by(tell: Teller, a: int, b: int) -> bool:
    """Whether `a` was invoked before `b` completed."""
    ret = tell.op(b)["ret"]
    return ret is None or tell.op(a)["inv"] < ret


def idle_between(tell: Teller, ops: Iterable[int], a: int, b: int) -> bool:
    """Whether none of `ops` (but a and b) may have happened between the first invocation and
    the last completion of `a` and `b`."""
    first = min(tell.op(a)["inv"], tell.op(b)["inv"])
    last = max(tell.op(a)["ret"] or 0, tell.op(b)["ret"] or 0)
    for n in ops:
        op = tell.op(n)
        if n not in (a, b) and op["inv"] < last and (op["ret"] is None or op["ret"] > first):
            return False
    return True


def latest_first(tell: Teller, ops: Iterable[int]) -> list[int]:
    """Those that completed, the last completion first: near ones make short stories."""
    done = [(tell.op(n)["ret"] or 0, n) for n in ops if tell.op(n)["ret"] is not None]
    return [n for _, n in sorted(done, reverse=True)]


def pairs(tell: Teller, before: Iterable[int], after: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(a, b) where a, one of `before`, completed before b, one of `after`, was invoked."""
    firsts = latest_first(tell, before)
    for b in after:
        for a in firsts:
            if a != b and ended_before(tell, a, b):
                yield a, b
