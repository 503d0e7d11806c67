"""A load over many independent keys: which key, which function, which value, when to retire.

The load keeps a few keys active at a time and sends each operation to one of them at random, from
every thread: clients of all nodes meet on every key, which is where replicas disagree. After
`ops_per_key` operations a key is retired and a fresh one takes its place, so that the history of
each stays short enough to be checked by any algorithm.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from paxtest.generator import PENDING, Context, Event, Generator, Invocation, Step, is_dispatch
from paxtest.operation import Type

_FUNCTION_SALT = 11
READ = -1.0


class Functions(Protocol):
    """What is done to a key. `memory` is whatever the functions want to remember of it."""

    def choose(self, memory: Any, value: int, draw: float) -> tuple[str, Any, bool]:
        """(f, value of the invocation, was the unique `value` used?) by `draw` in [0, 1), or a
        read where `draw` is READ, which is less than any share of reads."""

    def remember(self, memory: Any, event: Event) -> Any:
        """The memory after an ok completion; begins as None."""


class ActiveKey(msgspec.Struct, frozen=True, gc=False):
    number: int
    issued: int = 0
    memory: Any = None


class Ledger:
    """How many keys a load has opened so far: what the final reads have to look at.

    The one thing that outlives the immutable load; it only ever grows.
    """

    def __init__(self) -> None:
        self.opened = 0

    def note(self, opened: int) -> None:
        self.opened = max(self.opened, opened)


class KeyNames(msgspec.Struct, frozen=True):
    """Keys are numbers, or with a prefix (for systems that keep data between runs) strings."""

    prefix: str = ""

    def name(self, number: int) -> int | str:
        return f"{self.prefix}{number}" if self.prefix else number


class KeyedLoad(Generator):
    """The generator described above. Values are first_value, + stride, + 2 stride, ..."""

    __slots__ = (
        "_active", "_functions", "_ledger", "_names", "_next", "_ops", "_readers", "_stride",
        "_value",
    )  # fmt: skip

    def __init__(
        self,
        functions: Functions,
        active: tuple[ActiveKey, ...],
        next_number: int,
        next_value: int,
        *,
        stride: int,
        ops_per_key: int,
        readers: int,
        names: KeyNames,
        ledger: Ledger,
    ) -> None:
        self._functions = functions
        self._active = active
        self._next = next_number
        self._value = next_value
        self._stride = stride
        self._ops = ops_per_key
        self._readers = readers
        self._names = names
        self._ledger = ledger

    def op(self, ctx: Context) -> Step:
        process = ctx.some_free_process()
        if process is None:
            return PENDING, self
        slot = ctx.below(len(self._active))
        key = self._active[slot]
        reads_only = ctx.bit_of(process) >= ctx.concurrency - self._readers
        draw = READ if reads_only else ctx.uniform(_FUNCTION_SALT)
        f, value, used = self._functions.choose(key.memory, self._value, draw)
        number = self._next
        if key.issued + 1 >= self._ops:
            after = ActiveKey(number)
            number += 1
        else:
            after = ActiveKey(key.number, key.issued + 1, key.memory)
        invocation = Invocation(ctx.time_ns, process, f, self._names.name(key.number), value)
        next_value = self._value + self._stride if used else self._value
        return invocation, self._with(slot, after, number, next_value)

    def _with(self, slot: int, key: ActiveKey, next_number: int, next_value: int) -> KeyedLoad:
        active = self._active
        return KeyedLoad(
            self._functions,
            (*active[:slot], key, *active[slot + 1 :]),
            next_number,
            next_value,
            stride=self._stride,
            ops_per_key=self._ops,
            readers=self._readers,
            names=self._names,
            ledger=self._ledger,
        )

    def update(self, ctx: Context, event: Event) -> Generator:
        if is_dispatch(event):
            self._ledger.note(self._next)
            return self
        if event.type != Type.OK:
            return self
        for slot, key in enumerate(self._active):
            if self._names.name(key.number) == event.key:
                memory = self._functions.remember(key.memory, event)
                if memory is key.memory:
                    return self
                return self._with(
                    slot, ActiveKey(key.number, key.issued, memory), self._next, self._value
                )
        return self


def keyed_load(
    functions: Functions,
    *,
    keys: int,
    ops_per_key: int,
    readers: int = 0,
    names: KeyNames,
    ledger: Ledger,
    load_process: tuple[int, int] = (0, 1),
) -> KeyedLoad:
    """A fresh load over `keys` active keys.

    The last `readers` threads only read. `load_process` (i, n): all n processes share the keys
    (contention) but never a value.
    """
    number, count = load_process
    active = tuple(ActiveKey(i) for i in range(keys))
    return KeyedLoad(
        functions,
        active,
        keys,
        1 + number,
        stride=count,
        ops_per_key=ops_per_key,
        readers=readers,
        names=names,
        ledger=ledger,
    )
