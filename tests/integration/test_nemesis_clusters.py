"""Every fault on real nodes with the real Paxos server: it happens, is proven, and is healed."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from paxtest import cluster as clusters
from paxtest.cluster.protocol import Cluster
from paxtest.cluster.systems.paxos import PaxosSystem
from paxtest.nemesis import FAMILIES, Nemesis, build, check_supported, names, unavailable
from paxtest.nemesis.fault import PlannedFault
from paxtest.nemesis.heal import heal_run
from paxtest.nemesis.record import read_journal, unhealed
from paxtest.operation import Op, Type

NODES = 5
SAME_DEED = frozenset(
    [
        "kill-one",
        "kill-minority",
        "kill-majority",
        "kill-all",
        "pause-one",
        "pause-minority",
        "pause-all",
        "isolate-one",
        "halves",
        "random-halves",
        "write-error-one",
        "write-error-leader",
        "swap-write-error",
    ]
)
"""Others do the same to other nodes; which nodes those are is a matter of unit tests."""
BY_SHELL = ("kill", "pause", "disk", "quorum")
"""What these do on a node they do through its Remote: all of it on containers, some of it here."""
KINDS = [pytest.param("docker", marks=pytest.mark.docker), "local"]


class Load:
    """Clients that write and read one after the other, so that operations are in flight."""

    def __init__(self, system: PaxosSystem, cluster: Cluster) -> None:
        self.open = self.done = 0
        self.over = False
        self._tasks = [
            asyncio.create_task(self._work(system, node)) for node in cluster.nodes for _ in "ab"
        ]

    async def _work(self, system: PaxosSystem, node: Any) -> None:
        for number in itertools.count():
            if self.over:  # a library may swallow the cancellation
                return
            client = system.client()
            self.open += 1
            try:
                async with asyncio.timeout(1.0):
                    await client.open(node)
                    f = "write" if number % 2 else "read"
                    op = Op(number, 0, 0, Type.INVOKE, f, "k", number)
                    self.done += (await client.invoke(op)).type is Type.OK
            except Exception:
                await asyncio.sleep(0.05)  # nobody there: what faults are for
            finally:
                self.open -= 1
                await client.close()
            await asyncio.sleep(0.01)

    async def close(self) -> None:
        self.over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until(check: Callable[[], Awaitable[bool]], what: str, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not await check():
        assert time.monotonic() < deadline, f"{what}: not within {limit_s} s"
        await asyncio.sleep(0.1)


async def all_ready(system: PaxosSystem, cluster: Cluster) -> bool:
    return all([await system.is_ready(node.name) for node in cluster.nodes])


async def all_vote(system: PaxosSystem, cluster: Cluster) -> bool:
    """Every node is a voter, and no change is on its way, as a leader tells."""
    for leader in await system.primaries():
        rows = await system._ask(leader, "PAXOS", "MEMBERS") or []
        return [role for _, _, role in rows] == [b"voter"] * len(cluster.nodes)
    return False


@pytest.fixture(params=KINDS)
async def paxos(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Cluster, PaxosSystem]]:
    cluster = clusters.make(
        request.param, run_id=f"nemesis-{secrets.token_hex(4)}", nodes=NODES, options={}
    )
    await cluster.up()
    try:
        system = PaxosSystem(cluster, {})
        nodes = [node.name for node in cluster.nodes]
        await asyncio.gather(*(system.install(node) for node in nodes))
        await asyncio.gather(*(system.start(node) for node in nodes))
        await until(lambda: all_ready(system, cluster), "ready")
        yield cluster, system
    finally:
        await cluster.down()


def nemesis_of(
    faults: list[PlannedFault], cluster: Cluster, system: PaxosSystem, load: Load, journal: Path
) -> Nemesis:
    began = time.monotonic_ns()
    return Nemesis(
        faults,
        FAMILIES,
        cluster,
        system,
        journal,
        lambda: load.open,
        lambda f, value, error: None,
        lambda: time.monotonic_ns() - began,
    )


async def assert_whole(cluster: Cluster, system: PaxosSystem) -> None:
    """All links open, processes running, clocks true, and the cluster serves."""
    assert cluster.net is not None
    for node in cluster.nodes:
        pid, state = await system.process_state(node.name)
        assert pid is not None and state != "T", node.name
        for other in cluster.nodes:
            if other != node:
                assert await cluster.net.reachable(node.name, other.name, system.peer_port)
    await until(lambda: all_ready(system, cluster), "ready again")
    for node in cluster.nodes:
        offset = await system.clock_offset_s(node.name)
        assert offset is not None and abs(offset) < 0.5, (node.name, offset)


@pytest.mark.slow
async def test_a_node_tells_whether_it_votes(paxos: tuple[Cluster, PaxosSystem]) -> None:
    cluster, system = paxos
    await until(lambda: all_vote(system, cluster), "voters")
    for node in cluster.nodes:
        await until(lambda name=node.name: system.votes(name), f"the vote of {node.name}")
    (leader,) = await system.primaries()
    struck = next(node.name for node in cluster.nodes if node.name != leader)
    await system.kill(struck)
    assert not await system.votes(struck)
    await system.wipe(struck)
    await system.start(struck)
    await until(lambda: system.votes(struck), f"the vote of {struck} after it lost its disk")


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_fault_of_every_kind_is_proven_and_healed(
    paxos: tuple[Cluster, PaxosSystem], tmp_path: Path
) -> None:
    """One after the other, each seen alone."""
    cluster, system = paxos
    await check_supported(names(), cluster, system)
    absent = await unavailable(names(), cluster, system)
    assert not {"wipe", "flip-bit", "write-error-one"} & absent.keys()
    load = Load(system, cluster)
    told = []
    try:
        number = 0
        for kind, family in FAMILIES.items():
            left_out = absent.keys() | SAME_DEED
            mine = [name for name in family.mix.weights if name not in left_out]
            if cluster.name == "local" and kind in BY_SHELL:
                mine = mine[:2]
            if cluster.name == "docker" and kind == "member":
                mine = mine[:1]  # the same for every cluster, and slow to be added again here
            for name in mine:
                number += 1  # what a fault leaves behind on a node is named after its id
                if kind == "member":  # a member that was wiped or removed is to vote again first
                    await until(lambda: all_vote(system, cluster), f"voters before {name}")
                holds = {"clock": 2.0, "delay": 1.0, "quorum": 1.5, "member": 4.0}
                longer = {"stutter-all": 2.0, "stutter-leader": 2.0, "reset-leader": 1.2}
                hold_s = longer.get(name, holds.get(kind, 0.4))
                fault = PlannedFault(number, 0.0, hold_s, kind, name, 5)
                path = tmp_path / f"{name}.jsonl"
                nemesis = nemesis_of([fault], cluster, system, load, path)
                try:
                    await nemesis.run()
                finally:
                    assert await nemesis.heal() == []
                events = read_journal(path)
                assert [e.event for e in events][-1] == "healed"
                if nemesis.summary().kinds != {kind: 1} or nemesis.notes:
                    told.append(f"{name}: {nemesis.notes}; {events}")
                await until(lambda: all_ready(system, cluster), f"ready after {name}")
        await assert_whole(cluster, system)
    finally:
        await load.close()
    assert not told, "\n".join(told)


@pytest.mark.slow
async def test_a_whole_schedule_of_all_kinds_leaves_a_working_cluster(
    paxos: tuple[Cluster, PaxosSystem], tmp_path: Path
) -> None:
    cluster, system = paxos
    kinds = ["partition", "kill", "pause", "clock", "disk"]
    load = Load(system, cluster)
    began = time.monotonic_ns()
    nemesis = build(
        kinds,
        cluster=cluster,
        system=system,
        seed=11,
        weights=dict.fromkeys(await unavailable(kinds, cluster, system), 0.0),
        time_limit_s=15.0,
        journal_path=tmp_path / "faults.jsonl",
        in_flight=lambda: load.open,
        record=lambda f, value, error: None,
        clock=lambda: time.monotonic_ns() - began,
    )
    try:
        await nemesis.run()
        assert await nemesis.heal() == []
        await assert_whole(cluster, system)
        done = load.done
        await until(lambda: _more(load, done), "the load goes on")
    finally:
        await nemesis.heal()
        await load.close()
    counts = nemesis.summary()
    assert set(counts.kinds) == set(kinds), nemesis.notes
    assert counts.effective >= counts.injected * 0.7, (counts, nemesis.notes)
    assert [note for note in nemesis.notes if "failed" in note] == []


async def _more(load: Load, done: int) -> bool:
    return load.done > done + 100


CRASHER = """
import asyncio, sys, time
from pathlib import Path
from paxtest import plan as plans
from paxtest.cluster import attach, systems
from paxtest.nemesis import FAMILIES, Nemesis
from paxtest.nemesis.fault import PlannedFault

