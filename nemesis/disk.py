"""Disks: bits that flip, writes that tear, disks that fill up, a disk that is replaced.

No fault here takes from a system what it could not do without: bits flip and tails tear on a
minority of the nodes only, always the same one in a run, whose files are put right again where
their owner refuses to work with them. What a failed write loses was never acknowledged.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.nemesis import damage
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault
from paxtest.nemesis.processes import Struck, look, struck, voteless
from paxtest.system import KeepsFiles, System

_HOLD = (1.0, 2.0)
MIX = Mix(
    kind="disk",
    weights={
        "flip-bit": 5,
        "torn-tail": 1,
        "write-error-one": 1,
        "write-error-leader": 1,
        "write-error-majority": 2,
        "wipe": 1,
    },
    hold_s={
        "flip-bit": (2.0, 3.0),
        "torn-tail": _HOLD,
        "write-error-one": _HOLD,
        "write-error-leader": _HOLD,
        "write-error-majority": (0.5, 1.0),
        "wipe": _HOLD,
    },
    slots=(
        frozenset({"flip-bit", "torn-tail"}),
        frozenset({"wipe"}),
        frozenset({"write-error-one", "write-error-leader", "write-error-majority"}),
    ),
    min_nodes={"flip-bit": 3, "torn-tail": 3, "wipe": 3},
)
_AT_ONCE = 2  # nodes whose files are damaged, at most; where they are a minority
_SETTLE_S = 5.0  # how long a node may take to serve or to refuse
_LOOK_S = 0.1
_DEAD_S = 2.0  # how long nodes without a process are waited for
_MORE_S = 0.3  # in which a node that serves on damaged files writes more of them
_TAIL_BYTES = (1, 4096)
_NO_ROOM = """prlimit --pid "$1" --fsize=0: && grep -i '^max file size' "/proc/$1/limits" """


class DamageAction:
    """kill -9, damage of the dead nodes' files, and a start on what is left.

    A node may refuse to start, serve on, or repair itself: all of that is right. One that refused
    gets its files back as they were and starts at the end. Bits flip one after the other, for as
    long as there is time.
    """

    def __init__(self, pids: dict[str, int], files: KeepsFiles, fault: PlannedFault,
                 context: Context) -> None:  # fmt: skip
        self._pids = pids
        self._files = files
        self._fault = fault
        self._context = context
        self._seen: dict[str, str] = {}
        self.lead_s = 0.0
        self.nodes = list(pids)
        told = " and ".join(f"{node} (pid {pid})" for node, pid in pids.items())
        self.text = f"kill -9 {told}, {fault.name}, start"
        self.undo: dict[str, Any] = {
            "mend": {node: self._note(node) for node in pids},
            "restart": self.nodes,
        }

    def _note(self, node: str) -> str:
        return str(self._context.cluster.directory(node) / f"damage-{self._fault.id}")

    async def inject(self) -> None:
        began = time.monotonic()
        over = began + self._fault.duration_s if self._fault.name == "flip-bit" else began
        await asyncio.gather(*(self._strike(node, over) for node in self._pids))
        self.lead_s = time.monotonic() - began

    async def _strike(self, node: str, over: float) -> None:
        rng = Random(f"damage {self._fault.seed} {node}")

        async def damage_it() -> None:
            async with self._context.ground.busy(node):
                await self._context.system.kill(node)
                seen = await damage_files(
                    node, self._fault.name, self._note(node), self._files, rng, self._context
                )
                self._seen[node] = ", ".join(filter(None, [self._seen.get(node), seen]))
                await self._context.system.start(node)

        await over_and_over(damage_it, node, over, self._context)

    async def probe(self) -> tuple[bool, str]:
        told = (
            f"{node} pid {pid} gone; {self._seen.get(node, '')}" for node, pid in self._pids.items()
        )
        return all(self._seen.get(node) for node in self._pids), "; ".join(told)

    async def heal(self) -> str:
        ends = (settled(node, self._fault, self._context) for node in self._pids)
        return ", ".join(await asyncio.gather(*ends))


class WriteErrorAction:
    """No file of these processes may grow any more (the soft limit RLIMIT_FSIZE is 0: a write
    fails with EFBIG). Over with the processes: they are killed, and new ones start.
    """

    def __init__(self, found: Struck, fault: PlannedFault, context: Context) -> None:
        self._pids = found.pids
        self._fault = fault
        self._context = context
        self._seen: dict[str, str] = {}
        self.nodes = list(found.pids)
        self.text = found.told("no more writes by", "without a process")
        self.undo: dict[str, Any] = {"restart": list(found.pids)}

    async def inject(self) -> None:
        said = await asyncio.gather(*(self._limit(node, pid) for node, pid in self._pids.items()))
        if not any(said):
            raise PaxtestError("every process was gone before its writes could be stopped")

    async def _limit(self, node: str, pid: int) -> bool:
        argv = ["sh", "-c", _NO_ROOM, "limit", str(pid)]
        output = await self._context.cluster.remote(node).run(argv, check=False)
        self._seen[node] = " ".join(output.stdout.split()) or output.stderr.strip()[-200:]
        return output.exit_code == 0

    async def probe(self) -> tuple[bool, str]:
        """The limit is in force, or the process has ended of it."""
        now = (await look(self.nodes, self._context)).pids
        said = [
            f"{node} (pid {pid}): {self._seen.get(node, '')}"
            + ("" if now.get(node) == pid else ", it has ended")
            for node, pid in self._pids.items()
        ]
        held = any("file size 0" in text.lower() for text in self._seen.values())
        return held, "; ".join(said)

    async def heal(self) -> str:
        return ", ".join(await asyncio.gather(*(self._renew(node) for node in self.nodes)))

    async def _renew(self, node: str) -> str:
        pid, _ = await self._context.system.process_state(node)
        ended = " had ended" if pid != self._pids[node] else " killed"
        if pid == self._pids[node]:
            await self._context.system.kill(node)
        started = await self._context.ground.start(node, self._fault.id)
        return f"{node} pid {self._pids[node]}{ended}, {started.removeprefix(f'{node} ')}"


async def damage_files(
    node: str, name: str, note: str, files: KeepsFiles, rng: Random, context: Context
) -> str:
    """Damage a dead node's files as the fault `name` says; what was seen of it.

    Only while it is dead: see Ground.busy. Raises PaxtestError where there is nothing to damage.
    """
    remote = context.cluster.remote(node)
    found = await damage.sizes(remote, await files.data_files(node))
    if name == "wipe":
        await context.system.wipe(node)
        left = await damage.sizes(remote, await files.data_files(node))
        if left:
            raise PaxtestError(f"{node} still has {left[0][0]} after it was wiped")
        return f"{len(found)} files of {sum(size for _, size in found)} bytes are gone"
    spot = damage.place(found, rng)
    if spot is None:
        return ""
    context.ground.damaged(node, note)
    if name == "torn-tail":
        source = rng.choice(["/dev/zero", "/dev/urandom"])
        return await damage.tear(remote, note, found[-1][0], rng.randint(*_TAIL_BYTES), source)
    return await damage.flip(remote, note, *spot, rng.randrange(8))


async def over_and_over(
    strike: Callable[[], Awaitable[None]], node: str, over: float, context: Context
) -> None:
    """Strike, and again until `over` (monotonic clock), each time elsewhere: what one part of its
    files does not show another may. Who has refused to start gets back what it had first.
    """
    await strike()
    while time.monotonic() + _MORE_S < over:
        pid, _ = await context.system.process_state(node)
        if pid is None:
            async with context.ground.busy(node):
                await context.ground.mend(node)
        elif await _ready(node, context.system):
            context.ground.sound(node)
            await asyncio.sleep(_MORE_S)
        else:  # it may refuse yet: what it was given last must still be put right then
            await asyncio.sleep(_LOOK_S)
            continue
        await strike()


async def settled(node: str, fault: PlannedFault, context: Context) -> str:
    """Wait until the node serves, with a vote where that can be told, or has refused to; then its
    files are mended and it starts."""
    over = time.monotonic() + _SETTLE_S
    serves = False
    while time.monotonic() < over:
        if serves := serves or await _ready(node, context.system):
            context.ground.sound(node)
            if not await voteless([node], context.system):
                return f"{node} serves"
        pid, _ = await context.system.process_state(node)
        if pid is None:
            deed = "served, and has ended" if serves else "refused to start"
            return f"{deed}; {await context.ground.start(node, fault.id)}"
        await asyncio.sleep(_LOOK_S)
    lacks = "serves, but does not vote yet" if serves else "does not serve yet"
    return f"{await context.ground.start(node, fault.id)}, {lacks}"


async def _ready(node: str, system: System) -> bool:
    try:
        return await system.is_ready(node)
    except PaxtestError:  # it has exited: the next look at the process tells
        return False


class DiskFamily:
    """Damage to durable state, through nothing but files and limits of processes."""

    kind = "disk"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        if isinstance(system, KeepsFiles):
            return None
        return (
            "the system does not say where its files are",
            "give it data_files and rejoins_empty, see paxtest.system.KeepsFiles",
        )

    async def unavailable(self, cluster: Cluster, system: System) -> dict[str, str]:
        """Faults that cannot be had here, and why."""
        gaps = {}
        if not getattr(system, "rejoins_empty", False):
            gaps["wipe"] = "the system does not take back a node that has lost its disk"
        remotes = [cluster.remote(node.name) for node in cluster.nodes]
        found = await asyncio.gather(
            *(remote.run(["sh", "-c", "command -v prlimit"], check=False) for remote in remotes)
        )
        if any(output.exit_code for output in found):
            why = "no prlimit on the nodes (Debian: apt-get install util-linux)"
            gaps |= {name: why for name in MIX.weights if name.startswith("write-error")}
        return gaps

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        if fault.name.startswith("write-error-"):
            found = await struck(fault.name.removeprefix("write-error-"), fault, context)
            return found if isinstance(found, str) else WriteErrorAction(found, fault, context)
        assert isinstance(context.system, KeepsFiles)
        rng, most = Random(fault.seed), 1 if fault.name == "wipe" else _AT_ONCE
        drawn = {context.ground.frail(rng) for _ in range(most)}
        nodes = sorted(node for node in drawn if node is not None)
        if not nodes:
            return f"{len(context.nodes)} nodes have no minority whose disks may fail"
        # Another fault may have killed them just now, and soon starts them again.
        over = time.monotonic() + _DEAD_S
        while not (pids := (await look(nodes, context)).pids):
            if time.monotonic() > over:
                return f"nothing to damage: no process on {' '.join(nodes)}"
            await asyncio.sleep(_LOOK_S)
        return DamageAction(pids, context.system, fault, context)
