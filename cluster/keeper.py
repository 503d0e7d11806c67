"""The process that holds the links of a local cluster together, and cleans up after its owner.

It runs the proxies (a process of its own, so that they neither slow the load nor are slowed by
it), answers the control node on a Unix socket, and watches the owner: when that is gone (even by
SIGKILL), it kills the cluster's processes, removes the cluster's directory and ends. A kept
cluster has no owner and stays until it is taken down.

Requests and answers are one JSON object per line: {"do": ..., ...} -> {"ok": ...} or {"error"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import os
import random
import resource
import secrets
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

from paxtest.cluster import ownership, processes
from paxtest.cluster.links import Shape, check_links
from paxtest.cluster.protocol import Link
from paxtest.cluster.proxy import LinkState, Listener
from paxtest.errors import AddressInUse, ClusterError, PaxtestError

SOCKET = "keeper.sock"
PROBE_PORT = 7946
WATCH_S = 0.5
MAX_NODES = 14
_CLAIM_HOST = 254
_FIRST_PROXY_HOST = 32


def node_host(subnet: str, node: int) -> str:
    """`subnet` is the first three bytes of a loopback address; `node` counts from 0."""
    return f"{subnet}.{node + 1}"


def proxy_host(subnet: str, source: int, destination: int) -> str:
    """Where `source` connects to get to `destination`."""
    return f"{subnet}.{_FIRST_PROXY_HOST + source * MAX_NODES + destination}"


class Keeper:
    """The links between `nodes`, and what is asked of them."""

    def __init__(self, nodes: list[str], subnet: str, seed: int) -> None:
        rng = random.Random(seed)
        self.nodes = nodes
        self.subnet = subnet
        self.links: dict[Link, LinkState] = {
            link: LinkState(rng) for link in itertools.permutations(nodes, 2)
        }
        self._changed = asyncio.Condition()
        # Servers are kept, for uvloop closes one that nobody refers to.
        self._listeners: dict[tuple[str, str, int], tuple[Listener, asyncio.Server]] = {}
        self._sinks: list[asyncio.Server] = []
        self._probes: dict[Link, asyncio.StreamWriter] = {}
        self._arrivals: dict[bytes, asyncio.Future[None]] = {}

    async def open(self) -> None:
        """Lay a connection along every link for probes, while all are whole."""
        for node in self.nodes:
            host = node_host(self.subnet, self.nodes.index(node))
            self._sinks.append(await asyncio.start_server(self._sink, host, PROBE_PORT))
        for source, destination in self.links:
            address = await self.listen(source, destination, PROBE_PORT)
            _, self._probes[source, destination] = await asyncio.open_connection(*address)
        passed = await asyncio.gather(*(self.probe(*link, wait_s=5.0) for link in self.links))
        if not all(passed):
            raise ClusterError("the links of the local cluster do not carry anything")

    async def listen(self, source: str, destination: str, port: int) -> tuple[str, int]:
        check_links([(source, destination)], self.nodes)
        at, to = self.nodes.index(source), self.nodes.index(destination)
        host = proxy_host(self.subnet, at, to)
        if (source, destination, port) not in self._listeners:
            listener = Listener(
                self.links[source, destination],
                self.links[destination, source],
                source_host=node_host(self.subnet, at),
                target=(node_host(self.subnet, to), port),
                changed=self._changed,
            )
            try:
                server = await listener.listen(host, port)
            except OSError as error:
                raise AddressInUse(
                    f"cannot listen at {host}:{port}: {os.strerror(error.errno or 0)}",
                    "another program uses that port on all addresses; take another port",
                ) from error
            self._listeners[source, destination, port] = listener, server
        return host, port

    async def cut(self, links: frozenset[Link]) -> None:
        for link, state in self.links.items():
            if state.cut != (link in links):
                state.set(cut=link in links)
        await self._tell()

    async def shape(self, links: frozenset[Link], shape: Shape) -> None:
        for link, state in self.links.items():
            wanted = shape if link in links else Shape()
            if state.shape != wanted:
                state.set(shape=wanted)
        await self._tell()

    async def reset(self, links: frozenset[Link], for_s: float) -> int:
        """Lose what the connections over these links say, and reset them; how many there were.
        Probes have no connections to lose."""
        struck = {
            connection
            for (_, _, port), (listener, _) in self._listeners.items()
            if port != PROBE_PORT
            for connection in listener.connections
            if connection.connected
            and {connection.there.link, connection.back.link} & {self.links[k] for k in links}
        }
        for connection in struck:
            connection.lose()
        await asyncio.sleep(for_s)
        for connection in struck:
            connection.abort()
        return len(struck)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def probe(self, source: str, destination: str, wait_s: float) -> bool:
        """Do bytes that enter the link now leave it? They travel on a connection that was there
        before, so that a cut of the other direction does not matter."""
        check_links([(source, destination)], self.nodes)
        token = secrets.token_hex(8).encode() + b"\n"
        arrival = asyncio.get_running_loop().create_future()
        self._arrivals[token] = arrival
        try:
            self._probes[source, destination].write(token)
            await asyncio.wait_for(arrival, wait_s)
            return True
        except TimeoutError:
            return False
        finally:
            del self._arrivals[token]

    async def _sink(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while token := await reader.readline():
            arrival = self._arrivals.get(token)
            if arrival and not arrival.done():
                arrival.set_result(None)
        writer.close()

    async def do(self, request: dict[str, Any]) -> Any:
        match request["do"]:
            case "hello":
                return {"subnet": self.subnet, "nodes": self.nodes}
            case "listen":
                return await self.listen(request["source"], request["destination"], request["port"])
            case "cut":
                await self.cut(check_links(request["links"], self.nodes))
            case "reset":
                links = check_links(request["links"], self.nodes)
                return await self.reset(links, request["for_s"])
            case "shape":
                links = check_links(request["links"], self.nodes)
                await self.shape(links, Shape(**request["shape"]))
            case "heal":
                await self.cut(frozenset())
                await self.shape(frozenset(), Shape())
            case "probe":
                shape = self.links[request["source"], request["destination"]].shape
                wait_s = request["wait_s"] + shape.delay_s + shape.jitter_s
                return await self.probe(request["source"], request["destination"], wait_s)
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                answer: dict[str, Any]
                try:
                    answer = {"ok": await self.do(json.loads(line))}
                except PaxtestError as error:
                    answer = {"error": error.message, "hint": error.hint}
                    answer["in_use"] = isinstance(error, AddressInUse)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        writer.close()


def claim_subnet(run_id: str) -> tuple[str, socket.socket]:
    """A /24 of the loopback network that no other live cluster has, and what holds the claim."""
    first = int(ownership.digest(run_id, 8), 16)
    for step in range(64):
        number = (first + step) % (254 * 256)
        subnet = f"127.{1 + number // 256}.{number % 256}"
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            holder.bind((f"{subnet}.{_CLAIM_HOST}", PROBE_PORT))
        except OSError as error:
            holder.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return subnet, holder
    raise AddressInUse("no /24 of 127.0.0.0/8 is free for a local cluster", "paxtest cluster prune")


async def run(run_id: str, owner: str, directory: Path, nodes: list[str], seed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 1 << 16)), hard))
    subnet, holder = claim_subnet(run_id)
    with holder:
        keeper = Keeper(nodes, subnet, seed)
        await keeper.open()
        # Renamed into place, so that it answers as soon as it is seen.
        server = await asyncio.start_unix_server(keeper.serve, directory / f"{SOCKET}.new")
        (directory / f"{SOCKET}.new").rename(directory / SOCKET)
        async with server:  # uvloop closes a server that nobody refers to
            while ownership.alive(owner):  # noqa: ASYNC110 (no event tells of it)
                await asyncio.sleep(WATCH_S)
    print(f"owner {owner} is gone: cleaning up", flush=True)
    processes.kill(run_id)
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    _run_id, _owner, _directory, _nodes, _seed = sys.argv[1:]
    try:
        import uvloop

        _start: Any = uvloop.run
    except ImportError:
        _start = asyncio.run
    _start(run(_run_id, _owner, Path(_directory), _nodes.split(","), int(_seed)))
