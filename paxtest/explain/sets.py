"""Sentences for sets with add, remove and contains.

The core names the element that no order explains (core/src/types/set.rs); which of the ways
there are to go wrong it was is found here, from the operations on that element.
"""

from __future__ import annotations

from paxtest.explain.spans import begun_by, ended_before, idle_between, latest_first
from paxtest.explain.words import Tags, Teller, value

ADDS = frozenset({"add", "insert"})
REMOVES = frozenset({"remove", "delete"})


def element(tell: Teller, ops: list[int]) -> list[str]:
    """[op, ...]: operations on one element; what it was looked for and whether it was there."""
    if not ops:
        return []
    wanted = tell.op(ops[0])["arg"]
    same = [n for n in sorted({*ops, *tell.ops}) if _speaks_of(tell, n, wanted)]
    adds = [n for n in same if tell.op(n)["f"] in ADDS and not _found(tell, n, True)]
    removes = [n for n in same if tell.op(n)["f"] in REMOVES and not _found(tell, n, False)]
    # Who needs it there, and who shows that it was: an add before, or a look.
    for look in latest_first(tell, same):
        if _found(tell, look, True):
            shown = [n for n in same if n in removes or _found(tell, n, False)]
            said = _contradicted(tell, look, shown, adds, there=False)
            if (
                not said
                and not _initially(tell, wanted)
                and not any(begun_by(tell, n, look) for n in adds)
            ):
                said = [
                    f"{tell.who(look)} {tell.deed(look)} {tell.ended(look)}, but no operation "
                    f"that may have happened had begun to add {value(wanted)} by then."
                ]
        elif _found(tell, look, False):
            shown = [n for n in same if n in adds or _found(tell, n, True)]
            said = _contradicted(tell, look, shown, removes, there=True)
        else:
            continue
        if said:
            return said
    return []


def _speaks_of(tell: Teller, number: int, wanted: object) -> bool:
    op = tell.op(number)
    return op["type"] != "fail" and op["arg"] == wanted and type(op["arg"]) is type(wanted)


def _initially(tell: Teller, wanted: object) -> bool:
    return isinstance(tell.initial, list) and wanted in tell.initial


def _found(tell: Teller, number: int, there: bool) -> bool:
    """Whether it found the element there (or not there) before it did anything itself."""
    op = tell.op(number)
    if op["type"] != "ok":
        return False
    if op["f"] in ADDS:
        return op["out"] is (not there)
    if op["f"] in REMOVES:
        return op["out"] is there
    return bool(op["out"]) is there


def _contradicted(
    tell: Teller, look: int, shown: list[int], others: list[int], *, there: bool
) -> list[str]:
    """`look` found the opposite of `there`, though one of `shown` made or saw it so and none of
    `others` undid that in between."""
    for n in latest_first(tell, shown):
        if n == look or not ended_before(tell, n, look) or not idle_between(tell, others, n, look):
            continue
        op = tell.op(n)
        if op["f"] in (ADDS if there else REMOVES):
            proof = f"{tell.noun(n)} {tell.acknowledged(n)}"
        else:
            proof = f"{tell.who(n)} {tell.deed(n)} {tell.ended(n)}"
        state, undoing = ("there", "removing") if there else ("not there", "adding")
        return [
            f"{tell.who(look)} {tell.deed(look)} {tell.ended(look)}, but it was {state}: {proof}, "
            f"before that operation began {tell.began(look)}, and nobody was {undoing} it in "
            "between."
        ]
    return []


TAGS: Tags = {"element": element, "no-order": element}