async def main(run):
    cluster = await attach(run / "cluster.json")
    system = systems.make(plans.load(run / "plan.yaml", [], {}), cluster)
    for node in cluster.nodes:
        await system.install(node.name)
    faults = [
        PlannedFault(1, 0.0, 600.0, "clock", "jump-back", 5),
        PlannedFault(2, 0.0, 600.0, "pause", "pause-minority", 6),
        PlannedFault(3, 0.8, 600.0, "kill", "kill-leader", 7),
        PlannedFault(4, 1.2, 600.0, "partition", "isolate-one", 8),
    ]
    await Nemesis(faults, FAMILIES, cluster, system, run / "faults.jsonl", lambda: 1,
                  lambda f, value, error: None, time.monotonic_ns).run()

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.mark.docker
async def test_heal_run_undoes_what_a_killed_control_node_left(tmp_path: Path) -> None:
    """The nodes are containers: they outlive the process that broke them."""
    cluster: Any = clusters.make(
        "docker", run_id=f"nemesis-{secrets.token_hex(4)}", nodes=NODES, options={}
    )
    await cluster.up()
    try:
        cluster.save(tmp_path / "cluster.json")
        plan = {"system": {"name": "paxos"}, "cluster": {"kind": "docker", "nodes": NODES}}
        (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
        system = PaxosSystem(cluster, {})
        nodes = [node.name for node in cluster.nodes]
        await asyncio.gather(*(system.install(node) for node in nodes))
        await asyncio.gather(*(system.start(node) for node in nodes))
        await until(lambda: all_ready(system, cluster), "ready")
        journal = tmp_path / "faults.jsonl"
        crasher = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CRASHER, str(tmp_path), start_new_session=True
        )

        async def all_in_force() -> bool:
            assert crasher.returncode is None
            events = read_journal(journal) if journal.exists() else []
            return len([event for event in events if event.event == "injected"]) == 4

        await until(all_in_force, "four faults")
        os.killpg(crasher.pid, signal.SIGKILL)
        await crasher.wait()
        states = [await system.process_state(node) for node in nodes]
        assert (None, "") in states
        said = await heal_run(tmp_path)
        assert len(said) >= 4, said
        assert unhealed(read_journal(journal)) == []
        await assert_whole(cluster, system)
        assert await heal_run(tmp_path) == []
    finally:
        await cluster.down()
