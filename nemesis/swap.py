"""Swaps: one majority works alone, then another that shares as few nodes with it as can be, and
something happens in between to whoever belongs to both, or to the leader that is left behind.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from paxtest.cluster.protocol import Link
from paxtest.nemesis.clock import ClockAction, Skew
from paxtest.nemesis.delay import probe_delay
from paxtest.nemesis.disk import damage_files, over_and_over, settled
from paxtest.nemesis.fault import Context, PlannedFault, leader_note
from paxtest.nemesis.partition import between, probe_cut
from paxtest.nemesis.processes import look
from paxtest.nemesis.stutter import GOING_S, Stutter
from paxtest.system import KeepsFiles

_ALONE = (0.25, 0.4)  # the share of the fault in which the first majority works alone
DAMAGE = {"swap-flip-bit": "flip-bit", "swap-wipe": "wipe"}
NO_KILL = frozenset({"swap", "swap-clock", "swap-late", "swap-sleep"})
_BACK_S = (2.0, 60.0)  # by how much the old leader's clock goes back: longer than an election
_LATE_S = (0.3, 0.6)  # as long as a lease, or longer
_NAP_S = (0.25, 0.45)  # so long that a lease is nearly over, and nobody else leads yet
_NAP_LOOKS = 5


@dataclass(frozen=True)
class Swap:
    """`first` and `second`: two majorities; `pivot`: what they share; `old`: first without it."""

    first: tuple[str, ...]
    second: tuple[str, ...]
    pivot: tuple[str, ...]
    old: tuple[str, ...]

    def cut_first(self) -> set[Link]:
        """The first majority alone: nothing between it and the others."""
        return between(self.first, [node for node in self.second if node not in self.pivot])

    def cut_second(self) -> set[Link]:
        """The second majority alone."""
        return between(self.second, self.old)


def plan_swap(nodes: Sequence[str], leader: str, pivot: str | None, rng: Random) -> Swap:
    """Two majorities with as few nodes in common as there can be. The first has the leader; the
    pivot (`pivot`, or one drawn) does not lead where that can be avoided. Pure.
    """
    majority = len(nodes) // 2 + 1
    common = 2 * majority - len(nodes)
    others = [node for node in nodes if node != leader]
    rng.shuffle(others)
    if pivot is not None and pivot != leader:
        others.remove(pivot)
        others.insert(0, pivot)
    shared, rest = others[:common], others[common:]
    old = [leader, *rest[: majority - common - 1]]
    new = rest[majority - common - 1 :]

    def ordered(some: Sequence[str]) -> tuple[str, ...]:
        return tuple(node for node in nodes if node in some)

    return Swap(ordered(old + shared), ordered(shared + new), ordered(shared), ordered(old))


class SwapAction:
    """The cut is seen as that of a partition, the strike by the pivot's pid."""

    def __init__(self, swap: Swap, fault: PlannedFault, context: Context) -> None:
        self._swap = swap
        self._fault = fault
        self._context = context
        self._rng = Random(f"swap {fault.seed}")
        self._pids: dict[str, int] = {}
        self._seen: list[str] = []
        self.lead_s = fault.duration_s * self._rng.uniform(*_ALONE)
        self.nodes = list(context.nodes)
        self.undo: dict[str, Any] = {
            "net": True,
            "mend": {node: self._note(node) for node in swap.pivot},
            "restart": list(context.nodes),
        }
        self.text = (
            f"{' '.join(swap.first)} alone for {self.lead_s:.1f} s, then {' '.join(swap.second)}: "
            f"{self._deed()}{leader_note(context, True)}"
        )

    def _note(self, node: str) -> str:
        return str(self._context.cluster.directory(node) / f"damage-{self._fault.id}")

    def _deed(self) -> str:
        pivot = " ".join(self._swap.pivot)
        match self._fault.name:
            case "swap":
                return "nothing else"
            case "swap-clock" | "swap-late" | "swap-sleep":
                return ""
            case "swap-kill":
                return f"kill -9 {pivot} in between"
            case "swap-kill-all":
                return f"kill -9 of all in between, {' '.join(self._swap.old)} late"
            case "swap-write-error":
                return f"no more writes by {pivot}, then kill -9"
        return f"kill -9 {pivot} in between, and {DAMAGE[self._fault.name]}"

    async def inject(self) -> None:
        ground, name = self._context.ground, self._fault.name
        await ground.cut(self._fault.id, self._swap.cut_first())
        self._pids = (await look(list(self._context.nodes), self._context)).pids
        if name == "swap-write-error":
            await asyncio.sleep(self.lead_s / 3)
            await asyncio.gather(*(self._stop_writes(node) for node in self._swap.pivot))
            await asyncio.sleep(self.lead_s * 2 / 3)
        else:
            await asyncio.sleep(self.lead_s)
        await self._strike()
        await ground.cut(self._fault.id, self._swap.cut_second())
        await self._afterwards()

    async def _strike(self) -> None:
        """What happens just before the second majority is cut out."""
        ground, name = self._context.ground, self._fault.name
        if name == "swap-kill-all":
            ground.keep_down(self._fault.id, self._swap.old)
            await asyncio.gather(*(self._context.system.kill(n) for n in self._context.nodes))
        elif name != "swap":
            await asyncio.gather(*(self._context.system.kill(n) for n in self._swap.pivot))

    async def _afterwards(self) -> None:
        """What happens as soon as it is."""
        ground, name = self._context.ground, self._fault.name
        if name in DAMAGE:
            began = time.monotonic()
            left_s = self._fault.duration_s - self.lead_s if name == "swap-flip-bit" else 0.0
            await asyncio.gather(*(self._damage(node, began + left_s) for node in self._swap.pivot))
            self.lead_s += time.monotonic() - began
        elif name != "swap":
            back = self._swap.second if name == "swap-kill-all" else self._swap.pivot
            await asyncio.gather(*(ground.start(node, self._fault.id) for node in back))

    async def _stop_writes(self, node: str) -> None:
        if node in self._pids:
            remote = self._context.cluster.remote(node)
            pid = str(self._pids[node])
            await remote.run(["prlimit", "--pid", pid, "--fsize=0:"], check=False)

    async def _damage(self, node: str, over: float) -> None:
        system, what = self._context.system, DAMAGE[self._fault.name]
        assert isinstance(system, KeepsFiles)

        async def damage_it() -> None:
            async with self._context.ground.busy(node):
                if self._seen:
                    await system.kill(node)
                pid, _ = await system.process_state(node)
                if pid is not None:  # somebody was faster: a running node's files are its own
                    return
                self._seen.append(
                    await damage_files(
                        node, what, self._note(node), system, self._rng, self._context
                    )
                )
                await system.start(node)

        await over_and_over(damage_it, node, over, self._context)

    async def probe(self) -> tuple[bool, str]:
        cut, said = await probe_cut(sorted(self._swap.cut_second()), self._context, self._rng)
        if self._fault.name in NO_KILL:
            return cut, said
        now = (await look(list(self._swap.pivot), self._context)).pids
        gone = [n for n in self._swap.pivot if n in self._pids and now.get(n) != self._pids[n]]
        said += "".join(f"; {node} pid {self._pids[node]} gone" for node in gone)
        said += "".join(f"; {seen}" for seen in self._seen if seen)
        if self._fault.name == "swap-kill-all":  # the old side is dead: its silence is no proof
            return bool(gone), said
        return cut and bool(gone), said

    async def heal(self) -> str:
        ground = self._context.ground
        ground.let_up(self._fault.id)
        said = [await ground.open(self._fault.id)]
        if self._fault.name in DAMAGE:
            waits = (settled(node, self._fault, self._context) for node in self._swap.pivot)
            said += await asyncio.gather(*waits)
        if self._fault.name not in NO_KILL:
            starts = (ground.start(node, self._fault.id) for node in self._context.nodes)
            said += await asyncio.gather(*starts)
        return ", ".join(said)


