"""Combinators that bound: limit, once, repeat, cycle, time_limit, process_limit, ..., until_ok."""

from __future__ import annotations

from typing import Any

from paxtest.errors import GeneratorError
from paxtest.generator.base import (
    EXHAUSTED,
    PENDING,
    Event,
    Generator,
    Step,
    is_dispatch,
    lift,
)
from paxtest.generator.context import Context, Process, bits
from paxtest.operation import Type

SECOND_NS = 1_000_000_000


class _Limit(Generator):
    __slots__ = ("_gen", "_left")

    def __init__(self, left: int, gen: Generator) -> None:
        self._left = left
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        if self._left <= 0:
            return None, EXHAUSTED
        op, after = self._gen.op(ctx)
        if op is None:
            return None, EXHAUSTED
        return op, _Limit(self._left - (op is not PENDING), after)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Limit(self._left, after)


def limit(count: int, gen: Any) -> Generator:
    """At most `count` operations of `gen`."""
    return _Limit(count, lift(gen))


def once(gen: Any) -> Generator:
    """One operation of `gen`."""
    return _Limit(1, lift(gen))


class _Repeat(Generator):
    __slots__ = ("_gen", "_left")

    def __init__(self, left: int, gen: Generator) -> None:
        self._left = left  # negative: for ever
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        if self._left == 0:
            return None, EXHAUSTED
        op, _ = self._gen.op(ctx)
        if op is None:
            return None, EXHAUSTED
        if op is PENDING or self._left < 0:
            return op, self
        return op, _Repeat(self._left - 1, self._gen)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Repeat(self._left, after)


def _count_and_gen(name: str, args: tuple[Any, ...]) -> tuple[int, Generator]:
    if len(args) == 1:
        return -1, lift(args[0])
    if len(args) == 2 and isinstance(args[0], int) and args[0] >= 0:
        return args[0], lift(args[1])
    raise GeneratorError(
        f"{name} wants a generator, or a number >= 0 and a generator; it got {args!r}",
        f"write {name}(gen) or {name}(3, gen)",
    )


def repeat(*args: Any) -> Generator:
    """repeat(gen) or repeat(count, gen): the same state of `gen` asked again and again, so a
    dict is emitted over and over. Events do reach `gen`."""
    return _Repeat(*_count_and_gen("repeat", args))


class _Cycle(Generator):
    __slots__ = ("_current", "_fresh", "_left")

    def __init__(self, left: int, fresh: Generator, current: Generator) -> None:
        self._left = left  # runs to go after the current one; negative: for ever
        self._fresh = fresh
        self._current = current

    def op(self, ctx: Context) -> Step:
        op, after = self._current.op(ctx)
        if op is not None:
            return op, _Cycle(self._left, self._fresh, after)
        if self._left == 0:
            return None, EXHAUSTED
        op, after = self._fresh.op(ctx)
        if op is None:  # it emits nothing from the start: no sense in going round
            return None, EXHAUSTED
        return op, _Cycle(self._left - 1, self._fresh, after)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._current.update(ctx, event)
        return self if after is self._current else _Cycle(self._left, self._fresh, after)


def cycle(*args: Any) -> Generator:
    """cycle(gen) or cycle(count, gen): `gen` to its end, then again from its beginning."""
    count, gen = _count_and_gen("cycle", args)
    return EXHAUSTED if count == 0 else _Cycle(count if count < 0 else count - 1, gen, gen)


class _TimeLimit(Generator):
    __slots__ = ("_cutoff_ns", "_gen", "_limit_ns")

    def __init__(self, limit_ns: int, cutoff_ns: int | None, gen: Generator) -> None:
        self._limit_ns = limit_ns
        self._cutoff_ns = cutoff_ns
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        cutoff_ns = self._cutoff_ns
        if cutoff_ns is None:
            cutoff_ns = ctx.time_ns + self._limit_ns
        if ctx.time_ns >= cutoff_ns:
            return None, EXHAUSTED
        op, after = self._gen.op(ctx)
        if op is None or (op is not PENDING and op.time_ns >= cutoff_ns):
            return None, EXHAUSTED
        if after is self._gen and cutoff_ns == self._cutoff_ns:
            return op, self
        return op, _TimeLimit(self._limit_ns, cutoff_ns, after)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _TimeLimit(self._limit_ns, self._cutoff_ns, after)


