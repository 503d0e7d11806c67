"""Cluster and Net: what every source of nodes provides (DESIGN 5)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from paxtest.node import Node
from paxtest.remote.protocol import Remote

Link = tuple[str, str]
"""(source node, destination node): one direction of one link."""


class Net(Protocol):
    """The network between the nodes (never between a client and a node)."""

    async def cut(self, links: Collection[Link]) -> None:
        """Drop everything that travels in exactly these directions; all others are open again."""

    async def shape(
        self,
        links: Collection[Link],
        *,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        loss: float = 0.0,
        rate_bytes_s: int = 0,
    ) -> None:
        """Delay, drop (probability 0..1) and slow these directions; all others as usual.

        Raises Unsupported, saying why, where the kernel cannot.
        """

    async def reset(self, links: Collection[Link], for_s: float) -> int:
        """Answer, for so long, what TCP sends in these directions with resets, as a firewall does
        that has forgotten its connections: how many segments or connections that were. What was
        under way is lost. Cuts and shapes stay as they are.

        Raises Unsupported, saying why, where the kernel cannot.
        """

    async def reachable(self, source: str, destination: str, port: int) -> bool:
        """Probe: does a packet from `source` now get to `destination`? Says nothing of back."""

    async def heal(self) -> None:
        """Undo cuts and shapes, and only our own."""


class Cluster(Protocol):
    """Nodes, their shells and the network between them."""

    name: str
    run_id: str
    nodes: tuple[Node, ...]
    net: Net | None  # None: no way to touch the network (existing endpoints without a remote)

    async def up(self) -> None:
        """Provision. Raises ClusterError, DockerUnavailable, AddressInUse; leaves nothing then."""

    async def down(self) -> None:
        """Tear down everything that `up` made; idempotent; never raises for what is gone."""

    def remote(self, node: str) -> Remote: ...

    def directory(self, node: str) -> Path:
        """A directory on the node that is the run's own: data, logs, pid files, control files."""

    def peer_address(self, source: str, destination: str, port: int) -> tuple[str, int]:
        """Where `source` must connect to reach `port` of `destination` (a proxy, perhaps)."""

    def describe(self) -> dict[str, str]:
        """Image digests, engine version, addresses: what plan.yaml records."""

    def save(self, path: Path) -> None:
        """Write what another process needs to `paxtest.cluster.attach(path)`."""
