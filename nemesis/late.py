"""Late: messages that arrive when their sender has been given up, for links are slow.

Most rules about ballots are there for what is under way while leaders change. On a quick network
that is next to nothing: an election is over before the next message is sent.
"""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any

from paxtest.nemesis.delay import probe_delay
from paxtest.nemesis.fault import Context, PlannedFault, leader_note
from paxtest.nemesis.partition import between, probe_cut
from paxtest.nemesis.processes import another_leader, each_leader

_PATIENCE_S = (0.5, 0.9)  # longer than others wait for a leader, most likely
_AFTER_S = 0.15  # in which refusals of what came too late are heard
_SLOW_S = (0.1, 0.3)  # so slow that a leader can be struck between two steps of a round
_JITTER = 0.5
_RISE_S = 1.5  # in which another one than the last two leads, most likely


class LateRivalsAction:
    """What the leader says is late for longer than others wait for it, and half of them it neither
    hears nor reaches; then the next one, until the time is over. Those who hear it late have
    promised another leader by then, and their refusals are all it learns of that.
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"late rivals {fault.seed}")
        self._told: list[str] = []
        self._proofs: list[tuple[bool, str]] = []
        self.lead_s = 0.0
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {"net": True}
        self.text = f"leaders are heard late, and not by half{leader_note(context, True)}"

    async def inject(self) -> None:
        began = time.monotonic()
        over = began + self._fault.duration_s - _PATIENCE_S[0] - _AFTER_S
        await each_leader(self._one, self._context, over)
        self.text += f": {', '.join(self._told)}"
        self.lead_s = time.monotonic() - began

    async def _one(self, leader: str) -> None:
        ground, fault = self._context.ground, self._fault.id
        others = [node for node in self._context.nodes if node != leader]
        unheard = sorted(self._rng.sample(others, max(1, len(others) // 2)))
        late = [(leader, node) for node in others if node not in unheard]
        late_s = self._rng.uniform(*_PATIENCE_S)
        cut = between([leader], unheard)
        # In this order: what waits for the late ones from then on cannot be had without them.
        await ground.cut(fault, cut)
        if late:
            await ground.shape(fault, late, delay_s=late_s)
        self._told.append(f"{leader} by {late_s:.2f} s, without {' '.join(unheard)}")
        began = time.monotonic()
        if not self._proofs:  # the first time: who knows whether there is a second one
            self._proofs.append(await probe_cut(sorted(cut), self._context, self._rng))
            self._proofs += [await probe_delay(late[0], late_s, self._context)] if late else []
        await asyncio.sleep(began + late_s + _AFTER_S - time.monotonic())

    async def probe(self) -> tuple[bool, str]:
        return all(seen for seen, _ in self._proofs), "; ".join(said for _, said in self._proofs)

    async def heal(self) -> str:
        return await self._context.ground.open(self._fault.id)


class FigureEightAction:
    """Whoever leads is cut off with one other node as soon as it claims to, and let back when the
    next one does, between two halves that are far apart. So each leaves behind, on a minority,
    what it had just proposed; and sooner or later a leader finds several such remains in one place
    (Ongaro and Ousterhout, In Search of an Understandable Consensus Algorithm, 2014, figure 8).
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"figure eight {fault.seed}")
        self._fallen: list[str] = []
        self._proofs: list[tuple[bool, str]] = []
        self.lead_s = 0.0
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {"net": True}
        pool = [node for node in context.nodes if len(context.nodes) > 3 or node != context.leader]
        self._near = sorted(self._rng.sample(pool, len(context.nodes) // 2))
        self.text = f"{' '.join(self._near)} far away, each leader is cut off"
        self.text += leader_note(context, True)

    async def inject(self) -> None:
        ground, fault = self._context.ground, self._fault.id
        far = [node for node in self._context.nodes if node not in self._near]
        links = sorted(between(self._near, far))
        slow_s = self._rng.uniform(*_SLOW_S)
        began = time.monotonic()
        over = began + self._fault.duration_s
        await ground.shape(fault, links, delay_s=slow_s, jitter_s=slow_s * _JITTER)
        leader: str | None = self._context.leader
        former: list[str] = []
        while leader is not None and time.monotonic() < over:
            pair = [leader, *self._mate(leader, former)]
            rest = [node for node in self._context.nodes if node not in pair]
            cut = between(pair, rest)
            await ground.cut(fault, cut)
            self._fallen.append("+".join(pair))
            rising = self._rising([leader, *former], over)
            if self._proofs:
                next_one = await rising
            else:
                link = next(link for link in links if link not in cut)
                next_one, *self._proofs = await asyncio.gather(
                    rising,
                    probe_delay(link, slow_s * (1 - _JITTER), self._context),
                    probe_cut(sorted(cut), self._context, self._rng),
                )
            former, leader = pair, next_one
        self.text += f" by {slow_s:.2f} s: {' '.join(self._fallen)}"
        self.lead_s = time.monotonic() - began

    async def _rising(self, fallen: list[str], over: float) -> str | None:
        """The next one that claims to lead: none of the last two pairs, if one can be had."""
        limit_s = min(_RISE_S, over - time.monotonic())
        found = await another_leader(self._context, fallen, limit_s)
        return found or await another_leader(self._context, fallen[:1], over - time.monotonic())

    def _mate(self, leader: str, former: list[str]) -> list[str]:
        """Who is cut off with the leader: none of the last two, for these are to be heard again."""
        others = [n for n in self._context.nodes if n != leader and n not in former]
        enough = len(self._context.nodes) >= 5
        return [self._rng.choice(others)] if enough and others else []

    async def probe(self) -> tuple[bool, str]:
        told = f"{len(self._fallen)} leaders cut off"
        said = "; ".join([*(said for _, said in self._proofs), told])
        return len(self._proofs) == 2 and all(seen for seen, _ in self._proofs), said

    async def heal(self) -> str:
        return await self._context.ground.open(self._fault.id)
