"""Where nodes come from, and the systems that run on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paxtest.errors import ClusterError, PlanError

if TYPE_CHECKING:
    from paxtest.cluster.protocol import Cluster

KINDS = ("docker", "local", "ssh", "existing")


def make(
    kind: str,
    *,
    run_id: str,
    nodes: int | Sequence[str],
    options: Mapping[str, Any] | None = None,
) -> Cluster:
    """A cluster, not yet up. `nodes`: how many (docker, local), or which hosts (ssh, existing).

    Options: docs/reference/clusters.md. PlanError for a kind, number or option that cannot be.
    """
    # Imported on demand: whoever runs locally need not load the Docker SDK and paramiko.
    given = dict(options or {})
    try:
        if kind in ("docker", "local"):
            if not isinstance(nodes, int):
                raise PlanError(f"a {kind} cluster takes a number of nodes, not {nodes!r}")
            if kind == "docker":
                from paxtest.cluster.docker import DockerCluster

                return DockerCluster(run_id, nodes, **given)
            from paxtest.cluster.local import LocalCluster

            return LocalCluster(run_id, nodes, **given)
        if kind in ("ssh", "existing"):
            if isinstance(nodes, int | str):
                raise PlanError(f"a cluster of kind {kind} takes a list of hosts, not {nodes!r}")
            if kind == "ssh":
                from paxtest.cluster.ssh import SshCluster

                return SshCluster(run_id, nodes, **given)
            from paxtest.cluster.existing import ExistingCluster

            return ExistingCluster(run_id, nodes, **given)
    except TypeError as error:
        raise PlanError(
            f"options of a {kind} cluster: {error}", "see docs/reference/clusters.md"
        ) from error
    raise PlanError(f"no such kind of cluster: {kind!r}", f"one of {', '.join(KINDS)}")


async def attach(path: Path) -> Cluster:
    """The cluster that another process made and saved as `path` (cluster.json)."""
    try:
        saved = json.loads(path.read_text())
        kind = saved["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(f"{path} is not a saved cluster: {error}") from error
    if kind == "docker":
        from paxtest.cluster.docker import DockerCluster

        return await DockerCluster.attach(saved)
    if kind == "local":
        from paxtest.cluster.local import LocalCluster

        return await LocalCluster.attach(saved)
    if kind == "ssh":
        from paxtest.cluster.ssh import SshCluster

        return await SshCluster.attach(saved)
    if kind == "existing":
        from paxtest.cluster.existing import ExistingCluster

        return await ExistingCluster.attach(saved)
    raise ClusterError(f"{path}: no such kind of cluster: {kind!r}")


def docker_available() -> str | None:
    """None when a Docker engine answers, else the reason. Blocks for five seconds at most."""
    from paxtest.cluster import docker

    return docker.available()
