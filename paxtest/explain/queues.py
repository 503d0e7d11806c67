"""Sentences for queues, stacks and priority queues.

Each function tells one tag of the core's reasons (core/src/types/ documents them).
"""

from __future__ import annotations

from typing import Any

from paxtest.explain.spans import begun_by, ended_before, latest_first
from paxtest.explain.words import Tags, Teller, times, value


def _element(tell: Teller, number: int) -> str:
    """The element that a put or take speaks of."""
    op = tell.op(number)
    return value(op["out"] if op["arg"] is None else op["arg"])


def _out(tell: Teller, number: int) -> Any:
    return tell.op(number)["out"]


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
        f"though all the while at least one of these was there: {_puts(tell, ops[1:])}."
    ]


def better_there(tell: Teller, ops: list[int]) -> list[str]:
    """[take, put, take, ...]: at each moment of it one of these better elements was there."""
    take = ops[0]
    return [
        f"{tell.who(take)} took {value(_out(tell, take))} {tell.ended(take)}, though one that "
        f"comes before it was there all the while: {_puts(tell, ops[1:])}."
    ]


def covered(tell: Teller, ops: list[int]) -> list[str]:
    """[push, pop, ...]: elements none of which is ever on top when it is popped. Tells of two
    where two do: one was popped while the other certainly lay on it."""
    puts = {_element(tell, n): n for n in ops if tell.op(n)["arg"] is not None}
    takes = {
        _element(tell, n): n for n in ops if tell.op(n)["arg"] is None and _element(tell, n) in puts
    }
    for under, take in takes.items():
        for above, put in puts.items():
            if not ended_before(tell, puts[under], put) or not ended_before(tell, put, take):
                continue
            out = takes.get(above)
            if out is None:
                after = f"{above} was never taken"
            elif ended_before(tell, take, out):
                after = f"{above} was only taken by {tell.noun(out)}, which began {tell.began(out)}"
            else:
                continue
            return [
                f"{tell.who(take)} took {under} {tell.ended(take)}, but {above} lay on it: "
                f"{tell.noun(puts[under])} {tell.acknowledged(puts[under])}, before "
                f"{tell.noun(put)} began {tell.began(put)}; that {tell.acknowledged(put)}, before "
                f"{under} was asked for {tell.began(take)}, and {after}."
            ]
    return too_often(tell, ops)


def too_often(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: the search got stuck there. Looks for an element taken more often than put."""
    for take in reversed(latest_first(tell, tell.ops)):
        if tell.op(take)["arg"] is not None or tell.op(take)["out"] is None:
            continue
        same = [n for n in tell.ops if _element(tell, n) == _element(tell, take)]
        puts = [n for n in same if tell.op(n)["arg"] is not None and begun_by(tell, n, take)]
        takes = [n for n in latest_first(tell, same) if tell.op(n)["arg"] is None]
        takes = takes[takes.index(take) :]
        if len(takes) > len(puts):
            what = value(_out(tell, take))
            said = f"{tell.who(take)} took {what} {tell.ended(take)}, "
            if not puts:
                return [f"{said}before anybody had begun to put it there."]
            return [
                f"{said}by when it had been taken {times(len(takes))}, but been put there "
                f"{times(len(puts))} at most."
            ]
    return []


def _puts(tell: Teller, ops: list[int]) -> str:
    """The elements put there by those of `ops` that put something."""
    puts = [n for n in ops if tell.op(n)["arg"] is not None]
    listed = ", ".join(
        f"{_element(tell, n)} (put there by {tell.process(n)}, acknowledged {tell.ended(n)})"
        for n in puts[:8]
    )
    return listed + (", ..." if len(puts) > 8 else "")


TAGS: Tags = {
    "unwritten": unwritten,
    "twice": twice,
    "too-early": too_early,
    "overtaken": overtaken,
    "lost": lost,
    "not-empty": not_empty,
    "better-there": better_there,
    "no-order": too_often,
}
STACK: Tags = {**TAGS, "no-order": covered}
