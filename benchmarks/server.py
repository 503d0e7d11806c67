"""The reference Paxos server beside etcd 3.4 and PySyncObj: acknowledged writes a second.

    python benchmarks/server.py [--seconds 5] [--clients 1,16,64,256,500]

Three nodes of each on this machine, all in one run and turn by turn, so that what else the
machine does meets them alike. Ours and etcd sync every write to the disk before they answer;
PySyncObj cannot. Load goes to the leader; each client has one write under way (key of 16 bytes,
value of 3, 100,000 keys).

    redis-benchmark   ours, by redis-benchmark without pipelining (Debian: redis-tools)
    ours              by the asyncio client of benchmarks/parts/load.py
    etcd              its JSON gateway /v3/kv/put, by the same client
    PySyncObj         callers inside its leader, without any client or connection
    check perf        `etcdctl check perf --load=l`: gRPC, 500 clients, 60 s, rate limited to 8,000
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from parts import etcd, syncobj
from parts.load import KEYS, measure, redis_set
from parts.nodes import CLIENT_PORT, Paxos, machine

TRIES = 3
NO_REDIS = "redis-benchmark is not on the PATH: apt-get install redis-tools"


def redis_benchmark(host: str, clients: int, writes: int) -> float:
    """Writes a second. It gives up at the first error reply, such as that of an election: again
    then, a few times. Raises ValueError."""
    argv = ["redis-benchmark", "-h", host, "-p", str(CLIENT_PORT), "-t", "set", "--csv",
            "-n", str(writes), "-c", str(clients), "-r", str(KEYS)]  # fmt: skip
    for _ in range(TRIES):
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=300)
        rows = list(csv.DictReader(done.stdout.splitlines()))
        if done.returncode == 0 and rows:
            return float(rows[0]["rps"])
    raise ValueError(f"redis-benchmark said {done.stdout!r} {done.stderr!r}")


def cell(rate: float | None) -> str:
    return f"{'-' if rate is None else f'{rate:,.0f}':>12}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", default="1,16,64,256,500")
    options = parser.parse_args()
    print(machine())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-server-")))
        for name in ("ours", "etcd", "pysyncobj"):
            (folder / name).mkdir()
        ours = stack.enter_context(Paxos(folder / "ours"))
        ours.start()
        leader = ours.leader()
        members = peers = None
        if etcd.installed():
            members = stack.enter_context(etcd.Etcd(folder / "etcd"))
            members.start()
            member = members.leader()
        else:
            print(etcd.INSTALL, file=sys.stderr)
        python = syncobj.install(folder)
        if python is not None:
            peers = stack.enter_context(syncobj.PySyncObj(folder / "pysyncobj", python))
            peers.start()
            peer = peers.leader()
        if shutil.which("redis-benchmark") is None:
            print(
                "redis-benchmark is not on the PATH: apt-get install redis-tools", file=sys.stderr
            )
        print(f"{'clients':>7}{'redis-benchm.':>14}{'ours':>12}{'etcd':>12}{'PySyncObj':>12}"
              f"{'r.-b./etcd':>12}{'ours/etcd':>11}   writes a second")  # fmt: skip
        rates: dict[int, float] = {}
        best_etcd = 0.0
        for clients in map(int, options.clients.split(",")):
            answered = measure(
                (ours.host(leader), CLIENT_PORT), clients, options.seconds, redis_set()
            )
            own = by_redis = answered.per_s
            gateway = raft = None
            if members is not None:
                gateway = members.gateway(member, clients, options.seconds).per_s
                best_etcd = max(best_etcd, gateway)
            if shutil.which("redis-benchmark") is not None:
                writes = max(1000, int(own * options.seconds))
                by_redis = redis_benchmark(ours.host(leader), clients, writes)
            if peers is not None:
                raft = peers.writes_per_s(peer, clients, options.seconds)
            rates[clients] = by_redis
            ratios = f"{by_redis / gateway:>12.2f}{own / gateway:>11.2f}" if gateway else ""
            refused = f"   {answered.refused} refused" if answered.refused else ""
            print(f"{clients:>7}{cell(by_redis):>14}{cell(own)}{cell(gateway)}{cell(raft)}{ratios}"
                  f"{refused}", flush=True)  # fmt: skip
        if members is not None:
            rate, slowest_s = members.check_perf()
            best_etcd = max(best_etcd, rate)
            print(
                f"etcdctl check perf --load=l: {rate:,.0f} writes a second, slowest {slowest_s} s"
            )
            for clients, by_redis in rates.items():
                if clients >= 64:
                    print(f"{clients:>7} clients: {by_redis / best_etcd:.2f} of etcd's best "
                          f"({best_etcd:,.0f})")  # fmt: skip


if __name__ == "__main__":
    main()
