"""Sentences for lists, sets, queues, stacks and priority queues.

Each function tells one tag of the core's reasons (core/src/types/ documents them).
"""

from __future__ import annotations

from typing import Any

from paxtest.explain.words import Tags, Teller, value


def _element(tell: Teller, number: int) -> str:
    """The element that a put or take speaks of."""
    op = tell.op(number)
    return value(op["out"] if op["arg"] is None else op["arg"])


def _out(tell: Teller, number: int) -> Any:
    return tell.op(number)["out"]


def list_unwritten(tell: Teller, ops: list[int]) -> list[str]:
    """[read, failed?]: it has an element that nobody added, or only one that failed."""
    said = f"{tell.who(ops[0])} {tell.deed(ops[0])} {tell.ended(ops[0])}, which holds an element "
    if len(ops) > 1:
        return [
            f"{said}that only {tell.noun(ops[1])} could have put there; that was refused "
            f"{tell.ended(ops[1])}, which says that it did not happen."
        ]
    return [f"{said}that no operation which may have happened put there."]


def duplicate(tell: Teller, ops: list[int]) -> list[str]:
    """[read, append]: an element stands twice that was appended once."""
    return [
        f"{tell.who(ops[0])} {tell.deed(ops[0])} {tell.ended(ops[0])}: {_element(tell, ops[1])} "
        f"stands in it twice, but was appended once, by {tell.process(ops[1])}."
    ]


def initial_lost(tell: Teller, ops: list[int]) -> list[str]:
    """[read]: the elements that were there from the beginning are missing."""
    return [
        f"{tell.who(ops[0])} {tell.deed(ops[0])} {tell.ended(ops[0])}, where what was there "
        "before the first operation is missing."
    ]


def two_orders(tell: Teller, ops: list[int]) -> list[str]:
    """[read, read, append?, append?]: neither is a prefix of the other."""
    said = [
        f"{tell.who(ops[0])} {tell.deed(ops[0])} {tell.ended(ops[0])}, and {tell.who(ops[1])} "
        f"{tell.deed(ops[1])} {tell.ended(ops[1])}: appends only ever add at the end, but "
        "neither of these is the beginning of the other."
    ]
    if len(ops) >= 4:
        said.append(
            f"One saw {_element(tell, ops[2])} where the other saw {_element(tell, ops[3])}."
        )
    return said


def no_chain(tell: Teller, ops: list[int]) -> list[str]:
    """[smaller, larger]: each read has an element that the other lacks."""
    return [
        f"{tell.who(ops[0])} {tell.deed(ops[0])} {tell.ended(ops[0])}, and {tell.who(ops[1])} "
        f"{tell.deed(ops[1])} {tell.ended(ops[1])}: nothing is ever taken out of the set, but "
        "each of the two lacks an element of the other."
    ]


def list_too_early(tell: Teller, ops: list[int]) -> list[str]:
    """[late, early]: reads show that `late` comes first, but `early` completed before it began."""
    late, early = ops[:2]
    if tell.op(late)["f"] not in ("append", "add", "insert", "put"):
        return [
            f"{tell.who(late)} {tell.deed(late)} {tell.ended(late)}, where {tell.noun(early)} is "
            f"missing: it {tell.acknowledged(early)}, before that read began {tell.began(late)}."
        ]
    return [
        f"{tell.noun(early)} {tell.acknowledged(early)}, before {tell.noun(late)} began "
        f"{tell.began(late)}; but what was read shows {tell.noun(late)} to come first."
    ]


def unwritten(tell: Teller, ops: list[int]) -> list[str]:
    """[take]: nobody put its element there."""
    op = ops[0]
    return [
        f"{tell.who(op)} took {value(_out(tell, op))} {tell.ended(op)}, which no operation that "
        "may have happened had put there."
    ]


def twice(tell: Teller, ops: list[int]) -> list[str]:
    """[take, take]: of one element, put there once."""
    first, second = ops[:2]
    return [
        f"{tell.who(first)} took {value(_out(tell, first))} {tell.ended(first)}, and "
        f"{tell.who(second)} took it again {tell.ended(second)}; it was put there once."
    ]


def too_early(tell: Teller, ops: list[int]) -> list[str]:
    """[put, take]: taken before the put was invoked."""
    put, take = ops[:2]
    return [
        f"{tell.who(take)} took {value(_out(tell, take))} {tell.ended(take)}, before "
        f"{tell.process(put)} began to put it there {tell.began(put)}."
    ]


def overtaken(tell: Teller, ops: list[int]) -> list[str]:
    """[enqueue a, enqueue b, dequeue a, dequeue b]: a went in first, b came out first."""
    in_a, in_b, out_a, out_b = ops[:4]
    a, b = _element(tell, in_a), _element(tell, in_b)
    return [
        f"{a} went in before {b}: {tell.process(in_a)}'s enqueue of {a} {tell.acknowledged(in_a)}, "
        f"before that of {b} began {tell.began(in_b)}.",
        f"But {b} came out before {a}: {tell.who(out_b)} had it {tell.ended(out_b)}, before "
        f"{tell.who(out_a)} began to take {a} {tell.began(out_a)}.",
    ]


def lost(tell: Teller, ops: list[int]) -> list[str]:
    """[enqueue a, enqueue b, dequeue b, ...]: a went in first, b came out, a never did."""
    in_a, in_b, out_b = ops[:3]
    a, b = _element(tell, in_a), _element(tell, in_b)
    said = (
        f"{a} was lost: {tell.process(in_a)}'s enqueue of it {tell.acknowledged(in_a)}, before "
        f"that of {b} began {tell.began(in_b)}; yet {tell.who(out_b)} took {b} "
        f"{tell.ended(out_b)}, and nobody can have taken {a} before."
    )
    if len(ops) > 3:
        said += " The dequeues whose outcome nobody knows are too few, or began too late."
    return [said]


def not_empty(tell: Teller, ops: list[int]) -> list[str]:
    """[take, put, take, ...]: it found nothing, though one of these was always there."""
    take = ops[0]
    return [
        f"{tell.who(take)} found nothing to take ({tell.began(take)} - {tell.ended(take)[3:]}), "
        f"though at each moment of it at least one of these was there: {_puts(tell, ops[1:])}."
    ]


def better_there(tell: Teller, ops: list[int]) -> list[str]:
    """[take, put, take, ...]: at each moment of it one of these better elements was there."""
    take = ops[0]
    return [
        f"{tell.who(take)} took {value(_out(tell, take))} {tell.ended(take)}, though at each "
        f"moment of it at least one element was there that comes before it: "
        f"{_puts(tell, ops[1:])}."
    ]


def _puts(tell: Teller, ops: list[int]) -> str:
    """The elements put there by those of `ops` that put something."""
    puts = [n for n in ops if tell.op(n)["arg"] is not None]
    listed = ", ".join(
        f"{_element(tell, n)} (by {tell.process(n)}, there {tell.ended(n)})" for n in puts[:8]
    )
    return listed + (", ..." if len(puts) > 8 else "")


LIST: Tags = {
    "unwritten": list_unwritten,
    "duplicate": duplicate,
    "initial-lost": initial_lost,
    "two-orders": two_orders,
    "no-chain": no_chain,
    "too-early": list_too_early,
}
QUEUE: Tags = {
    "unwritten": unwritten,
    "twice": twice,
    "too-early": too_early,
    "overtaken": overtaken,
    "lost": lost,
    "not-empty": not_empty,
    "better-there": better_there,
}
TEXT: Tags = {"two-orders": two_orders, "too-early": list_too_early}
