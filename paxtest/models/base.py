"""Model: the base of data types that users write in Python.

The native core numbers the states and asks `step` once for each distinct pair of state and
operation, so that a Python model costs little more than a native one.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from paxtest import _core
from paxtest.errors import UsageError


class Inconsistent:
    """What `step` returns (the class itself, or one with a reason) where an operation cannot
    have happened."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason


class Operation(NamedTuple):
    """An operation as a model sees it.

    `value` is the argument of the invocation, `result` what the completion carried. `known` is
    False where nobody knows the outcome; `result` is then None, and any result is as good.
    Operations that failed did not happen, and reach no model.
    """

    f: str
    value: Any
    result: Any
    known: bool
    key: Any = None


class Model:
    """A sequential specification.

    `initial` is the state before the first operation: any hashable value. `step` must be pure:
    it is asked once for each pair of state and operation, in no particular order.
    """

    initial: Hashable = None

    def step(self, state: Any, op: Operation) -> Any:
        """The state after `op` happened in `state`; `Inconsistent` where it cannot have; a
        `set` (or list) of states where it may leave any of these. A frozenset is one state."""
        raise NotImplementedError

    def read_only(self, op: Operation) -> bool:
        """True only for operations that never change any state. Saying so is never needed, but
        makes the search faster."""
        return False

    def partition(self, op: Operation) -> Hashable:
        """What operations must share to depend on each other: by default their key."""
        key: Hashable = op.key
        return key


def native(model: Model | type[Model], name: str = "") -> _core.PythonModel:
    """A model as `_core.check` takes it. Raises UsageError for what is no model."""
    if isinstance(model, type):
        model = model()
    if not isinstance(model, Model):
        raise UsageError(
            f"{model!r} is no model", "a subclass of paxtest.models.base.Model is expected"
        )
    if not isinstance(model.initial, Hashable):
        raise UsageError(
            f"the initial state {model.initial!r} cannot be hashed",
            "use tuples and frozensets in place of lists, sets and dicts",
        )
    partition: Callable[[Any], Hashable] | None = None
    if type(model).partition is not Model.partition:
        bound = model.partition

        def partition(op: tuple[Any, ...]) -> Hashable:
            return bound(Operation(*op))

    return _core.PythonModel(
        name or type(model).__name__,
        [model.initial],
        lambda state, op: successors(model, state, Operation(*op)),
        lambda op: bool(model.read_only(Operation(*op))),
        partition,
    )


def successors(model: Model, state: Any, op: Operation) -> Iterable[Hashable]:
    """Every state that `op` may leave; none where it cannot happen."""
    after = model.step(state, op)
    if after is Inconsistent or isinstance(after, Inconsistent):
        return ()
    if isinstance(after, set | list):
        return after
    return (after,)
