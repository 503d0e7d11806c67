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
_SHORT_S = (0.03, 0.12)
_LONG_S = (0.55, 0.75)  # others look for a leader by then, and its clients have not given up


class ResetAction:
    """What most others, or all, send to the leader is answered with TCP resets for a moment: all
    of its connections to them end at once. Again and again, so short that it goes on leading;
    but every other time nobody gets through until another one leads: then it has nothing to propose
    but what its own clients say, and hears what was chosen instead while they still wait, for
    whoever is refused tries again at once.
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._context = context
        self._fault = fault
        self._rng = Random(f"reset {fault.seed}")
        self._leader = context.leader
        self._again = Again(self._reset, lambda: self._rng.uniform(*_PAUSE_S))
        self._times = self._count = 0
        self.nodes = list(context.nodes)
        self.text = f"connections of {context.leader} reset{leader_note(context, True)}"
        self.undo: dict[str, Any] = {"net": True}

    async def inject(self) -> None:
        await self._again.begin()

    async def _reset(self) -> None:
        others = [node for node in self._context.nodes if node != self._leader]
        every = len(others)
        number, for_s = self._rng.randint(min(every, every // 2 + 1), every), _SHORT_S
        long = self._times % 2 == 1
        if long:
            number, for_s = every, _LONG_S
        links = [(other, self._leader) for other in sorted(self._rng.sample(others, number))]
        self._count += await self._context.ground.reset(links, self._rng.uniform(*for_s))
        self._times += 1
        if long:
            claim = await self._context.system.primaries()
            self._leader = next((node for node in claim if node != self._leader), self._leader)

    async def probe(self) -> tuple[bool, str]:
        """By the count of those that answer: the kernels of the nodes, or the proxies between."""
        return self._count > 0, self._told()

    def _told(self) -> str:
        return f"{self._count} resets sent in {self._times} times"

    async def heal(self) -> str:
        await self._again.end()
        return f"{await self._context.ground.open(self._fault.id)} after {self._told()}"
