"""Whole runs in containers: what `make demo` does, shorter, and what is left when it dies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from commandline import completions, containers, paxtest, start, stop, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]

DOCKER = ("run", "--cluster", "docker", "--seed", "11")
KINDS = "partition,kill,pause,clock"


def firewall() -> str:
    done = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False)
    return done.stdout


def test_a_demo_in_containers_is_valid_and_leaves_nothing(tmp_path: Path) -> None:
    done = paxtest(
        *DOCKER, "--nemesis", KINDS, "--time-limit", "20", "--store", tmp_path, timeout_s=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "latest/results.json").read_text())
    assert result["verdict"] == "valid" and result["operations"]["ok"] > 1000
    assert result["faults"]["effective"] >= 4 and len(result["faults"]["kinds"]) >= 3
    assert not containers() and "paxtest" not in firewall().lower()


def test_a_bug_is_found_in_containers(tmp_path: Path) -> None:
    done = paxtest(
        *DOCKER, "--nemesis", KINDS, "--time-limit", "60", "--bug", "local-read",
        "--stop-on-invalid", "--store", tmp_path, timeout_s=300,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert not containers()


def test_ctrl_c_leaves_no_container(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(*DOCKER, "--nemesis", KINDS, "--time-limit", "60", "--store", tmp_path, log=log)
    wait_for(lambda: completions(tmp_path) > 200, 120, "200 operations", log)
    stop(process)
    assert not containers(), log.read_text()


@pytest.mark.parametrize("kinds", ["partition", "quorum"])
def test_a_node_that_is_gone_costs_neither_the_others_nor_the_verdict(
    tmp_path: Path, kinds: str
) -> None:
    """Its container is removed while links are cut: the links of the others are opened all the same
    (they serve), and what was recorded is checked."""
    log = tmp_path / "log"
    process = start(*DOCKER, "--nemesis", kinds, "--time-limit", "25", "--store", tmp_path, log=log)
    faults = tmp_path / "latest/faults.jsonl"
    wait_for(lambda: faults.exists() and '"injected"' in faults.read_text(), 120, "a fault", log)
    saved = json.loads((tmp_path / "latest/cluster.json").read_text())
    name = f"paxtest-{saved['run_id']}-n5"
    subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)
    before = completions(tmp_path)
    # Whether a fault was proven before the node went decides between valid and vacuous.
    assert process.wait(timeout=150) in (0, 2), log.read_text()
    result = json.loads((tmp_path / "latest/results.json").read_text())
    verdicts = {check["name"]: check["verdict"] for check in result["checks"]}
    assert verdicts["linearizable"] == "valid", log.read_text()
    assert completions(tmp_path) > before + 500, "the others serve"
    assert "n5" in log.read_text() and "stat_of" not in log.read_text()
    assert not containers()


def test_sigkill_then_heal_then_prune_leaves_no_container(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(
        *DOCKER, "--nemesis", "partition,pause", "--time-limit", "60", "--store", tmp_path, log=log
    )
    faults = tmp_path / "latest/faults.jsonl"
    wait_for(lambda: faults.exists() and '"injected"' in faults.read_text(), 120, "a fault", log)
    process.kill()
    process.wait()
    assert containers()
    healed = paxtest("heal", tmp_path / "latest")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert paxtest("cluster", "prune").returncode == 0
    assert not containers() and "paxtest" not in firewall().lower()
    done = paxtest("check", tmp_path / "latest")
    assert done.returncode == 0, done.stdout + done.stderr