class SwapClock(SwapAction):
    """The clock of the leader that is left behind goes back as soon as it is alone."""

    def __init__(self, swap: Swap, fault: PlannedFault, context: Context, file: str) -> None:
        super().__init__(swap, fault, context)
        back_s = round(self._rng.uniform(*_BACK_S), 3)
        skew = Skew(
            (context.leader,), ((-back_s, fault.duration_s),), True, False, f"jump-back {-back_s} s"
        )
        self._skew = ClockAction(fault.id, skew, {context.leader: file}, context)
        self.undo |= self._skew.undo
        self.text += f"then {self._skew.text}"

    async def _strike(self) -> None:
        """Nothing: a lease that is renewed after the jump is right again."""

    async def _afterwards(self) -> None:
        await self._skew.inject()

    async def probe(self) -> tuple[bool, str]:
        (cut, silent), (off, told) = await asyncio.gather(super().probe(), self._skew.probe())
        return cut and off, f"{silent}; {told}"

    async def heal(self) -> str:
        return f"{await self._skew.heal()}, {await super().heal()}"


class SwapLate(SwapAction):
    """What the leader hears is late: all that was on its way when it fell still reaches it, and
    tells it for a while that it leads.
    """

    def __init__(self, swap: Swap, fault: PlannedFault, context: Context) -> None:
        super().__init__(swap, fault, context)
        self._late_s = self._rng.uniform(*_LATE_S)
        self._links = [(node, context.leader) for node in swap.first if node != context.leader]
        self._proof = (False, "")
        self.text += f"{context.leader} hears others {self._late_s:.2f} s late"

    async def inject(self) -> None:
        await self._context.ground.shape(self._fault.id, self._links, delay_s=self._late_s)
        self._proof = await probe_delay(self._links[0], self._late_s, self._context)
        await super().inject()

    async def _strike(self) -> None:
        """Nobody hears the leader any more; what the others have said goes on to it."""
        cut = self._swap.cut_second()
        await self._context.ground.cut(self._fault.id, cut.difference(self._links))
        await asyncio.sleep(self._late_s)

    async def _afterwards(self) -> None:
        """Nothing: it falls by itself."""

    async def probe(self) -> tuple[bool, str]:
        cut, said = await super().probe()
        late, told = self._proof
        return cut and late, f"{told}; {said}"


