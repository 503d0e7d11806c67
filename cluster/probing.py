"""The control node's side of a directional probe: see probe_agent.py for the nodes' side."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from pathlib import Path

from paxtest.errors import ClusterError

AGENT_PORT = 7946
AGENT = Path(__file__).with_name("probe_agent.py")
"""What runs on the nodes."""

WAIT_S = 0.15
"""How long a probe may be under way before it counts as dropped, beyond a link's own delay."""

PATIENCE_S = 3.0
"""How long an agent may be silent before it counts as dead."""

_ASK_WAIT_S = 0.05
_POLL_S = 0.02


class Prober:
    """Asks the agents at `addresses` (node: IPv4 address that the control node reaches)."""

    def __init__(self, addresses: Mapping[str, str], port: int = AGENT_PORT) -> None:
        self._addresses = dict(addresses)
        self._port = port

    async def passes(self, source: str, destination: str, wait_s: float = WAIT_S) -> bool:
        """Does a datagram from `source` get to `destination`? Takes about 2 ms when it does,
        and `wait_s` when it does not. ClusterError when an agent does not answer: a dead agent
        must not pass for a partition."""
        token = secrets.token_hex(8)
        target = self._addresses[destination]
        said = await self.ask(source, "send", token, target)
        if said[0] != "sent":
            raise ClusterError(f"node {source} cannot send to {destination}: {' '.join(said[2:])}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_s
        while True:
            if (await self.ask(destination, "seen", token))[0] == "yes":
                return True
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_POLL_S)

    async def ask(self, node: str, *words: str, patience_s: float = PATIENCE_S) -> list[str]:
        """The agent's answer. Datagrams get lost, and machines are busy: asking again does no
        harm, so it is done until `patience_s` has passed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        answers: asyncio.Queue[bytes] = asyncio.Queue()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Answers(answers), remote_addr=(self._addresses[node], self._port)
        )
        try:
            while loop.time() < deadline:
                transport.sendto(" ".join(words).encode())
                with contextlib.suppress(TimeoutError):
                    data = await asyncio.wait_for(answers.get(), _ASK_WAIT_S)
                    return data.decode("ascii", "replace").split()
        finally:
            transport.close()
        raise ClusterError(
            f"the probe agent of node {node} does not answer at"
            f" {self._addresses[node]}:{self._port} (UDP)",
            "see whether the node still runs, and whether a firewall of this machine drops UDP"
            " between it and the node",
        )


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, answers: asyncio.Queue[bytes]) -> None:
        self._answers = answers

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._answers.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """Port unreachable: the agent may not be up yet; the next try tells."""
