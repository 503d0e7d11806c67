"""A cluster of three nodes, each with an echo server: what tests of clusters and links share."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import time
from typing import Any

import pytest

from paxtest import cluster as clusters
from paxtest.cluster.protocol import Cluster, Link
from paxtest.remote import daemon

NODES = ("n1", "n2", "n3")
LINKS = frozenset(itertools.permutations(NODES, 2))
PORT = 9042
KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]

SERVER = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 50
Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""

# Says every 20 ms, on one connection, how many of its bytes came back.
PULSE = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setblocking(False)
back = 0
while True:
    try: s.send(b"x")
    except BlockingIOError: pass
    time.sleep(0.02)  # waits for the condition of the loop
    try: back += len(s.recv(4096))
    except BlockingIOError: pass
    print(back, flush=True)
"""

ASK = """
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
    s.sendall(b"hello")
    print(s.recv(5).decode() or "closed")
except TimeoutError: print("hangs")
except OSError as error: print(type(error).__name__)
"""


def run_id() -> str:
    return f"conf-{secrets.token_hex(4)}"


def make(kind: str, **options: Any) -> Cluster:
    return clusters.make(kind, run_id=run_id(), nodes=len(NODES), options=options)


def python(cluster: Cluster) -> str:
    return sys.executable if cluster.name == "local" else "python3"


async def ask(cluster: Cluster, source: str, destination: str, timeout_s: float = 0.4) -> str:
    """What a TCP client on `source` gets from the echo server on `destination`."""
    host, port = cluster.peer_address(source, destination, PORT)
    argv = [python(cluster), "-c", ASK, host, str(port), str(timeout_s)]
    return (await cluster.remote(source).run(argv)).stdout.strip()


async def start_server(cluster: Cluster, node: str) -> None:
    host = next(n.host for n in cluster.nodes if n.name == node)
    place = cluster.directory(node)
    await daemon.start(
        cluster.remote(node),
        argv=[python(cluster), "-c", SERVER, host, str(PORT)],
        directory=place,
        log=place / "echo.log",
        pidfile=place / "echo.pid",
    )
    until = time.monotonic() + 20
    script = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
    argv = [python(cluster), "-c", script, host, str(PORT)]
    while (await cluster.remote(node).run(argv, check=False)).exit_code:
        assert time.monotonic() < until, "the echo server does not listen"


async def open_links(cluster: Cluster) -> set[Link]:
    assert cluster.net is not None
    net = cluster.net
    links = sorted(LINKS)
    found = await asyncio.gather(*(net.reachable(*link, PORT) for link in links))
    return {link for link, passes in zip(links, found, strict=True) if passes}
