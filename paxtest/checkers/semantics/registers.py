"""Registers: plain, with compare-and-set, with versions, many at once, of text."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from paxtest.checkers.semantics import (
    ANY,
    FAIL,
    INFO,
    NIL,
    OK,
    Call,
    Semantics,
    Timed,
    changes,
    thaw,
    tokens,
)

if TYPE_CHECKING:
    from paxtest.checkers.verify import Columns


class Register:
    """read, write, cas [from, to] (also a failed cas that returns the value it saw)."""

    def __init__(self, value: Any, nil_is_unknown: bool) -> None:
        self.value = value
        self.nil_is_unknown = nil_is_unknown

    def apply(self, call: Call) -> bool:
        if call.f == "write":
            self.value = call.arg
            return True
        if call.f == "cas" and not call.failed:
            old, new = call.arg
            possible = self.value is ANY or self.value == old
            self.value = new
            return possible
        # A read, or a failed cas that returned what it saw.
        if not call.known or (self.nil_is_unknown and call.out is None):
            return True
        possible = self.value is ANY or self.value == call.out
        self.value = call.out
        return possible

    def key(self) -> Hashable:
        return (self.value,)

    def copy(self) -> Register:
        return Register(self.value, self.nil_is_unknown)


def register(initial: Any) -> Semantics:
    nil_is_unknown = initial is not None and initial is not ANY

    def observes(call: Call) -> list[Any]:
        if call.f == "read" or call.failed:
            return [call.out] if call.known else []
        return [call.arg[0]] if call.f == "cas" else []

    def provides(call: Call) -> list[Any]:
        if call.failed or call.f == "read":
            return []
        return [call.arg if call.f == "write" else call.arg[1]]

    def replay(columns: Columns, witness: Sequence[int]) -> int | None:
        state = columns.id(thaw(initial))
        kinds = [{"read": 0, "write": 1, "cas": 2}.get(f, 3) for f in columns.functions]
        for op, f, arg, out, outcome in zip(
            witness,
            map(columns.f.__getitem__, witness),
            map(columns.arg.__getitem__, witness),
            map(columns.out.__getitem__, witness),
            map(columns.outcome.__getitem__, witness),
            strict=True,
        ):
            kind = kinds[f]
            if kind == 1 and outcome != FAIL:
                state = arg
            elif kind == 0 and outcome == OK:
                if out != state and not (nil_is_unknown and out == NIL):
                    return op
            elif kind == 2 and outcome != FAIL:
                old, new = columns.pair(arg)
                if old != state:
                    return op
                state = new
            elif kind == 2 and out not in (NIL, arg):
                if out != state:
                    return op
            elif kind != 0 or outcome != INFO:
                return op
        return None

    return Semantics(
        machine=lambda: Register(initial, nil_is_unknown),
        closure=tokens(observes, provides, sees_the_past=True),
        looks=lambda call: initial is not ANY and (call.f == "read" or call.failed),
        learns=lambda call: call.f == "cas" and call.out not in (None, call.arg),
        replay=None if initial is ANY else replay,
    )


class Versioned:
    """Every write and cas raises the version, initially 0, by one.

    A read returns [version, value]; a write or cas the version it made, alone or as the first
    of a list, or its own argument, which says nothing. Arguments may be [nil, argument].
    """

    def __init__(self, value: Any, version: int = 0) -> None:
        self.value = value
        self.version = version

    def apply(self, call: Call) -> bool:
        if call.f == "read":
            if not call.known:
                return True
            version, value = call.out if _pair(call.out) else (0, None)
            return bool(value == self.value and _is(version, self.version))
        argument = call.arg[1] if _pair(call.arg) and call.arg[0] is None else call.arg
        possible = True
        if call.f == "cas":
            old, argument = argument
            possible = self.value == old
        self.value = argument
        self.version += 1
        if not call.known or call.out == call.arg:
            return possible
        made = call.out[0] if _pair(call.out) else call.out
        return possible and _is(made, self.version)

    def key(self) -> Hashable:
        return (self.version, self.value)

    def copy(self) -> Versioned:
        return Versioned(self.value, self.version)


def versioned(initial: Any) -> Versioned:
    """Starts with [version, value], or with a value of version 0."""
    if _pair(initial) and isinstance(initial[0], int) and initial[0] >= 0:
        version, value = initial
        return Versioned(value, version)
    return Versioned(initial)


def _pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and value[0] not in ("bool", "map")


def _is(said: Any, version: int) -> bool:
    """Whether a version is that one; what is no number of a version says nothing."""
    return not isinstance(said, int) or said < 0 or said == version


class MultiRegister:
    """Maps {register: value} written and read at once; txn of [f, register, value] in order."""

    def __init__(self, values: dict[Any, Any]) -> None:
        self.values = values

    def apply(self, call: Call) -> bool:
        for write, register, value in _steps(call):
            if write:
                self.values[register] = value
            elif call.known and self.values.get(register) != value:
                return False
        return True

    def key(self) -> Hashable:
        return frozenset((r, v) for r, v in self.values.items() if v is not None)

    def copy(self) -> MultiRegister:
        return MultiRegister(dict(self.values))


def _steps(call: Call) -> list[tuple[bool, Any, Any]]:
    """(is it a write, register, value) of each step of an operation."""
    if call.f == "txn":
        steps = call.out if call.known else call.arg
        return [(f.lstrip(":") in ("w", "write"), register, value) for f, register, value in steps]
    if call.f == "write":
        return [(True, register, value) for register, value in call.arg[1]]
    return [(False, register, value) for register, value in call.out[1]] if call.known else []


class Text:
    """put replaces, append appends, get reads; what was never put is the empty text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def apply(self, call: Call) -> bool:
        if call.f in ("get", "read"):
            return not call.known or (call.out or "") == self.text
        self.text = (self.text if call.f == "append" else "") + (call.arg or "")
        return True

    def key(self) -> Hashable:
        return self.text

    def copy(self) -> Text:
        return Text(self.text)


def _reads(call: Call) -> bool:
    return call.f in ("get", "read")


def _text_closure(kept: list[Timed], others: Iterable[tuple[int, Timed]]) -> set[int]:
    """What a get returned was put together since the last put before it, from texts that occur
    in it. So a put or append may be left out whose text occurs in no get: some put came after
    it before each get."""
    seen = {one.call.out or "" for one in kept if _reads(one.call) and one.call.known}
    return {
        number
        for number, other in others
        if not _reads(other.call) and any((other.call.arg or "") in text for text in seen)
    }


TYPES: dict[str, Callable[[Any], Semantics]] = {
    "register": register,
    "cas-register": register,
    "versioned-register": lambda initial: Semantics(
        lambda: versioned(initial), changes(_reads), looks=_reads
    ),
    "multi-register": lambda initial: Semantics(
        lambda: MultiRegister(dict(initial[1]) if initial else {}),
        tokens(
            lambda call: [(r, v) for write, r, v in _steps(call) if not write and call.known],
            lambda call: [(r, v) for write, r, v in _steps(call) if write],
            sees_the_past=True,
        ),
        looks=lambda call: not any(write for write, _, _ in _steps(call)),
    ),
    "kv": lambda initial: Semantics(lambda: Text(initial or ""), _text_closure, looks=_reads),
}

ANY_INITIAL = frozenset({"register", "cas-register"})
