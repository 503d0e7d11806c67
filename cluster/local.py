"""Nodes as processes of this machine, on loopback addresses of their own: no root, no Docker."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import paxtest
from paxtest.cluster import keeper, ownership, processes
from paxtest.cluster.ownership import OWNER_FILE
from paxtest.cluster.protocol import Link, Net
from paxtest.errors import AddressInUse, ClusterError, ClusterGone, PlanError
from paxtest.node import Node
from paxtest.remote import daemon
from paxtest.remote.local import LocalRemote

WAIT_S = 0.15
"""How long a probe may be under way before it counts as dropped, beyond a link's own delay."""

_KEEPER_DEADLINE_S = 10.0
_ASK_TIMEOUT_S = 10.0


class LocalNet:
    """A Net whose links are proxies in the keeper process, which answers at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def cut(self, links: Collection[Link]) -> None:
        await self.ask(do="cut", links=sorted(links))

    async def shape(
        self,
        links: Collection[Link],
        *,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        loss: float = 0.0,
        rate_bytes_s: int = 0,
    ) -> None:
        shape = {
            "delay_s": delay_s,
            "jitter_s": jitter_s,
            "loss": loss,
            "rate_bytes_s": rate_bytes_s,
        }
        await self.ask(do="shape", links=sorted(links), shape=shape)

    async def reset(self, links: Collection[Link], for_s: float) -> int:
        """The proxies lose what comes meanwhile, and then reset its connections: so many."""
        number: int = await self.ask(do="reset", links=sorted(links), for_s=for_s)
        return number

    async def reachable(self, source: str, destination: str, port: int) -> bool:
        """Bytes are sent along the link on a connection kept for this; all ports fare alike."""
        arrived: bool = await self.ask(
            do="probe", source=source, destination=destination, wait_s=WAIT_S
        )
        return arrived

    async def heal(self) -> None:
        await self.ask(do="heal")

    async def ask(self, **request: Any) -> Any:
        return await asyncio.to_thread(self.ask_blocking, **request)

    def ask_blocking(self, **request: Any) -> Any:
        """The keeper's answer; its errors are raised here."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ASK_TIMEOUT_S)
                connection.connect(str(self._path))
                connection.sendall(json.dumps(request).encode() + b"\n")
                answer = json.loads(connection.makefile("rb").readline())
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"the keeper of the local cluster does not answer at {self._path}: {error}",
                f"see {self._path.with_name('keeper.log')}, if that is still there",
            ) from error
        if "error" in answer:
            kind = AddressInUse if answer["in_use"] else ClusterError
            raise kind(answer["error"], answer["hint"])
        return answer["ok"]


