"""Nodes as containers on a network of their own."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions
from docker.types import EndpointConfig, IPAMConfig, IPAMPool
from docker.utils import kwargs_from_env

from paxtest.cluster import image, ownership, probing
from paxtest.cluster.hostnet import HostNet
from paxtest.cluster.protocol import Net
from paxtest.errors import ClusterError, DockerUnavailable, PlanError
from paxtest.node import Node
from paxtest.remote.docker import DockerRemote, in_thread

PING_TIMEOUT_S = 5
API_TIMEOUT_S = 120
MEMORY_BYTES = 1 << 30
PIDS = 512
DIRECTORY = Path("/var/lib/paxtest")
MAX_NODES = 32

_AGENT_DEADLINE_S = 20.0
_log = logging.getLogger("paxtest.cluster")
_ENGINE_ERRORS = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)


def connect() -> Any:
    """A docker.APIClient whose engine answered within PING_TIMEOUT_S. Blocks.

    Raises DockerUnavailable with what to do about it.
    """
    try:
        settings = kwargs_from_env()
        _ping(settings)
        return docker.APIClient(version="auto", timeout=API_TIMEOUT_S, **settings)
    except _ENGINE_ERRORS as error:
        raise DockerUnavailable(
            f"no Docker engine answers: {_reason(error)}",
            "start it (service docker start), see that you may use it (docker version) and where"
            " DOCKER_HOST points; or use --cluster local, which needs no Docker",
        ) from error


def _ping(settings: Any) -> None:
    """Raises one of _ENGINE_ERRORS unless the engine answers within PING_TIMEOUT_S."""
    url = settings.get("base_url") or "unix:///var/run/docker.sock"
    if url.startswith(("unix://", "http+unix://")):
        # By hand: the SDK forgets to close a socket that failed or timed out.
        with socket.socket(socket.AF_UNIX) as engine:
            engine.settimeout(PING_TIMEOUT_S)
            engine.connect(url.partition("://")[2])
            engine.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            if not engine.recv(1):
                raise ConnectionError("it hung up without an answer")
        return
    probe = docker.APIClient(version="1.40", timeout=PING_TIMEOUT_S, **settings)
    try:
        probe.ping()
    finally:
        probe.close()


def available() -> str | None:
    """None when an engine answers, else the reason. Blocks for PING_TIMEOUT_S at most."""
    try:
        connect().close()
    except DockerUnavailable as error:
        return error.message
    return None


def _reason(error: BaseException) -> str:
    text = str(error)
    if "Connection refused" in text or "No such file" in text or "FileNotFound" in text:
        return "nothing listens at its socket"
    if "Permission denied" in text:
        return "permission to use its socket was denied"
    if "timed out" in text:
        return f"it did not answer within {PING_TIMEOUT_S} s"
    return text.strip().splitlines()[0][:300] if text.strip() else type(error).__name__


class DockerCluster:
    """Containers n1 to nN on a bridge network of the run's own, labelled with the run.

    `keep`: the cluster is to outlive this process. `ipv6`: give the nodes IPv6 addresses too.
    """

    name = "docker"

    def __init__(
        self,
        run_id: str,
        node_count: int = 5,
        *,
        keep: bool = False,
        ipv6: bool = False,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        if not 1 <= node_count <= MAX_NODES:
            raise PlanError(f"a cluster has 1 to {MAX_NODES} nodes, not {node_count}")
        self.run_id = ownership.check_run_id(run_id)
        self.nodes: tuple[Node, ...] = ()
        self.net: Net | None = None
        self._names = [f"n{number}" for number in range(1, node_count + 1)]
        self._ipv6 = ipv6
        self._memory_bytes = memory_bytes
        self._labels = {
            ownership.MARK: "1",
            ownership.RUN: run_id,
            ownership.OWNER: ownership.owner(keep=keep),
        }
        self._object_name = f"paxtest-{run_id}"
        self._api: Any = None
        self._image: image.Image | None = None
        self._engine = ""
        self._remotes: dict[str, DockerRemote] = {}

    async def up(self) -> None:
        if self.nodes:
            raise ClusterError(f"the cluster of run {self.run_id} is up already")
        # A thread cannot be cancelled: what it is making must be known before it is removed.
        making = asyncio.ensure_future(self._make())
        try:
            await asyncio.shield(making)
        except BaseException as error:
            await asyncio.wait([making])
            if self._api is not None:
                await self.down()
            if isinstance(error, _ENGINE_ERRORS):
                raise ClusterError(
                    f"the Docker engine could not make the cluster: {_reason(error)}",
                    "leftovers of dead runs can stand in the way: paxtest cluster prune",
                ) from error
            raise

    async def _make(self) -> None:
        self._api = await in_thread(connect)
        self._engine = str((await in_thread(self._api.version)).get("Version", ""))
        self._image = await in_thread(image.ensure, self._api)
        began_s = time.monotonic()
        network = await in_thread(self._make_network)
        made = [in_thread(self._make_container, node, network) for node in self._names]
        self._use(await asyncio.gather(*made), fresh=True)
        await self._await_agents()
        _log.info("%d containers up in %.1f s", len(self.nodes), time.monotonic() - began_s)

    def _make_network(self) -> str:
        keywords: dict[str, Any] = {}
        if self._ipv6:
            # The engine has no default pool for IPv6; a random /64 of the private range will do.
            subnet = (
                f"fd{ownership.digest(self.run_id, 10)[:2]}:"
                + ":".join(ownership.digest(self.run_id, 14)[i : i + 4] for i in (2, 6, 10))
                + "::/64"
            )
            keywords = {"enable_ipv6": True, "ipam": IPAMConfig(pool_configs=[IPAMPool(subnet)])}
        try:
            made = self._api.create_network(
                self._object_name,
                driver="bridge",
                labels=self._labels,
                check_duplicate=True,
                **keywords,
            )
        except docker.errors.APIError as error:
            text = str(error.explanation or error)
            if "address pool" in text or "overlap" in text:
                raise ClusterError(
                    f"no subnet is free for the network of run {self.run_id}: {text}",
                    "remove networks of dead runs (paxtest cluster prune) or unused ones"
                    " (docker network prune), or widen default-address-pools in"
                    " /etc/docker/daemon.json",
                ) from error
            if error.status_code == 409:
                raise ClusterError(
                    f"a network named {self._object_name} exists already",
                    f"paxtest cluster prune removes it if its run is dead; or take another run id"
                    f" than {self.run_id}",
                ) from error
            raise
        return str(made["Id"])

    def _make_container(self, node: str, network: str) -> dict[str, Any]:
        assert self._image is not None
        endpoint = EndpointConfig(self._api.api_version, aliases=[node])
        made = self._api.create_container(
            self._image.tag,
            command=["python3", image.AGENT_ON_NODE, str(probing.AGENT_PORT)],
            name=f"{self._object_name}-{node}",
            hostname=node,
            labels={**self._labels, ownership.NODE: node},
            networking_config={"EndpointsConfig": {self._object_name: endpoint}},
            host_config=self._api.create_host_config(
                init=True,
                cap_add=["NET_ADMIN"],
                network_mode=self._object_name,
                mem_limit=self._memory_bytes,
                memswap_limit=self._memory_bytes,
                pids_limit=PIDS,
            ),
        )
        self._api.start(made["Id"])
        found: dict[str, Any] = self._api.inspect_container(made["Id"])
        return found

    def _use(self, containers: list[dict[str, Any]], *, fresh: bool) -> None:
        """Take these inspected containers as the nodes."""
        nodes, addresses = [], {}
        for index, found in enumerate(containers):
            name = found["Config"]["Hostname"]
            endpoint = found["NetworkSettings"]["Networks"][self._object_name]
            if not endpoint["IPAddress"]:
                raise ClusterError(
                    f"container {found['Name']} has no address: it is {found['State']['Status']}",
                    f"see why: docker logs {found['Name'].lstrip('/')}",
                )
            nodes.append(Node(name, index, endpoint["IPAddress"]))
            addresses[name] = [
                a for a in (endpoint["IPAddress"], endpoint["GlobalIPv6Address"]) if a
            ]
            self._remotes[name] = DockerRemote(name, found["Id"], self._api)
        self.nodes = tuple(nodes)
        self._prober = probing.Prober({node.name: node.host for node in nodes})
        self.net = HostNet(dict(self._remotes), addresses, self._prober, fresh=fresh)

    async def _await_agents(self) -> None:
        await asyncio.gather(
            *(
                self._prober.ask(node.name, "seen", "up", patience_s=_AGENT_DEADLINE_S)
                for node in self.nodes
            )
        )

    async def down(self) -> None:
        try:
            api = self._api or await in_thread(connect)
        except DockerUnavailable:
            if self.nodes:
                raise
            return
        await asyncio.gather(*(remote.close() for remote in self._remotes.values()))
        await in_thread(remove, api, self.run_id)
        self._api = api
        self.nodes = ()
        self.net = None
        self._remotes = {}
        await in_thread(api.close)

    def remote(self, node: str) -> DockerRemote:
        try:
            return self._remotes[node]
        except KeyError:
            raise ClusterError(
                f"no such node: {node!r}", f"nodes are {', '.join(self._remotes) or 'not up'}"
            ) from None

    def directory(self, node: str) -> Path:
        return DIRECTORY

    def peer_address(self, source: str, destination: str, port: int) -> tuple[str, int]:
        return next(node.host for node in self.nodes if node.name == destination), port

    def describe(self) -> dict[str, str]:
        made = self._image
        return {
            "cluster": self.name,
            "engine": f"Docker {self._engine}",
            "image": made.tag if made else "",
            "image_digest": made.digest if made else "",
            "image_base": made.base if made else "",
            **{f"address_{node.name}": node.host for node in self.nodes},
        }

    def save(self, path: Path) -> None:
        """Write what another process needs to `attach`."""
        path.write_text(
            json.dumps({"schema": 1, "kind": self.name, "run_id": self.run_id}, indent=1)
        )

    @classmethod
    async def attach(cls, saved: dict[str, Any]) -> DockerCluster:
        """The cluster that another process made, by its labels; its nodes are those that run."""
        api = await in_thread(connect)
        found = await in_thread(_containers, api, saved["run_id"])
        names = [container["Labels"][ownership.NODE] for container in found]
        running = [c["Id"] for c in found if c["State"] == "running"]
        inspected = await asyncio.gather(*(in_thread(api.inspect_container, i) for i in running))
        if not inspected:
            api.close()
            raise ClusterError(
                f"no container of run {saved['run_id']} runs", "paxtest cluster prune tidies up"
            )
        cluster = cls(saved["run_id"], len(names))
        cluster._api = api
        cluster._names = sorted(names, key=_number)
        cluster._engine = str((await in_thread(api.version)).get("Version", ""))
        inspected = sorted(inspected, key=lambda one: _number(one["Config"]["Hostname"]))
        cluster._use(inspected, fresh=False)
        cluster._image = image.Image(
            inspected[0]["Config"]["Image"],
            inspected[0]["Image"],
            inspected[0]["Config"]["Labels"].get(image.SOURCE_LABEL, "unknown"),
        )
        return cluster


def _number(node: str) -> int:
    return int(node.removeprefix("n"))


def _containers(api: Any, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.containers(
        all=True, filters={"label": [f"{ownership.MARK}=1", f"{ownership.RUN}={run_id}"]}
    )
    return found


def remove(api: Any, run_id: str) -> list[str]:
    """Remove the containers and networks of a run, and say which. Blocks; what is gone already
    is no error, nor is somebody else's removing it at the same time."""
    removed = []
    for container in _containers(api, run_id):
        if _gone(api.remove_container, container["Id"], force=True, v=True):
            removed.append(container["Names"][0].lstrip("/") if container["Names"] else "?")
    deadline_s = time.monotonic() + 10
    while (left := _containers(api, run_id)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    labels = [f"{ownership.MARK}=1", f"{ownership.RUN}={run_id}"]
    for network in api.networks(filters={"label": labels}):
        if _gone(api.remove_network, network["Id"]):
            removed.append(network["Name"])
    if left:
        raise ClusterError(f"containers of run {run_id} cannot be removed: {len(left)} left")
    return removed


def _gone(call: Any, *arguments: Any, **keywords: Any) -> bool:
    """True when the call removed it, False when it was gone or going."""
    try:
        call(*arguments, **keywords)
    except docker.errors.NotFound:
        return False
    except docker.errors.APIError as error:
        if error.status_code == 409 and "already in progress" in str(error):
            return False
        raise
    return True
