"""Interruption: the user wants a run to end before its time."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable
from typing import TypeVar

from paxtest.progress import Progress

T = TypeVar("T")


class Interrupted(Exception):
    """The user asked to stop before the load began."""


class Interruption:
    """Asked for with Ctrl-C or SIGTERM; asked for again, the process ends at once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._event = asyncio.Event()

    @property
    def asked(self) -> bool:
        return self._event.is_set()

    async def wait(self) -> None:
        await self._event.wait()

    def watch_signals(self) -> None:
        """Needs a running event loop."""
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signal_number, self._on_signal)

    def _on_signal(self) -> None:
        if self.asked:
            self._progress.note(
                "interrupted again: leaving at once; `paxtest cluster prune` removes what is left"
            )
            sys.stderr.flush()
            # Not sys.exit: the event loop may be in the middle of anything.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        self._event.set()
        self._progress.note(
            "interrupted: healing, collecting, tearing down; again to leave at once"
        )

    async def unless_asked(self, work: Awaitable[T]) -> T:
        """What `work` gives. Raises Interrupted, and cancels it, where that is asked for first."""
        task = asyncio.ensure_future(work)
        interruption = asyncio.ensure_future(self._event.wait())
        try:
            await asyncio.wait({task, interruption}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise Interrupted
        finally:
            interruption.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, interruption, return_exceptions=True)
