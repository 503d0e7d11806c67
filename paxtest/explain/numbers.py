"""Sentences for counters, mutexes and leaders.

Each function tells one tag of the core's reasons (core/src/types/ documents them).
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


def held_twice(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, acquire]: of one owner, who released nothing in between."""
    first, second = ops[:2]
    return [
        f"{tell.noun(first)} {tell.acknowledged(first)}, and {tell.noun(second)} "
        f"{tell.acknowledged(second)}: the same owner got the lock twice and released nothing "
        "in between."
    ]


def not_held(tell: Teller, ops: list[int]) -> list[str]:
    """[release, earlier release?]: its owner had acquired nothing since."""
    said = f"{tell.noun(ops[0])} {tell.acknowledged(ops[0])}, but its owner did not hold the lock"
    if len(ops) > 1:
        said += f": {tell.noun(ops[1])} {tell.acknowledged(ops[1])} and nothing was acquired since"
    return [said + "."]


def overlap(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, release?, acquire, release?]: two holds at the same time."""
    holds = [n for n in ops if tell.op(n)["f"] in ("acquire", "lock")][:2]
    if len(holds) < 2:
        return []
    first, second = holds
    listed = "; ".join(f"{tell.noun(n)} {tell.acknowledged(n)}" for n in ops[:4])
    return [
        f"{tell.process(first)} and {tell.process(second)} held the lock at the same time: "
        f"{listed}."
    ]


def same_token(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, acquire]: the same fencing token."""
    first, second = ops[:2]
    return [
        f"{tell.process(first)} ({tell.ended(first)}) and {tell.process(second)} "
        f"({tell.ended(second)}) were both given the token {value(tell.op(second)['out'])}; each "
        "must be greater than all before."
    ]


def token_order(tell: Teller, ops: list[int]) -> list[str]:
    """[late, early, ...]: by its token `late` comes first, but `early` had completed before."""
    late, early = ops[:2]
    return [
        f"{tell.noun(early)} {tell.acknowledged(early)}, before {tell.noun(late)} began "
        f"{tell.began(late)}; but by the tokens given out the latter came first."
    ]


def never_released(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, acquire]: the second has a greater token, the first kept the lock."""
    first, second = ops[:2]
    return [
        f"{tell.noun(second)} {tell.acknowledged(second)}, but {tell.noun(first)}, which got the "
        f"lock before it ({tell.ended(first)}), never released it."
    ]


def two_leaders(tell: Teller, ops: list[int]) -> list[str]:
    """[op, op]: they name different leaders of one term."""
    first, second = ops[:2]
    term, leader = tell.op(first)["out"][:2]
    other = tell.op(second)["out"][1]
    return [
        f"Term {value(term)} had two leaders: {tell.who(first)} saw {value(leader)} "
        f"{tell.ended(first)}, {tell.who(second)} saw {value(other)} {tell.ended(second)}."
    ]


COUNTER: Tags = {
    "never-reached": never_reached,
    "same-count": same_count,
    "count-back": count_back,
    "too-early": too_early,
}
MUTEX: Tags = {
    "held-twice": held_twice,
    "not-held": not_held,
    "overlap": overlap,
    "same-token": same_token,
    "token-order": token_order,
    "never-released": never_released,
}
LEADER: Tags = {"two-leaders": two_leaders}
