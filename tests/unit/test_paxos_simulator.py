"""The simulator: the same seed gives the same history; the correct server has none to hide."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from paxtest.cluster.paxos_server.config import Reads
from paxtest.cluster.paxos_server.simulator.clients import outcome
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.commands.simulate import replay_command
from paxtest.simulated import judgements, run
from paxtest.verdict import Verdict

DIGEST = """
import hashlib
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.simulated import run
digest = hashlib.sha256()
for seed in range(3):
    for line in run(seed, Options()).history:
        digest.update(line)
print(digest.hexdigest())
"""


def test_same_seed_same_history_in_other_processes_too() -> None:
    digest = hashlib.sha256()
    for seed in range(3):
        for line in run(seed, Options()).history:
            digest.update(line)
    for hash_seed in ("0", "12345"):
        output = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert output.strip() == digest.hexdigest()


def test_seeds_differ() -> None:
    assert run(1, Options(operations=50)).history != run(2, Options(operations=50)).history


def test_a_seed_is_worth_running() -> None:
    """Enough operations succeed, and faults strike, or the verdict would mean little."""
    results = [run(seed, Options()) for seed in range(10)]
    assert all(result.ok >= 20 for result in results)
    assert sum(result.ok for result in results) >= 10 * 150
    assert all(len(result.faults) >= 5 for result in results)
    assert sum(result.info for result in results) > 0


def problems(seeds: range, options: Options) -> dict[int, tuple[str, ...]]:
    """seed -> what is wrong with it."""
    return {j.seed: j.problems for j in judgements(seeds, options) if j.problems}


def test_the_correct_server_is_linearizable() -> None:
    assert problems(range(200), Options()) == {}


@pytest.mark.parametrize("workload", ["append", "counter", "set"])
def test_the_correct_server_is_linearizable_for_other_data(workload: str) -> None:
    assert problems(range(20), Options(workload=workload, operations=100)) == {}


@pytest.mark.parametrize("reads", [Reads.LEASE, Reads.READINDEX])
def test_reads_past_the_log_are_linearizable(reads: Reads) -> None:
    assert problems(range(20), Options(reads=reads)) == {}


def test_local_reads_are_not_and_do_not_claim_to_be() -> None:
    assert problems(range(3), Options(reads=Reads.LOCAL)) != {}


def test_even_numbers_of_nodes() -> None:
    assert problems(range(10), Options(nodes=4)) == {}


@pytest.mark.parametrize(
    "bug", ["local-read", "ignore-accepted", "volatile-accept", "lease-wallclock"]
)
def test_a_bug_is_found(bug: str) -> None:
    options = Options(bugs=(bug,))
    assert any(j.verdict is Verdict.INVALID for j in judgements(range(100), options))


def test_the_liveness_control_stays_clean() -> None:
    assert problems(range(20), Options(bugs=("accept-promisers-only",))) == {}


def test_replay_command_names_what_differs_from_the_defaults() -> None:
    options = Options(bugs=("local-read",), workload="set", families=("kill",))
    assert replay_command(7, options) == (
        "paxtest simulate --seed 7 --workload set --bug local-read --fault kill"
    )
    assert replay_command(7, Options()) == "paxtest simulate --seed 7"


def test_a_reply_that_answers_something_else_leaves_the_outcome_unknown() -> None:
    txn = ("txn", "multi", (("r", "x", None), ("w", "y", 1)))
    for reply in (b"*0\r\n", b"+OK\r\n", b":7\r\n"):
        type_, value, error = outcome(txn, reply)
        assert (type_, value) == ("info", None) and error.startswith("PROTOCOL")
    assert outcome(txn, b"*2\r\n$1\r\n5\r\n+OK\r\n")[0] == "ok"
