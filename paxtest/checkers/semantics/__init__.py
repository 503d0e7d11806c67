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


class Timed(NamedTuple):
    """A call with the positions of its invocation and its completion (of those whose outcome
    is unknown: later than everything)."""

    call: Call
    inv: int
    ret: int


Closure = Callable[[list[Timed], Iterable[tuple[int, Timed]]], set[int]]
"""From the calls of a sub-history, and all others that may have happened (with their numbers):
those others without which the sub-history proves nothing about the whole."""


@dataclass(frozen=True)
class Semantics:
    """A sequential specification."""

    machine: Callable[[], Machine]
    closure: Closure
    per_key: bool = True
    # An operation that never changes any state (write(v) in state v is none).
    looks: Callable[[Call], bool] = lambda call: False
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


def everything(kept: list[Timed], others: Iterable[tuple[int, Timed]]) -> set[int]:
    """Every operation may matter to every other."""
    return {number for number, _ in others}


def changes(reads: Callable[[Call], bool]) -> Closure:
    """All but the operations that only look."""
    return lambda kept, others: {number for number, other in others if not reads(other.call)}


def tokens(
    observes: Callable[[Call], Iterable[Any]],
    provides: Callable[[Call], Iterable[Any]],
    always: Callable[[Call], bool] = lambda call: False,
    *,
    sees_the_past: bool = False,
) -> Closure:
    """Whoever provides a token that a kept operation observes is kept too, and so on.

    `sees_the_past`: whatever is observed was provided before, so that whoever began when the
    observer had ended does not matter to it.
    """

    def closure(kept: list[Timed], others: Iterable[tuple[int, Timed]]) -> set[int]:
        providers: dict[Any, list[tuple[int, Timed]]] = {}  # those that are not chosen yet
        chosen: dict[int, Timed] = {}
        for number, other in others:
            if always(other.call):
                chosen[number] = other
            for token in provides(other.call):
                providers.setdefault(token, []).append((number, other))
        todo = [*kept, *chosen.values()]
        while todo:
            observer = todo.pop()
            for token in observes(observer.call):
                late = []
                for number, other in providers.pop(token, ()):
                    if sees_the_past and other.inv > observer.ret:
                        late.append((number, other))
                    elif number not in chosen:
                        chosen[number] = other
                        todo.append(other)
                if late:
                    providers[token] = late
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
