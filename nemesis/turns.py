"""Turns: faults that need the ground for themselves wait for the others, and these for them.

The schedule keeps them apart; on a slow machine, where a fault outlives its time, this does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from paxtest.nemesis.fault import Mix

WAIT_S = 5.0
"""Longest wait; whatever is still in force then has to be borne."""


class Turns:
    def __init__(self) -> None:
        self._alone = 0
        self._others = 0
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def turn(self, mix: Mix) -> AsyncIterator[None]:
        """Entered when the faults of this mix may begin; left when the fault is over."""
        if mix.harmless:
            yield
            return
        if mix.alone:
            self._alone += 1
        else:
            await self._until(lambda: self._alone == 0)
            self._others += 1
        try:
            if mix.alone:
                await self._until(lambda: self._others == 0)
            yield
        finally:
            if mix.alone:
                self._alone -= 1
            else:
                self._others -= 1
            async with self._changed:
                self._changed.notify_all()

    async def _until(self, free: Callable[[], bool]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(free)
