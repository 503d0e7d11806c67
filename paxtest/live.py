"""LiveCheck: counts and the verdict so far, beside a run that goes on."""

from __future__ import annotations

import asyncio
from typing import Protocol

from paxtest.operation import NEMESIS, Op, Type
from paxtest.verdict import Verdict

STEP_BUDGET_S = 1.0  # a model that needs the search may fall behind; the final check decides then


class _Counts(Protocol):
    def counts(self) -> dict[str, int] | None: ...


class LiveCheck:
    """Collects events in the loop's thread and feeds them to the streaming checker in another."""

    def __init__(self, model: str) -> None:
        from paxtest.checkers.linearizable import Live

        self.stop = False
        self._checker = Live(model, STEP_BUDGET_S)
        self._events: list[Op] = []
        self._counts = {Type.INVOKE: 0, Type.OK: 0, Type.FAIL: 0, Type.INFO: 0}

    @property
    def verdict(self) -> Verdict:
        return self._checker.verdict

    @property
    def invalid(self) -> bool:
        return self._checker.verdict is Verdict.INVALID

    @property
    def first_violation_ns(self) -> int | None:
        """The run's time at which the history became impossible; None as long as it has not."""
        return self._checker.first_violation_ns

    def feed(self, op: Op) -> None:
        """Take an event; cheap, for the loop's thread."""
        if op.process != NEMESIS:
            self._counts[op.type] += 1
            self._events.append(op)

    async def check(self) -> None:
        """Check what has come since the last call, unless the verdict is out already."""
        events, self._events = self._events, []
        if events and self.verdict is Verdict.VALID:
            await asyncio.to_thread(self._checker.feed, events)

    async def close(self) -> None:
        await self.check()

    def words(self, load: _Counts | None) -> str:
        """Operations so far and how they ended, in words."""
        counts = load.counts() if load is not None else None
        if counts is None:
            counts = {str(k): v for k, v in self._counts.items()}
        return (
            f"{counts['invoke']:,} operations ({counts['ok']:,} ok, {counts['fail']:,} fail, "
            f"{counts['info']:,} info)"
        )
