"""Members: nodes leave the cluster and join it again while clients work.

Never more than a minority is out at a time. Each change is the system's own, asked for as an
operator would; that it is in force is read back from the system, not from the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, leader_note, targets
from paxtest.nemesis.processes import voteless
from paxtest.system import ChangesMembers, System

_HOLD = (0.5, 2.0)
MIX = Mix(
    kind="member",
    weights={"remove-one": 1, "remove-leader": 2, "remove-minority": 2, "churn": 2},
    hold_s={
        "remove-one": _HOLD,
        "remove-leader": _HOLD,
        "remove-minority": _HOLD,
        "churn": (2.0, 3.0),
    },
    slots=(
        frozenset({"remove-minority", "churn"}),
        frozenset({"remove-one", "remove-leader"}),
    ),
    min_nodes=dict.fromkeys(("remove-one", "remove-leader", "remove-minority", "churn"), 3),
)
_AGREE_S = 6.0  # how long one waits for a change to be agreed on; less than a heal may take
_LOOK_S = 0.1


class MemberAction:
    """These nodes are members no more; in the end they are again."""

    def __init__(self, nodes: list[str], fault: PlannedFault, context: Context) -> None:
        assert isinstance(context.system, ChangesMembers)
        self._members = context.system
        self._fault = fault
        self._seen: set[str] = set()
        self.nodes = nodes
        note = leader_note(context, fault.name == "remove-leader")
        self.text = f"remove {' '.join(nodes)}{note}"
        self.undo: dict[str, Any] = {"members": list(nodes)}

    async def inject(self) -> None:
        for node in self.nodes:  # one right after the other: changes that meet on their way
            await self._members.remove_member(node)

    async def probe(self) -> tuple[bool, str]:
        now = await self._members.members()
        out = [node for node in self.nodes if now and node not in now]
        return bool(out), f"members are {' '.join(now)}" if now else "no node tells the members"

    async def heal(self) -> str:
        return await joined(self.nodes, self._members)


class ChurnAction(MemberAction):
    """Out and in again, one after the other, for as long as the fault lasts."""

    def __init__(self, nodes: list[str], fault: PlannedFault, context: Context) -> None:
        super().__init__(nodes, fault, context)
        self._rng = Random(f"churn {fault.seed}")
        self._turning: asyncio.Task[None] | None = None
        self._changes = 0
        self.text += " and add them again, over and over"

    async def inject(self) -> None:
        self._turning = asyncio.create_task(self._turn())

    async def _turn(self) -> None:
        while True:
            for change in (self._members.remove_member, self._members.add_member):
                for node in self.nodes:
                    with contextlib.suppress(PaxtestError):  # refused, or nobody can agree now
                        await change(node)
                        self._changes += 1
                await asyncio.sleep(self._rng.uniform(0.0, 0.1))

    async def probe(self) -> tuple[bool, str]:
        """A node that was seen in, and out."""
        for _ in range(8):
            now = await self._members.members()
            if now:
                self._seen.add("in" if self.nodes[0] in now else "out")
            if len(self._seen) == 2:
                break
            await asyncio.sleep(0.03)
        told = " and ".join(sorted(self._seen)) or "nothing of it"
        return len(self._seen) == 2, f"{self.nodes[0]} seen {told}; {self._changes} changes"

    async def heal(self) -> str:
        if self._turning is not None:
            self._turning.cancel()
            await asyncio.gather(self._turning, return_exceptions=True)
        return f"{await super().heal()} after {self._changes} changes"


async def joined(nodes: list[str], system: ChangesMembers) -> str:
    """Make these members again, with a vote where that can be told; what was seen. Raises
    PaxtestError where they are no members within 6 s."""
    over = time.monotonic() + _AGREE_S
    problem, seen, missing = "nobody tells who is", "", nodes
    while time.monotonic() < over:
        try:
            for node in missing:
                await system.add_member(node)
            now = await system.members()
        except PaxtestError as error:
            problem, now = error.message, []
        missing = [node for node in nodes if node not in now]
        if not missing:
            lacking = await voteless(nodes, system)
            seen = f"members are {' '.join(now)}"
            if not lacking:
                return seen
            seen += f", {' '.join(lacking)} without a vote yet"
        await asyncio.sleep(_LOOK_S)
    if seen:
        return seen
    raise PaxtestError(
        f"{' '.join(nodes)} could not be made members again: {problem}",
        "add them by hand when most of the members serve",
    )


class MemberFamily:
    """Changes of the membership. Only for systems that say how (`ChangesMembers`)."""

    kind = "member"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        if not isinstance(system, ChangesMembers):
            return (
                "the system does not say how its members are changed",
                "give it members, remove_member and add_member, see paxtest.system.ChangesMembers",
            )
        if len(cluster.nodes) < 3:
            return ("changes of members need at least 3 nodes", "use '--nodes 3' or more")
        why = system.fixed_members()
        return (why, "leave 'member' out of --nemesis") if why else None

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        target = "minority" if fault.name == "churn" else fault.name.removeprefix("remove-")
        nodes = targets(target, context.nodes, context.leader, Random(fault.seed))
        action = ChurnAction if fault.name == "churn" else MemberAction
        return action(nodes, fault, context)
