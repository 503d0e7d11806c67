"""Sentences for registers with read, write and compare-and-set.

Each function tells one tag of the core's reasons (core/src/register.rs documents them).
"""

from __future__ import annotations

from typing import Any

from paxtest.explain.spans import ended_before, latest_first
from paxtest.explain.words import Tags, Teller, value


def _needs(tell: Teller, number: int) -> Any:
    """The value that an operation found there: what a read returned, what a cas replaced."""
    op = tell.op(number)
    if op["f"] == "cas" and op["type"] != "fail":
        return op["arg"][0]
    return op["out"]


def _puts(tell: Teller, number: int) -> Any:
    op = tell.op(number)
    return op["arg"][1] if op["f"] == "cas" else op["arg"]


def _is_read(tell: Teller, number: int) -> bool:
    op = tell.op(number)
    return op["f"] == "read" or op["type"] == "fail"


def unwritten(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: it saw a value that nobody had written."""
    op = ops[0]
    seen = _needs(tell, op)
    said = [
        f"{tell.who(op)} {tell.deed(op)} {tell.ended(op)}, but no operation that may have "
        f"happened ever wrote {value(seen)}."
    ]
    for number in range(len(tell.history)) if len(tell.history) <= 200_000 else ():
        other = tell.op(number)
        if (
            other["type"] == "fail"
            and other["f"] in ("write", "cas")
            and other["key"] == tell.op(op)["key"]
            and isinstance(other["arg"], list) == (other["f"] == "cas")
            and _puts(tell, number) == seen
        ):
            said.append(
                f"{tell.noun(number)} was refused {tell.ended(number)}, which says that it did "
                "not happen; its effect was seen all the same."
            )
            break
    return said


def two_cas(tell: Teller, ops: list[int]) -> list[str]:
    """[cas, cas]: both took the same value away, which was written once."""
    first, second = ops[:2]
    taken = value(_needs(tell, first))
    return [
        f"{tell.noun(first)} {tell.acknowledged(first)}, and {tell.noun(second)} "
        f"{tell.acknowledged(second)}: both found {taken} and replaced it, but {taken} was there "
        "only once, so the first of the two had already taken it away from the second."
    ]


def cas_cycle(tell: Teller, ops: list[int]) -> list[str]:
    """[cas, ...]: each needs the value of the one before it, none came first."""
    said = ", ".join(tell.noun(op) for op in ops[:8]) + (" and more" if len(ops) > 8 else "")
    return [
        f"Each of these needs the value that another of them wrote, so none can have been "
        f"first: {said}."
    ]


def too_early(tell: Teller, ops: list[int]) -> list[str]:
    """[late, early]: `early` needs `late` to have happened, but had completed before it began."""
    late, early = ops[:2]
    if _is_read(tell, early):
        return [
            f"{tell.who(early)} {tell.deed(early)} {tell.ended(early)}, before there was such a "
            f"value: {tell.noun(late)}, the first source of it, began {tell.began(late)}."
        ]
    if _is_read(tell, late):
        return [
            f"{tell.who(late)} {tell.deed(late)} {tell.ended(late)}, but that value was gone: "
            f"{tell.noun(early)}, which replaced it, {tell.acknowledged(early)}, before that read "
            f"began {tell.began(late)}."
        ]
    return [
        f"{tell.noun(early)} {tell.acknowledged(early)}, but what it found there came from "
        f"{tell.noun(late)}, which began only {tell.began(late)}."
    ]


def replaced(tell: Teller, ops: list[int]) -> list[str]:
    """[a, b', b, a', writers...]: the values of a and a' and of b and b' must precede each
    other: a completed before b' began, and b completed before a' began."""
    a, b_late, b, a_late = ops[:4]
    old = _needs(tell, a_late) if _is_read(tell, a_late) else _puts(tell, a_late)
    new = _needs(tell, b) if _is_read(tell, b) else _puts(tell, b)
    if _is_read(tell, a_late):
        if _is_read(tell, b):
            proof = f"{tell.noun(b)} ended {tell.ended(b)}, before that read began"
        else:
            proof = f"{tell.noun(b)} {tell.acknowledged(b)}, before that read began"
        said = [
            f"{tell.who(a_late)} read {value(old)} {tell.ended(a_late)}, but {value(new)} had "
            f"replaced it: {proof} ({tell.began(a_late)})."
        ]
    else:
        said = [
            f"{tell.noun(a_late)} began {tell.began(a_late)}, when {tell.noun(b)} had ended "
            f"({tell.ended(b)}): so {value(new)} was there before {value(old)}."
        ]
    first = "had ended" if _is_read(tell, a) else "had been acknowledged"
    if a != a_late:
        said.append(
            f"{value(old)} was there before {value(new)}: {tell.noun(a)} {first} {tell.ended(a)}, "
            f"before {tell.noun(b_late)} began {tell.began(b_late)}."
        )
    said.append("Each value was written once, so a replaced one cannot come back.")
    return said


def no_order(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: the search got stuck there. Looks for a value that came back."""
    changes = [n for n in tell.ops if not _is_read(tell, n)]
    for read in reversed(latest_first(tell, tell.ops)):
        op = tell.op(read)
        if not _is_read(tell, read) or op["out"] is None:
            continue
        old = op["out"]
        sources = [n for n in changes if _puts(tell, n) == old]
        for write in latest_first(tell, changes):
            if _puts(tell, write) == old or not ended_before(tell, write, read):
                continue
            if not sources or not all(ended_before(tell, n, write) for n in sources):
                continue
            return [
                f"{tell.who(read)} read {value(old)} {tell.ended(read)}, but "
                f"{value(_puts(tell, write))} had replaced it: {tell.noun(write)} "
                f"{tell.acknowledged(write)}, before that read began ({tell.began(read)}).",
                f"Whatever wrote {value(old)} by then had ended before that write began "
                f"{tell.began(write)}.",
            ]
    return []


TAGS: Tags = {
    "unwritten": unwritten,
    "two-cas": two_cas,
    "cas-cycle": cas_cycle,
    "too-early": too_early,
    "replaced": replaced,
    "no-order": no_order,
}
