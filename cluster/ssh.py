"""Hosts that the plan names, by SSH. Faults touch these hosts, in a chain and qdisc of our own."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paxtest.cluster import ownership, probing
from paxtest.cluster.hostnet import HostNet
from paxtest.cluster.protocol import Net
from paxtest.errors import ClusterError, PlanError, RemoteError
from paxtest.node import Node
from paxtest.remote import daemon
from paxtest.remote.ssh import SshAddress, SshRemote, parse_address

# Arguments: port, words of the question. The agent listens on the node; so the question is put
# to it there, and no firewall between here and the node can stand in the way.
_ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.2)
for _ in range(10):
    s.sendto(" ".join(sys.argv[2:]).encode(), ("127.0.0.1", int(sys.argv[1])))
    try:
        print(s.recv(512).decode())
        break
    except OSError:
        pass
else:
    sys.exit("the probe agent does not answer")
"""

_ADDRESSES = r"PATH=$PATH:/usr/sbin:/sbin; ip -o addr show scope global | awk '{print $4}'"


class SshProber(probing.Prober):
    """Asks the agents through the nodes' shells."""

    def __init__(self, remotes: dict[str, SshRemote], addresses: dict[str, str]) -> None:
        super().__init__(addresses)
        self._remotes = remotes

    async def ask(
        self, node: str, *words: str, patience_s: float = probing.PATIENCE_S
    ) -> list[str]:
        argv = ["python3", "-c", _ASK, str(probing.AGENT_PORT), *words]
        return (await self._remotes[node].run(argv, timeout_s=patience_s + 2)).stdout.split()


class SshCluster:
    """Nodes n1 to nN on the hosts `[user@]host[:port]`, in the order given.

    Each needs Linux and python3, and for partitions iptables with root or a sudo that asks no
    password. In `directory` on the nodes a directory of the run's own is made, and removed by
    `down`. `jump`: a host to go through, written like the others.
    """

    name = "ssh"

    def __init__(
        self,
        run_id: str,
        hosts: Sequence[str],
        *,
        user: str = "root",
        key_file: str | None = None,
        known_hosts: str | None = None,
        jump: str | None = None,
        directory: str = "/var/tmp",
    ) -> None:
        if not hosts:
            raise PlanError("an ssh cluster needs hosts", "name them: [user@]host[:port], ...")
        self.run_id = ownership.check_run_id(run_id)
        self.net: Net | None = None
        login = {"user": user, "key_file": key_file, "known_hosts": known_hosts}
        hop = parse_address(jump, **login) if jump else None
        self._logins = [parse_address(host, **login, jump=hop) for host in hosts]
        self._directory = Path(directory) / f"paxtest-{run_id}"
        self.nodes = tuple(
            Node(f"n{index + 1}", index, login.host) for index, login in enumerate(self._logins)
        )
        self._remotes = {
            node.name: SshRemote(node.name, login)
            for node, login in zip(self.nodes, self._logins, strict=True)
        }
        self._addresses: dict[str, list[str]] = {}

    async def up(self) -> None:
        try:
            found = await asyncio.gather(*(self._prepare(node) for node in self._remotes))
            self._addresses = dict(zip(self._remotes, found, strict=True))
            self._use(fresh=False)
        except BaseException:
            await self.down()
            raise

    async def _prepare(self, node: str) -> list[str]:
        """Make the directory, start the probe agent, and learn the node's addresses."""
        remote = self._remotes[node]
        place = self.directory(node)
        try:
            await remote.run(["mkdir", "-p", "-m", "700", "--", str(place)])
            await remote.run(["python3", "-c", ""])
            lines = (await remote.run(["sh", "-c", _ADDRESSES])).stdout.split()
        except RemoteError as error:
            raise ClusterError(
                f"node {node} cannot be used: {error.message}",
                f"a node needs python3, iproute2, and a user who may write to {place.parent}",
            ) from error
        await remote.upload(probing.AGENT, str(place / probing.AGENT.name))
        await daemon.start(
            remote,
            argv=["python3", str(place / probing.AGENT.name), str(probing.AGENT_PORT)],
            directory=place,
            log=place / "probe_agent.log",
            pidfile=place / "probe_agent.pid",
        )
        addresses = [str(ipaddress.ip_interface(line).ip) for line in lines]
        addresses.sort(key=lambda address: (":" in address, address != remote.address.host))
        if not addresses or ":" in addresses[0]:
            raise ClusterError(f"node {node} has no IPv4 address that others could reach")
        return addresses

    def _use(self, *, fresh: bool) -> None:
        probed = {node: found[0] for node, found in self._addresses.items()}
        self.net = HostNet(
            dict(self._remotes), self._addresses, SshProber(self._remotes, probed), fresh=fresh
        )

    async def down(self) -> None:
        await asyncio.gather(*(self._leave(node) for node in self._remotes), return_exceptions=True)
        self.net = None

    async def _leave(self, node: str) -> None:
        remote = self._remotes[node]
        try:
            if isinstance(self.net, HostNet):
                await self.net.heal_node(node)
            place = self.directory(node)
            await daemon.kill(remote, place / "probe_agent.pid")
            script = 'rm -rf -- "$1" && { rmdir -- "$2" 2>/dev/null || true; }'
            await remote.run(["sh", "-c", script, "sh", str(place), str(self._directory)])
        finally:
            await remote.close()

    def remote(self, node: str) -> SshRemote:
        try:
            return self._remotes[node]
        except KeyError:
            raise ClusterError(
                f"no such node: {node!r}", f"nodes are {', '.join(self._remotes)}"
            ) from None

    def directory(self, node: str) -> Path:
        return self._directory / node

    def peer_address(self, source: str, destination: str, port: int) -> tuple[str, int]:
        return self._addresses[destination][0], port

    def describe(self) -> dict[str, str]:
        return {
            "cluster": self.name,
            **{f"address_{node.name}": node.host for node in self.nodes},
        }

    def save(self, path: Path) -> None:
        """Write what another process needs to `attach`: names of key files, never keys."""
        saved = {
            "schema": 1,
            "kind": self.name,
            "run_id": self.run_id,
            "logins": [asdict(login) for login in self._logins],
            "directory": str(self._directory.parent),
            "addresses": self._addresses,
        }
        path.write_text(json.dumps(saved, indent=1))

    @classmethod
    async def attach(cls, saved: dict[str, Any]) -> SshCluster:
        cluster = cls(saved["run_id"], ["h"] * len(saved["logins"]), directory=saved["directory"])
        cluster._logins = [_login(login) for login in saved["logins"]]
        cluster.nodes = tuple(
            Node(f"n{index + 1}", index, login.host) for index, login in enumerate(cluster._logins)
        )
        cluster._remotes = {
            node.name: SshRemote(node.name, login)
            for node, login in zip(cluster.nodes, cluster._logins, strict=True)
        }
        cluster._addresses = saved["addresses"]
        cluster._use(fresh=False)
        return cluster


def _login(saved: dict[str, Any]) -> SshAddress:
    jump = _login(saved["jump"]) if saved["jump"] else None
    return SshAddress(**{**saved, "jump": jump})
