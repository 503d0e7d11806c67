"""The bundled workloads against simulated systems: a correct one, and ones that are not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paxtest import generator as gen
from paxtest import workloads
from paxtest.checkers.linearizable import Linearizable
from paxtest.checkers.protocol import Evidence
from paxtest.errors import PlanError
from paxtest.generator import Invocation, simulator
from paxtest.generator.simulator import Outcome
from paxtest.operation import Op, Type, encode
from paxtest.verdict import Verdict

NODES, THREADS = 5, 10
ALL = ("append", "counter", "multi", "queue", "register", "set")


def make(name: str, options: dict[str, Any] | None = None, **changed: Any) -> Any:
    setting = {"seed": 1, "nodes": NODES, "concurrency": THREADS, **changed}
    return workloads.load(name)(options or {}, **setting)


def correct(name: str, crash: float = 0.02) -> Callable[[Invocation, int], Outcome]:
    """A system that applies each operation when it is invoked; some answers get lost."""
    lists: dict[Any, list[Any]] = defaultdict(list)
    values: dict[Any, Any] = {}

    def outcome(op: Invocation, random: int) -> Outcome:
        latency_ns = 1_000_000 + random % 3_000_000
        answer: Any = None
        match op.f:
            case "write" if name == "multi":
                values[op.key] = values.get(op.key, {}) | op.value
            case "txn":
                group = values.setdefault(op.key, {})
                answer = [[f, r, group.get(r) if f == "r" else to] for f, r, to in op.value]
                group.update({r: to for f, r, to in op.value if f == "w"})
            case "read" if name == "multi":
                answer = {r: values.get(op.key, {}).get(r) for r in "abc"}
            case "write":
                values[op.key] = op.value
            case "cas":
                if values.get(op.key) != op.value[0]:
                    return Outcome(latency_ns, Type.FAIL, error=("cas-mismatch", ""))
                values[op.key] = op.value[1]
            case "append" | "enqueue":
                lists[op.key].append(op.value)
            case "add" if name == "set":
                lists[op.key].append(op.value)
            case "add":
                values[op.key] = values.get(op.key, 0) + 1
            case "dequeue":
                answer = lists[op.key].pop(0) if lists[op.key] else None
            case "read" if name in ("append", "set"):
                answer = list(lists[op.key])
            case "read":
                answer = values.get(op.key, 0 if name == "counter" else None)
        if random >> 40 & 1023 < crash * 1024:
            return Outcome(latency_ns, Type.FAIL if op.f == "read" else Type.INFO)
        return Outcome(latency_ns, Type.OK, answer)

    return outcome


def whole_run(workload: Any, latency: simulator.Latency, operations: int, seed: int) -> list[Op]:
    """Load, then final reads, as one history; the final reads by new processes."""
    load = gen.clients(gen.stagger(0.0005, gen.limit(operations, workload.generator())))
    both = gen.phases(load, gen.clients(gen.lazy(workload.final_generator)))
    return simulator.run(gen.validate(both), concurrency=THREADS, seed=seed, latency=latency,
                         nemesis=False)  # fmt: skip


def verdict(workload: Any, history: list[Op], path: Path) -> Verdict:
    path.write_bytes(b"".join(encode(op) + b"\n" for op in history))
    return Linearizable(workload.model).check(Evidence(path)).verdict


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_correct_system_is_valid(name: str, seed: int, tmp_path: Path) -> None:
    workload = make(name)
    history = whole_run(workload, correct(name), 1500, seed)
    assert {op.f for op in history} == workload.functions
    assert len(simulator.invocations(history)) > 1500
    assert verdict(workload, history, tmp_path / "history.jsonl") is Verdict.VALID


@pytest.mark.parametrize("name", ALL)
def test_a_system_that_loses_acknowledged_operations_is_invalid(name: str, tmp_path: Path) -> None:
    system = correct(name, crash=0)

    def lossy(op: Invocation, random: int) -> Outcome:
        if op.f in ("write", "append", "add", "enqueue") and random >> 20 & 31 == 0:
            return Outcome(1_000_000)
        return system(op, random)

    workload = make(name)
    history = whole_run(workload, lossy, 1500, 3)
    assert verdict(workload, history, tmp_path / "history.jsonl") is Verdict.INVALID


def test_a_transaction_that_is_seen_half_done_is_found(tmp_path: Path) -> None:
    """What was written to the first of two registers is there, and the second comes later."""
    system = correct("multi", crash=0)
    late: dict[Any, dict[str, int]] = defaultdict(dict)

    def torn(op: Invocation, random: int) -> Outcome:
        answer = system(op, random)
        if op.f == "write":
            late[op.key] = dict([list(op.value.items())[1]])
        elif op.f == "read" and late[op.key]:
            (register, value), before = late.pop(op.key).popitem(), answer.value
            if before[register] == value:
                return Outcome(answer.latency_ns, Type.OK, before | {register: None})
        return answer

    workload = make("multi")
    history = whole_run(workload, torn, 300, 3)
    assert verdict(workload, history, tmp_path / "history.jsonl") is Verdict.INVALID


@pytest.mark.parametrize("name", ["append", "counter", "register", "set"])
def test_a_node_that_lost_its_data_shows_in_the_final_reads(name: str, tmp_path: Path) -> None:
    system = correct(name, crash=0)
    over = False

    def amnesiac(op: Invocation, random: int) -> Outcome:
        answer = system(op, random)
        if over and int(op.process) % NODES == 3:
            empty = 0 if name == "counter" else [] if name in ("append", "set") else None
            return (
                Outcome(answer.latency_ns, Type.OK, empty)
                if empty is not None
                else Outcome(answer.latency_ns)
            )
        return answer

    workload = make(name)
    load = gen.clients(gen.limit(600, workload.generator()))
    history = simulator.run(load, concurrency=THREADS, latency=amnesiac, nemesis=False)
    assert verdict(workload, history, tmp_path / "load.jsonl") is Verdict.VALID
    over = True
    final = simulator.run(workload.final_generator(), concurrency=THREADS, latency=amnesiac,
                          nemesis=False)  # fmt: skip
    late = history[-1].time_ns
    whole = history + [
        Op(len(history) + op.index, late + op.time_ns, int(op.process) + 10_000 * THREADS,
           op.type, op.f, op.key, op.value)
        for op in final
    ]  # fmt: skip
    assert verdict(workload, whole, tmp_path / "whole.jsonl") is Verdict.INVALID


# -- the load ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["append", "queue", "register", "set"])
def test_values_are_unique_over_all_load_processes(name: str) -> None:
    written = []
    for number in range(3):
        workload = make(name, load_process=(number, 3))
        load = gen.clients(gen.limit(800, workload.generator()))
        for op in simulator.invocations(
            simulator.run(load, concurrency=THREADS, seed=number, latency=correct(name))
        ):
            if op.value is not None:
                written.append(op.value[1] if op.f == "cas" else op.value)
    assert len(written) > 900
    assert len(set(written)) == len(written)


def test_keys_are_retired_and_replaced() -> None:
    workload = make("register", {"keys": 2, "ops_per_key": 50})
    load = gen.clients(gen.limit(1000, workload.generator()))
    history = simulator.run(load, concurrency=THREADS, latency=correct("register"))
    count = Counter(op.key for op in simulator.invocations(history))
    assert max(count.values()) == 50
    assert 20 <= len(count) <= 22
    assert workload.keys_opened() == max(count) + 1 or workload.keys_opened() == max(count) + 2
    last_seen = {op.key: op.index for op in history}
    first_seen = {op.key: op.index for op in reversed(history)}
    for key in range(len(count) - 2):
        assert first_seen[key + 2] <= last_seen[key] + 2 * THREADS  # two at a time


def test_every_node_meets_on_every_key() -> None:
    workload = make("register")
    load = gen.clients(gen.limit(1500, workload.generator()))
    history = simulator.run(load, concurrency=THREADS, latency=correct("register"))
    nodes = defaultdict(set)
    for op in simulator.invocations(history):
        nodes[op.key].add(int(op.process) % NODES)
    assert all(nodes[key] == set(range(NODES)) for key in range(3))


@pytest.mark.parametrize("seed", range(3))
def test_a_fair_share_of_compare_and_set_succeeds(seed: int) -> None:
    history = whole_run(make("register"), correct("register", 0), 4000, seed)
    ended = Counter(op.type for op in history if op.f == "cas" and op.type is not Type.INVOKE)
    assert 0.25 < ended[Type.OK] / ended.total() < 0.75, ended
    assert ended.total() > 600


def test_the_register_can_do_without_compare_and_set() -> None:
    workload = make("register", {"cas": False})
    history = whole_run(workload, correct("register"), 500, 1)
    assert {op.f for op in history} == {"read", "write"} == workload.functions


def test_shares_of_functions() -> None:
    history = whole_run(make("register", {"reads": 0.8}), correct("register"), 3000, 1)
    count = Counter(op.f for op in simulator.invocations(history))
    assert 0.77 < count["read"] / count.total() < 0.85


@pytest.mark.parametrize("name", ["append", "counter", "register", "set"])
def test_some_clients_of_every_node_only_read(name: str) -> None:
    workload = make(name, {"readers": 0.5, "reads": 0.0})
    history = whole_run(workload, correct(name), 1000, 1)
    load = list(simulator.invocations(history))[:1000]
    reads = {int(op.process) % THREADS for op in load if op.f == "read"}
    writes = {int(op.process) % THREADS for op in load if op.f != "read"}
    assert reads == {5, 6, 7, 8, 9} and writes == {0, 1, 2, 3, 4}
    assert {thread % NODES for thread in reads} == set(range(NODES))


def test_not_all_clients_only_read() -> None:
    history = whole_run(make("register", {"readers": 1}), correct("register"), 200, 1)
    assert any(op.f == "write" for op in history)


def test_a_prefix_makes_keys_strings() -> None:
    workload = make("register", {"key_prefix": "run7-"})
    history = whole_run(workload, correct("register"), 200, 1)
    assert {str(op.key)[:5] for op in history} == {"run7-"}


# -- final reads -------------------------------------------------------------------------------


def test_final_reads_ask_each_node_for_each_of_the_last_keys() -> None:
    workload = make("register", {"final_keys": 7})
    workload.note_keys_opened(30)
    history = simulator.run(workload.final_generator(), concurrency=THREADS, nemesis=False)
    asked = Counter((op.key, int(op.process) % NODES) for op in simulator.invocations(history))
    assert asked == dict.fromkeys(((k, n) for k in range(23, 30) for n in range(NODES)), 1)


def test_final_reads_try_again_but_not_for_ever() -> None:
    def node_2_is_down(op: Invocation, random: int) -> Outcome:
        down = int(op.process) % NODES == 2
        return Outcome(1_000_000, Type.FAIL if down else Type.OK)

    workload = make("register", {"final_keys": 3})
    history = simulator.run(workload.final_generator(), concurrency=THREADS,
                            latency=node_2_is_down, nemesis=False)  # fmt: skip
    asked = Counter((op.key, int(op.process) % NODES) for op in simulator.invocations(history))
    assert {count for (_, node), count in asked.items() if node != 2} == {1}
    assert {count for (_, node), count in asked.items() if node == 2} == {5}
    assert history[-1].time_ns < 5_000_000_000


def test_final_reads_of_dead_nodes_end_within_their_time() -> None:
    def slow(op: Invocation, random: int) -> Outcome:
        return Outcome(4_000_000_000, Type.FAIL)

    workload = make("register")
    workload.note_keys_opened(1000)
    history = simulator.run(workload.final_generator(), concurrency=THREADS, latency=slow)
    assert history[-1].time_ns < 35_000_000_000


def test_the_queue_is_drained() -> None:
    workload = make("queue", {"reads": 0.2})
    history = whole_run(workload, correct("queue", 0), 400, 4)
    put = {op.value for op in history if op.f == "enqueue"}
    got = {op.value for op in history if op.f == "dequeue" and op.type is Type.OK}
    assert put == got - {None}


# -- options and names -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"keyz": 3}, "no option 'keyz'", "did you mean 'keys'"),
        ({"keys": 0}, "option keys: 0", "workloads.md"),
        ({"keys": "many"}, "option keys: 'many'", "workloads.md"),
        ({"reads": 1.5}, "option reads: 1.5", "workloads.md"),
        ({"ops_per_key": -1}, "option ops_per_key: -1", "workloads.md"),
    ],
)
def test_impossible_options_are_plan_errors(
    options: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(PlanError, match=message) as got:
        make("register", options)
    assert hint in got.value.hint


def test_fewer_threads_than_nodes_is_a_plan_error() -> None:
    with pytest.raises(PlanError, match="concurrency 3 is less than the 5 nodes"):
        make("register", concurrency=3)


def test_options_may_be_text_as_from_a_command_line() -> None:
    assert make("register", {"keys": "20", "cas": "false"}).keys == 20


def test_unknown_workload_names_the_closest_and_the_known() -> None:
    with pytest.raises(PlanError, match="unknown workload 'regsiter'") as got:
        workloads.load("regsiter")
    assert "did you mean 'register'?" in got.value.hint
    assert all(name in got.value.hint for name in ALL)
    assert set(ALL) <= set(workloads.names())


def test_a_workload_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from paxtest.workloads.register import Register\n"
        "class Mine(Register):\n"
        "    name = 'mine'\n"
    )
    factory = workloads.load(f"{tmp_path}/mine.py:Mine")
    assert factory({}, seed=1, nodes=3, concurrency=6).name == "mine"


@pytest.mark.parametrize("name", ALL)
def test_checkers_are_those_of_the_contract(name: str) -> None:
    names = [checker.name for checker in make(name).checkers()]
    assert names == ["linearizable", "stats", "availability", "exceptions", "log-patterns"]
