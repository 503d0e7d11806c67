"""Things that hold elements: lists, sets, queues, stacks, priority queues."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from paxtest.checkers.semantics import Call, Semantics, tokens

PUTS = frozenset({"enqueue", "enq", "offer", "send", "push", "insert", "add"})
ADDS = frozenset({"add", "insert"})
REMOVES = frozenset({"remove", "delete"})
GREATEST = frozenset({"delete-max", "remove-max", "extract-max", "pop-max"})


class AppendList:
    """append adds an element at the end, any other function reads the whole list."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = list(items)

    def apply(self, call: Call) -> bool:
        if call.f == "append":
            self.items.append(call.arg)
            return True
        return not call.known or list(call.out or ()) == self.items

    def key(self) -> Hashable:
        return tuple(self.items)

    def copy(self) -> AppendList:
        return AppendList(self.items)


class GrowSet:
    """add adds an element, any other function reads the whole set, in any order."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = set(items)

    def apply(self, call: Call) -> bool:
        if call.f in ADDS:
            self.items.add(call.arg)
            return True
        return not call.known or set(call.out or ()) == self.items

    def key(self) -> Hashable:
        return frozenset(self.items)

    def copy(self) -> GrowSet:
        return GrowSet(self.items)


class Set:
    """add, remove, contains of an element. Where an add or remove returns a truth value, it
    says whether it changed anything."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = set(items)

    def apply(self, call: Call) -> bool:
        present = call.arg in self.items
        if call.f in ADDS:
            self.items.add(call.arg)
            changed = not present
        elif call.f in REMOVES:
            self.items.discard(call.arg)
            changed = present
        else:
            return not call.known or call.out in ((1, ("bool", True)) if present else _NO)
        if not call.known or call.out not in (("bool", True), ("bool", False)):
            return True
        return bool(call.out[1] == changed)

    def key(self) -> Hashable:
        return frozenset(self.items)

    def copy(self) -> Set:
        return Set(self.items)


_NO = (0, ("bool", False))


class Queue:
    """First in, first out. A take of nil found it empty; a take of unknown outcome took
    whatever was there."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = deque(items)

    def put(self, item: Any) -> None:
        self.items.append(item)

    def take(self, call: Call) -> Any:
        return self.items.popleft()

    def apply(self, call: Call) -> bool:
        if call.f in PUTS:
            self.put(call.arg)
            return True
        if not self.items:
            return not call.known or call.out is None
        taken = self.take(call)
        return not call.known or bool(taken == call.out)

    def key(self) -> Hashable:
        return tuple(self.items)

    def copy(self) -> Queue:
        return type(self)(self.items)


class Stack(Queue):
    """Last in, first out."""

    def take(self, call: Call) -> Any:
        return self.items.pop()


class PriorityQueue(Queue):
    """Takes the least, or the greatest by functions that say max."""

    def __init__(self, items: Iterable[Any]) -> None:
        super().__init__(())
        self.sorted = sorted(items, key=order)
        self.items = self.sorted  # type: ignore[assignment]

    def put(self, item: Any) -> None:
        insort(self.sorted, item, key=order)

    def take(self, call: Call) -> Any:
        return self.sorted.pop(-1 if call.f in GREATEST else 0)


def order(item: Any) -> tuple[Any, ...]:
    """Numbers before text before lists."""
    if item is None:
        return (0,)
    if isinstance(item, int | float):
        return (2, item)
    if isinstance(item, str):
        return (3, item)
    if item[:1] == ("bool",):
        return (1, item[1])
    return (4, *map(order, item))


def _elements(call: Call) -> list[Any]:
    """The element that a put or take speaks of."""
    element = call.arg if call.f in PUTS else call.out if call.known else None
    return [] if element is None else [element]


def _container(machine: Callable[[Iterable[Any]], Any]) -> Callable[[Any], Semantics]:
    """A queue of any kind. What belongs to one element may be left out together; a take of
    unknown outcome may belong to any."""
    return lambda initial: Semantics(
        lambda: machine(initial or ()),
        tokens(_elements, _elements, always=lambda call: not call.known and call.f not in PUTS),
        looks=_found_nothing,
    )


def _found_nothing(call: Call) -> bool:
    return call.known and call.out is None and call.f not in PUTS


def _read(call: Call) -> Iterable[Any]:
    return (call.out or ()) if call.known else ()


TYPES: dict[str, Callable[[Any], Semantics]] = {
    "append-list": lambda initial: Semantics(
        lambda: AppendList(initial or ()),
        tokens(
            lambda call: () if call.f == "append" else _read(call),
            lambda call: (call.arg,) if call.f == "append" else (),
            sees_the_past=True,
        ),
        looks=lambda call: call.f != "append",
    ),
    "grow-set": lambda initial: Semantics(
        lambda: GrowSet(initial or ()),
        tokens(
            lambda call: () if call.f in ADDS else _read(call),
            lambda call: (call.arg,) if call.f in ADDS else (),
            sees_the_past=True,
        ),
        looks=lambda call: call.f not in ADDS,
    ),
    "set": lambda initial: Semantics(
        lambda: Set(initial or ()),
        tokens(
            lambda call: (call.arg,),
            lambda call: (call.arg,) if call.f in ADDS | REMOVES else (),
        ),
        looks=lambda call: call.f not in ADDS | REMOVES,
    ),
    "queue": _container(Queue),
    "stack": _container(Stack),
    "priority-queue": _container(PriorityQueue),
}
