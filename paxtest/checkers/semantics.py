"""What each built-in data type means, in plain Python: the verifier's own reading.

Nothing here comes from the native core; where the two disagree, one of them is wrong and the
verifier says so. A state is any hashable value. `step` lists every state in which an operation
may leave a state; an empty list says that it cannot happen there. For an operation of unknown
outcome (`known` False) nobody saw the result, so any result will do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from paxtest.checkers.verify import Columns

State = Hashable

OK, FAIL, INFO = 0, 1, 2
"""Outcomes, as the columns of a history spell them."""
NIL = 0
"""The id of nil."""


class Call(NamedTuple):
    """One operation as a data type sees it. Lists have become tuples."""

    f: str
    arg: Any
    out: Any
    known: bool
    failed: bool = False


class Semantics(NamedTuple):
    """A sequential specification.

    `observes`: what an operation needs others to have put there, `provides`: what it puts
    there, both as lists of tokens. A sub-history proves something about the whole history only
    if it holds every provider of every token that it observes. None: every operation that may
    change something is needed.
    """

    initial: tuple[State, ...]
    step: Callable[[State, Call], Iterable[State]]
    per_key: bool = True
    read_only: Callable[[Call], bool] = lambda call: call.f == "read"
    observes: Callable[[Call], list[Any]] | None = None
    provides: Callable[[Call], list[Any]] | None = None
    # A failed operation that tells something all the same.
    learns: Callable[[Call], bool] = lambda call: False
    # Replays a witness on ids of values, for the data types where a million operations are
    # usual: the first operation that cannot happen, or None.
    replay: Callable[[Columns, Sequence[int]], int | None] | None = None


class _Unknown:
    """The state of a register whose initial value nobody knows."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Unknown()


def freeze(value: Any) -> Any:
    """A value as something hashable; booleans keep apart from numbers."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return tuple(freeze(v) for v in value)
    if isinstance(value, dict):
        return ("map", frozenset((freeze(k), freeze(v)) for k, v in value.items()))
    return value


def register(initial: Any = None) -> Semantics:
    """read, write, cas [from, to] (also a failed cas that returns the value it saw)."""
    nil_is_unknown = initial is not None and initial is not ANY

    def step(state: State, call: Call) -> list[State]:
        if call.f == "write":
            return [call.arg]
        if call.f == "cas" and not call.failed:
            old, new = call.arg
            return [new] if state is ANY or state == old else []
        # A read, or a failed cas that returned what it saw.
        if not call.known or (nil_is_unknown and call.out is None):
            return [state]
        return [call.out] if state is ANY or state == call.out else []

    def observes(call: Call) -> list[Any]:
        if call.f == "read" or call.failed:
            return [call.out] if call.known else []
        return [call.arg[0]] if call.f == "cas" and call.known else []

    def provides(call: Call) -> list[Any]:
        if call.failed or call.f == "read":
            return []
        return [call.arg if call.f == "write" else call.arg[1]]

    def replay(columns: Columns, witness: Sequence[int]) -> int | None:
        state = columns.id(initial)
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
                old, state_after = columns.pair(arg)
                if old != state:
                    return op
                state = state_after
            elif kind == 2 and out not in (NIL, arg):
                if out != state:
                    return op
            elif kind != 0 or outcome != INFO:
                return op
        return None

    return Semantics(
        initial=(initial,),
        step=step,
        replay=None if initial is ANY else replay,
        observes=observes,
        provides=provides,
        learns=lambda call: call.f == "cas" and call.out is not None and call.out != call.arg,
    )


BUILDERS: dict[str, Callable[..., Semantics]] = {
    "register": register,
    "cas-register": register,
}


def find(model: str, initial: Any = None) -> Semantics | None:
    """The semantics of a built-in data type, None where this page does not have it.

    `initial`: the value before the first operation; None: what the data type says of itself.
    """
    build = BUILDERS.get(model)
    if build is None:
        return None
    return build() if initial is None else build(freeze(initial))
