"""What a fault family is: its mix (pure, for the schedule) and its actions (which do it)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import msgspec

from paxtest.cluster.protocol import Cluster
from paxtest.nemesis.ground import Ground
from paxtest.system import System


class PlannedFault(msgspec.Struct, frozen=True):
    """One fault of a schedule. Times are seconds since the drive phase began.

    `seed` decides everything that the name leaves open (which node, how far a clock jumps).
    `after`: the id of a fault that has to be in force first, with the same leader; 0 for none.
    """

    id: int
    start_s: float
    duration_s: float
    kind: str
    name: str
    seed: int
    after: int = 0

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Mix:
    """How a family spends its time. Pure data: the schedule reads nothing else of a family.

    `weights`: how often each name is drawn, relative to the others of its slot.
    `hold_s`: the shortest and longest time that each name holds.
    `slots`: the family goes round this cycle, one fault per slot, each drawn from its names:
    so a name that must not be missing for long has a slot of its own, whatever the seed.
    `pace`: the family's mean time between starts, in intervals of the schedule.
    `urgent`: names of which one comes in every 2.5 intervals, whatever else has to give way.
    `whole`: names that the pace does not cut short, for they show something after a while only.
    `min_nodes`: names that make no sense with fewer nodes.
    `alone`: nothing else is to happen meanwhile, but for what is `harmless` to such a fault.
    """

    kind: str
    weights: Mapping[str, float]
    hold_s: Mapping[str, tuple[float, float]]
    slots: Sequence[frozenset[str]]
    pace: float = 1.0
    urgent: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    min_nodes: Mapping[str, int] = field(default_factory=dict)
    alone: bool = False
    harmless: bool = False

    def names(self, nodes: int) -> list[str]:
        """The names that make sense on this many nodes, in a fixed order."""
        return [name for name in self.weights if self.min_nodes.get(name, 1) <= nodes]


@dataclass
class Context:
    """What actions work on. `leader` is asked for when a fault is injected, not before.

    `random_leader`: none answered, `leader` is any node, and the fault's text has to say so.
    `ground`: what the faults of a run share.
    """

    cluster: Cluster
    system: System
    nodes: tuple[str, ...]
    leader: str
    ground: Ground
    random_leader: bool = False


class Action(Protocol):
    """One fault about to happen. `undo` is complete before `inject` is called, and covers all
    that it may do; `nodes` and `text` may grow with what it finds.
    """

    nodes: list[str]
    text: str
    undo: dict[str, Any]

    async def inject(self) -> None: ...

    async def probe(self) -> tuple[bool, str]:
        """(seen to hold, how), looked at from outside the code that injected; under a second."""

    async def heal(self) -> str:
        """Undo and see that it is undone; idempotent. Returns what was seen. Raises if not."""


class Family(Protocol):
    """A kind of fault. `prepare` returns a string, the reason, where there is nothing to do."""

    kind: str
    mix: Mix

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        """(what is missing, how to get it) where this family cannot work here; None: it can."""

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str: ...


def targets(name: str, nodes: Sequence[str], leader: str, rng: Random) -> list[str]:
    """The nodes that `one`, `leader`, `minority`, `majority` or `all` mean, in the nodes' order.

    A minority is the largest one (2 of 5; of 1 or 2 nodes there is none, then it is one node),
    a majority the smallest (3 of 5). Pure.
    """
    count = {
        "one": 1,
        "minority": max(1, (len(nodes) - 1) // 2),
        "majority": len(nodes) // 2 + 1,
        "all": len(nodes),
    }
    if name == "leader":
        return [leader]
    chosen = set(rng.sample(list(nodes), count[name]))
    return [node for node in nodes if node in chosen]


def leader_note(context: Context, wanted: bool) -> str:
    """What the journal adds where a fault aims at the leader and no node claims to lead."""
    if not (wanted and context.random_leader):
        return ""
    return f" (no node claims to lead: {context.leader} drawn at random)"


Clock = Callable[[], int]
"""The run's time, ns."""