def time_limit(seconds: float, gen: Any) -> Generator:
    """`gen` for `seconds` from the first question on; ends even if `gen` is pending then."""
    return _TimeLimit(int(seconds * SECOND_NS), None, lift(gen))


class _ProcessLimit(Generator):
    __slots__ = ("_count", "_gen", "_known", "_seen")

    def __init__(
        self,
        count: int,
        gen: Generator,
        seen: frozenset[Process] = frozenset(),
        known: tuple[Process, ...] = (),
    ) -> None:
        self._count = count
        self._gen = gen
        self._seen = seen
        self._known = known  # the processes `seen` already covers

    def op(self, ctx: Context) -> Step:
        op, after = self._gen.op(ctx)
        if op is None:
            return None, EXHAUSTED
        seen = self._seen
        if op is not PENDING and ctx.processes is not self._known:
            seen = seen.union(ctx.processes[bit] for bit in bits(ctx.threads))
            if len(seen) > self._count:
                return None, EXHAUSTED
        known = self._known if op is PENDING else ctx.processes
        return op, _ProcessLimit(self._count, after, seen, known)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        if after is self._gen:
            return self
        return _ProcessLimit(self._count, after, self._seen, self._known)


def process_limit(count: int, gen: Any) -> Generator:
    """`gen` until more than `count` distinct processes could have run it. Each crash makes a new
    process, so this bounds how many operations of unknown outcome `gen` can leave behind."""
    return _ProcessLimit(count, lift(gen))


class _ConcurrencyLimit(Generator):
    __slots__ = ("_count", "_gen", "_open")

    def __init__(self, count: int, gen: Generator, open_: int = 0) -> None:
        self._count = count
        self._gen = gen
        self._open = open_  # threads with an operation of ours in flight, as bits

    def op(self, ctx: Context) -> Step:
        if self._open.bit_count() >= self._count:
            return PENDING, self
        op, after = self._gen.op(ctx)
        if op is None:
            return None, EXHAUSTED
        open_ = self._open
        if op is not PENDING:
            open_ |= 1 << ctx.bit_of(op.process)
        elif after is self._gen:
            return PENDING, self
        return op, _ConcurrencyLimit(self._count, after, open_)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        open_ = self._open
        if not is_dispatch(event):
            open_ &= ~(1 << ctx.bit_of(event.process))
        if after is self._gen and open_ == self._open:
            return self
        return _ConcurrencyLimit(self._count, after, open_)


def concurrency_limit(count: int, gen: Any) -> Generator:
    """At most `count` operations of `gen` in flight at a time."""
    return _ConcurrencyLimit(count, lift(gen))


class _UntilOk(Generator):
    __slots__ = ("_gen", "_open")

    def __init__(self, gen: Generator, open_: int = 0) -> None:
        self._gen = gen
        self._open = open_  # threads with an operation of ours in flight, as bits

    def op(self, ctx: Context) -> Step:
        op, after = self._gen.op(ctx)
        if op is None:
            return None, EXHAUSTED
        if op is PENDING:
            return PENDING, self if after is self._gen else _UntilOk(after, self._open)
        return op, _UntilOk(after, self._open | 1 << ctx.bit_of(op.process))

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        open_ = self._open
        bit = 1 << ctx.bit_of(event.process)
        if open_ & bit and not is_dispatch(event):
            if event.type == Type.OK:
                return EXHAUSTED
            open_ &= ~bit
        if after is self._gen and open_ == self._open:
            return self
        return _UntilOk(after, open_)


def until_ok(gen: Any) -> Generator:
    """`gen` until one of its operations has ended as ok."""
    return _UntilOk(lift(gen))
