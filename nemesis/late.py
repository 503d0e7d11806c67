"""Late: messages that arrive when their sender has been given up, for links are slow.

Most rules about ballots are there for what is under way while leaders change. On a quick network
that is next to nothing: an election is over before the next message is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from random import Random
from typing import Any

from paxtest.cluster.protocol import Link
from paxtest.nemesis.delay import probe_delay
from paxtest.nemesis.fault import Context, PlannedFault, leader_note
from paxtest.nemesis.partition import between, probe_cut
from paxtest.nemesis.processes import another_leader, each_leader

_PATIENCE_S = (0.66, 0.86)  # others look for a leader by then, and the old one goes on
_SOON_S = (0.56, 0.72)  # others look for a leader by then, and its clients have not given up
_FAITHFUL = 0.85  # of the times one half is divided further
_AFTER_S = 0.05  # in which refusals are heard; clients that wait are to hear of it, too
_TOGETHER_S = 0.1  # in which an old leader that is back hears the next one
_WORDS_S = (2.0, 2.3)  # longer than the rest takes, but for the last of it
_SPEAKS_S = (0.3, 0.6)  # in which the leader says what is to be late
_AWAY_S = 1.4  # longer than an election, and than connections outlive silence, most likely
_SLOW_S = (0.08, 0.14)  # so slow that a leader can be struck between two steps of a round
_JITTER = 0.3
_RISE_S = 1.8  # in which another one leads, most likely, if enough nodes are well


class LateRivalsAction:
    """What the leader says is late for longer than others wait for it; then what the next one
    says, until the time is over. The first is heard late by all, and learns what was chosen in
    place of its proposals while its clients still wait. Of the others half of the nodes hear
    nothing, nor reach them: those who hear one late have promised another leader by then, and
    their refusals are all it learns of that. Mostly one node hears it late, and the rest of its
    half is with the leader alone.
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
        others = [node for node in self._context.nodes if node != leader]
        await (self._by_half if self._told else self._by_all)(leader, others)

    async def _by_all(self, leader: str, others: list[str]) -> None:
        late_s, began = self._rng.uniform(*_SOON_S), time.monotonic()
        links = [(leader, node) for node in others]
        await self._context.ground.shape(self._fault.id, links, delay_s=late_s)
        self._told.append(f"{leader} by all {late_s:.2f} s")
        self._proofs.append(await probe_delay(links[0], late_s, self._context))
        await asyncio.sleep(began + late_s + _AFTER_S + _TOGETHER_S - time.monotonic())

    async def _by_half(self, leader: str, others: list[str]) -> None:
        ground, fault = self._context.ground, self._fault.id
        unheard = sorted(self._rng.sample(others, max(1, len(others) // 2)))
        late = [node for node in others if node not in unheard]
        faithful = []
        if self._rng.random() < _FAITHFUL:
            self._rng.shuffle(late)
            self._rng.shuffle(unheard)
            late, faithful = late[:1], late[1:]
        late_s = self._rng.uniform(*_PATIENCE_S)
        cut = between([leader, *faithful], unheard)
        if faithful:
            # It would be elected itself, and tell the old leader so: it lacks an answer for that.
            cut |= {(node, late[0]) for node in unheard[1:]}
        links = [(leader, node) for node in late]
        # In this order: what waits for the late ones from then on cannot be had without them.
        await ground.cut(fault, cut)
        if links:
            await ground.shape(fault, links, delay_s=late_s)
        self._told.append(
            f"{leader} by {' '.join(late)} {late_s:.2f} s, and {' '.join([leader, *faithful])}"
            f" without {' '.join(unheard)}"
        )
        began = time.monotonic()
        if len(self._proofs) == 1:  # the first time: who knows whether there is a second one
            self._proofs.append(await probe_cut(sorted(cut), self._context, self._rng))
            if links:
                self._proofs.append(await probe_delay(links[0], late_s, self._context))
        await asyncio.sleep(began + late_s + _AFTER_S - time.monotonic())
        # It hears what was chosen in place of what it proposed, while its clients still wait.
        await ground.cut(fault, ())
        await asyncio.sleep(_TOGETHER_S)

    async def probe(self) -> tuple[bool, str]:
        return all(seen for seen, _ in self._proofs), "; ".join(said for _, said in self._proofs)

    async def heal(self) -> str:
        return await self._context.ground.open(self._fault.id)


class StragglerAction:
    """The last words of the leader reach one node seconds late. Meanwhile the leader is cut off,
    and the straggler hears nothing of the election of the next one, longer than connections
    outlive; then it is back with the new leader, whom it has promised nothing, accepts what that
    proposes, and only then hears the last words of the old one.
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"straggler {fault.seed}")
        self._proofs: list[tuple[bool, str]] = []
        self.lead_s = 0.0
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {"net": True}
        self._straggler = self._rng.choice([n for n in context.nodes if n != context.leader])
        self._late_s = self._rng.uniform(*_WORDS_S)
        self.text = (
            f"{self._straggler} hears {context.leader} {self._late_s:.2f} s late, and nothing of"
            f" the election of the next one{leader_note(context, True)}"
        )

    async def inject(self) -> None:
        ground, fault, leader = self._context.ground, self._fault.id, self._context.leader
        began = time.monotonic()
        link = (leader, self._straggler)
        rest = [node for node in self._context.nodes if node not in link]
        await ground.shape(fault, [link], delay_s=self._late_s)
        late = asyncio.create_task(probe_delay(link, self._late_s, self._context))
        try:
            await asyncio.sleep(self._rng.uniform(*_SPEAKS_S))
            cut = between(link, rest)
            await ground.cut(fault, cut)
            silent = probe_cut(sorted(cut), self._context, self._rng)
            seen, _ = await asyncio.gather(silent, asyncio.sleep(_AWAY_S))
            self._proofs.append(seen)
            await ground.cut(fault, between([leader], rest))
        finally:
            self._proofs.append(await late)
        self.lead_s = time.monotonic() - began

    async def probe(self) -> tuple[bool, str]:
        return all(seen for seen, _ in self._proofs), "; ".join(said for _, said in self._proofs)

    async def heal(self) -> str:
        return await self._context.ground.open(self._fault.id)


class FigureEightAction:
    """All nodes are far apart, and each leader is cut off as soon as it claims to lead: one
    together with a mate that hears its last proposals, the next one with another mate. Then the
    mates are back, without the leaders. So two leaders leave behind different values for one
    slot, each on a minority, and the first mate, which alone can be elected then, finds both: its
    own, and one that goes before it (Ongaro and Ousterhout, In Search of an Understandable
    Consensus Algorithm, 2014, figure 8). Of less than five nodes each leader is alone.
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"figure eight {fault.seed}")
        self._fallen: list[str] = []
        self._proofs: list[tuple[bool, str]] = []
        self._over = self._slow_s = self.lead_s = 0.0
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {"net": True}
        self.text = f"all are far apart, each leader is cut off{leader_note(context, True)}"

    async def inject(self) -> None:
        ground, began = self._context.ground, time.monotonic()
        self._over = began + self._fault.duration_s
        self._slow_s = self._rng.uniform(*_SLOW_S)
        # Before links are slow: else all that its window has room for is with the others already.
        hidden = await self._hide(self._context.leader)
        await self._slow_down()
        while time.monotonic() < self._over:
            second, *_ = await asyncio.gather(self._rising(hidden), self._prove(hidden))
            if second is not None:
                told = [second, *self._mate([second, *hidden])]
                alone = self._around(hidden[:1]) if len(told) > 1 else ()
                await self._cut(told, alone)
                if alone:
                    # Its mate hears the last of it. Then the first mate is between the second and
                    # whoever is left: nobody else can be elected, and what it has is the older.
                    await asyncio.sleep(self._slow_s * (1 + _JITTER))
                    rest = [n for n in self._context.nodes if n not in told + hidden]
                    await self._cut([second, hidden[0]], between(told[1:], rest))
            third = await self._rising([second, hidden[0]]) if second else None
            former: list[str] = []
            if third is None:
                # Somebody among them is not well, most likely: anew, and one of them is the mate.
                former = hidden
                await ground.cut(self._fault.id, ())
                third = await another_leader(self._context, [], self._over - time.monotonic())
            if third is None:
                break
            hidden = await self._hide(third, former)
        self.text += f" by {self._slow_s:.2f} s: {' '.join(self._fallen)}"
        self.lead_s = time.monotonic() - began

    async def _slow_down(self) -> None:
        links = [(a, b) for a in self._context.nodes for b in self._context.nodes if a != b]
        jitter_s = self._slow_s * _JITTER
        await self._context.ground.shape(
            self._fault.id, links, delay_s=self._slow_s, jitter_s=jitter_s
        )

    async def _hide(self, leader: str, not_with: Sequence[str] = ()) -> list[str]:
        group = [leader, *self._mate([leader, *not_with])]
        await self._cut(group)
        return group

    async def _cut(self, group: list[str], more: Collection[Link] = ()) -> None:
        """Between this group and all others, and `more`; who was cut off before is back."""
        await self._context.ground.cut(self._fault.id, self._around(group).union(more))
        self._fallen.append("+".join(group))

    def _around(self, group: list[str]) -> set[Link]:
        return between(group, [node for node in self._context.nodes if node not in group])

    async def _prove(self, group: list[str]) -> None:
        """The first time: that links around the group are cut and another one is slow."""
        if self._proofs:
            return
        rest = [node for node in self._context.nodes if node not in group]
        least_s = self._slow_s * (1 - _JITTER)
        self._proofs += await asyncio.gather(
            probe_delay((rest[0], rest[1]), least_s, self._context),
            probe_cut(sorted(self._around(group)), self._context, self._rng),
        )

    async def _rising(self, fallen: list[str]) -> str | None:
        """The next one that claims to lead and is none of these, if there soon is one."""
        limit_s = min(_RISE_S, self._over - time.monotonic())
        return await another_leader(self._context, fallen, limit_s)

    def _mate(self, taken: list[str]) -> list[str]:
        """Who is cut off with the leader: one of those that are left, so that both can spare it."""
        others = [node for node in self._context.nodes if node not in taken]
        return [self._rng.choice(others)] if others and len(self._context.nodes) > 4 else []

    async def probe(self) -> tuple[bool, str]:
        told = f"{len(self._fallen)} leaders cut off"
        said = "; ".join([*(said for _, said in self._proofs), told])
        return len(self._proofs) == 2 and all(seen for seen, _ in self._proofs), said

    async def heal(self) -> str:
        return await self._context.ground.open(self._fault.id)
