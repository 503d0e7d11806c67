"""SIGSTOP and SIGCONT: of one node, the leader, a minority, a majority, all; or over and over."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault
from paxtest.nemesis.processes import Struck, another_leader, look, struck
from paxtest.nemesis.stutter import Stutter, steps
from paxtest.system import System

_LOOKS = 12
MIX = Mix(
    kind="pause",
    weights={
        "pause-one": 1,
        "pause-leader": 3,
        "pause-minority": 1,
        "pause-majority": 1,
        "pause-all": 0.5,
        "pause-successor": 1,
        "stutter-all": 2,
        "stutter-leader": 1,
    },
    hold_s={
        "pause-one": (0.5, 2.5),
        "pause-leader": (1.0, 2.5),
        "pause-minority": (0.5, 2.0),
        "pause-majority": (0.3, 1.5),
        "pause-all": (0.3, 1.0),
        "pause-successor": (0.5, 1.5),
        "stutter-all": (2.0, 4.0),
        "stutter-leader": (1.5, 3.0),
    },
    slots=(
        frozenset({"pause-leader"}),
        frozenset({"stutter-all", "stutter-leader"}),
        frozenset(
            {"pause-one", "pause-minority", "pause-majority", "pause-all", "pause-successor"}
        ),
    ),
    min_nodes={"pause-successor": 3},
)


class PauseAction:
    """Stops the processes; the kernel's process state (T: stopped by a signal) is the proof."""

    def __init__(self, found: Struck, context: Context) -> None:
        self._system = context.system
        self._context = context
        self._pids = dict(found.pids)
        self.nodes = list(found.pids)
        self.undo: dict[str, Any] = {"resume": dict(found.pids)}
        self.text = found.told("SIGSTOP", "not paused, for it does not run")

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


class PauseSuccessor(PauseAction):
    """The leader, and whoever takes its place as soon as it claims to: in mid-election."""

    def __init__(self, found: Struck, everyone: Struck, context: Context) -> None:
        super().__init__(found, context)
        # Whose turn it will be is not known: SIGCONT does nothing to a process that runs.
        self.undo = {"resume": dict(everyone.pids)}

    async def inject(self) -> None:
        await super().inject()
        successor = await another_leader(self._context, self.nodes)
        found = await look([successor] if successor else [], self._context)
        self.text += (
            f"; {found.told('its successor', 'gone already')}"
            if successor
            else ("; no other node claims to lead")
        )
        self._pids |= found.pids
        self.nodes += found.pids
        await asyncio.gather(*(self._system.pause(node) for node in found.pids))


class StutterAction(PauseAction):
    """Some processes stutter. Seen by one that is found stopped, and found going."""

    def __init__(self, found: Struck, fault: PlannedFault, context: Context) -> None:
        super().__init__(found, context)
        rng = Random(f"stutter {fault.seed}")
        self._stutter = Stutter(self._pids, steps(fault.duration_s, rng), context)
        self._found: dict[str, set[bool]] = {node: set() for node in self.nodes}
        self.text = found.told("stutter", "not running")

    async def inject(self) -> None:
        self._stutter.begin()

    async def probe(self) -> tuple[bool, str]:
        for _ in range(_LOOKS):
            for node in self.nodes:
                pid, state = await self._system.process_state(node)
                if pid == self._pids[node]:
                    self._found[node].add(state == "T")
                if len(self._found[node]) == 2:
                    return True, f"{node} (pid {pid}) seen stopped and going"
        seen = {"stopped" if stopped else "going" for s in self._found.values() for stopped in s}
        return False, f"seen only {' and '.join(sorted(seen)) or 'dead'}"

    async def heal(self) -> str:
        await self._stutter.end()
        return await super().heal()


class PauseFamily:
    """SIGSTOP. A node without a process is left out, and the journal says so."""

    kind = "pause"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        return None

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        if fault.name == "pause-successor":
            found = await struck("leader", fault, context)
            everyone = await look(list(context.nodes), context)
            return found if isinstance(found, str) else PauseSuccessor(found, everyone, context)
        verb, _, target = fault.name.partition("-")
        found = await struck(target, fault, context)
        if isinstance(found, str):
            return found
        if verb == "stutter":
            return StutterAction(found, fault, context)
        return PauseAction(found, context)
