"""Does the tester find the bundled bugs, and say why? On the local cluster, a few tries each.

benchmarks/detection.py measures how often and how fast, in containers.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import leftovers, paxtest

BUGS = ("local-read", "ignore-accepted", "volatile-accept", "lease-wallclock")
TRIES = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_certified_and_told(bug: str, tmp_path: Path) -> None:
    codes = []
    for seed in range(1, TRIES + 1):
        done = paxtest(
            "run", "--cluster", "local", "--nemesis", "partition,kill,pause,clock",
            "--time-limit", "60", "--seed", seed, "--bug", bug, "--stop-on-invalid",
            "--store", tmp_path,
        )  # fmt: skip
        codes.append(done.returncode)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        if done.returncode == 1:
            break
    assert codes[-1] == 1, f"{bug}: not found with seeds 1 to {TRIES}"
    result = json.loads((tmp_path / "latest/results.json").read_text())
    invalid = [check for check in result["checks"] if check["verdict"] == "invalid"]
    assert [check["name"] for check in invalid] == ["linearizable"]
    assert invalid[0]["certified"] and invalid[0]["explanation"]
    assert 2 <= len(invalid[0]["counterexample"]) <= 8
    assert result["first_violation_s"] is not None
    assert not leftovers()
