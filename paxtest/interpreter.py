"""Interpreter: asks the generator what to do next and hands it to free workers."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping

from paxtest.generator import PENDING, Context, Generator, Invocation
from paxtest.history import Journal
from paxtest.operation import Op, Type
from paxtest.workers import Worker

log = logging.getLogger("paxtest.interpreter")

POLL_S = 0.002  # how long a pending generator is left alone when nothing else happens


class Interpreter:
    """Runs a generator on workers (thread number -> Worker) until it is exhausted or stopped.

    One asyncio task an operation. The generator is asked again after every completion; an
    operation that lies in the future is waited for, and asked for anew if something completes
    before. Stopping ends the dispatching; what is outstanding ends by the workers' own deadline.
    """

    def __init__(
        self,
        generator: Generator,
        context: Context,
        workers: Mapping[int, Worker],
        journal: Journal,
    ) -> None:
        self._generator = generator
        self._context = context
        self._workers = workers
        self._journal = journal
        self._completed: deque[asyncio.Task[tuple[Invocation | Op, Op | Invocation]]] = deque()
        self._outstanding = 0
        self._wake: asyncio.Future[None] | None = None
        self._stopped = False

    @property
    def context(self) -> Context:
        return self._context

    def stop(self) -> None:
        """Dispatch nothing more; `run` returns once everything outstanding has completed."""
        self._stopped = True
        self._rouse()

    async def run(self) -> None:
        """Raises GeneratorError for a faulty generator, OSError when the journal cannot write."""
        try:
            while True:
                self._take_completions()
                pause_s = self._step()
                if pause_s is None:
                    if not self._outstanding:
                        return
                    await self._wait(None)
                elif pause_s > 0:
                    await self._wait(pause_s)
        finally:
            for worker in self._workers.values():
                await worker.close()

    def _step(self) -> float | None:
        """Dispatch one operation if one is due: seconds to wait, or None when exhausted."""
        if self._stopped:
            return None
        now = self._journal.now_ns()
        context = self._context.at(now)
        operation, after = self._generator.op(context)
        if operation is None:
            return None
        if operation is PENDING:
            self._generator = after  # a time limit over it has begun to count
            return POLL_S
        invocation = operation
        if invocation.time_ns > now:
            return (invocation.time_ns - now) / 1e9
        thread = context.bit_of(invocation.process)
        self._context = context.dispatched(invocation.process, now)
        self._generator = after.update(self._context, invocation)
        self._outstanding += 1
        task = asyncio.get_running_loop().create_task(self._perform(thread, invocation))
        task.add_done_callback(self._done)
        return 0.0

    async def _perform(
        self, thread: int, invocation: Invocation
    ) -> tuple[Invocation | Op, Op | Invocation]:
        if invocation.type == "sleep":
            await asyncio.sleep(float(invocation.value))
            return invocation, invocation.done(self._journal.now_ns())
        if invocation.type == "log":
            log.info("%s", invocation.value)
            return invocation, invocation.done(self._journal.now_ns())
        return await self._workers[thread].perform(
            int(invocation.process), invocation.f, invocation.key, invocation.value
        )

    def _done(self, task: asyncio.Task[tuple[Invocation | Op, Op | Invocation]]) -> None:
        self._completed.append(task)
        self._rouse()

    def _take_completions(self) -> None:
        while self._completed:
            _, event = self._completed.popleft().result()
            self._outstanding -= 1
            now = self._journal.now_ns()
            crashed = event.type is Type.INFO
            # The generator learns of the event in a context where the process is itself still.
            self._context = self._context.completed(event.process, now)
            self._generator = self._generator.update(self._context, event)
            if crashed:
                self._context = self._context.completed(event.process, now, crashed=True)

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _wait(self, timeout_s: float | None) -> None:
        if self._completed:
            return
        loop = asyncio.get_running_loop()
        self._wake = loop.create_future()
        timer = loop.call_later(timeout_s, self._rouse) if timeout_s is not None else None
        try:
            await self._wake
        finally:
            self._wake = None
            if timer is not None:
                timer.cancel()
