"""What each built-in data type means, in plain Python: the verifier's own reading.

Nothing here comes from the native core; where the two disagree, one of them is wrong and the
verifier says so. A data type is a machine that does one operation after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

if TYPE_CHECKING:
    from paxtest.checkers.verify import Columns

OK, FAIL, INFO = 0, 1, 2
"""Outcomes, as the columns of a history spell them."""
NIL = 0
"""The id of nil."""


class Call(NamedTuple):
    """One operation as a data type sees it. Lists have become tuples, see `freeze`.

    `known`: somebody saw how it ended; where not, any result will do.
    """

    f: str
    arg: Any
    out: Any
    known: bool = True
    failed: bool = False
    process: int = 0


class Machine(Protocol):
    """The data type in some state."""

    def apply(self, call: Call) -> bool:
        """Do it; False (and any state) if it cannot happen in this state."""

    def key(self) -> Hashable:
        """The state, to compare."""

    def copy(self) -> Self: ...


Closure = Callable[[list[Call], Iterable[tuple[int, Call]]], set[int]]
"""From the calls of a sub-history, and all others that may have happened (with their numbers):
those others without which the sub-history proves nothing about the whole."""


@dataclass(frozen=True)
class Semantics:
    """A sequential specification."""

    machine: Callable[[], Machine]
    closure: Closure
    per_key: bool = True
    # A failed operation that tells something all the same.
    learns: Callable[[Call], bool] = lambda call: False
    # Replays a witness on ids of values, for the data types where a million operations are
    # usual: the first operation that cannot happen, or None.
    replay: Callable[[Columns, Sequence[int]], int | None] | None = None


class Any_:
    """The value of a register whose initial value nobody knows."""

    def __repr__(self) -> str:
        return "ANY"


ANY = Any_()


def freeze(value: Any) -> Any:
    """A value as something hashable; booleans keep apart from numbers."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list | tuple):
        return tuple(freeze(v) for v in value)
    if isinstance(value, dict):
        return ("map", frozenset((freeze(k), freeze(v)) for k, v in value.items()))
    return value


def thaw(value: Any) -> Any:
    """The inverse of `freeze`: values as a history has them."""
    match value:
        case ("bool", bool(truth)):
            return truth
        case ("map", frozenset() as entries):
            return {thaw(k): thaw(v) for k, v in entries}
        case tuple():
            return [thaw(v) for v in value]
    return value


def everything(kept: list[Call], others: Iterable[tuple[int, Call]]) -> set[int]:
    """Every operation may matter to every other."""
    return {number for number, _ in others}


def changes(reads: Callable[[Call], bool]) -> Closure:
    """All but the operations that only look."""
    return lambda kept, others: {number for number, call in others if not reads(call)}


def tokens(
    observes: Callable[[Call], Iterable[Any]],
    provides: Callable[[Call], Iterable[Any]],
    always: Callable[[Call], bool] = lambda call: False,
) -> Closure:
    """Whoever provides a token that a kept operation observes is kept too, and so on."""

    def closure(kept: list[Call], others: Iterable[tuple[int, Call]]) -> set[int]:
        providers: dict[Any, list[tuple[int, Call]]] = {}
        chosen: dict[int, Call] = {}
        for number, call in others:
            if always(call):
                chosen[number] = call
            for token in provides(call):
                providers.setdefault(token, []).append((number, call))
        todo = [*kept, *chosen.values()]
        while todo:
            for token in observes(todo.pop()):
                for number, call in providers.pop(token, ()):
                    if number not in chosen:
                        chosen[number] = call
                        todo.append(call)
        return set(chosen)

    return closure


def find(model: str, initial: Any = None) -> Semantics | None:
    """The semantics of a built-in data type, None where there are none here.

    `initial`: the value before the first operation; None: what the data type says of itself;
    ANY: unknown (registers only).
    """
    from paxtest.checkers.semantics import containers, numbers, registers

    builders = {**registers.TYPES, **containers.TYPES, **numbers.TYPES}
    build = builders.get(model)
    if build is None or (initial is ANY and model not in registers.ANY_INITIAL):
        return None
    return build(freeze(initial))
