"""Combinators that route to threads: on_threads, clients, nemesis, each_thread, each_process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from paxtest.generator.base import EXHAUSTED, PENDING, Event, Generator, Invocation, Step, lift
from paxtest.generator.choose import any_
from paxtest.generator.context import Context, Process, Thread, bits
from paxtest.operation import NEMESIS


class _OnThreads(Generator):
    __slots__ = ("_gen", "_masks", "_matches")

    def __init__(
        self, matches: Callable[[Thread], bool], gen: Generator, masks: dict[int, int]
    ) -> None:
        self._matches = matches
        self._gen = gen
        self._masks = masks  # by the threads of the context; a memo shared by all successors

    def _mask(self, ctx: Context) -> int:
        mask = self._masks.get(ctx.threads)
        if mask is None:
            chosen = (b for b in bits(ctx.threads) if self._matches(ctx.thread_name(b)))
            mask = self._masks[ctx.threads] = sum(1 << bit for bit in chosen)
        return mask

    def op(self, ctx: Context) -> Step:
        mask = self._mask(ctx)
        if not mask:  # no such thread here, and none will come
            return None, EXHAUSTED
        op, after = self._gen.op(ctx.only(mask))
        return op, self if after is self._gen else _OnThreads(self._matches, after, self._masks)

    def update(self, ctx: Context, event: Event) -> Generator:
        mask = self._mask(ctx)
        if not mask >> ctx.bit_of(event.process) & 1:
            return self
        after = self._gen.update(ctx.only(mask), event)
        return self if after is self._gen else _OnThreads(self._matches, after, self._masks)


def on_threads(threads: Callable[[Thread], bool] | Collection[Thread], gen: Any) -> Generator:
    """`gen` on the threads for which `threads` (a predicate or a collection) holds; it sees no
    others. A thread is a number or "nemesis". Exhausted where no thread matches."""
    matches = threads if callable(threads) else frozenset(threads).__contains__
    return _OnThreads(matches, lift(gen), {})


def _is_client(thread: Thread) -> bool:
    return thread != NEMESIS


def clients(gen: Any, nemesis_gen: Any = None) -> Generator:
    """`gen` on the clients' threads; with a second generator, that one on the nemesis."""
    mine = on_threads(_is_client, gen)
    return mine if nemesis_gen is None else any_(mine, nemesis(nemesis_gen))


def nemesis(gen: Any, client_gen: Any = None) -> Generator:
    """`gen` on the nemesis; with a second generator, that one on the clients' threads."""
    mine = on_threads((NEMESIS,), gen)
    return mine if client_gen is None else any_(mine, clients(client_gen))


class _Each(Generator):
    """A private copy of `_fresh` for each thread, or for each process."""

    __slots__ = ("_by_process", "_copies", "_fresh")

    def __init__(
        self, fresh: Generator, by_process: bool, copies: Mapping[Process, Generator]
    ) -> None:
        self._fresh = fresh
        self._by_process = by_process
        self._copies = copies

    def _owner(self, ctx: Context, bit: int) -> Process:
        return ctx.processes[bit] if self._by_process else bit

    def op(self, ctx: Context) -> Step:
        start = ctx.some_free_bit()
        if start < 0:
            return PENDING, self
        low = (1 << start) - 1
        inner = ctx.fork()
        best: Invocation | None = None
        best_owner: Process = -1
        best_after: Generator = EXHAUSTED
        kept: dict[Process, Generator] = {}
        pending = ctx.free != ctx.threads
        for part in (ctx.free & ~low, ctx.free & low):
            for bit in bits(part):
                owner = self._owner(ctx, bit)
                gen = self._copies.get(owner, self._fresh)
                if gen is EXHAUSTED:
                    continue
                op, after = gen.op(inner.only(1 << bit))
                if op is None:
                    kept[owner] = EXHAUSTED
                elif op is PENDING:
                    pending = True
                    kept[owner] = after
                elif best is None or op.time_ns < best.time_ns:
                    best, best_owner, best_after = op, owner, after
                    if op.time_ns <= ctx.time_ns:
                        break
            else:
                continue
            break
        if best is not None:
            kept[best_owner] = best_after
            return best, _Each(self._fresh, self._by_process, {**self._copies, **kept})
        if not pending:
            return None, EXHAUSTED
        return PENDING, _Each(self._fresh, self._by_process, {**self._copies, **kept})

    def update(self, ctx: Context, event: Event) -> Generator:
        bit = ctx.bit_of(event.process)
        if not ctx.threads >> bit & 1:
            return self
        owner: Process = event.process if self._by_process else bit
        gen = self._copies.get(owner, self._fresh)
        after = gen.update(ctx.only(1 << bit), event)
        if after is gen:
            return self
        return _Each(self._fresh, self._by_process, {**self._copies, owner: after})


def each_thread(gen: Any) -> Generator:
    """Every thread runs its own copy of `gen`, and its copy sees that thread only."""
    return _Each(lift(gen), False, {})


def each_process(gen: Any) -> Generator:
    """Every process runs its own copy of `gen`: the successor of a crashed process starts anew."""
    return _Each(lift(gen), True, {})
