"""Sentences for lists and sets that only grow, read as a whole.

Each function tells one tag of the core's reasons (core/src/types/ documents them).
"""

from __future__ import annotations

from typing import Any

from paxtest.explain.spans import begun_by, latest_first
from paxtest.explain.words import Tags, Teller, times, value

SCANNED_MAX = 20_000
"""Operations looked through for the element that nobody added; beyond, it is not named."""


def _element(tell: Teller, number: int) -> str:
    """The element that a put or take speaks of."""
    op = tell.op(number)
    return value(op["out"] if op["arg"] is None else op["arg"])


def _is_read(tell: Teller, number: int) -> bool:
    return tell.op(number)["arg"] is None


def unwritten(tell: Teller, ops: list[int]) -> list[str]:
    """[read, failed?]: it has an element that nobody added, or only one that failed."""
    said = f"{tell.who(ops[0])} {tell.deed(ops[0])} {tell.ended(ops[0])}, "
    if len(ops) > 1:
        return [
            f"{said}which holds an element that only {tell.noun(ops[1])} could have put there; "
            f"that was refused {tell.ended(ops[1])}, which says that it did not happen."
        ]
    strange = _never_added(tell, ops[0])
    what = "an element" if strange is None else value(strange)
    return [f"{said}but no operation that may have happened put {what} there."]


def _never_added(tell: Teller, read: int) -> Any:
    """The first element of a read that no operation on its key speaks of."""
    if len(tell.history) > SCANNED_MAX:
        return None
    ops = map(tell.op, range(len(tell.history)))
    key = tell.op(read)["key"]
    added = [op["arg"] for op in ops if op["key"] == key and op["type"] != "fail"]
    return next((element for element in tell.op(read)["out"] or () if element not in added), None)


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


def too_early(tell: Teller, ops: list[int]) -> list[str]:
    """[late, early]: reads show that `late` comes first, but `early` completed before it began."""
    late, early = ops[:2]
    if _is_read(tell, late):
        return [
            f"{tell.who(late)} {tell.deed(late)} {tell.ended(late)}, where {tell.noun(early)} is "
            f"missing: it {tell.acknowledged(early)}, before that read began {tell.began(late)}."
        ]
    if _is_read(tell, early):
        return [
            f"{tell.who(early)} {tell.deed(early)} {tell.ended(early)}, before {tell.noun(late)} "
            f"began {tell.began(late)}, the only source of what was read."
        ]
    return [
        f"{tell.noun(early)} {tell.acknowledged(early)}, before {tell.noun(late)} began "
        f"{tell.began(late)}; but what was read shows {tell.noun(late)} to come first."
    ]


def too_often(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: the search got stuck there. Looks for an element read more often than appended."""
    for read in reversed(latest_first(tell, tell.ops)):
        seen: list[Any] = tell.op(read)["out"] or [] if _is_read(tell, read) else []
        for element in seen:
            adds = [n for n in tell.ops if not _is_read(tell, n) and tell.op(n)["arg"] == element]
            begun = sum(begun_by(tell, n, read) for n in adds)
            if seen.count(element) > begun:
                return [
                    f"{tell.who(read)} {tell.deed(read)} {tell.ended(read)}: {value(element)} "
                    f"stands in it {times(seen.count(element))}, but by then it had been appended "
                    f"{times(begun)}{' at most' if begun else ''}."
                ]
    return []


TAGS: Tags = {
    "unwritten": unwritten,
    "duplicate": duplicate,
    "initial-lost": initial_lost,
    "two-orders": two_orders,
    "no-chain": no_chain,
    "too-early": too_early,
    "no-order": too_often,
}
