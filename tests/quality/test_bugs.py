"""Does the tester find the bundled bugs, and say why? On the local cluster, a few tries each.

benchmarks/detection.py measures how often and how fast, in containers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import leftovers, paxtest

BUGS = {
    "local-read": {"I14"},
    "ignore-accepted": {"I7"},
    "volatile-accept": {"I5"},
    "lease-wallclock": {"I14", "I15"},
}
"""Bug -> lemmas of which the auditor must name one."""
TRIES = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_certified_and_told(bug: str, tmp_path: Path) -> None:
    linearizable: dict[str, Any] = {}
    for seed in range(1, TRIES + 1):
        done = paxtest(
            "run", "--cluster", "local", "--nemesis", "partition,kill,pause,clock",
            "--time-limit", "60", "--seed", seed, "--bug", bug, "--stop-on-invalid",
            "--store", tmp_path,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stdout + done.stderr
        result = json.loads((tmp_path / "latest/results.json").read_text())
        checks = {check["name"]: check for check in result["checks"]}
        linearizable = checks["linearizable"]
        if linearizable["verdict"] == "invalid":  # the audit alone is no black-box finding
            break
    assert linearizable["verdict"] == "invalid", f"{bug}: not found with seeds 1 to {TRIES}"
    assert linearizable["certified"] and linearizable["explanation"]
    assert 2 <= len(linearizable["counterexample"]) <= 8
    assert checks["audit"]["details"]["lemma"] in BUGS[bug], checks["audit"]["explanation"]
    assert result["first_violation_s"] is not None
    assert not leftovers()
