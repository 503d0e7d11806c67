"""Sentences for several registers read and written at once.

The core's search only finds that no order exists. The errors that two or three operations
show are looked for here, the plainest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from paxtest.explain.spans import begun_by, ended_before, latest_first
from paxtest.explain.words import Tags, Teller, value


class Act(NamedTuple):
    """What an operation saw of what others had left, and what it left; register -> value."""

    number: int
    saw: dict[Any, Any]
    left: dict[Any, Any]

    def shows(self, register: Any) -> Any:
        """The value that this register had during it, at last; KeyError if it does not say."""
        return self.left[register] if register in self.left else self.saw[register]


def no_order(tell: Teller, ops: list[int]) -> list[str]:
    """[op]: the search got stuck there. What is wrong is found from the counterexample."""
    acts = [act for n in tell.ops for act in [_act(tell, n)] if act is not None]
    finders: list[Callable[[Teller, list[Act]], list[str]]] = [
        _own_write,
        _unwritten,
        _stale,
        _torn,
        _crossed,
    ]
    return next((said for find in finders for said in [find(tell, acts)] if said), [])


def _act(tell: Teller, number: int) -> Act | None:
    op = tell.op(number)
    if op["type"] == "fail":
        return None
    known = op["type"] == "ok"
    if op["f"] == "read":
        return Act(number, dict(op["out"]), {}) if known and isinstance(op["out"], dict) else None
    if op["f"] == "write":
        return Act(number, {}, dict(op["arg"]))
    saw: dict[Any, Any] = {}
    left: dict[Any, Any] = {}
    for f, register, what in _steps(tell, number):
        if f in ("w", "write"):
            left[register] = what
        elif known and register not in left:
            saw[register] = what
    return Act(number, saw, left)


def _steps(tell: Teller, number: int) -> Iterator[tuple[str, Any, Any]]:
    op = tell.op(number)
    steps = op["out"] if op["type"] == "ok" else op["arg"]
    return ((f.lstrip(":"), register, what) for f, register, what in steps or ())


def _own_write(tell: Teller, acts: list[Act]) -> list[str]:
    """A transaction that saw one register two ways, or not what it had written itself."""
    for act in acts:
        op = tell.op(act.number)
        if op["f"] != "txn" or op["type"] != "ok":
            continue
        now: dict[Any, Any] = {}
        for f, register, what in _steps(tell, act.number):
            if f not in ("w", "write") and now.get(register, what) != what:
                return [
                    f"{tell.who(act.number)}'s transaction ({tell.ended(act.number)}) read "
                    f"{_is(register, what)}, where it had itself left {value(now[register])} just "
                    "before: nothing comes between the steps of a transaction."
                ]
            now[register] = what
    return []


def _sources(acts: list[Act], register: Any, what: Any) -> list[Act]:
    return [a for a in acts if register in a.left and a.left[register] == what]


def _unwritten(tell: Teller, acts: list[Act]) -> list[str]:
    """A value that nobody had begun to write."""
    for act in acts:
        for register, what in act.saw.items():
            sources = [a for a in _sources(acts, register, what) if a is not act]
            first = tell.initial.get(register) if isinstance(tell.initial, dict) else None
            if what == first or any(begun_by(tell, a.number, act.number) for a in sources):
                continue
            said = f"{_saw(tell, act, register)}, "
            if sources:
                source = min(sources, key=lambda a: tell.op(a.number)["inv"]).number
                return [
                    f"{said}before there was such a value: {tell.noun(source)} began "
                    f"{tell.began(source)}."
                ]
            return [f"{said}but no operation that may have happened ever wrote that."]
    return []


def _stale(tell: Teller, acts: list[Act]) -> list[str]:
    """A value that another had replaced before the read began."""
    of = {act.number: act for act in acts}
    recent = [of[n] for n in latest_first(tell, of)]
    for act in acts:
        for register, what in act.saw.items():
            sources = _sources(acts, register, what)
            for other in recent:
                if register not in {**other.saw, **other.left} or other is act:
                    continue
                new = other.shows(register)
                if new == what or not ended_before(tell, other.number, act.number):
                    continue
                if not all(ended_before(tell, s.number, other.number) for s in sources):
                    continue
                proof = (
                    f"{tell.noun(other.number)} {tell.acknowledged(other.number)}"
                    if register in other.left
                    else f"{_saw(tell, other, register)}"
                )
                return [
                    f"{_saw(tell, act, register)}, but {value(new)} had replaced it: {proof}, "
                    f"before that operation began {tell.began(act.number)}."
                ]
    return []


def _torn(tell: Teller, acts: list[Act]) -> list[str]:
    """Half of what was written at once."""
    for write in acts:
        once = [r for r, v in write.left.items() if len(_sources(acts, r, v)) == 1]
        for act in acts:
            new = [r for r in once if act is not write and act.saw.get(r) == write.left[r]]
            for old in act.saw:
                if not new or old not in write.left or act.saw[old] == write.left[old]:
                    continue
                sources = _sources(acts, old, act.saw[old])
                if all(ended_before(tell, s.number, write.number) for s in sources):
                    return [
                        f"{tell.who(act.number)} saw half of what was written at once "
                        f"({tell.ended(act.number)}): {_is(new[0], act.saw[new[0]])} of "
                        f"{tell.noun(write.number)}, but {_is(old, act.saw[old])}, which was "
                        "there before it."
                    ]
    return []


def _crossed(tell: Teller, acts: list[Act]) -> list[str]:
    """Two reads, each of which has something that the other does not have yet."""
    for one in acts:
        for other in acts:
            shared = [r for r in one.saw if r in other.saw]
            newer = [r for r in shared if _first_then(tell, acts, r, other.saw[r], one.saw[r])]
            older = [r for r in shared if _first_then(tell, acts, r, one.saw[r], other.saw[r])]
            if newer and older:
                return [
                    f"{_saw(tell, one, newer[0])}, but still {_is(older[0], one.saw[older[0]])}; "
                    f"{_saw(tell, other, older[0])}, but still "
                    f"{_is(newer[0], other.saw[newer[0]])}: neither can have come first."
                ]
    return []


def _first_then(tell: Teller, acts: list[Act], register: Any, old: Any, new: Any) -> bool:
    """Whether `old` was surely gone once `new` was there."""
    before, after = _sources(acts, register, old), _sources(acts, register, new)
    return (
        old != new
        and bool(after)
        and (old is not None or not before)
        and all(ended_before(tell, a.number, b.number) for a in before for b in after)
    )


def _is(register: Any, what: Any) -> str:
    return f"{value(register, 30)} = {value(what)}"


def _saw(tell: Teller, act: Act, register: Any) -> str:
    shown = _is(register, act.saw[register])
    return f"{tell.who(act.number)} read {shown} {tell.ended(act.number)}"


TAGS: Tags = {"no-order": no_order}
