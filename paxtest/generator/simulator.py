"""Drives a generator without a cluster: seeded, in virtual time, in one thread.

    from paxtest.generator import simulator
    history = simulator.run(gen, concurrency=3, seed=7, latency=simulator.imperfect())

Virtual time moves to the next completion or to the next operation that is due, as the runner's
clock would; latencies come from a model, so that a test says what it is about.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import msgspec

from paxtest.errors import GeneratorError
from paxtest.generator.base import INVOKE, PENDING, SLEEP, Event, Invocation, lift
from paxtest.generator.context import Context, scramble
from paxtest.operation import Op, Type

SECOND_NS = 1_000_000_000


class Outcome(msgspec.Struct, frozen=True):
    """How long an operation takes in the simulation, and how it ends."""

    latency_ns: int
    type: Type = Type.OK
    value: Any = None  # None: the invocation's
    error: tuple[str, str] | None = None


Latency = Callable[[Invocation, int], Outcome]
"""(invocation, 64 random bits) -> how it will end. May keep state, as a simulated system does."""


def perfect(latency_ns: int = 10) -> Latency:
    """Every operation is ok, and takes equally long."""
    return lambda invocation, random: Outcome(latency_ns)


def perfect_info(latency_ns: int = 10) -> Latency:
    """Every operation ends with an unknown outcome: each process crashes at once."""
    return lambda invocation, random: Outcome(latency_ns, Type.INFO)


def imperfect(latency_ns: int = 10) -> Latency:
    """In the order of dispatch: fail, info, ok, fail, info, ok, ..."""
    turns = itertools.cycle((Type.FAIL, Type.INFO, Type.OK))
    return lambda invocation, random: Outcome(latency_ns, next(turns))


def uniform(low_ns: int, high_ns: int, *, info: float = 0.0, fail: float = 0.0) -> Latency:
    """Latencies uniform in [low_ns, high_ns); fractions `info` and `fail` end as such."""

    def outcome(invocation: Invocation, random: int) -> Outcome:
        latency_ns = low_ns + ((random >> 32) * (high_ns - low_ns) >> 32)
        share = (random & 0xFFFFFFFF) / 2**32
        if share < info:
            return Outcome(latency_ns, Type.INFO)
        return Outcome(latency_ns, Type.FAIL if share < info + fail else Type.OK)

    return outcome


_IDLE_LIMIT = 10_000
_IDLE_NS = 1_000_000


def run(
    generator: Any,
    *,
    concurrency: int = 2,
    seed: int = 0,
    latency: Latency | None = None,
    nemesis: bool = True,
    limit: int = 100_000,
) -> list[Op]:
    """The history of `generator` over `concurrency` client threads and the nemesis.

    Stops after `limit` operations where the generator does not end itself; open operations are
    then completed. Sleep and log leave no events. Raises GeneratorError where the generator is
    pending for ten simulated seconds with nothing in flight.
    """
    outcome_of = latency or perfect()
    gen = lift(generator)
    ctx = Context.start(concurrency, seed, nemesis=nemesis)
    history: list[Op] = []
    open_: list[tuple[int, int, Invocation, Outcome | None]] = []
    dispatched = idle = 0
    while True:
        op = None
        if dispatched < limit:
            op, after = gen.op(ctx)
        if op is None and not open_:
            return history
        if op is not None and op is not PENDING and (not open_ or op.time_ns < open_[0][0]):
            idle = 0
            gen = after
            dispatched += 1
            outcome = _outcome(op, outcome_of, scramble(ctx.seed ^ seed))
            ctx = ctx.dispatched(op.process, max(ctx.time_ns, op.time_ns))
            event: Event = op
            if op.type == INVOKE:
                event = op.to_op(len(history), ctx.time_ns)
                history.append(event)
            ends_ns = ctx.time_ns + (
                outcome.latency_ns
                if outcome
                else int(op.value * SECOND_NS)
                if op.type == SLEEP
                else 0
            )
            heapq.heappush(open_, (ends_ns, dispatched, op, outcome))
            gen = gen.update(ctx, event)
            continue
        if op is PENDING:
            gen = after
        if not open_:
            idle += 1
            if idle > _IDLE_LIMIT:
                raise GeneratorError(
                    f"pending for {_IDLE_LIMIT} ms of simulated time with nothing in flight",
                    "a barrier or promise waits for what never happens",
                )
            ctx = ctx.at(ctx.time_ns + _IDLE_NS)
            continue
        time_ns, _, invocation, ended = heapq.heappop(open_)
        crashed = ended is not None and ended.type is Type.INFO
        time_ns = max(time_ns, ctx.time_ns)
        ctx = ctx.completed(invocation.process, time_ns, crashed=crashed)
        gen = gen.update(ctx, _completion(invocation, ended, time_ns, history))


def _outcome(op: Invocation, outcome_of: Latency, random: int) -> Outcome | None:
    return outcome_of(op, random) if op.type == INVOKE else None


def _completion(
    invocation: Invocation, outcome: Outcome | None, time_ns: int, history: list[Op]
) -> Event:
    if outcome is None:
        return invocation.done(time_ns)
    value = invocation.value if outcome.value is None else outcome.value
    event = Op(
        len(history),
        time_ns,
        invocation.process,
        outcome.type,
        invocation.f,
        invocation.key,
        value,
        outcome.error,
    )
    history.append(event)
    return event


def invocations(history: list[Op]) -> list[Op]:
    return [op for op in history if op.type is Type.INVOKE]
