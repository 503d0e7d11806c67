"""Again: one deed over and over in the background, for as long as a fault holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Again:
    """`deed`, and again after each of the pauses that `pause_s` tells, in seconds."""

    def __init__(self, deed: Callable[[], Awaitable[None]], pause_s: Callable[[], float]) -> None:
        self._deed = deed
        self._pause_s = pause_s
        self._over = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """The first time is over when this returns. Raises what the deed raises."""
        await self._deed()
        self._task = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._over.wait()
                    return
            except TimeoutError:
                await self._deed()

    async def end(self) -> None:
        """No more of it, and what is under way is over; may come twice. Raises what ended it
        before its time."""
        self._over.set()
        task, self._task = self._task, None
        if task is not None:
            await task
