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
    """[enqueue a, enqueue b, dequeue a, dequeue b]: a went in first, b came out first. Elements
    that were there from the start have no enqueue."""
    out_a, out_b = [n for n in ops if tell.op(n)["arg"] is None]
    a, b = _element(tell, out_a), _element(tell, out_b)
    return [
        f"{a} went in before {b}: {_went_in_first(tell, ops, a, b)}.",
        f"But {b} came out before {a}: {tell.who(out_b)} had it {tell.ended(out_b)}, before "
        f"{tell.who(out_a)} began to take {a} {tell.began(out_a)}.",
    ]


def lost(tell: Teller, ops: list[int]) -> list[str]:
    """[enqueue a, enqueue b, dequeue b, ...]: a went in first, b came out, a never did. Elements
    that were there from the start have no enqueue; the rest are dequeues of unknown outcome."""
    out_b = next(n for n in ops if tell.op(n)["arg"] is None and _out(tell, n) is not None)
    b = _element(tell, out_b)
    put = next((n for n in ops if _element(tell, n) != b and tell.op(n)["arg"] is not None), None)
    a = "an element" if put is None else _element(tell, put)
    it = "it" if put is None else a
    said = (
        f"{a[:1].upper()}{a[1:]} was lost: {_went_in_first(tell, ops, a, b)}; yet "
        f"{tell.who(out_b)} took {b} {tell.ended(out_b)}, and nobody can have taken {it} before."
    )
    if any(tell.op(n)["arg"] is None and _out(tell, n) is None for n in ops):
        said += " The dequeues whose outcome nobody knows are too few, or began too late."
    return [said]


def _went_in_first(tell: Teller, ops: list[int], a: str, b: str) -> str:
    """How it is known that element a went in before b."""
    puts = {_element(tell, n): n for n in ops if tell.op(n)["arg"] is not None}
    if a in puts and b in puts:
        return (
            f"{tell.process(puts[a])}'s enqueue of it {tell.acknowledged(puts[a])}, before that "
            f"of {b} began {tell.began(puts[b])}"
        )
    return f"it was there from the start{'' if b in puts else f', before {b}'}"


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
        what = value(_out(tell, take))
        there = [value(v) for v in tell.initial or ()].count(what)
        if len(takes) > len(puts) + there:
            said = f"{tell.who(take)} took {what} {tell.ended(take)}, "
            if not puts and not there:
                return [f"{said}before anybody had begun to put it there."]
            return [
                f"{said}by when it had been taken {times(len(takes))}, but been put there "
                f"{times(len(puts) + there)} at most."
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
