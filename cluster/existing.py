"""Endpoints of a cluster that somebody else runs: load, but no shells and no faults."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from paxtest.cluster import ownership
from paxtest.cluster.protocol import Net
from paxtest.errors import PlanError, Unsupported
from paxtest.node import Node


class ExistingCluster:
    """Nodes n1 to nN, at the endpoints `host` or `host:port`, in the order given."""

    name = "existing"

    def __init__(self, run_id: str, endpoints: Sequence[str]) -> None:
        if not endpoints:
            raise PlanError("an existing cluster needs endpoints", "name them: host:port, ...")
        self.run_id = ownership.check_run_id(run_id)
        self.net: Net | None = None
        self._endpoints = list(endpoints)
        self.ports: dict[str, int] = {}
        nodes = []
        for index, endpoint in enumerate(endpoints):
            host, port = _split(endpoint)
            node = Node(f"n{index + 1}", index, host)
            nodes.append(node)
            if port is not None:
                self.ports[node.name] = port
        self.nodes = tuple(nodes)

    async def up(self) -> None:
        """It is somebody else's to bring up."""

    async def down(self) -> None:
        """It is somebody else's to take down."""

    def remote(self, node: str) -> NoReturn:
        raise _no_shell(node)

    def directory(self, node: str) -> Path:
        raise _no_shell(node)

    def peer_address(self, source: str, destination: str, port: int) -> tuple[str, int]:
        raise _no_shell(source)

    def describe(self) -> dict[str, str]:
        return {
            "cluster": self.name,
            **{
                f"address_{node.name}": endpoint
                for node, endpoint in zip(self.nodes, self._endpoints, strict=True)
            },
        }

    def save(self, path: Path) -> None:
        """Write what another process needs to `attach`."""
        saved = {
            "schema": 1,
            "kind": self.name,
            "run_id": self.run_id,
            "endpoints": self._endpoints,
        }
        path.write_text(json.dumps(saved, indent=1))

    @classmethod
    async def attach(cls, saved: dict[str, Any]) -> ExistingCluster:
        return cls(saved["run_id"], saved["endpoints"])


def _no_shell(node: str) -> Unsupported:
    return Unsupported(
        f"node {node} of an existing cluster has no shell: it can be loaded and checked, but not"
        " started, stopped or broken",
        "run without nemeses; or give the hosts to --cluster ssh",
    )


def _split(endpoint: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]:port`."""
    host, port = endpoint, ""
    if endpoint.startswith("["):
        host, _, port = endpoint[1:].partition("]")
        port = port.removeprefix(":")
    elif endpoint.count(":") == 1:
        host, _, port = endpoint.partition(":")
    if not host or (port and not (port.isdigit() and 0 < int(port) < 65536)):
        raise PlanError(f"not an endpoint: {endpoint!r}", "write host or host:port")
    return host, int(port) if port else None
