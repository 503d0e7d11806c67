"""Generators for many independent keys: sequential_generator, concurrent_generator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from paxtest.errors import GeneratorError
from paxtest.generator.base import (
    EXHAUSTED,
    INVOKE,
    PENDING,
    Event,
    Generator,
    Invocation,
    Step,
    _Cell,
    sequence,
)
from paxtest.generator.choose import replaced, rotated, soonest
from paxtest.generator.context import Context, bits
from paxtest.generator.transform import map_


def _with_key(key: Any, gen: Any) -> Generator:
    def set_key(op: Invocation) -> Invocation:
        if op.type != INVOKE:
            return op
        return Invocation(op.time_ns, op.process, op.f, key, op.value)

    return map_(set_key, gen)


def sequential_generator(keys: Iterable[Any], make: Callable[[Any], Any]) -> Generator:
    """`make(key)` for one key after the other, each to its end; its operations get the key."""
    return sequence(_with_key(key, make(key)) for key in keys)


class _Concurrent(Generator):
    __slots__ = ("_gens", "_make", "_masks", "_rest", "_size")

    def __init__(
        self,
        size: int,
        make: Callable[[Any], Any],
        rest: _Cell,
        masks: tuple[int, ...] = (),
        gens: tuple[Generator, ...] = (),
    ) -> None:
        self._size = size
        self._make = make
        self._rest = rest
        self._masks = masks
        self._gens = gens

    def _begin(self, ctx: Context) -> _Concurrent:
        threads = [bit for bit in bits(ctx.threads) if bit != ctx.concurrency]
        size, count = self._size, len(threads)
        if count < size or count % size:
            raise GeneratorError(
                f"{count} threads cannot be divided into groups of {size} for each key",
                f"use a concurrency that is a multiple of {size}",
            )
        masks = tuple(sum(1 << bit for bit in threads[i : i + size]) for i in range(0, count, size))
        gens: list[Generator] = []
        rest = self._rest
        for _ in masks:
            gen, rest = self._next_key(rest)
            gens.append(gen)
        return _Concurrent(size, self._make, rest, masks, tuple(gens))

    def _next_key(self, rest: _Cell) -> tuple[Generator, _Cell]:
        here = rest.read()
        if here is None:
            return EXHAUSTED, rest
        key, rest = here
        return _with_key(key, self._make(key)), rest

    def op(self, ctx: Context) -> Step:
        if not self._masks:
            return self._begin(ctx).op(ctx)
        gens, rest = self._gens, self._rest
        bit = ctx.only(~(1 << ctx.concurrency)).some_free_bit()
        if bit < 0:
            return PENDING, self
        start = next(i for i, mask in enumerate(self._masks) if mask >> bit & 1)
        inner = ctx.fork()
        while True:
            op, _, gens, ended = soonest(inner, gens, rotated(len(gens), start), self._masks)
            if not ended:
                break
            # Groups whose key is done get the next key, as long as there are any.
            fresh = False
            for i, gen in enumerate(gens):
                if gen is EXHAUSTED:
                    following, rest = self._next_key(rest)
                    fresh = fresh or following is not EXHAUSTED
                    gens = replaced(gens, i, following)
            if not fresh or (op is not None and op is not PENDING):
                break
        if op is None:
            return None, EXHAUSTED
        return op, _Concurrent(self._size, self._make, rest, self._masks, gens)

    def update(self, ctx: Context, event: Event) -> Generator:
        bit = ctx.bit_of(event.process)
        for index, mask in enumerate(self._masks):
            if mask >> bit & 1:
                after = self._gens[index].update(ctx.only(mask), event)
                gens = replaced(self._gens, index, after)
                if gens is self._gens:
                    return self
                return _Concurrent(self._size, self._make, self._rest, self._masks, gens)
        return self


def concurrent_generator(
    threads_per_key: int, keys: Iterable[Any], make: Callable[[Any], Any]
) -> Generator:
    """The clients' threads in groups of `threads_per_key`; each group runs `make(key)` for a key
    of its own and goes on to the next of `keys` when that is exhausted. Raises GeneratorError
    where the threads cannot be divided so."""
    return _Concurrent(threads_per_key, make, _Cell(iter(keys), threading.Lock()))
