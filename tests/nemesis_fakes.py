"""A cluster, a system and a nemesis in memory: what tests of faults strike. Files are real."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from paxtest.errors import NodeNotReady, PaxtestError
from paxtest.nemesis import FAMILIES, Nemesis
from paxtest.nemesis.fault import PlannedFault
from paxtest.nemesis.record import FaultEvent, read_journal
from paxtest.node import Node
from paxtest.remote.local import LocalRemote

NODES = ("n1", "n2", "n3")


class Net:
    """Links as a set; `broken` makes cutting raise, `deaf` makes a cut do nothing."""

    def __init__(self) -> None:
        self.closed: set[tuple[str, str]] = set()
        self.shaped: set[tuple[str, str]] = set()
        self.delay_s = 0.0
        self.lost = 7
        self.resets: list[set[tuple[str, str]]] = []
        self.broken = self.deaf = False

    async def cut(self, links: Collection[tuple[str, str]]) -> None:
        if self.broken:
            raise PaxtestError("no firewall here", "install one")
        if not self.deaf:
            self.closed = set(links)

    async def reset(self, links: Collection[tuple[str, str]], for_s: float) -> int:
        self.resets.append(set(links))
        await asyncio.sleep(for_s)
        return 0 if self.deaf else len(links)

    async def reachable(self, source: str, destination: str, port: int) -> bool:
        if (source, destination) in self.shaped:
            await asyncio.sleep(self.delay_s)
        return (source, destination) not in self.closed

    async def shape(self, links: Collection[tuple[str, str]], **shape: float) -> None:
        self.shaped = set(links)
        self.delay_s = shape.get("delay_s", 0.0)

    async def lost_packets(self) -> int:
        return self.lost

    async def heal(self) -> None:
        self.closed = set()
        self.shaped = set()


class Cluster:
    name = "fake"

    def __init__(self, directory: Path, names: Sequence[str] = NODES) -> None:
        self.net: Net | None = Net()
        self.nodes = tuple(Node(name, i, "127.0.0.1") for i, name in enumerate(names))
        self.clocks = directory
        for name in names:
            self.directory(name).mkdir()

    def directory(self, node: str) -> Path:
        return self.clocks / f"{node}.d"

    def remote(self, node: str) -> LocalRemote:
        return LocalRemote(node)


class System:
    """Processes as (pid, state letter); kills, pauses and restarts are logged in `log`. A node
    with `careful` set refuses to start on files that it did not leave so. Changes of members are
    refused when `split`, and ignored when `stubborn`. Nodes in `voteless` have no vote for so many
    questions after it."""

    peer_port = 7380
    rejoins_empty = True
    careful = True

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nodes = [node.name for node in cluster.nodes]
        self.process: dict[str, tuple[int | None, str]] = dict.fromkeys(self.nodes, (100, "S"))
        self.leaders = ["n2"]
        self.log: list[str] = []
        self.faketime = True
        self.fixed = ""
        self.removed: set[str] = set()
        self.split = self.stubborn = False
        self.voteless: dict[str, int] = {}
        for node in self.nodes:
            self.file(node).write_bytes(self.content(node))
            (cluster.clocks / node).write_text("+0")

    async def start(self, node: str) -> None:
        self.log.append(f"start {node}")
        whole = self.file(node).exists() and self.file(node).read_bytes() == self.content(node)
        refuses = self.careful and self.file(node).exists() and not whole
        self.process[node] = (None, "") if refuses else (len(self.log) + 100, "S")

    async def kill(self, node: str) -> None:
        self.log.append(f"kill {node}")
        self.process[node] = (None, "")

    async def pause(self, node: str) -> None:
        self.log.append(f"pause {node}")
        self.process[node] = (self.process[node][0], "T")

    async def resume(self, node: str) -> None:
        self.log.append(f"resume {node}")
        self.process[node] = (self.process[node][0], "S")

    async def process_state(self, node: str) -> tuple[int | None, str]:
        return self.process[node]

    def file(self, node: str) -> Path:
        return self.cluster.directory(node) / "log"

    def content(self, node: str) -> bytes:
        return f"what {node} has promised and accepted".encode() * 20

    async def data_files(self, node: str) -> list[str]:
        return [str(self.file(node))] if self.file(node).exists() else []

    async def wipe(self, node: str) -> None:
        self.log.append(f"wipe {node}")
        self.file(node).unlink()

    def fixed_members(self) -> str:
        return self.fixed

    async def members(self) -> list[str]:
        return [node for node in self.nodes if node not in self.removed]

    async def remove_member(self, node: str) -> None:
        if self.split:
            raise PaxtestError("nobody answers", "heal the links")
        self.log.append(f"remove {node}")
        if not self.stubborn:
            self.removed.add(node)

    async def add_member(self, node: str) -> None:
        if self.split:
            raise PaxtestError("nobody answers", "heal the links")
        self.log.append(f"add {node}")
        self.removed.discard(node)

    async def votes(self, node: str) -> bool:
        left = self.voteless.get(node, 0)
        self.voteless[node] = max(0, left - 1)
        return left == 0

    async def is_ready(self, node: str) -> bool:
        if self.process[node][0] is None:
            raise NodeNotReady(f"{node} has exited", "read its log")
        return True

    async def primaries(self) -> list[str]:
        return self.leaders

    async def clock_offset_s(self, node: str) -> float | None:
        return float((self.cluster.clocks / node).read_text() or 0)

    def faketime_file(self, node: str) -> str | None:
        return str(self.cluster.clocks / node) if self.faketime else None


class Run:
    """A nemesis over the fakes, with what it wrote."""

    def __init__(self, path: Path, *faults: PlannedFault, in_flight: int = 3,
                 nodes: Sequence[str] = NODES) -> None:  # fmt: skip
        clocks = path / "clocks"
        clocks.mkdir()
        self.cluster = Cluster(clocks, nodes)
        self.system = System(self.cluster)
        self.journal = path / "faults.jsonl"
        self.history: list[tuple[str, Any, str]] = []
        began = time.monotonic_ns()
        self.nemesis = Nemesis(
            faults,
            FAMILIES,
            self.cluster,  # type: ignore[arg-type]
            self.system,  # type: ignore[arg-type]
            self.journal,
            lambda: in_flight,
            lambda f, value, error: self.history.append((f, value, error)),
            lambda: time.monotonic_ns() - began,
        )

    def events(self, fault_id: int = 1) -> list[FaultEvent]:
        return [event for event in read_journal(self.journal) if event.id == fault_id]

    def happened(self, fault_id: int = 1) -> list[str]:
        return [event.event for event in self.events(fault_id)]


def fault(kind: str, name: str, *, id: int = 1, start_s: float = 0.0, hold_s: float = 0.05,
          seed: int = 7) -> PlannedFault:  # fmt: skip
    return PlannedFault(id, start_s, hold_s, kind, name, seed)


WHOLE = ["inject", "injected", "probe", "heal", "healed"]
