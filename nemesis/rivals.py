"""Rivals: two nodes that lead at a time before the same voters, and leaders cut off one by one.

The rules about ballots (who may be promised, accepted, counted) are there for these moments; where
a leader falls and stays away until all is settled, none of them is ever needed.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any

from paxtest.cluster.protocol import Link
from paxtest.nemesis.fault import Context, PlannedFault, leader_note
from paxtest.nemesis.partition import between, probe_cut
from paxtest.nemesis.processes import another_leader, each_leader, look
from paxtest.nemesis.stutter import Stutter, steps

_SOON_S = (0.0, 0.2)  # from a leader's claim to its being cut off
_STILL_S = (0.5, 1.0)  # about as long as others wait before they elect another
_AFTER_S = 0.4  # in which the old leader goes on before the next one is struck


class RivalsAction:
    """The leader stands still for as long as others wait for it, deaf to half of them, and with it
    all but one of the other half; then the next one, until the time is over. Where one that it
    does not hear has been elected meanwhile, the old leader goes on leading, before voters that
    hear both, and learns of its fall from their refusals alone, if it listens to them.
    """

    def __init__(self, pids: dict[str, int], fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"rivals {fault.seed}")
        self._pids = pids
        self._stops: list[Stutter] = []
        self._cut: set[Link] = set()
        self._told: list[str] = []
        self.lead_s = 0.0
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {"net": True, "resume": pids}
        self.text = f"leaders stand still, and do not hear half{leader_note(context, True)}"

    async def inject(self) -> None:
        began = time.monotonic()
        over = began + self._fault.duration_s - _STILL_S[0] - _AFTER_S
        await each_leader(self._one, self._context, over)
        self.text += f": {', '.join(self._told)}"
        self.lead_s = time.monotonic() - began

    async def _one(self, leader: str) -> None:
        others = [node for node in self._context.nodes if node != leader]
        unheard = sorted(self._rng.sample(others, max(1, len(others) // 2)))
        self._cut = between([leader], unheard)
        await self._context.ground.cut(self._fault.id, self._cut)
        still_s = self._rng.uniform(*_STILL_S)
        # All but one of those that it hears stand still too, or one of them would be elected.
        heard = [node for node in others if node not in unheard]
        still = {n: self._pids[n] for n in [leader, *heard[1:]] if n in self._pids}
        stop = Stutter(still, [still_s, 0.0], self._context)
        self._stops.append(stop)
        stop.begin()
        self._told.append(f"{leader} for {still_s:.2f} s without {' '.join(unheard)}")
        await asyncio.sleep(still_s + _AFTER_S)

    async def probe(self) -> tuple[bool, str]:
        return await probe_cut(sorted(self._cut), self._context, self._rng)

    async def heal(self) -> str:
        for stop in self._stops:
            await stop.end()
        return await _all_go_on(self._fault, self._context)


class RelayAction:
    """Whoever leads is cut off, and is let back when the next leader is. All nodes stutter
    meanwhile, so that each falls with something half done.
    """

    def __init__(self, pids: dict[str, int], fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"relay {fault.seed}")
        self._stutter = Stutter(pids, steps(fault.duration_s, self._rng), context)
        self._fallen: list[str] = []
        self._seen = ""
        self.lead_s = 0.0
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {"net": True, "resume": pids}
        self.text = f"all stutter, each leader is cut off{leader_note(context, True)}"

    async def inject(self) -> None:
        began = time.monotonic()
        over = began + self._fault.duration_s
        self._stutter.begin()
        leader: str | None = self._context.leader
        while leader is not None and time.monotonic() < over:
            cut = between([leader], [node for node in self._context.nodes if node != leader])
            await self._context.ground.cut(self._fault.id, cut)
            self._fallen.append(leader)
            if not self._seen:
                await self._look(leader)
            leader = await another_leader(self._context, [leader], over - time.monotonic())
            await asyncio.sleep(self._rng.uniform(*_SOON_S))
        self.text += f": {' '.join(self._fallen)}"
        self.lead_s = time.monotonic() - began

    async def _look(self, leader: str) -> None:
        """Is the first of them silent, which nobody can see when all is over?"""
        assert self._context.cluster.net is not None
        other = next(node for node in self._context.nodes if node != leader)
        port = self._context.system.peer_port
        if not await self._context.cluster.net.reachable(leader, other, port):
            self._seen = f"{leader}->{other} silent"

    async def probe(self) -> tuple[bool, str]:
        told = f"{len(self._fallen)} leaders cut off"
        return bool(self._seen), f"{self._seen or 'no link was seen to be cut'}, {told}"

    async def heal(self) -> str:
        await self._stutter.end()
        return await _all_go_on(self._fault, self._context)


async def _all_go_on(fault: PlannedFault, context: Context) -> str:
    for node in context.nodes:
        if (await context.system.process_state(node))[1] == "T":
            await context.system.resume(node)
    return await context.ground.open(fault.id)


async def prepare(fault: PlannedFault, context: Context) -> RivalsAction | RelayAction:
    """The action of `rivals` or `relay`."""
    pids = (await look(list(context.nodes), context)).pids
    action = RivalsAction if fault.name == "rivals" else RelayAction
    return action(pids, fault, context)
