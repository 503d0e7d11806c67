"""Ground: what the faults of one run share, so that they neither undo nor outdo each other."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from random import Random

from paxtest.cluster.protocol import Cluster, Link
from paxtest.errors import PaxtestError
from paxtest.nemesis import damage
from paxtest.system import System


class Ground:
    """The links that are cut, the nodes that stay down, the disks that may be damaged.

    Every claim belongs to a fault, named by its id. Two partitions at a time cut what either
    cuts; a node that one fault keeps down is not started by another.
    """

    def __init__(self, cluster: Cluster, system: System) -> None:
        self._cluster = cluster
        self._system = system
        self._nodes = [node.name for node in cluster.nodes]
        self._cuts: dict[int, frozenset[Link]] = {}
        self._shaper: int | None = None  # the fault whose shapes are in force
        self._links = asyncio.Lock()
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._down: dict[str, int] = {}
        self._frail: list[str] = []
        self._damaged: dict[str, list[str]] = {}  # node: the notes of what was done to its files

    # -- links ------------------------------------------------------------------------------

    async def cut(self, fault: int, links: Collection[Link]) -> None:
        """Cut these, and no others of this fault's. Needs a cluster with a network."""
        assert self._cluster.net is not None
        async with self._links:
            self._cuts[fault] = frozenset(links)
            await self._cluster.net.cut(self._all_cut())

    async def open(self, fault: int) -> str:
        """Open what this fault has cut and no other one cuts; what it has shaped is as usual."""
        assert self._cluster.net is not None
        async with self._links:
            self._cuts.pop(fault, None)
            shaped = self._shaper == fault
            if shaped:
                self._shaper = None
            if not self._cuts and self._shaper is None:
                await self._cluster.net.heal()
            else:
                await self._cluster.net.cut(self._all_cut())
                if shaped:
                    await self._cluster.net.shape([])
        return "its links open" if self._cuts else "all links open"

    async def reset(self, links: Collection[Link], for_s: float) -> int:
        """Reset the connections of these; nothing is left of it. How many segments, or connections
        where these are counted, that were. Raises Unsupported."""
        assert self._cluster.net is not None
        async with self._links:
            return await self._cluster.net.reset(links, for_s)

    async def shape(self, fault: int, links: Collection[Link], **shape: float) -> None:
        """Delay or lose what travels on these, and on no others: the shapes of an earlier fault are
        over. Raises Unsupported.
        """
        assert self._cluster.net is not None
        async with self._links:
            self._shaper = fault
            await self._cluster.net.shape(links, **shape)  # type: ignore[arg-type]

    async def unshape(self, fault: int) -> str:
        """All links carry everything at once again, but for what a later fault has shaped since:
        the healing of one can last until the next has begun.
        """
        assert self._cluster.net is not None
        async with self._links:
            if self._shaper not in (None, fault):
                return f"its links are shaped by fault {self._shaper}"
            self._shaper = None
            await self._cluster.net.shape([])
        return "all links as usual"

    def closed(self) -> frozenset[Link]:
        """The links that are cut by any fault."""
        return frozenset().union(*self._cuts.values())

    def _all_cut(self) -> list[Link]:
        return sorted(self.closed())

    # -- processes --------------------------------------------------------------------------

    def keep_down(self, fault: int, nodes: Collection[str]) -> list[str]:
        """Let nobody else start these until `let_up`; those that another fault has are left out."""
        return [node for node in nodes if self._down.setdefault(node, fault) == fault]

    def let_up(self, fault: int) -> None:
        self._down = {node: owner for node, owner in self._down.items() if owner != fault}

    def busy(self, node: str) -> asyncio.Lock:
        """Held while a node is started, or its files are changed."""
        return self._busy[node]

    async def start(self, node: str, fault: int) -> str:
        """Start the node if it does not run, its files mended; what was seen, in words.

        A node may be running: a final heal comes after a heal. Raises where it does not start.
        """
        owner = self._down.get(node, fault)
        if owner != fault:
            return f"{node} is left to fault {owner}"
        async with self.busy(node):
            pid, _ = await self._system.process_state(node)
            if pid is not None:
                return f"{node} pid {pid}"
            mended = await self.mend(node)
            await self._system.start(node)
            pid, _ = await self._system.process_state(node)
        if pid is None:
            raise PaxtestError(
                f"node {node} does not run after its restart", f"read the logs of {node}"
            )
        return f"{node} {mended}pid {pid}"

    # -- disks ------------------------------------------------------------------------------

    def frail(self, rng: Random, avoid: Sequence[str] = ()) -> str | None:
        """A node whose disk may be damaged now. Of all nodes that a run draws, at most a minority:
        of whatever was acknowledged a majority keeps a good copy, however often it strikes.
        None where there is no minority, or only nodes to avoid.
        """
        most = (len(self._nodes) - 1) // 2
        pool = self._frail if len(self._frail) >= most else self._nodes
        pool = [node for node in pool if node not in avoid]
        if most == 0 or not pool:
            return None
        node = rng.choice(pool)
        if node not in self._frail:
            self._frail.append(node)
        return node

    def damaged(self, node: str, note: str) -> None:
        """The node's files were changed as the file `note` on it says."""
        self._damaged.setdefault(node, []).append(note)

    def sound(self, node: str) -> None:
        """The node has started on its changed files: what it made of them is its own now."""
        self._damaged.pop(node, None)

    async def mend(self, node: str) -> str:
        """Put back what the node's files were before they were damaged; what was done, in words.
        Only while it is dead."""
        notes = self._damaged.get(node, [])
        for note in notes:
            await damage.mend(self._cluster.remote(node), note)
        self._damaged.pop(node, None)
        return "mended, " if notes else ""
