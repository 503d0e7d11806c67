"""How long the reference server takes to come back with a log of a million commands.

    python benchmarks/recovery.py [--commands 1000000] [--profile]

The logs are made here, by the server's own storage, so that each has exactly this many commands
(SET of 100,000 keys of 16 bytes, values of 3): one in a slot, which is the worst case, 64 in a
slot, which is a busy server's, and the same behind a snapshot, with 10,000 slots since. Then one
node starts on each: until it listens, and until it has been elected and has answered a write.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import random
import tempfile
import time
from pathlib import Path

from parts.nodes import Paxos, machine

from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.bugs import NONE
from paxtest.cluster.paxos_server.config import Config
from paxtest.cluster.paxos_server.disk import LocalDisk
from paxtest.cluster.paxos_server.membership import Configurations
from paxtest.cluster.paxos_server.messages import (
    AcceptRecord,
    BootRecord,
    ChosenRecord,
    Command,
    encode_batch,
)
from paxtest.cluster.paxos_server.ports import SystemClock
from paxtest.cluster.paxos_server.recovery import Remembered
from paxtest.cluster.paxos_server.replica import Replica
from paxtest.cluster.paxos_server.statemachine import StateMachine
from paxtest.cluster.paxos_server.storage import Storage

KEYS = 100_000
SINCE_SNAPSHOT = 10_000
BALLOT = Ballot(1, "n1", 1)
BUDGET_S = 5.0


class Unsynced(LocalDisk):
    """What is built here need not survive: a million syncs would take longer than all the rest."""

    def append(self, name: str, data: bytes) -> None:
        with open(self._directory / name, "ab") as file:
            file.write(data)


def build(directory: Path, commands: int, batch: int, snapshot: bool) -> None:
    """A log as node n1 would have written it."""
    disk = Unsynced(directory)
    storage = Storage(disk)
    storage.open()
    storage.append([BootRecord(1)])
    state = StateMachine(NONE, Configurations(("n1",), NONE))
    slots = commands // batch
    for slot in range(1, slots + 1):
        held = [
            Command("n1", 1, seq, seq, [b"SET", b"key:%012d" % (seq * 7919 % KEYS), b"VXK"])
            for seq in range((slot - 1) * batch + 1, slot * batch + 1)
        ]
        storage.append([ChosenRecord(slot - 1), AcceptRecord(slot, BALLOT, encode_batch(held))])
        storage.flush()
        if snapshot:
            for command in held:
                state.apply(command)
            if slot == slots - SINCE_SNAPSHOT:
                storage.save(Remembered(1, BALLOT, {}, {}, slot, slot, state.snapshot()))
    storage.flush()
    disk.close()


def restart(directory: Path) -> tuple[float, float]:
    """Seconds until the node listens, and until it has answered a write."""
    with Paxos(directory, nodes=1, network="127.76.4") as node:
        began_s = time.monotonic()
        node.start()
        while True:
            try:
                assert node.ask("n1", "PING") == b"+PONG\r\n"
                break
            except ConnectionRefusedError:
                assert node.alive["n1"].poll() is None, node.logs()
                time.sleep(0.005)  # between looks at the condition of the loop
        listens_s = time.monotonic() - began_s
        node.leader()
        answers_s = time.monotonic() - began_s
        print(f"   CPU {node.cpu_s():.1f} s, RSS {node.rss_bytes('n1') / 2**20:.0f} MiB", end="")
        return listens_s, answers_s


def profile(directory: Path) -> None:
    """Where the time goes."""
    disk = LocalDisk(directory)
    profiler = cProfile.Profile()
    profiler.enable()
    memory = Storage(disk).open()
    Replica(Config("n1", ("n1",)), memory, SystemClock(), random.Random(1))
    profiler.disable()
    disk.close()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(15)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    print(machine())
    logs = [("1 a slot, no snapshot", 1, False), ("64 a slot, no snapshot", 64, False),
            ("1 a slot, snapshot", 1, True)]  # fmt: skip
    for name, batch, snapshot in logs:
        with tempfile.TemporaryDirectory(prefix="bench-recovery-") as folder:
            directory = Path(folder)
            build(directory / "n1", options.commands, batch, snapshot)
            size = sum(file.stat().st_size for file in (directory / "n1").iterdir())
            print(f"{name}: {size / 2**20:.0f} MiB", end="", flush=True)
            if options.profile:
                profile(directory / "n1")
            listens_s, answers_s = restart(directory)
            mark = "" if answers_s < BUDGET_S else f"   over the budget of {BUDGET_S:g} s"
            print(f", listens after {listens_s:.1f} s, answers after {answers_s:.1f} s{mark}")


if __name__ == "__main__":
    main()
