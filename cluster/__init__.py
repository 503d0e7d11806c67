"""Where nodes come from, and the systems that run on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from paxtest.errors import ClusterError, PlanError

if TYPE_CHECKING:
    from paxtest.cluster.protocol import Cluster

KINDS = ("docker", "local", "ssh", "existing")


def make(
    kind: str,
    *,
    run_id: str,
    nodes: int,
    options: Mapping[str, Any] | None = None,
) -> Cluster:
    """A cluster, not yet up, of so many nodes. Options: docs/reference/clusters.md; those of ssh
    and existing clusters name the hosts (`hosts`, a list).

    PlanError for a kind, number or option that cannot be.
    """
    factory = _class(kind)
    given = dict(options or {})
    try:
        if kind in ("docker", "local"):
            return cast("Cluster", factory(run_id, nodes, **given))
        hosts = given.pop("hosts", None)
        if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
            raise PlanError(
                f"a cluster of kind {kind} needs a list of hosts, not {hosts!r}",
                "in the plan: cluster.options.hosts: [10.0.0.1, 10.0.0.2]",
            )
        if len(hosts) != nodes:
            raise PlanError(
                f"the plan says {nodes} nodes but names {len(hosts)} hosts",
                f"set cluster.nodes to {len(hosts)}",
            )
        return cast("Cluster", factory(run_id, hosts, **given))
    except TypeError as error:
        raise PlanError(
            f"options of a {kind} cluster: {error}", "see docs/reference/clusters.md"
        ) from error


async def attach(path: Path) -> Cluster:
    """The cluster that another process made and saved as `path` (cluster.json)."""
    saved = _read(path)
    cluster: Cluster = await _class(saved["kind"]).attach(saved)
    return cluster


def _read(path: Path) -> dict[str, Any]:
    try:
        saved = json.loads(path.read_text())
        if saved["kind"] in KINDS and saved["schema"] == 1:
            return dict(saved)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{path} is not a saved cluster: {error}") from error
    raise ClusterError(f"{path} is not a saved cluster that this version knows")


def _class(kind: str) -> Any:
    """Imported on demand: whoever runs locally need not load the Docker SDK and paramiko."""
    match kind:
        case "docker":
            from paxtest.cluster.docker import DockerCluster

            return DockerCluster
        case "local":
            from paxtest.cluster.local import LocalCluster

            return LocalCluster
        case "ssh":
            from paxtest.cluster.ssh import SshCluster

            return SshCluster
        case "existing":
            from paxtest.cluster.existing import ExistingCluster

            return ExistingCluster
    raise PlanError(f"no such kind of cluster: {kind!r}", f"one of {', '.join(KINDS)}")


def docker_available() -> str | None:
    """None when a Docker engine answers, else the reason. Blocks for five seconds at most."""
    from paxtest.cluster import docker

    return docker.available()
