"""SIGSTOP and SIGCONT: of one node, the leader, a minority, a majority, all."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, leader_note, targets
from paxtest.system import System

MIX = Mix(
    kind="pause",
    weights={
        "pause-one": 1,
        "pause-leader": 3,
        "pause-minority": 1,
        "pause-majority": 1,
        "pause-all": 0.5,
    },
    hold_s={
        "pause-one": (0.5, 2.5),
        "pause-leader": (1.0, 2.5),
        "pause-minority": (0.5, 2.0),
        "pause-majority": (0.3, 1.5),
        "pause-all": (0.3, 1.0),
    },
    slots=(
        frozenset({"pause-leader"}),
        frozenset({"pause-one", "pause-minority", "pause-majority", "pause-all"}),
    ),
)


class PauseAction:
    """Stops the processes; the kernel's process state (T: stopped by a signal) is the proof."""

    def __init__(self, nodes: dict[str, int], idle: list[str], context: Context, note: str) -> None:
        self._system = context.system
        self._pids = nodes
        self.nodes = list(nodes)
        self.undo: dict[str, Any] = {"resume": dict(nodes)}
        self.text = "SIGSTOP " + " ".join(f"{n} (pid {pid})" for n, pid in nodes.items()) + note
        if idle:
            self.text += f"; not paused, for it does not run: {' '.join(idle)}"

    async def inject(self) -> None:
        """A process that dies under our hands (the kill family works too) is not an error."""
        results = await asyncio.gather(
            *(self._system.pause(node) for node in self.nodes), return_exceptions=True
        )
        errors = [e for e in results if isinstance(e, BaseException)]
        if errors and len(errors) == len(self.nodes):
            raise errors[0]

    async def probe(self) -> tuple[bool, str]:
        """One stopped process is enough: others may have been killed, which beats a pause."""
        states = await asyncio.gather(*(self._system.process_state(n) for n in self.nodes))
        said, stopped = [], 0
        for node, (pid, state) in zip(self.nodes, states, strict=True):
            if pid == self._pids[node]:
                said.append(f"{node} state {state}")
                stopped += state == "T"
            else:
                said.append(f"{node} killed meanwhile")
        return stopped > 0, ", ".join(said)

    async def heal(self) -> str:
        return ", ".join(await asyncio.gather(*(self._resume(node) for node in self.nodes)))

    async def _resume(self, node: str) -> str:
        pid, state = await self._system.process_state(node)
        if pid is None:
            return f"{node} does not run"
        if state == "T":
            with contextlib.suppress(PaxtestError):  # killed just now? The next look tells.
                await self._system.resume(node)
            pid, state = await self._system.process_state(node)
            if state == "T":
                raise PaxtestError(
                    f"node {node} (pid {pid}) is still stopped after SIGCONT",
                    f"send it by hand: kill -CONT {pid}",
                )
        return f"{node} state {state or 'gone'}"


class PauseFamily:
    """SIGSTOP. A node without a process is left out, and the journal says so."""

    kind = "pause"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        return None

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        rng = Random(fault.seed)
        chosen = targets(fault.name.removeprefix("pause-"), context.nodes, context.leader, rng)
        states = await asyncio.gather(*(context.system.process_state(n) for n in chosen))
        running = {n: pid for n, (pid, _) in zip(chosen, states, strict=True) if pid is not None}
        idle = [node for node in chosen if node not in running]
        if not running:
            return f"nothing to pause: no process on {' '.join(chosen)}"
        return PauseAction(
            running, idle, context, leader_note(context, fault.name == "pause-leader")
        )