class LocalCluster:
    """Nodes n1 to nN at 127.x.y.1 to 127.x.y.N; x and y are the run's own.

    `keep`: the cluster is to outlive this process; otherwise its processes die within a second
    of this one. `seed` is for the losses and jitter of shaped links.
    """

    name = "local"

    def __init__(
        self, run_id: str, node_count: int = 5, *, keep: bool = False, seed: int = 0
    ) -> None:
        if not 1 <= node_count <= keeper.MAX_NODES:
            raise PlanError(f"a local cluster has 1 to {keeper.MAX_NODES} nodes, not {node_count}")
        self.run_id = ownership.check_run_id(run_id)
        self.nodes: tuple[Node, ...] = ()
        self.net: Net | None = None
        self._names = [f"n{number}" for number in range(1, node_count + 1)]
        self._owner = ownership.owner(keep=keep)
        self._seed = seed
        self._base: Path | None = None

    async def up(self) -> None:
        if self._base:
            raise ClusterError(f"the cluster of run {self.run_id} is up already")
        if any(run == self.run_id for run, _ in processes.marked().values()):
            raise ClusterError(
                f"processes of a run {self.run_id} live already",
                "paxtest cluster prune removes them if their run is dead; or take another run id",
            )
        try:
            await self._make()
        except BaseException:
            await self.down()
            raise

    async def _make(self) -> None:
        self._base = Path(tempfile.mkdtemp(prefix=f"paxtest-{self.run_id}-"))
        (self._base / OWNER_FILE).write_text(f"{self._owner}\n{self.run_id}\n")
        for name in self._names:
            self.directory(name).mkdir()
        log = self._base / "keeper.log"
        await daemon.start(
            self._remote("keeper"),
            argv=[
                sys.executable,
                "-m",
                "paxtest.cluster.keeper",
                self.run_id,
                self._owner,
                str(self._base),
                ",".join(self._names),
                str(self._seed),
            ],
            directory=self._base,
            env={"PYTHONPATH": str(Path(paxtest.__file__).parent.parent)},
            log=log,
            pidfile=self._base / "keeper.pid",
        )
        path = self._base / keeper.SOCKET
        deadline_s = asyncio.get_running_loop().time() + _KEEPER_DEADLINE_S
        while not path.exists():
            if asyncio.get_running_loop().time() >= deadline_s:
                raise ClusterError(f"the keeper did not start: {log.read_text()[-2000:]}")
            await asyncio.sleep(0.01)
        await self._use()

    async def _use(self) -> None:
        assert self._base is not None
        net = LocalNet(self._base / keeper.SOCKET)
        hello = await net.ask(do="hello")
        self._subnet = hello["subnet"]
        self.nodes = tuple(
            Node(name, index, keeper.node_host(self._subnet, index))
            for index, name in enumerate(hello["nodes"])
        )
        self.net = self._net = net

    async def down(self) -> None:
        await asyncio.to_thread(processes.kill, self.run_id)
        if self._base:
            await asyncio.to_thread(shutil.rmtree, self._base, ignore_errors=True)
        self._base = None
        self.nodes = ()
        self.net = None

    def _remote(self, name: str) -> LocalRemote:
        marks = {ownership.RUN_VARIABLE: self.run_id, ownership.OWNER_VARIABLE: self._owner}
        return LocalRemote(name, env=marks)

    def remote(self, node: str) -> LocalRemote:
        self._check(node)
        return self._remote(node)

    def directory(self, node: str) -> Path:
        self._check(node)
        if self._base is None:
            raise ClusterError(f"the cluster of run {self.run_id} is not up")
        return self._base / node

    def peer_address(self, source: str, destination: str, port: int) -> tuple[str, int]:
        """A proxy's. It listens when this returns; raises AddressInUse where it cannot."""
        host, port = self._net.ask_blocking(
            do="listen", source=source, destination=destination, port=port
        )
        return host, port

    def _check(self, node: str) -> None:
        if node not in self._names:
            raise ClusterError(f"no such node: {node!r}", f"nodes are {', '.join(self._names)}")

    def describe(self) -> dict[str, str]:
        return {
            "cluster": self.name,
            "directory": str(self._base),
            **{f"address_{node.name}": node.host for node in self.nodes},
        }

    def save(self, path: Path) -> None:
        """Write what another process needs to `attach`."""
        saved = {
            "schema": 1,
            "kind": self.name,
            "run_id": self.run_id,
            "owner": self._owner,
            "base": str(self._base),
            "nodes": self._names,
            "boot": ownership.boot_id(),
        }
        path.write_text(json.dumps(saved, indent=1))

    @classmethod
    async def attach(cls, saved: dict[str, Any]) -> LocalCluster:
        """The cluster that another process made. ClusterGone when nothing of it is left,
        ClusterError when its keeper does not answer."""
        cluster = cls(saved["run_id"], len(saved["nodes"]))
        cluster._owner = saved["owner"]
        cluster._base = Path(saved["base"])
        try:
            await cluster._use()
        except ClusterError as error:
            if await asyncio.to_thread(cluster._gone, saved.get("boot")):
                raise ClusterGone(
                    f"nothing of the local cluster of run {cluster.run_id} is left: no process of"
                    " it lives on this machine"
                ) from error
            raise
        return cluster

    def _gone(self, boot: str | None) -> bool:
        """Is it certain that nothing lives? That no process is seen proves it only where the
        cluster was: on this machine since it was started last, or where its directory still
        lies. A live owner may be about to start a node again."""
        assert self._base is not None
        try:
            lines = (self._base / OWNER_FILE).read_text().splitlines()
            here = lines == [self._owner, self.run_id]
        except FileNotFoundError:
            here = boot == ownership.boot_id()
        except OSError:
            return False  # somebody else's, whose processes cannot be recognised either
        owned = self._owner != ownership.KEPT and ownership.alive(self._owner)
        lives = any(run == self.run_id for run, _ in processes.marked().values())
        return here and not owned and not lives
