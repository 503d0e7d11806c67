"""Partitions: which directions of which links are cut, and the family that cuts them, or resets
what is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster, Link
from paxtest.errors import Unsupported
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, leader_note
from paxtest.nemesis.reset import ResetAction
from paxtest.system import System

_ISOLATE = (1.5, 3.5)
_SPLIT = (1.0, 2.5)
MIX = Mix(
    kind="partition",
    weights={
        "isolate-leader": 3,
        "isolate-one": 1,
        "halves": 1,
        "random-halves": 2,
        "majorities-ring": 1,
        "bridge": 1,
        "one-way-out": 2,
        "one-way-in": 1,
        "reset-leader": 1,
    },
    hold_s={
        "isolate-leader": _ISOLATE,
        "isolate-one": _SPLIT,
        "halves": _SPLIT,
        "random-halves": _SPLIT,
        "majorities-ring": _SPLIT,
        "bridge": _SPLIT,
        "one-way-out": _SPLIT,
        "one-way-in": _SPLIT,
        "reset-leader": _SPLIT,
    },
    slots=(
        frozenset({"reset-leader"}),
        frozenset({"isolate-leader"}),
        frozenset({"halves", "random-halves", "majorities-ring", "bridge"}),
        frozenset({"reset-leader"}),
        frozenset({"isolate-leader", "one-way-out", "one-way-in", "isolate-one"}),
        frozenset({"isolate-leader"}),
    ),
    pace=0.75,
    min_nodes={"majorities-ring": 3, "bridge": 3},
)
AT_LEADER = frozenset({"isolate-leader", "one-way-out", "one-way-in"})


def between(left: Iterable[str], right: Iterable[str]) -> set[Link]:
    """Both directions of every link that joins the two groups."""
    right = list(right)
    return {link for a in left for b in right for link in ((a, b), (b, a))}


def _halves(nodes: Sequence[str]) -> set[Link]:
    middle = len(nodes) // 2
    return between(nodes[:middle], nodes[middle:])


def _ring(nodes: Sequence[str]) -> set[Link]:
    """Each node hears a majority (itself and its neighbours on a ring), no two the same one."""
    count = len(nodes)
    majority = count // 2 + 1
    before = (majority - 1) // 2
    cut: set[Link] = set()
    for place, node in enumerate(nodes):
        heard = {nodes[(place - before + step) % count] for step in range(majority)}
        cut |= {(other, node) for other in nodes if other not in heard}
    return cut


def _bridge(nodes: Sequence[str]) -> set[Link]:
    """Two halves that do not see each other, and one node that sees both."""
    middle = len(nodes) // 2
    return between(nodes[:middle], nodes[middle + 1 :])


def cut_links(name: str, nodes: Sequence[str], leader: str, rng: Random) -> set[Link]:
    """The directions that the partition `name` cuts. Pure; `rng` draws what the name leaves open.

    Names and meanings are Jepsen's where it has them: `isolate-one` (a random node sees
    nobody), `halves` (in the nodes' order), `random-halves`, `majorities-ring`, `bridge`; and
    `isolate-leader`, `one-way-out` (nothing gets out of the leader), `one-way-in` (nothing in).
    """
    shuffled = list(nodes)
    rng.shuffle(shuffled)
    others = [node for node in nodes if node != leader]
    match name:
        case "isolate-one":
            return between(shuffled[:1], shuffled[1:])
        case "isolate-leader":
            return between([leader], others)
        case "halves":
            return _halves(nodes)
        case "random-halves":
            return _halves(shuffled)
        case "majorities-ring":
            return _ring(shuffled)
        case "bridge":
            return _bridge(shuffled)
        case "one-way-out":
            return {(leader, other) for other in others}
        case "one-way-in":
            return {(other, leader) for other in others}
    raise ValueError(f"no partition is named {name!r}")


class PartitionAction:
    """Cuts through `cluster.net`. Seen by packets that no longer arrive, and one that does."""

    def __init__(self, cut: set[Link], context: Context, fault: PlannedFault, rng: Random) -> None:
        self._fault = fault.id
        self._context = context
        self._cut = sorted(cut)
        self._rng = rng
        self.nodes = sorted({node for link in cut for node in link}, key=context.nodes.index)
        self.undo: dict[str, Any] = {"net": True, "cut": [list(link) for link in self._cut]}
        both = {link for link in cut if (link[1], link[0]) in cut}
        said = [f"{a}-{b}" for a, b in self._cut if (a, b) in both and a < b]
        said += [f"{a}->{b}" for a, b in self._cut if (a, b) not in both]
        self.text = "cut " + " ".join(said) + leader_note(context, fault.name in AT_LEADER)

    async def inject(self) -> None:
        await self._context.ground.cut(self._fault, self._cut)

    async def probe(self) -> tuple[bool, str]:
        return await probe_cut(self._cut, self._context, self._rng)

    async def heal(self) -> str:
        return await self._context.ground.open(self._fault)


async def probe_cut(cut: Sequence[Link], context: Context, rng: Random) -> tuple[bool, str]:
    """(does the cut hold, how that was seen): up to three cut directions and one open one, between
    nodes that run, for silence from a dead node proves nothing.
    """
    assert context.cluster.net is not None
    net, system, port = context.cluster.net, context.system, context.system.peer_port
    states = await asyncio.gather(*(system.process_state(n) for n in context.nodes))
    alive = {
        node
        for node, (pid, state) in zip(context.nodes, states, strict=True)
        if pid is not None and state not in ("T", "Z")
    }
    closed = [link for link in cut if alive >= set(link)]
    all_links = {(a, b) for a in alive for b in alive if a != b}
    opened = sorted(all_links - context.ground.closed())
    closed = rng.sample(closed, min(3, len(closed)))
    opened = rng.sample(opened, min(1, len(opened)))
    if not closed:
        return False, "no cut link has running nodes at both ends"
    seen = await asyncio.gather(*(net.reachable(a, b, port) for a, b in closed + opened))
    said = [
        f"{a}->{b} {'reaches' if got else 'silent'}"
        for (a, b), got in zip(closed + opened, seen, strict=True)
    ]
    holds = not any(seen[: len(closed)]) and all(seen[len(closed) :])
    return holds, ", ".join(said)


def without_network(cluster: Cluster) -> tuple[str, str] | None:
    """(what is missing, how to get it) where no fault of the network is possible."""
    if cluster.net is None:
        return (
            f"cluster {cluster.name!r} has no way to touch the network",
            "use '--cluster docker' or '--cluster local', or give the nodes' remotes",
        )
    if len(cluster.nodes) < 2:
        return ("faults of the network need at least 2 nodes", "use '--nodes 3' or more")
    return None


class PartitionFamily:
    """Network partitions between the nodes; clients still reach every node."""

    kind = "partition"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        return without_network(cluster)

    async def unavailable(self, cluster: Cluster, system: System) -> dict[str, str]:
        """Faults that cannot be had here, and why: kernels may lack what sends resets."""
        assert cluster.net is not None
        first, second = (node.name for node in cluster.nodes[:2])
        try:
            await cluster.net.reset([(first, second)], 0.0)
        except Unsupported as error:
            return {"reset-leader": error.message}
        return {}

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        if fault.name == "reset-leader":
            return ResetAction(fault, context)
        rng = Random(fault.seed)
        cut = cut_links(fault.name, context.nodes, context.leader, rng)
        if not cut:
            return f"{fault.name} cuts nothing among {len(context.nodes)} nodes"
        return PartitionAction(cut, context, fault, rng)
