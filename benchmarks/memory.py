"""Does the reference server's memory grow under load? Resident memory of every node, over time.

    python benchmarks/memory.py [--minutes 10] [--clients 4] [--snapshot-every 1000]

Three nodes on this machine, fsync on, snapshots and compaction as often as asked. All clients
write to the leader, to 10,000 keys, so that the data itself soon stops growing. The slope is that
of a line through the samples of the second half; none of a node may be above the budget.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from parts.load import measure, redis_set
from parts.nodes import CLIENT_PORT, Paxos, machine

EVERY_S = 10.0
KEYS = 10_000
BUDGET_MIB_PER_HOUR = 30.0
MIB = 2**20


def load(host: str, clients: int, seconds: float, writes: Any) -> None:
    """In a process of its own: a minute at a time, so that latencies do not pile up here."""
    exchange = redis_set(KEYS)
    until_s = time.monotonic() + seconds
    while (left_s := until_s - time.monotonic()) > 0:
        answered = measure((host, CLIENT_PORT), clients, min(60.0, left_s), exchange)
        writes.value += len(answered.latencies_s)


def slope_mib_per_hour(samples: list[tuple[float, int]]) -> float:
    """Of (seconds, bytes), by least squares."""
    fit = statistics.linear_regression([s for s, _ in samples], [b for _, b in samples])
    return fit.slope * 3600 / MIB


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--snapshot-every", type=int, default=1000)
    options = parser.parse_args()
    print(machine())
    seconds = options.minutes * 60
    with (
        tempfile.TemporaryDirectory(prefix="bench-memory-") as folder,
        Paxos(Path(folder), f"--snapshot-every={options.snapshot_every}",
              network="127.76.6") as nodes,
    ):  # fmt: skip
        nodes.start()
        leader = nodes.leader()
        writes = multiprocessing.Value("q", lock=False)
        driver = multiprocessing.Process(
            target=load, args=(nodes.host(leader), options.clients, seconds, writes), daemon=True
        )
        driver.start()
        began_s = time.monotonic()
        samples: dict[str, list[tuple[float, int]]] = {name: [] for name in nodes.names}
        print(f"{'s':>6}" + "".join(f"{name:>9}" for name in nodes.names) + "   MiB resident")
        while time.monotonic() - began_s < seconds:
            time.sleep(EVERY_S)
            at_s = time.monotonic() - began_s
            for name in nodes.names:
                samples[name].append((at_s, nodes.rss_bytes(name)))
            row = "".join(f"{samples[name][-1][1] / MIB:9.1f}" for name in nodes.names)
            print(f"{at_s:6.0f}{row}", flush=True)
        driver.join(2 * EVERY_S)
        snapshots = [
            int(nodes.ask(name, "INFO").split(b"applied:")[1].split(b"\r\n")[0])
            // options.snapshot_every
            for name in nodes.names
        ]
    print(f"{writes.value:,} writes, {min(snapshots)} compactions a node")
    for name, rows in samples.items():
        slope = slope_mib_per_hour(rows[len(rows) // 2 :])
        mark = "" if slope < BUDGET_MIB_PER_HOUR else "   over the budget"
        print(f"{name}: {slope:+.1f} MiB an hour in the second half{mark}")


if __name__ == "__main__":
    main()
