"""Sentences for registers with versions.

The core's search only finds that no order exists. Versions rise by one with every write and
cas, which shows most errors in two operations; they are looked for here, the plainest first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from paxtest.explain.spans import begun_by, ended_before, pairs
from paxtest.explain.words import Tags, Teller, value

LISTED_MAX = 6


class Act(NamedTuple):
    """An operation with the version and value that it saw or made, where known."""

    number: int
    change: bool
    version: int | None
    value: Any


def no_order(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: the search got stuck there. What is wrong is found from the counterexample."""
    acts = [act for n in tell.ops for act in [_act(tell, n)] if act is not None]
    finders: list[Callable[[Teller, list[Act]], list[str]]] = [
        _two_values,
        _unwritten,
        _went_back,
        _too_few,
        _too_many,
        _wrong_cas,
    ]
    return next((said for find in finders for said in [find(tell, acts)] if said), [])


def _act(tell: Teller, number: int) -> Act | None:
    op = tell.op(number)
    f, arg, out, ok = op["f"], op["arg"], op["out"], op["type"] == "ok"
    if op["type"] == "fail" or (f == "read" and not ok):
        return None
    pair = isinstance(out, list) and len(out) == 2
    if f == "read":
        version, seen = out if pair else (0, None)
        return Act(number, False, _version(version), seen)
    if isinstance(arg, list) and len(arg) == 2 and arg[0] is None:
        arg = arg[1]
    made = None if not ok or out == op["arg"] else _version(out[0] if pair else out)
    return Act(number, True, made, arg[1] if f == "cas" else arg)


def _version(said: Any) -> int | None:
    known = isinstance(said, int) and not isinstance(said, bool) and said >= 0
    return said if known else None


def _start(tell: Teller) -> tuple[int, Any]:
    """The version and the value before the first operation."""
    given = tell.initial
    if isinstance(given, list | tuple) and len(given) == 2 and _version(given[0]) is not None:
        return given[0], given[1]
    return 0, given


def _two_values(tell: Teller, acts: list[Act]) -> list[str]:
    """Two operations know one version with different values, or both made it."""
    first: dict[int, Act] = {}
    for act in sorted(acts, key=lambda act: not act.change):
        if act.version is None:
            continue
        known = first.setdefault(act.version, act)
        if known is act:
            continue
        if known.change and act.change:
            return [
                f"Version {act.version} was made twice: by {_told(tell, known)}, and by "
                f"{_told(tell, act)}; each change makes another."
            ]
        if known.value != act.value:
            return [
                f"Version {act.version} had two values: {value(known.value)} by "
                f"{_told(tell, known)}, and {value(act.value)} by {_told(tell, act)}."
            ]
    return []


def _unwritten(tell: Teller, acts: list[Act]) -> list[str]:
    """A read of a value that nobody had begun to write."""
    version, initially = _start(tell)
    for act in acts:
        if act.change or act.version in (None, version) or act.value == initially:
            continue
        sources = [a for a in acts if a.change and a.value == act.value]
        if any(begun_by(tell, a.number, act.number) for a in sources):
            continue
        said = f"{tell.who(act.number)} {tell.deed(act.number)} {tell.ended(act.number)}, "
        if sources:
            source = min(sources, key=lambda a: tell.op(a.number)["inv"]).number
            return [
                f"{said}before there was such a value: {tell.noun(source)}, the first source of "
                f"it, began {tell.began(source)}."
            ]
        return [f"{said}but no operation that may have happened ever wrote {value(act.value)}."]
    return []