class SwapSleep(SwapAction):
    """The leader nods off again and again, hardly awake in between, until it wakes up alone: what
    it then reads was true when it fell asleep.
    """

    def __init__(self, swap: Swap, fault: PlannedFault, context: Context, pid: int) -> None:
        super().__init__(swap, fault, context)
        self._leader, self._pid = context.leader, pid
        naps: list[float] = []
        while sum(naps) < self.lead_s + _NAP_S[1]:  # asleep when the cut comes
            naps += [self._rng.uniform(*_NAP_S), self._rng.uniform(*GOING_S)]
        self._naps = Stutter({context.leader: pid}, naps, context)
        self._slept = ""
        self.undo["resume"] = {context.leader: pid}
        self.text += f"{context.leader} (pid {pid}) naps, and wakes up alone"

    async def inject(self) -> None:
        self._naps.begin()
        await super().inject()

    async def _strike(self) -> None:
        for _ in range(_NAP_LOOKS):
            pid, state = await self._context.system.process_state(self._leader)
            if state == "T":
                self._slept = f"{self._leader} pid {pid} state T"
                return

    async def _afterwards(self) -> None:
        """Nothing: it wakes up by itself."""

    async def probe(self) -> tuple[bool, str]:
        cut, said = await super().probe()
        return cut and bool(self._slept), f"{said}; {self._slept or 'nobody slept'}"

    async def heal(self) -> str:
        await self._naps.end()
        _, state = await self._context.system.process_state(self._leader)
        if state == "T":
            await self._context.system.resume(self._leader)
        return await super().heal()
