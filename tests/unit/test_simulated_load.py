"""The generators of the workloads drive the simulator's clients."""

from __future__ import annotations

import statistics
from collections import Counter
from functools import partial

import msgspec
import pytest

from paxtest.cluster.paxos_server.config import EngineName, Reads
from paxtest.cluster.paxos_server.simulator.simulation import Options, Simulation
from paxtest.simulated import judgements, run
from paxtest.simulated_load import MODELS, WorkloadLoad


@pytest.mark.parametrize("workload", sorted(MODELS))
def test_every_function_of_the_workload_succeeds_somewhere(workload: str) -> None:
    others = {
        "register": {"read", "write", "cas"},
        "append": {"append", "read"},
        "multi": {"read", "write", "txn"},
        "queue": {"enqueue", "dequeue"},
    }
    functions = others.get(workload, {"add", "read"})
    history = run(1, Options(workload=workload, operations=150)).history
    events = [msgspec.json.decode(line) for line in history]
    assert {event["f"] for event in events if event["type"] == "ok"} == functions


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_final_operations_ask_about_every_key_and_every_node_about_the_last(seed: int) -> None:
    result = run(seed, Options(workload="set", nodes=5, families=("kill",), operations=60))
    events = [msgspec.json.decode(line) for line in result.history]
    last = [e for e in events if e["type"] == "ok" and e["time_ns"] / 1e9 > result.virtual_s - 0.5]
    asked = {(event["node"], event["key"]) for event in last}
    assert {key for _, key in asked} == {event["key"] for event in events}
    newest = max((key for _, key in asked), key=lambda key: int(key.removeprefix("set")))
    assert {(f"n{i}", newest) for i in range(1, 6)} <= asked


def test_nobody_asks_a_node_that_is_gone_for_good() -> None:
    """Each operation would be tried again, and the others would wait for that."""
    for seed in range(12):
        result = run(seed, Options(workload="set", families=("corrupt", "member", "kill")))
        assert result.virtual_s < 20, seed


def test_counters_are_incremented_by_transactions_too() -> None:
    options = Options(workload="counter", operations=60, families=("partition",))
    load = partial(WorkloadLoad, operations=60)
    simulation = Simulation(1, options, load)
    commands: Counter[bytes] = Counter()
    for node in simulation.nodes:
        request = node.request
        node.request = lambda args, *more, request=request: (  # type: ignore[method-assign,misc]
            commands.update([args[0]]), request(args, *more)
        )[1]  # fmt: skip
    simulation.run()
    assert commands[b"MULTI"] >= 5 and commands[b"INCRBY"] >= 5


@pytest.mark.parametrize("engine", list(EngineName))
def test_queues_are_linearizable(engine: EngineName) -> None:
    options = Options(engine=engine, workload="queue", operations=150)
    assert {j.seed: j.problems for j in judgements(range(10), options) if j.problems} == {}


def test_seeds_draw_transactions_unless_the_engine_has_none() -> None:
    assert any(Simulation(seed, Options()).workload == "multi" for seed in range(60))
    for options in (Options(engine=EngineName.PERKEY), Options(bugs=("fast-accept-any",))):
        drawn = {Simulation(seed, options).workload for seed in range(60)}
        assert "multi" not in drawn and len(drawn) == 5


@pytest.mark.parametrize("way", list(Reads))
def test_transactions_over_several_keys_are_linearizable(way: Reads) -> None:
    options = Options(workload="multi", reads=way, operations=150)
    found = [bool(j.problems) for j in judgements(range(4), options)]
    assert any(found) is (way is Reads.LOCAL)


def test_a_queue_of_which_much_is_unknown_is_decided() -> None:
    """With 40 operations a queue, of which a quarter were of unknown outcome, the search ended by
    its budget."""
    assert [j.problems for j in judgements([31071], Options(workload="queue"))] == [()]


def test_counterexamples_are_short_enough_to_be_read() -> None:
    sizes = []
    for workload in ("append", "set"):
        options = Options(bugs=("skip-holes",), workload=workload)
        sizes += [j.counterexample for j in judgements(range(6), options) if j.counterexample]
    assert len(sizes) >= 6
    assert statistics.median(sizes) <= 8, sizes
