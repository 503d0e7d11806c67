"""kill -9 and restart: of one node, the leader, a minority, a majority, all at once; twice."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, targets
from paxtest.nemesis.processes import Struck, another_leader, look, struck
from paxtest.system import System

# Short: bytes that a process had not flushed are gone at once, and a cluster that stays down
# longer is only a cluster that is not being tested.
_MASS = frozenset({"kill-all", "kill-majority", "kill-all-late"})
_ONE, _MANY = (0.5, 2.0), (0.3, 0.8)
_STORM_S = (0.0, 0.3)  # between two kills of a storm
MIX = Mix(
    kind="kill",
    weights={
        "kill-one": 1,
        "kill-leader": 2,
        "kill-minority": 1,
        "kill-majority": 1,
        "kill-all": 2,
        "kill-all-late": 2,
        "kill-successor": 2,
        "kill-again": 1,
        "kill-storm": 2,
    },
    hold_s={
        "kill-one": _ONE,
        "kill-leader": _ONE,
        "kill-minority": _ONE,
        "kill-majority": _MANY,
        "kill-all": _MANY,
        "kill-all-late": (1.5, 2.5),
        "kill-successor": _ONE,
        "kill-again": _ONE,
        "kill-storm": (2.0, 3.0),
    },
    # Every other kill: with the default interval most nodes lose what they had not flushed at
    # least once in every 15 s.
    slots=(
        _MASS,
        frozenset(
            {
                "kill-leader",
                "kill-one",
                "kill-minority",
                "kill-successor",
                "kill-again",
                "kill-storm",
            }
        ),
    ),
    pace=0.75,
    urgent=_MASS,
    min_nodes={"kill-all-late": 3, "kill-successor": 3},
)


class KillAction:
    """SIGKILL to the targets at the same moment; the processes' ids are the proof."""

    def __init__(self, found: Struck, fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._before = dict(found.pids)
        self.nodes = list(found.pids)
        self.undo: dict[str, Any] = {"restart": list(self.nodes)}
        self.text = found.told("kill -9", "already without a process")

    async def inject(self) -> None:
        await self._kill(self.nodes)

    async def _kill(self, nodes: list[str]) -> None:
        await asyncio.gather(*(self._context.system.kill(node) for node in nodes))

    async def probe(self) -> tuple[bool, str]:
        states = await asyncio.gather(*(self._context.system.process_state(n) for n in self.nodes))
        gone = [pid != self._before[n] for n, (pid, _) in zip(self.nodes, states, strict=True)]
        said = [
            f"{n} pid {self._before[n]} {'gone' if ok else 'still runs'}"
            for n, ok in zip(self.nodes, gone, strict=True)
        ]
        return all(gone), ", ".join(said)

    async def heal(self) -> str:
        self._context.ground.let_up(self._fault.id)
        return ", ".join(await asyncio.gather(*(self._start(node) for node in self.nodes)))

    async def _start(self, node: str) -> str:
        started = await self._context.ground.start(node, self._fault.id)
        return f"{node} pid {self._before[node]} -> {started.removeprefix(f'{node} ')}"


class KillLate(KillAction):
    """All nodes at once. Those of a majority start at once; a minority, with the one that led, as
    late as the fault is over: what is known by then was known to those without it.
    """

    async def inject(self) -> None:
        rng = Random(f"late {self._fault.seed}")
        names, leader = self._context.nodes, self._context.leader
        others = targets("minority", [n for n in names if n != leader], leader, rng)
        late = [leader, *others][: (len(names) - 1) // 2]
        held = self._context.ground.keep_down(self._fault.id, late)
        self.text += f"; late: {' '.join(held)}"
        await self._kill(self.nodes)
        early = [node for node in self.nodes if node not in held]
        await asyncio.gather(*(self._start(node) for node in early))


class KillSuccessor(KillAction):
    """The leader, and whoever takes its place as soon as it claims to: in mid-election."""

    def __init__(self, found: Struck, fault: PlannedFault, context: Context) -> None:
        super().__init__(found, fault, context)
        self.undo = {"restart": list(context.nodes)}

    async def inject(self) -> None:
        await self._kill(self.nodes)
        successor = await another_leader(self._context, self.nodes)
        if successor is None:
            self.text += "; no other node claims to lead"
            return
        found = await look([successor], self._context)
        self._before |= found.pids
        self.text += f"; {found.told('its successor', 'gone already')}"
        self.nodes += found.pids
        await self._kill(list(found.pids))


class KillAgain(KillAction):
    """Twice: the second time in the middle of its restart, or just after."""

    async def inject(self) -> None:
        await self._kill(self.nodes)
        await asyncio.gather(*(self._start(node) for node in self.nodes))
        await asyncio.sleep(Random(f"again {self._fault.seed}").uniform(0.05, 1.0))
        self.text += ", and again after its restart"
        await self._kill(self.nodes)


class KillStorm(KillAction):
    """One node after the other, each started at once: elections, promises and first accepts are
    cut short at every point, which a single kill hits once in a hundred times.
    """

    def __init__(self, found: Struck, fault: PlannedFault, context: Context) -> None:
        super().__init__(found, fault, context)
        self.lead_s = fault.duration_s
        self.text += ", one after the other"

    async def inject(self) -> None:
        rng = Random(f"storm {self._fault.seed}")
        over = time.monotonic() + self.lead_s
        kills = 0
        last = ""
        while time.monotonic() < over or not kills:
            node = rng.choice([node for node in self.nodes if node != last] or self.nodes)
            await self._kill([node])
            await self._context.ground.start(node, self._fault.id)
            last, kills = node, kills + 1
            await asyncio.sleep(rng.uniform(*_STORM_S))
        self.text += f"; {kills} kills"

    async def probe(self) -> tuple[bool, str]:
        """The storm is over when one can look: another process on most nodes."""
        now = (await look(self.nodes, self._context)).pids
        new = [node for node in self.nodes if now.get(node) != self._before[node]]
        said = ", ".join(f"{node} pid {self._before[node]} -> {now.get(node)}" for node in new)
        return bool(new), said or "no process has changed"


_ACTIONS: dict[str, tuple[str, type[KillAction]]] = {
    "kill-all-late": ("all", KillLate),
    "kill-successor": ("leader", KillSuccessor),
    "kill-again": ("one", KillAgain),
    "kill-storm": ("all", KillStorm),
}


class KillFamily:
    """kill -9. A restarted node keeps its data directory and its (perhaps skewed) clock."""

    kind = "kill"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        return None

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        usual = (fault.name.removeprefix("kill-"), KillAction)
        target, action = _ACTIONS.get(fault.name, usual)
        found = await struck(target, fault, context)
        return found if isinstance(found, str) else action(found, fault, context)
