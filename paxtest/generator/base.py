"""The generator protocol, and what plain values mean as generators.

A generator is an immutable value with two methods:

- `op(ctx)` -> (operation, generator'): the next operation and the generator after it; or
  (PENDING, generator'): none now, go on with generator' and ask again after an event or a moment
  later; or (None, anything): exhausted for good. An operation may lie in the future (`time_ns`):
  whoever asked waits, and asks the same generator again if something happens before; the
  generator that came with an operation is kept only when that operation is really dispatched.
- `update(ctx, event)` -> generator': something was dispatched or completed.

Plain values are generators, as in Jepsen: None (exhausted), a dict or Invocation (one operation),
a sequence or iterator (each in turn), a function (called again and again), a Promise (pending
until delivered). `lift` turns each into a Generator.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

import msgspec

from paxtest.errors import GeneratorError
from paxtest.generator.context import Context, Process
from paxtest.operation import Op, Type

INVOKE = "invoke"
SLEEP = "sleep"
LOG = "log"
DONE_SLEEPING = "done"
"""The `type` of the event that ends a sleep or a log message: neither is part of a history."""


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """An operation that shall be dispatched to `process`, not before `time_ns` of the run.

    `type` is "invoke"; or "sleep": keep the process busy for `value` seconds; or "log": write
    the message `value`. Sleep and log are never journaled; the event that ends one is `done()`.
    """

    time_ns: int
    process: Process
    f: str
    key: Any = None
    value: Any = None
    type: str = INVOKE

    def to_op(self, index: int, time_ns: int, node: str | None = None) -> Op:
        """The history's event, stamped by the worker."""
        return Op(
            index, time_ns, self.process, Type.INVOKE, self.f, self.key, self.value, None, node
        )

    def done(self, time_ns: int) -> Invocation:
        """The event that ends a sleep or a log message."""
        return Invocation(time_ns, self.process, self.f, self.key, self.value, DONE_SLEEPING)

    def at(self, time_ns: int) -> Invocation:
        return Invocation(time_ns, self.process, self.f, self.key, self.value, self.type)


Event = Op | Invocation
"""What `update` is told: an Invocation (or `invoke` Op) when dispatched; an ok, fail or info Op,
or `Invocation.done()`, when completed."""

_DISPATCHES = frozenset({INVOKE, SLEEP, LOG})


def is_dispatch(event: Event) -> bool:
    return event.type in _DISPATCHES


class Pending(Enum):
    """The type of PENDING."""

    PENDING = "pending"


PENDING: Final = Pending.PENDING


class Generator:
    """Base of all generators."""

    __slots__ = ()

    def op(self, ctx: Context) -> tuple[Invocation | Pending | None, Generator]:
        raise NotImplementedError

    def update(self, ctx: Context, event: Event) -> Generator:
        return self


Step = tuple[Invocation | Pending | None, Generator]
"""What `op` returns."""


class Exhausted(Generator):
    """Nothing, ever."""

    __slots__ = ()

    def op(self, ctx: Context) -> Step:
        return None, self


EXHAUSTED: Final = Exhausted()


class One(Generator):
    """One operation, by any free process unless it names one."""

    __slots__ = ("f", "key", "process", "time_ns", "type", "value")

    def __init__(
        self,
        f: str,
        key: Any = None,
        value: Any = None,
        process: Process | None = None,
        time_ns: int | None = None,
        type: str = INVOKE,
    ) -> None:
        self.f = f
        self.key = key
        self.value = value
        self.process = process
        self.time_ns = time_ns
        self.type = type

    def op(self, ctx: Context) -> Step:
        process = self.process
        if process is None:
            process = ctx.some_free_process()
            if process is None:
                return PENDING, self
        elif not ctx.is_free(process):
            return PENDING, self
        time_ns = ctx.time_ns
        if self.time_ns is not None and self.time_ns > time_ns:
            time_ns = self.time_ns
        return Invocation(time_ns, process, self.f, self.key, self.value, self.type), EXHAUSTED


_FIELDS = frozenset({"f", "key", "value", "process", "time_ns", "type"})


def _one(template: Mapping[str, Any]) -> One:
    unknown = template.keys() - _FIELDS
    if unknown or not isinstance(template.get("f"), str):
        raise GeneratorError(
            f"not an operation: {dict(template)!r}",
            f"an operation is a dict with 'f' (a string) and at most {sorted(_FIELDS)}",
        )
    return One(**template)


