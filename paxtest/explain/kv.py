"""Sentences for string registers with put, append and get.

Each function tells one tag of the core's reasons (core/src/types/kv.rs documents them).
"""

from __future__ import annotations

from paxtest.explain.spans import begun_by, latest_first
from paxtest.explain.words import Tags, Teller, value

GETS = frozenset({"get", "read"})


def _is_get(tell: Teller, number: int) -> bool:
    return tell.op(number)["f"] in GETS


def _saw(tell: Teller, number: int) -> str:
    return f"{tell.who(number)} {tell.deed(number)} {tell.ended(number)}"


def unwritten(tell: Teller, ops: list[int]) -> list[str]:
    """[get]: no puts and appends make this text."""
    return [f"{_saw(tell, ops[0])}, a text that no puts and appends that may have happened make."]


def two_orders(tell: Teller, ops: list[int]) -> list[str]:
    """[get, get]: the texts put one append behind two things, or two behind one."""
    first, second = ops[:2]
    a, b = str(tell.op(first)["out"] or ""), str(tell.op(second)["out"] or "")
    same = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    said = f"{_saw(tell, first)}, and {_saw(tell, second)}: each text was put or appended once, "
    if same:
        return [
            f"{said}but behind {value(a[:same])} the one shows {value(a[same:])} and the other "
            f"{value(b[same:])}."
        ]
    return [f"{said}but one of them stands behind different ones in the two."]


def too_early(tell: Teller, ops: list[int]) -> list[str]:
    """[late, early]: in the text `late` comes first, but `early` had completed before it began."""
    late, early = ops[:2]
    if _is_get(tell, late) and _is_get(tell, early):
        return [
            f"{_saw(tell, late)}, but there was more already: {_saw(tell, early)}, before that "
            f"read began {tell.began(late)}; nothing put later begins with the same text."
        ]
    if _is_get(tell, late):
        return [
            f"{_saw(tell, late)}, but that text was no longer there: {tell.noun(early)}, which "
            f"came behind it, {tell.acknowledged(early)}, before that read began "
            f"{tell.began(late)}."
        ]
    if _is_get(tell, early):
        return [
            f"{_saw(tell, early)}, before there was such a text: {tell.noun(late)}, the only "
            f"source of it, began {tell.began(late)}."
        ]
    return [
        f"{tell.noun(early)} {tell.acknowledged(early)}, before {tell.noun(late)} began "
        f"{tell.began(late)}; but in what was read {tell.noun(late)} comes first."
    ]


def replaced(tell: Teller, ops: list[int]) -> list[str]:
    """[a, b', b, a']: a and a' belong to one put and what was appended to it, b and b' to
    another; a completed before b' began, and b before a'. The initial text is left out."""
    if len(ops) < 2:
        return []
    b, a_late = ops[-2:]
    if _is_get(tell, b):
        proof = f"{_saw(tell, b)}"
    else:
        proof = f"{tell.noun(b)} {tell.acknowledged(b)}"
    if _is_get(tell, a_late):
        said = [
            f"{_saw(tell, a_late)}, but that text had been replaced: {proof}, before that read "
            f"began {tell.began(a_late)}."
        ]
    else:
        said = [
            f"{tell.noun(a_late)} began {tell.began(a_late)}, too late for the text that it is "
            f"part of: {proof}, which replaced it."
        ]
    if len(ops) == 4 and ops[0] != a_late:
        said.append(
            f"That text was there before: {tell.noun(ops[0])} ended {tell.ended(ops[0])}, before "
            f"{tell.noun(ops[1])} began {tell.began(ops[1])}."
        )
    return [*said, "Each text was put once, so a replaced one cannot come back."]


def no_source(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: the search got stuck there. Looks for a get of a text that nothing begun by then
    ends."""
    for get in reversed(latest_first(tell, tell.ops)):
        text = str(tell.op(get)["out"] or "")
        if not _is_get(tell, get) or not text or text == tell.initial:
            continue
        writes = [n for n in tell.ops if not _is_get(tell, n) and begun_by(tell, n, get)]
        if not any(text.endswith(str(tell.op(n)["arg"] or "")) for n in writes):
            return [
                f"{_saw(tell, get)}, but no operation that may have happened had begun by then to "
                "put or append what it ends with."
            ]
    return []


TAGS: Tags = {
    "unwritten": unwritten,
    "two-orders": two_orders,
    "too-early": too_early,
    "replaced": replaced,
    "no-order": no_source,
}
