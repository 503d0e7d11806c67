"""Combinators that rewrite, drop or react: map, f_map, filter, on_update, concat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from paxtest.errors import GeneratorError
from paxtest.generator.base import PENDING, Event, Generator, Invocation, Step, lift, sequence
from paxtest.generator.context import Context


class _Map(Generator):
    __slots__ = ("_function", "_gen")

    def __init__(self, function: Callable[[Invocation], Invocation], gen: Generator) -> None:
        self._function = function
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        op, after = self._gen.op(ctx)
        if op is not None and op is not PENDING:
            op = self._function(op)
        return op, self if after is self._gen else _Map(self._function, after)

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Map(self._function, after)


def map_(function: Callable[[Invocation], Invocation], gen: Any) -> Generator:
    """Every operation of `gen`, rewritten by `function`."""
    return _Map(function, lift(gen))


def f_map(names: Mapping[str, str], gen: Any) -> Generator:
    """Rename functions: an operation's `f` becomes `names[f]`; others stay."""
    table = dict(names)

    def rename(op: Invocation) -> Invocation:
        return msgspec.structs.replace(op, f=table.get(op.f, op.f))

    return _Map(rename, lift(gen))


_DROP_LIMIT = 100_000


class _Filter(Generator):
    __slots__ = ("_gen", "_keep")

    def __init__(self, keep: Callable[[Invocation], bool], gen: Generator) -> None:
        self._keep = keep
        self._gen = gen

    def op(self, ctx: Context) -> Step:
        gen = self._gen
        for _ in range(_DROP_LIMIT):
            op, gen = gen.op(ctx)
            if op is None or op is PENDING or self._keep(op):
                return op, _Filter(self._keep, gen)
            ctx = ctx.fork()  # or a random generator would offer the same operation for ever
        raise GeneratorError(
            f"a filter dropped {_DROP_LIMIT} operations in a row",
            "its predicate is never true for what the generator below emits",
        )

    def update(self, ctx: Context, event: Event) -> Generator:
        after = self._gen.update(ctx, event)
        return self if after is self._gen else _Filter(self._keep, after)


def filter_(keep: Callable[[Invocation], bool], gen: Any) -> Generator:
    """Only the operations for which `keep` is true; the others are never dispatched."""
    return _Filter(keep, lift(gen))


class OnUpdate(Generator):
    """See `on_update`. `gen` is the generator below."""

    __slots__ = ("function", "gen")

    def __init__(self, function: Callable[[OnUpdate, Context, Event], Any], gen: Generator) -> None:
        self.function = function
        self.gen = gen

    def op(self, ctx: Context) -> Step:
        op, after = self.gen.op(ctx)
        return op, self if after is self.gen else OnUpdate(self.function, after)

    def update(self, ctx: Context, event: Event) -> Generator:
        return lift(self.function(self, ctx, event))


def on_update(function: Callable[[OnUpdate, Context, Event], Any], gen: Any) -> Generator:
    """`gen`, but each event goes to `function(this, ctx, event)`, whose result is the generator
    from then on: `this` to go on, `this.gen.update(ctx, event)` to pass the event down."""
    return OnUpdate(function, lift(gen))


def concat(*gens: Any) -> Generator:
    """Each generator in turn, to its end, without a barrier between."""
    return sequence(gens)
