"""Struck: the processes that a fault is about to strike, and the sentence that names them; and who
leads or votes meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from paxtest.nemesis.fault import Context, PlannedFault, leader_note, targets
from paxtest.system import TellsVotes

_SUCCESSOR_S = 3.0  # how long a successor is waited for
_LOOK_S = 0.05


@dataclass(frozen=True)
class Struck:
    """`pids`: of the targets that run; `idle`: those that do not; `note`: see leader_note."""

    pids: dict[str, int]
    idle: list[str]
    note: str

    def told(self, deed: str, left_out: str) -> str:
        """'kill -9 n1 (pid 7); already without a process: n2'."""
        said = " ".join(f"{node} (pid {pid})" for node, pid in self.pids.items())
        rest = f"; {left_out}: {' '.join(self.idle)}" if self.idle else ""
        return f"{deed} {said}{self.note}{rest}"


async def look(nodes: list[str], context: Context, note: str = "") -> Struck:
    """These nodes' processes as they are now."""
    states = await asyncio.gather(*(context.system.process_state(node) for node in nodes))
    pids = {n: pid for n, (pid, _) in zip(nodes, states, strict=True) if pid is not None}
    return Struck(pids, [node for node in nodes if node not in pids], note)


async def voteless(nodes: Sequence[str], system: object) -> list[str]:
    """Those of these nodes that say they have no vote, or do not answer; [] where the system cannot
    be asked."""
    if not isinstance(system, TellsVotes):
        return []
    votes = await asyncio.gather(*(system.votes(node) for node in nodes))
    return [node for node, vote in zip(nodes, votes, strict=True) if not vote]


async def struck(target: str, fault: PlannedFault, context: Context) -> Struck | str:
    """The processes that `target` (one, leader, minority, ...) means; a string: there are none."""
    chosen = targets(target, context.nodes, context.leader, Random(fault.seed))
    found = await look(chosen, context, leader_note(context, target == "leader"))
    if not found.pids:
        deed = {"disk": "keep from writing"}.get(fault.kind, fault.kind)
        return f"nothing to {deed}: no process on {' '.join(chosen)}"
    return found


async def another_leader(
    context: Context, not_these: list[str], limit_s: float | None = None
) -> str | None:
    """The first node, but for these, that claims to lead; None: nobody within the limit (3 s)."""
    over = time.monotonic() + (_SUCCESSOR_S if limit_s is None else limit_s)
    while time.monotonic() < over:
        claim = [node for node in await context.system.primaries() if node not in not_these]
        if claim:
            return claim[0]
        await asyncio.sleep(_LOOK_S)
    return None


async def each_leader(
    strike: Callable[[str], Awaitable[None]], context: Context, over: float
) -> None:
    """Strike the leader, then whoever leads next, until `over` (of the monotonic clock)."""
    leader: str | None = context.leader
    while leader is not None:
        await strike(leader)
        leader = await another_leader(context, [], over - time.monotonic())
