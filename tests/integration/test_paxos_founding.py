"""The first start of the reference Paxos, as real processes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from paxos_processes import FOLDER, PaxosCluster
from redis.exceptions import ResponseError


def test_a_node_that_waits_for_the_first_start_of_another_says_so_once(tmp_path: Path) -> None:
    cluster = PaxosCluster(tmp_path, 3, 0x4B1F)
    told = "n1 waits for n3: a new disk votes when all others have registered it"
    log = tmp_path / "n1.log"
    try:
        cluster.start("n1", "n2")
        deadline = time.monotonic() + 30
        while told not in log.read_text():
            assert time.monotonic() < deadline, cluster.logs()
            time.sleep(0.05)  # waits for the condition of the loop
        with pytest.raises(ResponseError, match="does not know yet which member"):
            cluster.ask("n1", "SET", "k", "v")
        cluster.start("n3")
        cluster.leader(30)
        assert log.read_text().count(told) == 1
    finally:
        cluster.close()


def test_help_says_that_the_first_start_needs_all_nodes() -> None:
    argv = [sys.executable, "-m", "paxos_server", "--help"]
    said = subprocess.run(argv, cwd=FOLDER, capture_output=True, check=True, text=True).stdout
    assert "The first start of a cluster" in " ".join(said.split())