def _went_back(tell: Teller, acts: list[Act]) -> list[str]:
    """A version (or a change that makes it) after a greater one."""
    of = {act.number: act for act in acts if act.version is not None}
    # Reads tell the plainer story.
    order = sorted(of, key=lambda n: of[n].change)
    for a, b in pairs(tell, order, order):
        before, after = of[a].version or 0, of[b].version or 0
        if before < after or (before == after and not of[b].change):
            continue
        if of[b].change:
            return [
                f"{tell.who(b)} made version {after} with {value(of[b].value)} {tell.ended(b)}, "
                f"but version {before} was there already: {_proof(tell, of[a])}, before that "
                f"operation began {tell.began(b)}."
            ]
        return [
            f"{tell.who(b)} read version {after} ({value(of[b].value)}) {tell.ended(b)}, but "
            f"version {before} ({value(of[a].value)}) had replaced it: {_proof(tell, of[a])}, "
            f"before that read began {tell.began(b)}."
        ]
    return []


def _too_few(tell: Teller, acts: list[Act]) -> list[str]:
    """A version that takes more changes than had begun."""
    for act in acts:
        begun = [a for a in acts if a.change and begun_by(tell, a.number, act.number)]
        if act.version is not None and act.version > _start(tell)[0] + len(begun):
            return [
                f"{_saw(tell, act)}, but only {_count(len(begun), 'change')} had begun by "
                "then, and each raises the version by one."
            ]
    return []


def _too_many(tell: Teller, acts: list[Act]) -> list[str]:
    """A version lower than the changes acknowledged before."""
    for act in acts:
        done = [a for a in acts if a.change and ended_before(tell, a.number, act.number)]
        if act.version is not None and act.version < _start(tell)[0] + len(done) + act.change:
            listed = "; ".join(
                f"{tell.noun(a.number)} {tell.acknowledged(a.number)}" for a in done[:LISTED_MAX]
            )
            more = f"; and {len(done) - LISTED_MAX} more" if len(done) > LISTED_MAX else ""
            return [
                f"{_saw(tell, act)}, but before that operation began {tell.began(act.number)} "
                f"{_count(len(done), 'change')} had been acknowledged, each of which raises the "
                f"version by one: {listed}{more}."
            ]
    return []


def _wrong_cas(tell: Teller, acts: list[Act]) -> list[str]:
    """A cas from a value that the version before it did not have, or that nobody had written."""
    values = {act.version: act for act in acts if act.version is not None}
    for act in acts:
        if (
            not act.change
            or tell.op(act.number)["f"] != "cas"
            or tell.op(act.number)["type"] != "ok"
        ):
            continue
        old = _found(tell, act)
        before = values.get((act.version or 0) - 1)
        if before is not None and before.value != old:
            return [
                f"{_told(tell, act)} made version {act.version}, but version {before.version} was "
                f"{value(before.value)}: {_told(tell, before)}."
            ]
        sources = [a for a in acts if a.change and a.value == old and a is not act]
        begun = any(begun_by(tell, a.number, act.number) for a in sources)
        if not begun and old != _start(tell)[1]:
            return [
                f"{tell.noun(act.number)} {tell.acknowledged(act.number)}, but no operation that "
                f"may have happened had begun to write {value(old)} by then."
            ]
    return []


def _found(tell: Teller, act: Act) -> Any:
    """The value that a cas replaced."""
    arg = tell.op(act.number)["arg"]
    return arg[1][0] if arg[0] is None and isinstance(arg[1], list) else arg[0]


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _saw(tell: Teller, act: Act) -> str:
    verb = "made" if act.change else "read"
    return f"{tell.who(act.number)} {verb} version {act.version} {tell.ended(act.number)}"


def _told(tell: Teller, act: Act) -> str:
    if act.change:
        return f"{tell.noun(act.number)} ({tell.ended(act.number)})"
    return f"{tell.process(act.number)}'s read ({tell.ended(act.number)})"


def _proof(tell: Teller, act: Act) -> str:
    if act.change:
        return f"{tell.noun(act.number)}, which made it, {tell.acknowledged(act.number)}"
    return f"{tell.who(act.number)} had read it {tell.ended(act.number)}"


TAGS: Tags = {"no-order": no_order}
