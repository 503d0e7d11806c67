"""The engine perkey under the simulator: clean over many seeds; its bugs are found."""

from __future__ import annotations

import pytest

from paxtest.cluster.paxos_server.config import EngineName
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.simulated import judgements, run
from paxtest.verdict import Verdict

PERKEY = Options(engine=EngineName.PERKEY)


def test_same_seed_same_history() -> None:
    assert run(3, PERKEY).history == run(3, PERKEY).history


def test_the_correct_engine_is_linearizable() -> None:
    assert {j.seed: j.problems for j in judgements(range(100), PERKEY) if j.problems} == {}


def test_a_seed_is_worth_running() -> None:
    results = [run(seed, PERKEY) for seed in range(10)]
    assert sum(result.ok for result in results) >= 10 * 150
    assert sum(result.info for result in results) > 0


@pytest.mark.parametrize("bug", ["fast-accept-any"])
def test_a_bug_is_found(bug: str) -> None:
    options = Options(bugs=(bug,))
    assert any(j.verdict is Verdict.INVALID for j in judgements(range(100), options))
