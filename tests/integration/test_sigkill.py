"""The control node is killed twenty times at random moments, and no completion is lost that a
client had seen more than a second before."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
from commandline import paxtest, start, wait_for

from paxtest import history
from paxtest.operation import Type

KILLS = 20
SYSTEM = '''
"""A register in this very process, which notes each answer in a file of its own."""
import os, time
from paxtest.client import Completion
from paxtest.operation import Type

SEEN = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)


class Client:
    reads = frozenset({"read"})

    def __init__(self, data):
        self.data = data

    async def open(self, node): ...

    async def invoke(self, op):
        answer = None
        if op.f == "read":
            answer = self.data.get(op.key)
        elif op.f == "write":
            self.data[op.key] = op.value
        elif self.data.get(op.key) == op.value[0]:
            self.data[op.key] = op.value[1]
        else:
            return Completion(Type.FAIL, error=("cas-mismatch", ""))
        if op.f != "read":
            written = op.value if op.f == "write" else op.value[1]
            os.write(SEEN, f"{time.monotonic()} {written}\\n".encode())
        return Completion(Type.OK, answer)

    async def close(self): ...


class Memory:
    name = "memory"
    peer_port = 1

    def __init__(self, cluster, options):
        self.cluster, self.data = cluster, {}

    async def nothing(self, node): ...

    install = start = stop = kill = pause = resume = wipe = nothing

    async def is_ready(self, node):
        return True

    async def primaries(self):
        return []

    def log_files(self, node):
        return []

    def client(self):
        return Client(self.data)

    def describe(self):
        return {}
'''


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_killed_at_random_moments_the_journal_keeps_what_was_seen(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    (tmp_path / "memory.py").write_text(SYSTEM)
    for attempt in range(KILLS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        seen, log = folder / "seen", folder / "log"
        os.environ["SEEN"] = str(seen)
        try:
            process = start(
                "run", "--system", f"{tmp_path / 'memory.py'}:Memory", "--cluster", "local",
                "--nodes", "1", "--time-limit", "60", "--store", folder, log=log,
            )  # fmt: skip
        finally:
            del os.environ["SEEN"]
        wait_for(lambda: seen.exists() and seen.stat().st_size > 0, 60, "a first answer", log)  # noqa: B023
        time.sleep(rng.uniform(0.0, 2.0))  # waits for the random moment
        killed_at = time.monotonic()
        process.kill()
        process.wait()
        lines = seen.read_text().splitlines()
        due = {int(line.split()[1]) for line in lines if float(line.split()[0]) < killed_at - 1}
        events = list(history.read(folder / "latest/history.jsonl"))
        kept = {e.value[1] if e.f == "cas" else e.value for e in events
                if e.type is Type.OK and e.f != "read"}  # fmt: skip
        assert due <= kept, f"seed {seed}, kill {attempt}: lost {sorted(due - kept)[:10]}"
        done = paxtest("check", folder / "latest")
        assert done.returncode == 0, f"seed {seed}, kill {attempt}: {done.stdout}{done.stderr}"
    assert paxtest("cluster", "prune").returncode == 0
