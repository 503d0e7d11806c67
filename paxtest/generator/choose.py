"""Combinators that choose: mix, any, shortest_any, flip_flop, cycle_times, reserve."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from paxtest.errors import GeneratorError
from paxtest.generator.base import (
    EXHAUSTED,
    PENDING,
    Event,
    Generator,
    Invocation,
    Pending,
    Step,
    lift,
)
from paxtest.generator.context import Context

SECOND_NS = 1_000_000_000
_NEXT_SALT = 3


def rotated(length: int, start: int) -> Iterable[int]:
    """start, start + 1, ... length - 1, 0, ... start - 1."""
    return (*range(start, length), *range(start)) if start else range(length)


def replaced(gens: tuple[Generator, ...], index: int, gen: Generator) -> tuple[Generator, ...]:
    """`gens` with one of them exchanged; `gens` itself where nothing changes."""
    if gens[index] is gen:
        return gens
    changed = list(gens)
    changed[index] = gen
    return tuple(changed)


def updated(gens: tuple[Generator, ...], ctx: Context, event: Event) -> tuple[Generator, ...]:
    """All of `gens` told of the event; `gens` itself where none of them cares."""
    after = [gen.update(ctx, event) for gen in gens]
    for old, new in zip(gens, after, strict=True):
        if old is not new:
            return tuple(after)
    return gens


def soonest(
    ctx: Context,
    gens: tuple[Generator, ...],
    order: Iterable[int],
    masks: Sequence[int] | None = None,
) -> tuple[Invocation | Pending | None, int, tuple[Generator, ...], bool]:
    """Ask `gens` in `order` for the earliest operation, stopping at one that is due now.

    `masks[i]`: the threads that generator i may use. Returns the operation (or PENDING, None), who
    gave it, the generators after it, and whether one of those asked is exhausted.
    A generator whose threads are all busy is taken as pending without being asked.
    """
    best: Invocation | None = None
    best_index = -1
    best_after: Generator = EXHAUSTED
    kept: list[Generator] | None = None
    pending = ended = False
    for index in order:
        gen = gens[index]
        if gen is EXHAUSTED:
            ended = True
            continue
        inner = ctx
        if masks is not None:
            inner = ctx.only(masks[index])
            if not inner.free:
                if inner.threads:
                    pending = True
                else:
                    ended = True
                continue
        op, after = gen.op(inner)
        if op is None:
            ended = True
            after = EXHAUSTED
        elif op is PENDING:
            pending = True
        elif best is None or op.time_ns < best.time_ns:
            best, best_index, best_after = op, index, after
            if op.time_ns <= ctx.time_ns:
                break
            continue
        else:
            continue
        if after is not gen:
            if kept is None:
                kept = list(gens)
            kept[index] = after
    if best is not None:
        if kept is not None:
            kept[best_index] = best_after
            return best, best_index, tuple(kept), ended
        return best, best_index, replaced(gens, best_index, best_after), ended
    after_all = gens if kept is None else tuple(kept)
    return (PENDING if pending else None), -1, after_all, ended


class _Mix(Generator):
    __slots__ = ("_gens", "_next")

    def __init__(self, gens: tuple[Generator, ...], chosen: int = -1) -> None:
        self._gens = gens
        self._next = chosen

    def op(self, ctx: Context) -> Step:
        gens, chosen = self._gens, self._next
        inner = ctx.fork()
        while gens:
            if chosen < 0:
                chosen = ctx.below(len(gens))
            op, after = gens[chosen].op(inner)
            if op is None:
                gens, chosen = gens[:chosen] + gens[chosen + 1 :], -1
                continue
            # The next choice is made at an emission only: were it made anew at each question,
            # a generator that is pending would be passed over, and the mix not uniform.
            following = chosen if op is PENDING else ctx.below(len(gens), _NEXT_SALT)
            gens = replaced(gens, chosen, after)
            if gens is self._gens and following == self._next:
                return op, self
            return op, _Mix(gens, following)
        return None, EXHAUSTED

    def update(self, ctx: Context, event: Event) -> Generator:
        gens = updated(self._gens, ctx, event)
        return self if gens is self._gens else _Mix(gens, self._next)


def mix(gens: Iterable[Any]) -> Generator:
    """Each operation from one of `gens`, uniformly at random. A generator listed twice is chosen
    twice as often; an exhausted one falls away."""
    return _Mix(tuple(lift(gen) for gen in gens))


class _Any(Generator):
    __slots__ = ("_gens", "_shortest")

    def __init__(self, gens: tuple[Generator, ...], shortest: bool) -> None:
        self._gens = gens
        self._shortest = shortest

    def op(self, ctx: Context) -> Step:
        gens = self._gens
        if not gens:
            return None, EXHAUSTED
        order: Iterable[int] = rotated(len(gens), ctx.below(len(gens)))
        if self._shortest and any(gen.op(ctx)[0] is None for gen in gens):
            return None, EXHAUSTED
        op, _, after, _ = soonest(ctx.fork(), gens, order)
        if op is None:
            return None, EXHAUSTED
        return op, self if after is gens else _Any(after, self._shortest)

    def update(self, ctx: Context, event: Event) -> Generator:
        gens = updated(self._gens, ctx, event)
        return self if gens is self._gens else _Any(gens, self._shortest)


def any_(*gens: Any) -> Generator:
    """Whichever of `gens` has an operation soonest (among equals: at random), until all are
    exhausted. All hear of all events."""
    return _Any(tuple(lift(gen) for gen in gens), False)


def shortest_any(*gens: Any) -> Generator:
    """As `any`, but ends as soon as one of `gens` is exhausted."""
    return _Any(tuple(lift(gen) for gen in gens), True)


class _FlipFlop(Generator):
    __slots__ = ("_first", "_second")

    def __init__(self, first: Generator, second: Generator) -> None:
        self._first = first
        self._second = second

    def op(self, ctx: Context) -> Step:
        op, after = self._first.op(ctx)
        if op is None:
            return None, EXHAUSTED
        if op is PENDING:
            return PENDING, _FlipFlop(after, self._second)
        return op, _FlipFlop(self._second, after)

    def update(self, ctx: Context, event: Event) -> Generator:
        first, second = self._first.update(ctx, event), self._second.update(ctx, event)
        if first is self._first and second is self._second:
            return self
        return _FlipFlop(first, second)


def flip_flop(first: Any, second: Any) -> Generator:
    """An operation of `first`, one of `second`, one of `first`, ... until one is exhausted."""
    return _FlipFlop(lift(first), lift(second))


class _CycleTimes(Generator):
    __slots__ = ("_ends_ns", "_gens", "_start_ns")

    def __init__(
        self, gens: tuple[Generator, ...], ends_ns: tuple[int, ...], start_ns: int | None
    ) -> None:
        self._gens = gens
        self._ends_ns = ends_ns  # of each window, from the beginning of a period
        self._start_ns = start_ns

    def op(self, ctx: Context) -> Step:
        start_ns = ctx.time_ns if self._start_ns is None else self._start_ns
        period_ns = self._ends_ns[-1]
        periods, elapsed_ns = divmod(ctx.time_ns - start_ns, period_ns)
        period_start_ns = start_ns + periods * period_ns
        index = next(i for i, end_ns in enumerate(self._ends_ns) if elapsed_ns < end_ns)
        asked = ctx
        while True:
            end_ns = period_start_ns + self._ends_ns[index]
            op, after = self._gens[index].op(asked)
            if op is None:
                return None, EXHAUSTED
            if op is PENDING or op.time_ns < end_ns:
                gens = replaced(self._gens, index, after)
                if gens is self._gens and start_ns == self._start_ns:
                    return op, self
                return op, _CycleTimes(gens, self._ends_ns, start_ns)
            # It falls behind this window: ask the next as if its own window had begun.
            asked = asked.at(end_ns)
            index += 1
            if index == len(self._gens):
                index = 0
                period_start_ns += period_ns

    def update(self, ctx: Context, event: Event) -> Generator:
        gens = updated(self._gens, ctx, event)
        return self if gens is self._gens else _CycleTimes(gens, self._ends_ns, self._start_ns)


def cycle_times(*schedule: Any) -> Generator:
    """cycle_times(5, a, 10, b): `a` for five seconds, `b` for ten, `a` again, ... from the first
    question on. Each keeps its state over the pauses. Ends when the current one is exhausted."""
    if len(schedule) % 2 or not schedule or not all(s > 0 for s in schedule[::2]):
        raise GeneratorError(
            f"cycle_times wants pairs of seconds and a generator, not {len(schedule)} arguments",
            "write cycle_times(5, first, 10, second)",
        )
    ends_ns: list[int] = []
    for seconds in schedule[::2]:
        ends_ns.append((ends_ns[-1] if ends_ns else 0) + int(seconds * SECOND_NS))
    return _CycleTimes(tuple(lift(gen) for gen in schedule[1::2]), tuple(ends_ns), None)


class _Reserve(Generator):
    __slots__ = ("_counts", "_gens", "_masks")

    def __init__(
        self,
        counts: tuple[int, ...],
        gens: tuple[Generator, ...],
        masks: dict[int, tuple[int, ...]],
    ) -> None:
        self._counts = counts
        self._gens = gens
        self._masks = masks  # by the threads of the context; a memo shared by all successors

    def _ranges(self, ctx: Context) -> tuple[int, ...]:
        found = self._masks.get(ctx.threads)
        if found is None:
            found = self._masks[ctx.threads] = self._divide(ctx)
        return found

    def _divide(self, ctx: Context) -> tuple[int, ...]:
        left = ctx.threads
        masks = []
        for count in self._counts:
            mask = 0
            for _ in range(count):
                if not left:
                    raise GeneratorError(
                        f"reserve wants {sum(self._counts)} threads, of which "
                        f"{ctx.threads.bit_count()} exist",
                        "raise the concurrency, or reserve fewer",
                    )
                low = left & -left
                mask |= low
                left ^= low
            masks.append(mask)
        return (*masks, left)

    def op(self, ctx: Context) -> Step:
        gens, masks = self._gens, self._ranges(ctx)
        bit = ctx.some_free_bit()
        if bit < 0:
            return PENDING, self
        start = next(i for i, mask in enumerate(masks) if mask >> bit & 1)
        op, _, after, _ = soonest(ctx.fork(), gens, rotated(len(gens), start), masks)
        if op is None:
            return None, EXHAUSTED
        return op, self if after is gens else _Reserve(self._counts, after, self._masks)

    def update(self, ctx: Context, event: Event) -> Generator:
        bit = ctx.bit_of(event.process)
        for index, mask in enumerate(self._ranges(ctx)):
            if mask >> bit & 1:
                after = self._gens[index].update(ctx, event)
                gens = replaced(self._gens, index, after)
                return self if gens is self._gens else _Reserve(self._counts, gens, self._masks)
        return self


def reserve(*schedule: Any) -> Generator:
    """reserve(5, a, 3, b, rest): the first five threads run `a`, the next three `b`, all others
    `rest`. Each hears only of its own threads."""
    counts, gens = schedule[:-1:2], schedule[1:-1:2]
    if len(schedule) % 2 == 0 or not all(isinstance(n, int) and n > 0 for n in counts):
        raise GeneratorError(
            "reserve wants pairs of a number of threads and a generator, then a generator for the "
            f"other threads; it got {len(schedule)} arguments",
            "write reserve(5, first, 3, second, rest)",
        )
    return _Reserve(tuple(counts), tuple(lift(gen) for gen in (*gens, schedule[-1])), {})