class _Cell:
    """A memoised place in an iterator, so that generators over it stay values."""

    __slots__ = ("_iterator", "_lock", "_next", "_value")

    def __init__(self, iterator: Iterator[Any], lock: threading.Lock) -> None:
        self._iterator: Iterator[Any] | None = iterator
        self._lock = lock
        self._value: Any = None
        self._next: _Cell | None = None

    def read(self) -> tuple[Any, _Cell] | None:
        """(value here, the place after it), or None at the end."""
        with self._lock:
            if self._iterator is not None:
                iterator, self._iterator = self._iterator, None
                for self._value in iterator:
                    self._next = _Cell(iterator, self._lock)
                    break
        return None if self._next is None else (self._value, self._next)


_BARREN_LIMIT = 100_000


class Sequence(Generator):
    """Each generator in turn, to its end. Only the current one hears of events."""

    __slots__ = ("_current", "_rest")

    def __init__(self, current: Generator, rest: _Cell) -> None:
        self._current = current
        self._rest = rest

    def op(self, ctx: Context) -> Step:
        current, rest = self._current, self._rest
        for _ in range(_BARREN_LIMIT):
            op, after = current.op(ctx)
            if op is not None:
                return op, Sequence(after, rest)
            here = rest.read()
            if here is None:
                return None, EXHAUSTED
            current, rest = lift(here[0]), here[1]
        raise GeneratorError(
            f"a sequence held {_BARREN_LIMIT} generators in a row that emit nothing",
            "an endless sequence must emit operations; use None or a finite one to end it",
        )

    def update(self, ctx: Context, event: Event) -> Generator:
        current = self._current.update(ctx, event)
        return self if current is self._current else Sequence(current, self._rest)


def sequence(items: Iterable[Any]) -> Generator:
    """Each of `items` (anything that can be lifted) in turn. An iterator is read as needed."""
    return Sequence(EXHAUSTED, _Cell(iter(items), threading.Lock()))


class Function(Generator):
    """Calls `function` for a generator, runs that to its end, calls again; ends at None.

    It takes no argument or the context, and shall depend on nothing that changes.
    """

    __slots__ = ("_current", "_function", "_wants_context")

    def __init__(
        self, function: Callable[..., Any], wants_context: bool, current: Generator | None = None
    ) -> None:
        self._function = function
        self._wants_context = wants_context
        self._current = current

    def op(self, ctx: Context) -> Step:
        if not ctx.free:  # nothing could be emitted, so there is no need to call
            return PENDING, self
        inner = ctx.fork()
        current = self._current
        if current is not None:
            op, after = current.op(inner)
            if op is not None:
                return op, self._after(after)
        made = self._function(ctx) if self._wants_context else self._function()
        current = lift(made)
        op, after = current.op(inner)
        if op is None:
            return None, EXHAUSTED
        return op, self._after(after)

    def _after(self, after: Generator) -> Generator:
        kept = None if after is EXHAUSTED else after
        if kept is self._current:
            return self
        return Function(self._function, self._wants_context, kept)

    def update(self, ctx: Context, event: Event) -> Generator:
        if self._current is None:
            return self
        return self._after(self._current.update(ctx, event))


class Promise(Generator):
    """Pending until somebody delivers a generator; the one thing here that changes in place."""

    __slots__ = ("_delivered",)

    def __init__(self) -> None:
        self._delivered: Generator | None = None

    def deliver(self, generator: Any) -> None:
        """The first delivery counts."""
        if self._delivered is None:
            self._delivered = lift(generator)

    def op(self, ctx: Context) -> Step:
        return (PENDING, self) if self._delivered is None else self._delivered.op(ctx)

    def update(self, ctx: Context, event: Event) -> Generator:
        return self if self._delivered is None else self._delivered.update(ctx, event)


class _Lazy(Generator):
    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Generator | None = None

    def op(self, ctx: Context) -> Step:
        if self._made is None:
            self._made = lift(self._make())
        return self._made.op(ctx)


def lazy(make: Callable[[], Any]) -> Generator:
    """Clojure's `delay`: a generator made, once, when first asked for an operation."""
    return _Lazy(make)


def lift(value: Any) -> Generator:
    """Any value that stands for a generator, as one. Raises GeneratorError for others."""
    if isinstance(value, Generator):
        return value
    if value is None:
        return EXHAUSTED
    if isinstance(value, Mapping):
        return _one(value)
    if isinstance(value, Invocation):
        return One(value.f, value.key, value.value, value.process, value.time_ns, value.type)
    if callable(value):
        try:
            parameters = inspect.signature(value).parameters
        except ValueError:
            parameters = {}  # type: ignore[assignment]
        required = [
            p
            for p in parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        return Function(value, bool(required))
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return sequence(value)
    raise GeneratorError(
        f"not a generator: {value!r} ({type(value).__name__})",
        "use None, a dict with 'f', a sequence, a function, or something from paxtest.generator",
    )
