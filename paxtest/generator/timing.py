"""Combinators about time and order: stagger, delay, sleep, synchronize, phases, then."""

from __future__ import annotations

from typing import Any

from paxtest.generator.base import (
    EXHAUSTED,
    PENDING,
    SLEEP,
    Event,
    Generator,
    One,
    Step,
    lift,
    sequence,
)
from paxtest.generator.context import Context

SECOND_NS = 1_000_000_000

CATCH_UP_NS = 50_000_000
"""How far `stagger` may lag behind its own schedule before it gives up the lost time. Without any
catching up, every late answer of a busy event loop would lower the rate for good; with too much,
a stall would end in a burst."""


class _Stagger(Generator):
    __slots__ = ("_gen", "_next_ns", "_span_ns")

    def __init__(self, span_ns: int, gen: Generator, next_ns: int | None) -> None:
        self._span_ns = span_ns
        self._gen = gen
        self._next_ns = next_ns

    def op(self, ctx: Context) -> Step:
        op, after = self._gen.op(ctx.fork())
        if op is None:
            return None, EXHAUSTED
        next_ns = ctx.time_ns if self._next_ns is None else self._next_ns
        if op is PENDING:
            return PENDING, _Stagger(self._span_ns, after, next_ns)
        earliest_ns = op.time_ns
        if next_ns > earliest_ns:
            op = op.at(next_ns)
        elif next_ns < earliest_ns - CATCH_UP_NS:
            next_ns = earliest_ns - CATCH_UP_NS
        next_ns += int(self._span_ns * ctx.uniform())
        return op, _Stagger(self._span_ns, after, next_ns)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Stagger(self._span_ns, after, self._next_ns)


def stagger(mean_s: float, gen: Any) -> Generator:
    """`gen` with pauses drawn uniformly from 0 to 2 * mean_s between operations, over all
    threads together: stagger(0.01, gen) is about 100 operations a second. The first goes
    at once."""
    return _Stagger(int(2 * mean_s * SECOND_NS), lift(gen), None)


class _Delay(Generator):
    __slots__ = ("_delay_ns", "_gen", "_next_ns")

    def __init__(self, delay_ns: int, gen: Generator, next_ns: int | None) -> None:
        self._delay_ns = delay_ns
        self._gen = gen
        self._next_ns = next_ns

    def op(self, ctx: Context) -> Step:
        op, after = self._gen.op(ctx)
        if op is None:
            return None, EXHAUSTED
        if op is PENDING:
            return PENDING, self if after is self._gen else _Delay(
                self._delay_ns, after, self._next_ns
            )
        if self._next_ns is not None and self._next_ns > op.time_ns:
            op = op.at(self._next_ns)
        return op, _Delay(self._delay_ns, after, op.time_ns + self._delay_ns)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Delay(self._delay_ns, after, self._next_ns)


def delay(seconds: float, gen: Any) -> Generator:
    """`gen` with `seconds` between operations (more where it has none ready). The first goes at
    once."""
    return _Delay(int(seconds * SECOND_NS), lift(gen), None)


def sleep(seconds: float) -> Generator:
    """One process does nothing for `seconds`; the others go on with whatever comes next."""
    return One("sleep", None, seconds, type=SLEEP)


class _Synchronize(Generator):
    __slots__ = ("_gen",)

    def __init__(self, gen: Generator) -> None:
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        return self._gen.op(ctx) if ctx.free == ctx.threads else (PENDING, self)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Synchronize(after)


def synchronize(gen: Any) -> Generator:
    """`gen`, begun only when every thread it can see is idle. A thread whose process crashed is
    idle: its next process waits for work."""
    return _Synchronize(lift(gen))


def phases(*gens: Any) -> Generator:
    """Each generator in turn, each begun only when all threads are idle."""
    return sequence(synchronize(gen) for gen in gens)


def then(second: Any, first: Any) -> Generator:
    """`first`, then, when all threads are idle, `second`: the order of a pipeline's last step."""
    return sequence((first, synchronize(second)))
