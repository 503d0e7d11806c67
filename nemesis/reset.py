"""Resets: connections that end while messages are under way on them.

A cut loses nothing that TCP does not send again in its order. Only where connections end is one
message lost and the next one not: so it is with firewalls and balancers that restart or forget.
"""

from __future__ import annotations

from random import Random
from typing import Any

from paxtest.nemesis.again import Again
from paxtest.nemesis.fault import Context, PlannedFault, leader_note

_PAUSE_S = (0.3, 0.6)  # in which connections come back
_FOR_S = (0.03, 0.12)


class ResetAction:
    """What most others, or all, send to the leader is answered with TCP resets for a moment: all
    of its connections to them end at once. Again and again, so short that it goes on leading.
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._context = context
        self._fault = fault
        self._rng = Random(f"reset {fault.seed}")
        self._others = [node for node in context.nodes if node != context.leader]
        self._again = Again(self._reset, lambda: self._rng.uniform(*_PAUSE_S))
        self._times = self._count = 0
        self.nodes = list(context.nodes)
        self.text = f"connections of {context.leader} reset{leader_note(context, True)}"
        self.undo: dict[str, Any] = {"net": True}

    async def inject(self) -> None:
        await self._again.begin()

    async def _reset(self) -> None:
        most = min(len(self._others), len(self._context.nodes) // 2 + 1)
        struck = self._rng.sample(self._others, self._rng.randint(most, len(self._others)))
        links = [(other, self._context.leader) for other in sorted(struck)]
        self._count += await self._context.ground.reset(links, self._rng.uniform(*_FOR_S))
        self._times += 1

    async def probe(self) -> tuple[bool, str]:
        """By the count of those that answer: the kernels of the nodes, or the proxies between."""
        return self._count > 0, self._told()

    def _told(self) -> str:
        return f"{self._count} resets sent in {self._times} times"

    async def heal(self) -> str:
        await self._again.end()
        return f"{await self._context.ground.open(self._fault.id)} after {self._told()}"
