"""Sentences for mutexes and semaphores.

Each function tells one tag of the core's reasons (core/src/types/mutex.rs and semaphore.rs).
"""

from __future__ import annotations

from paxtest.explain.spans import idle_between, latest_first
from paxtest.explain.words import Tags, Teller, value

ACQUIRES = frozenset({"acquire", "lock"})
LISTED_MAX = 6


def held_twice(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, acquire]: of one owner, who released nothing in between."""
    first, second = ops[:2]
    return [
        f"{tell.noun(first)} {tell.acknowledged(first)}, and {tell.noun(second)} "
        f"{tell.acknowledged(second)}: the same owner got the lock twice and released nothing "
        "in between."
    ]


def owner_not_held(tell: Teller, ops: list[int]) -> list[str]:
    """[release, earlier release?]: its owner had acquired nothing since."""
    said = f"{tell.noun(ops[0])} {tell.acknowledged(ops[0])}, but its owner did not hold the lock"
    if len(ops) > 1:
        said += f": {tell.noun(ops[1])} {tell.acknowledged(ops[1])} and nothing was acquired since"
    return [said + "."]


def overlap(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, release?, acquire, release?]: two holds at the same time."""
    holds = [n for n in ops if tell.op(n)["f"] in ACQUIRES][:2]
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


def no_lock(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, ...]: the lock was taken; then all that was done by then."""
    last = ops[0]
    acquires, releases = _split(tell, ops[1:])
    said = f"{tell.who(last)} got the lock {tell.ended(last)}, but "
    for n in latest_first(tell, acquires):
        if idle_between(tell, releases, n, last):
            return [
                f"{said}{tell.who(n)} held it: {tell.noun(n)} {tell.acknowledged(n)}, and nobody "
                f"was releasing it from then {tell.until(last)}."
            ]
    return [f"{said}it was taken: {_none_left(tell, acquires, releases)}"]


def lock_free(tell: Teller, ops: list[int]) -> list[str]:
    """[release, ...]: nobody held the lock; then all that was done by then."""
    last = ops[0]
    acquires, releases = _split(tell, ops[1:])
    said = f"{tell.who(last)} released the lock {tell.ended(last)}, but nobody held it: "
    for n in latest_first(tell, releases):
        if acquires and idle_between(tell, acquires, n, last):
            return [
                f"{said}{tell.noun(n)} {tell.acknowledged(n)}, and nobody was acquiring it from "
                f"then {tell.until(last)}."
            ]
    return [said + _none_out(tell, acquires, releases)]


def no_permit(tell: Teller, ops: list[int]) -> list[str]:
    """[acquire, ...]: all permits were taken; then all that was done by then."""
    last = ops[0]
    none_left = _none_left(tell, *_split(tell, ops[1:]))
    return [f"{tell.who(last)} got a permit {tell.ended(last)}, but all were taken: {none_left}"]


def permits_free(tell: Teller, ops: list[int]) -> list[str]:
    """[release, ...]: no permit was taken; then all that was done by then."""
    last = ops[0]
    none_out = _none_out(tell, *_split(tell, ops[1:]))
    return [
        f"{tell.who(last)} released a permit {tell.ended(last)}, but none was taken: {none_out}"
    ]


def _none_left(tell: Teller, acquires: list[int], releases: list[int]) -> str:
    begun = _count(releases, "release")
    return (
        f"by then {_count(acquires, 'other acquire')} had been done, and "
        f"{'no more than ' if releases else ''}{begun} had begun. {_recent(tell, acquires)}"
    ).rstrip()


def _none_out(tell: Teller, acquires: list[int], releases: list[int]) -> str:
    if not acquires:
        return "no operation that may have happened had begun to acquire it by then."
    return (
        f"by then no more than {_count(acquires, 'acquire')} had begun, and "
        f"{_count(releases, 'other release')} had been done. {_recent(tell, releases)}"
    ).rstrip()


def _split(tell: Teller, ops: list[int]) -> tuple[list[int], list[int]]:
    """Acquires and releases."""
    acquires = [n for n in ops if tell.op(n)["f"] in ACQUIRES]
    return acquires, [n for n in ops if tell.op(n)["f"] not in ACQUIRES]


def _count(ops: list[int], what: str) -> str:
    return f"{len(ops):,} {what}{'' if len(ops) == 1 else 's'}" if ops else f"no {what}"


def _recent(tell: Teller, ops: list[int]) -> str:
    """The last of these, one by one."""
    if not ops:
        return ""
    listed = "; ".join(f"{tell.noun(n)} {tell.acknowledged(n)}" for n in ops[-LISTED_MAX:])
    more = f", the last {LISTED_MAX} of them" if len(ops) > LISTED_MAX else ""
    return f"(Done{more}: {listed}.)"


MUTEX: Tags = {"no-permit": no_lock, "not-held": lock_free}
SEMAPHORE: Tags = {"no-permit": no_permit, "not-held": permits_free}
OWNED: Tags = {
    "held-twice": held_twice,
    "not-held": owner_not_held,
    "overlap": overlap,
    "same-token": same_token,
    "token-order": token_order,
    "never-released": never_released,
}
