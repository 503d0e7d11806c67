"""kill -9 and restart: of one node, the leader, a minority, a majority, all at once."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, leader_note, targets
from paxtest.system import System

# Short: bytes that a process had not flushed are gone at once, and a cluster that stays down
# longer is only a cluster that is not being tested.
MIX = Mix(
    kind="kill",
    weights={
        "kill-one": 1,
        "kill-leader": 2,
        "kill-minority": 1,
        "kill-majority": 1,
        "kill-all": 3,
    },
    hold_s={
        "kill-one": (0.5, 2.0),
        "kill-leader": (0.5, 2.0),
        "kill-minority": (0.5, 2.0),
        "kill-majority": (0.3, 0.8),
        "kill-all": (0.3, 0.8),
    },
    # Every other kill: with the default interval most nodes lose what they had not flushed at
    # least once in every 15 s.
    slots=(
        frozenset({"kill-all", "kill-majority"}),
        frozenset({"kill-leader", "kill-one", "kill-minority"}),
    ),
    pace=0.75,
    urgent=frozenset({"kill-all", "kill-majority"}),
)


class KillAction:
    """SIGKILL to the targets at the same moment; the processes' ids are the proof."""

    def __init__(
        self, nodes: list[str], before: dict[str, int], idle: list[str], context: Context, note: str
    ) -> None:
        self._system = context.system
        self._before = before
        self.nodes = nodes
        self.undo: dict[str, Any] = {"restart": nodes}
        self.text = "kill -9 " + " ".join(f"{n} (pid {before[n]})" for n in nodes) + note
        if idle:
            self.text += f"; already without a process: {' '.join(idle)}"

    async def inject(self) -> None:
        await asyncio.gather(*(self._system.kill(node) for node in self.nodes))

    async def probe(self) -> tuple[bool, str]:
        states = await asyncio.gather(*(self._system.process_state(n) for n in self.nodes))
        gone = [pid != self._before[n] for n, (pid, _) in zip(self.nodes, states, strict=True)]
        said = [
            f"{n} pid {self._before[n]} {'gone' if ok else 'still runs'}"
            for n, ok in zip(self.nodes, gone, strict=True)
        ]
        return all(gone), ", ".join(said)

    async def heal(self) -> str:
        """Start those that do not run. They may be running: a final heal comes after a heal."""
        said = await asyncio.gather(*(self._restart(node) for node in self.nodes))
        return ", ".join(said)

    async def _restart(self, node: str) -> str:
        pid, _ = await self._system.process_state(node)
        if pid is None:
            await self._system.start(node)
            pid, _ = await self._system.process_state(node)
        if pid is None:
            raise PaxtestError(
                f"node {node} does not run after its restart", f"read the logs of {node}"
            )
        return f"{node} pid {self._before[node]} -> {pid}"


class KillFamily:
    """kill -9. A restarted node keeps its data directory and its (perhaps skewed) clock."""

    kind = "kill"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        return None

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        rng = Random(fault.seed)
        chosen = targets(fault.name.removeprefix("kill-"), context.nodes, context.leader, rng)
        states = await asyncio.gather(*(context.system.process_state(n) for n in chosen))
        before = {n: pid for n, (pid, _) in zip(chosen, states, strict=True) if pid is not None}
        idle = [node for node in chosen if node not in before]
        if not before:
            return f"nothing to kill: no process on {' '.join(chosen)}"
        note = leader_note(context, fault.name == "kill-leader")
        return KillAction(list(before), before, idle, context, note)
