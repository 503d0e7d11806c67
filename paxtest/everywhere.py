"""What a run does on all nodes at once: acting with a deadline, waiting until they serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from paxtest.errors import NodeNotReady
from paxtest.system import System

POLL_S = 0.1


async def together(
    action: Callable[[str], Awaitable[None]], nodes: Sequence[str], timeout_s: float, name: str
) -> None:
    """Do something on all nodes at once. Raises NodeNotReady naming those that took too long."""
    tasks = {node: asyncio.ensure_future(action(node)) for node in nodes}
    done, late = await asyncio.wait(tasks.values(), timeout=timeout_s)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in done:
        task.result()
    if late:
        slow = [node for node, task in tasks.items() if task in late]
        raise NodeNotReady(
            f"{name} took longer than {timeout_s:g} s on {', '.join(slow)}",
            "raise ready_timeout_s in the plan, or look at the nodes' logs in the run directory",
        )


async def ready(system: System, nodes: Sequence[str], timeout_s: float) -> None:
    """Wait until every node serves. Raises NodeNotReady naming those that do not."""
    deadline = time.monotonic() + timeout_s
    waiting = list(nodes)
    while waiting:
        answers = await asyncio.gather(*(system.is_ready(node) for node in waiting))
        waiting = [node for node, is_ready in zip(waiting, answers, strict=True) if not is_ready]
        if not waiting:
            return
        if time.monotonic() >= deadline:
            raise NodeNotReady(
                f"{', '.join(waiting)} did not become ready within {timeout_s:g} s",
                "the nodes' logs are in the run directory under nodes/; "
                "`--set ready_timeout_s=...` waits longer",
            )
        await asyncio.sleep(POLL_S)
