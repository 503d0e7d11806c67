"""A user's model as the independent verifier reads it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Self

from paxtest.checkers.semantics import Call, Semantics, changes, thaw
from paxtest.models.base import Model, Operation, successors


class Machine:
    """All states that the model may be in."""

    def __init__(self, model: Model, states: frozenset[Hashable]) -> None:
        self._model = model
        self._states = states

    def apply(self, call: Call) -> bool:
        op = operation(call)
        self._states = frozenset(
            after for state in self._states for after in successors(self._model, state, op)
        )
        return bool(self._states)

    def key(self) -> Hashable:
        return self._states

    def copy(self) -> Self:
        return type(self)(self._model, self._states)


def semantics(model: Model) -> Semantics:
    """What the verifier replays witnesses and counterexamples on."""
    return Semantics(
        machine=lambda: Machine(model, frozenset((model.initial,))),
        closure=changes(lambda call: bool(model.read_only(operation(call)))),
        looks=lambda call: bool(model.read_only(operation(call))),
    )


def operation(call: Call) -> Operation:
    return Operation(call.f, thaw(call.arg), thaw(call.out), call.known)


def partition(model: Model) -> Callable[[Any], Hashable] | None:
    """The model's own partition, of operations as a history gives them; None: by key."""
    if type(model).partition is Model.partition:
        return None
    return lambda op: model.partition(
        Operation(op["f"], op["arg"], op["out"], op["type"] == "ok", op["key"])
    )
