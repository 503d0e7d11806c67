"""Load: the clients' part of a run, in this process, and in further ones where asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paxtest import generator as gen
from paxtest.generator import Context, Generator
from paxtest.history import Journal
from paxtest.interpreter import Interpreter
from paxtest.node import Node
from paxtest.plan import Plan
from paxtest.system import System
from paxtest.workers import Worker
from paxtest.workload import Workload


def bounded(plan: Plan, workload: Workload, share: float = 1.0) -> Generator:
    """The workload's generator within the plan's rate, number of operations and time.

    `share` is this load process's part of the rate and of the operations.
    """
    load = workload.generator()
    if plan.rate is not None:
        load = gen.stagger(1.0 / (plan.rate * share), load)
    if plan.ops is not None:
        load = gen.limit(max(1, round(plan.ops * share)), load)
    return gen.clients(gen.time_limit(plan.time_limit_s, load))


def workers(
    plan: Plan, system: System, nodes: Sequence[Node], journal: Journal, threads: Sequence[int]
) -> dict[int, Worker]:
    """A worker per thread; thread i talks to node i modulo n."""
    return {
        thread: Worker(
            thread, nodes[thread % len(nodes)], system.client, journal, plan.client_timeout_s
        )
        for thread in threads
    }


@dataclass
class Load:
    """A running load: how much is in flight, and the way to stop it."""

    interpreter: Interpreter
    workers: Mapping[int, Worker]

    @classmethod
    def of(
        cls,
        generator: Generator,
        context: Context,
        workers_: Mapping[int, Worker],
        journal: Journal,
    ) -> Load:
        return cls(Interpreter(generator, context, workers_, journal), workers_)

    def in_flight(self) -> int:
        """Operations invoked and not yet completed."""
        return sum(worker.busy_since_ns is not None for worker in self.workers.values())

    def counts(self) -> dict[str, int] | None:
        """None: whoever listens to the journal has counted."""
        return None

    def next_process(self) -> int:
        """A multiple of the concurrency above every process id used so far."""
        context = self.interpreter.context
        used = max((p for p in context.processes if isinstance(p, int)), default=0)
        return (used // context.concurrency + 1) * context.concurrency

    def stop(self) -> None:
        """Begin no further operation; `run` returns when those in flight have ended."""
        self.interpreter.stop()

    async def run(self, deadline_s: float) -> bool:
        """Run to the end; False when the deadline cut it short (open operations stay open)."""
        task = asyncio.create_task(self.interpreter.run())
        done, _ = await asyncio.wait({task}, timeout=deadline_s)
        if done:
            task.result()
            return True
        self.interpreter.stop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return False
