"""Again: one deed over and over in the background, for as long as a fault holds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable


class Again:
    """`deed`, and again after each of the pauses that `pause_s` tells, in seconds."""

    def __init__(self, deed: Callable[[], Awaitable[None]], pause_s: Callable[[], float]) -> None:
        self._deed = deed
        self._pause_s = pause_s
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """The first time is over when this returns. Raises what the deed raises."""
        await self._deed()
        self._task = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s())
            await self._deed()

    async def end(self) -> None:
        """No more of it; may come twice. Raises what ended it before its time."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
