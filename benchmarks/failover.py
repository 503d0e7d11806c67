"""How long writes stop when the leader is killed: the longest gap between two acknowledged writes.

    python benchmarks/failover.py [--kills 10] [--clients 16]

Three nodes on this machine, fsync on. Clients of every node write all the time; the leader gets
SIGKILL, and is started again once writes are acknowledged again. A gap lies between two
acknowledgements, whichever clients they went to; the longest one around each kill counts.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import uvloop
from parts.nodes import CLIENT_PORT, Paxos, machine

BUDGET_S = 2.0
SETTLE_S = 2.0  # of load before each kill
LIMIT_S = 20.0
SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"


class Writes:
    """When writes were acknowledged, by any node to any client."""

    def __init__(self) -> None:
        self.last_s = time.monotonic()
        self.longest_s = 0.0
        self.count = 0

    def acknowledged(self) -> None:
        now_s = time.monotonic()
        self.longest_s = max(self.longest_s, now_s - self.last_s)
        self.last_s = now_s
        self.count += 1


async def write(host: str, writes: Writes) -> None:
    """One client: writes until it is cancelled; connects again when its node dies."""
    while True:
        try:
            reader, writer = await asyncio.open_connection(host, CLIENT_PORT)
        except OSError:
            await asyncio.sleep(0.02)  # its node is down
            continue
        try:
            while True:
                writer.write(SET)
                reply = await reader.readline()
                if not reply:
                    break
                if reply == b"+OK\r\n":
                    writes.acknowledged()
                else:
                    await asyncio.sleep(0.01)  # refused: no leader yet
        except OSError:
            continue
        finally:
            writer.close()


async def kill(nodes: Paxos, writes: Writes) -> float:
    """Kill the leader under load; the gap in seconds. Raises TimeoutError."""
    leader = await asyncio.to_thread(nodes.leader)
    await asyncio.sleep(SETTLE_S)
    writes.longest_s, count = 0.0, writes.count
    await asyncio.to_thread(nodes.kill, leader)
    killed_s = time.monotonic()
    while writes.last_s < killed_s or writes.count < count + 100:
        if time.monotonic() - killed_s > LIMIT_S:
            raise TimeoutError(f"no write within {LIMIT_S:g} s\n{nodes.logs()}")
        await asyncio.sleep(0.05)  # between looks at the condition of the loop
    gap_s = writes.longest_s
    nodes.start(leader)
    return gap_s


async def run(nodes: Paxos, kills: int, clients: int) -> list[float]:
    writes = Writes()
    nodes.start()
    await asyncio.to_thread(nodes.leader)
    hosts = [nodes.host(nodes.names[i % len(nodes.names)]) for i in range(clients)]
    tasks = [asyncio.create_task(write(host, writes)) for host in hosts]
    try:
        gaps_s = []
        for i in range(kills):
            gaps_s.append(await kill(nodes, writes))
            print(f"kill {i + 1:>2}: {gaps_s[-1] * 1e3:6.0f} ms", flush=True)
        return gaps_s
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clients", type=int, default=16)
    options = parser.parse_args()
    print(machine())
    with (
        tempfile.TemporaryDirectory(prefix="bench-failover-") as folder,
        Paxos(Path(folder), network="127.76.5") as nodes,
    ):
        gaps_s = uvloop.run(run(nodes, options.kills, options.clients))
    mark = "" if max(gaps_s) < BUDGET_S else f"   over the budget of {BUDGET_S:g} s"
    print(f"{len(gaps_s)} kills of the leader under {options.clients} clients: gap median "
          f"{statistics.median(gaps_s) * 1e3:.0f} ms, longest {max(gaps_s) * 1e3:.0f} ms"
          f"{mark}")  # fmt: skip


if __name__ == "__main__":
    main()
