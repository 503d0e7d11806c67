"""The engine perkey on real processes, under every fault, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import leftovers, paxtest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_a_leaderless_cluster_under_every_fault_is_valid(tmp_path: Path) -> None:
    done = paxtest(
        "run", "--cluster", "local", "--nodes", "3", "--seed", "5", "--time-limit", "12",
        "--set", "system.options.engine=perkey", "--nemesis", "partition,kill,pause,clock",
        "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "latest/results.json").read_text())
    assert result["verdict"] == "valid" and result["operations"]["ok"] >= 100
    assert result["faults"]["effective"] >= 3
    audit = next(check for check in result["checks"] if check["name"] == "audit")
    assert audit["verdict"] == "valid" and audit["operations"] > 1000
    assert not leftovers()


def test_an_engine_without_the_bug_is_a_mistake_of_the_plan(tmp_path: Path) -> None:
    done = paxtest(
        "run", "--cluster", "local", "--bug", "ack-local",
        "--set", "system.options.engine=perkey", "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 254
    assert "the engine perkey has no bug 'ack-local'" in done.stdout + done.stderr


def test_a_workload_of_several_keys_at_once_is_refused(tmp_path: Path) -> None:
    done = paxtest(
        "run", "--system", "paxos", "--cluster", "local", "--workload", "multi",
        "--set", "system.options.engine=perkey", "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 254, done.stdout + done.stderr
    assert "workload multi needs transactions" in done.stderr and not (tmp_path / "latest").exists()
