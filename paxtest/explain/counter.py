"""Sentences for counters.

Each function tells one tag of the core's reasons (core/src/types/counter.rs documents them).
"""

from __future__ import annotations

from paxtest.explain.words import Tags, Teller, value


def never_reached(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: it saw a count that no additions begun by then make."""
    op = ops[0]
    return [
        f"{tell.who(op)} saw the count {value(tell.op(op)['out'])} {tell.ended(op)}, but no "
        "choice of the additions begun by then makes it."
    ]


def same_count(tell: Teller, ops: list[int]) -> list[str]:
    """[a, b]: both additions found the same count, which never comes twice."""
    first, second = ops[:2]
    return [
        f"{tell.noun(first)} ({tell.ended(first)}) and {tell.noun(second)} "
        f"({tell.ended(second)}) both found the same count, but each addition changes it: one "
        "of the two was lost."
    ]


def count_back(tell: Teller, ops: list[int]) -> list[str]:
    """[op, seen?, additions...]: before it began a greater count was seen, or made."""
    op, rest = ops[0], ops[1:]
    said = (
        f"{tell.who(op)} saw the count {value(tell.op(op)['out'])} {tell.ended(op)}, but it was "
        f"greater before that operation began {tell.began(op)}"
    )
    listed = "; ".join(f"{tell.noun(n)} {tell.acknowledged(n)}" for n in rest[:6])
    more = f"; and {len(rest) - 6} more" if len(rest) > 6 else ""
    return [said + (f": {listed}{more}." if rest else ".")]


def too_early(tell: Teller, ops: list[int]) -> list[str]:
    """[late, early]: `early` saw what only `late` makes, but had completed before it began."""
    late, early = ops[:2]
    return [
        f"{tell.who(early)} saw {value(tell.op(early)['out'])} {tell.ended(early)}, before there "
        f"was such a count: {tell.noun(late)} began only {tell.began(late)}."
    ]


TAGS: Tags = {
    "never-reached": never_reached,
    "same-count": same_count,
    "count-back": count_back,
    "too-early": too_early,
}
