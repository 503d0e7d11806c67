"""Quorums: one majority works alone, then another that shares as few nodes with it as can be.

Whatever a consensus protocol has acknowledged, it has to carry over by the nodes that both
majorities have in common: the *pivot* (one node of an odd number). All other faults meet such a
handover by luck; this family brings it about, and strikes the pivot in between.
"""

from __future__ import annotations

from random import Random

from paxtest.cluster.protocol import Cluster
from paxtest.nemesis import rivals
from paxtest.nemesis.clock import ClockFamily
from paxtest.nemesis.delay import DelayFamily
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault
from paxtest.nemesis.late import FigureEightAction, LateRivalsAction, StragglerAction
from paxtest.nemesis.partition import without_network
from paxtest.nemesis.processes import look
from paxtest.nemesis.swap import DAMAGE, SwapAction, SwapClock, SwapLate, SwapSleep, plan_swap
from paxtest.system import System

_HOLD = (2.3, 3.1)
_LONG = (4.5, 5.5)  # several elections: who wins is luck, and not each shows something
_STRAGGLING = (3.6, 4.0)
_WEIGHTS = {
    "swap": 0.5,
    "swap-kill": 0.5,
    "swap-kill-all": 0.5,
    "swap-flip-bit": 1,
    "swap-write-error": 1,
    "swap-wipe": 1,
    "swap-clock": 6,
    "swap-late": 1,
    "swap-sleep": 6,
    "rivals": 0.5,
    "rivals-late": 1,
    "straggler": 1,
    "relay": 0.5,
    "figure-eight": 1,
}
RIVALS = frozenset({"rivals", "relay"})
LATE: dict[str, type[LateRivalsAction | FigureEightAction | StragglerAction]] = {
    "rivals-late": LateRivalsAction,
    "straggler": StragglerAction,
    "figure-eight": FigureEightAction,
}
_REST = frozenset({"swap-clock", "swap-sleep", "swap", "swap-kill", "swap-kill-all"}) | RIVALS
MIX = Mix(
    kind="quorum",
    weights=_WEIGHTS,
    hold_s=dict.fromkeys(_WEIGHTS, _HOLD)
    | dict.fromkeys(("rivals-late", "figure-eight"), _LONG)
    | {"straggler": _STRAGGLING},
    slots=(
        _REST,
        frozenset({"figure-eight"}),
        frozenset({"swap-flip-bit"}),
        frozenset({"straggler"}),
        frozenset({"swap-late"}),
        frozenset({"rivals-late"}),
        frozenset({"figure-eight"}),
        frozenset({"swap-write-error"}),
        frozenset({"swap-wipe"}),
        frozenset({"rivals-late"}),
    ),
    whole=frozenset(_WEIGHTS),
    pace=0.9,
    min_nodes=dict.fromkeys(_WEIGHTS, 3) | {"straggler": 5},
    alone=True,
)


class QuorumFamily:
    """Handovers between two majorities. Needs the network; some need the nodes' files."""

    kind = "quorum"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        if cluster.net is not None and len(cluster.nodes) < 3:
            return ("two majorities need at least 3 nodes", "use '--nodes 3' or more")
        return without_network(cluster)

    async def unavailable(self, cluster: Cluster, system: System) -> dict[str, str]:
        """Faults that cannot be had here, and why."""
        from paxtest.nemesis.disk import DiskFamily

        disk, clocks = DiskFamily(), ClockFamily().missing(cluster, system)
        lacking = {} if clocks is None else {"swap-clock": clocks[0]}
        slow = (await DelayFamily().unavailable(cluster, system)).get("slow-leader")
        if slow is not None:
            lacking |= dict.fromkeys((*LATE, "swap-late"), slow)
        gap = disk.missing(cluster, system)
        if gap is not None:
            return lacking | dict.fromkeys((*DAMAGE, "swap-write-error"), gap[0])
        gaps = await disk.unavailable(cluster, system)
        mine = {"swap-wipe": "wipe", "swap-write-error": "write-error-one"}
        return lacking | {name: gaps[theirs] for name, theirs in mine.items() if theirs in gaps}

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        if fault.name in RIVALS:
            return await rivals.prepare(fault, context)
        if fault.name in LATE:
            return LATE[fault.name](fault, context)
        rng = Random(fault.seed)
        pivot = None
        if fault.name in DAMAGE:
            pivot = context.ground.frail(rng, avoid=[context.leader])
            if pivot is None:
                return "the only nodes whose disks may be damaged lead"
        swap = plan_swap(context.nodes, context.leader, pivot, rng)
        if fault.name in DAMAGE and len(swap.pivot) > 1:
            return f"majorities of {len(context.nodes)} nodes share more than one: no damage"
        if fault.name == "swap-clock":
            file = context.system.faketime_file(context.leader)
            return SwapClock(swap, fault, context, file) if file else "no control file of its clock"
        if fault.name == "swap-late":
            return SwapLate(swap, fault, context)
        if fault.name == "swap-sleep":
            pid = (await look([context.leader], context)).pids.get(context.leader)
            return SwapSleep(swap, fault, context, pid) if pid else "the leader does not run"
        return SwapAction(swap, fault, context)
