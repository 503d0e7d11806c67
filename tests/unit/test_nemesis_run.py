"""The nemesis: journal before act, proof of effect, failures, healing. In-memory processes and
links; the clocks' control files are real, and a real shell walks through them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from nemesis_fakes import NODES, WHOLE, Run, fault

from paxtest.errors import PaxtestError, PlanError, StoreError, Unsupported
from paxtest.nemesis import Nemesis, build, check_supported, lacking, names, parse, unavailable
from paxtest.nemesis.clock import WALK, restore_true_time, token
from paxtest.nemesis.fault import PlannedFault
from paxtest.nemesis.ground import Ground
from paxtest.nemesis.heal import heal_run, undo_all
from paxtest.nemesis.quorum import LATE
from paxtest.nemesis.record import FaultEvent, FaultJournal, read_journal, unhealed
from paxtest.remote.local import LocalRemote


@pytest.mark.parametrize(
    ("kind", "name", "hold_s"),
    [
        ("partition", "isolate-leader", 0.05),
        ("kill", "kill-all", 0.05),
        ("pause", "pause-leader", 0.05),
        ("clock", "jump-back", 0.6),
        ("clock", "strobe", 2.0),
        ("clock", "drift-fast", 2.0),
    ],
)
async def test_every_family_strikes_is_proven_and_heals(
    tmp_path: Path, kind: str, name: str, hold_s: float
) -> None:
    run = Run(tmp_path, fault(kind, name, hold_s=hold_s))
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    probe = run.events()[2]
    assert probe.effective and probe.evidence and probe.in_flight == 3
    assert run.nemesis.summary().injected == 1
    assert run.nemesis.summary().kinds == {kind: 1}
    assert run.nemesis.notes == []
    assert [f for f, _, _ in run.history] == [f"start-{kind}", f"stop-{kind}"]
    assert run.cluster.net is not None and run.cluster.net.closed == set()
    assert all(state == "S" for _, state in run.system.process.values())
    for node in NODES:
        assert (run.cluster.clocks / node).read_text() == "+0"
    assert await run.nemesis.heal() == []


async def test_the_inject_line_is_on_disk_before_the_act(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("kill", "kill-leader"))
    seen: list[list[str]] = []
    kill = run.system.kill

    async def look_first(node: str) -> None:
        seen.append(run.happened())
        await kill(node)

    run.system.kill = look_first  # type: ignore[method-assign]
    await run.nemesis.run()
    assert seen == [["inject"]]
    assert run.events()[0].undo == {"restart": ["n2"]}
    assert run.events()[0].nodes == ["n2"]


async def test_a_fault_that_does_nothing_is_not_effective(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("partition", "halves"))
    assert run.cluster.net is not None
    run.cluster.net.deaf = True
    await run.nemesis.run()
    assert run.events()[2].effective is False
    assert "reaches" in run.events()[2].evidence
    assert (run.nemesis.summary().injected, run.nemesis.summary().effective) == (1, 0)


async def test_a_fault_that_nobody_was_there_to_notice_is_not_effective(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("kill", "kill-one"), in_flight=0)
    await run.nemesis.run()
    assert run.events()[2].effective is False
    assert "no client operation was open" in run.events()[2].evidence
    assert run.nemesis.summary().effective == 0


async def test_a_partition_of_dead_nodes_proves_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("partition", "isolate-leader"))
    run.system.process["n2"] = (None, "")
    await run.nemesis.run()
    assert run.events()[2].effective is False
    assert "running nodes" in run.events()[2].evidence


async def test_a_fault_that_raises_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        fault("partition", "halves", id=1),
        fault("partition", "isolate-one", id=2, start_s=0.1),
        fault("kill", "kill-one", id=3),
    )
    assert run.cluster.net is not None
    run.cluster.net.broken = True
    await run.nemesis.run()
    assert run.happened(1) == ["inject", "failed", "heal", "healed"]
    assert run.events(1)[1].text == "inject: no firewall here"
    assert run.happened(2) == ["inject", "failed", "heal", "healed"]
    assert run.happened(3) == WHOLE
    assert run.nemesis.summary().injected == 1
    assert [note for note in run.nemesis.notes if "no firewall here" in note]


async def test_pausing_a_dead_node_is_skipped_and_said(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("pause", "pause-leader"))
    run.system.process["n2"] = (None, "")
    await run.nemesis.run()
    assert run.happened() == ["failed"]
    assert run.events()[0].text == "skipped: nothing to pause: no process on n2"
    assert run.nemesis.summary().injected == 0
    assert "skipped" in run.nemesis.notes[0]
    assert run.system.log == []


async def test_a_node_killed_while_paused_comes_back(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        fault("pause", "pause-leader", id=1, hold_s=0.3),
        fault("kill", "kill-leader", id=2, start_s=0.1, hold_s=0.05),
    )
    await run.nemesis.run()
    assert run.happened(1) == WHOLE and run.happened(2) == WHOLE
    assert run.system.process["n2"][1] == "S"
    assert run.system.log == ["pause n2", "kill n2", "start n2"]
    assert run.nemesis.summary().effective == 2


async def test_without_a_leader_a_random_node_is_drawn_and_said(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("kill", "kill-leader"))
    run.system.leaders = []
    await run.nemesis.run()
    assert "no node claims to lead" in run.events()[0].text
    assert len(run.events()[0].nodes) == 1


async def test_a_leader_that_cannot_be_asked_in_time_does_not_hold_a_fault_up(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, fault("kill", "kill-leader", hold_s=0.05))

    async def never() -> list[str]:
        await asyncio.sleep(30)
        return ["n1"]

    run.system.primaries = never  # type: ignore[method-assign]
    await run.nemesis.run()
    await run.nemesis.heal()
    events = run.events()
    assert "no node claims to lead" in events[0].text
    assert events[0].time_ns < 1e9
    assert [event.event for event in events[:2]] == ["inject", "injected"]


async def test_a_fault_after_another_waits_for_it_and_takes_the_same_leader(
    tmp_path: Path,
) -> None:
    jump = PlannedFault(2, 0.0, 0.8, "kill", "kill-leader", 3, after=1)
    run = Run(tmp_path, fault("partition", "isolate-leader", id=1, hold_s=0.8), jump)
    assert run.cluster.net is not None
    cut = run.cluster.net.cut

    async def slowly(links: Collection[tuple[str, str]]) -> None:
        await asyncio.sleep(0.2)
        await cut(links)
        run.system.leaders = ["n3"]  # another is elected at once

    run.cluster.net.cut = slowly  # type: ignore[method-assign]
    await run.nemesis.run()
    events = read_journal(run.journal)
    moments = {(event.id, event.event): event.time_ns for event in events}
    assert moments[2, "inject"] - moments[1, "inject"] >= 0.2e9
    assert run.events(2)[0].nodes == ["n2"]


async def test_cancelled_in_the_middle_heal_undoes_everything_once(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        fault("partition", "isolate-leader", id=1, hold_s=60),
        fault("kill", "kill-all", id=2, start_s=0.4, hold_s=60),
        fault("pause", "pause-one", id=3, start_s=0.1, hold_s=60),
        fault("clock", "jump-forward", id=4, hold_s=60),
    )
    running = asyncio.create_task(run.nemesis.run())
    while len(run.happened(2)) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {event.id for event in unhealed(read_journal(run.journal))} == {1, 2, 3, 4}
    assert await run.nemesis.heal() == []
    assert unhealed(read_journal(run.journal)) == []
    assert run.cluster.net is not None and run.cluster.net.closed == set()
    assert {state for _, state in run.system.process.values()} == {"S"}
    assert {(run.cluster.clocks / node).read_text() for node in NODES} == {"+0"}
    lines = len(read_journal(run.journal))
    assert await run.nemesis.heal() == []
    assert len(read_journal(run.journal)) == lines


async def test_a_node_that_died_by_itself_is_started_and_said(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("partition", "isolate-leader"))
    await run.nemesis.run()
    run.system.process["n3"] = (None, "")
    assert await run.nemesis.heal() == []
    assert run.system.log == ["start n3"]
    assert any("n3 had no process" in note for note in run.nemesis.notes)
    assert ("revive", {"node": "n3"}, "n3 had no process") in run.history


async def test_what_cannot_be_healed_is_returned(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("kill", "kill-one"))

    async def refuse(node: str) -> None:
        raise PaxtestError("the disk is full")

    run.system.start = refuse  # type: ignore[method-assign]
    await run.nemesis.run()
    problems = await run.nemesis.heal()
    assert any("the disk is full" in problem for problem in problems)
    assert unhealed(read_journal(run.journal))


async def test_heal_before_any_fault_touches_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.system.process["n1"] = (None, "")
    await run.nemesis.run()
    assert await run.nemesis.heal() == []
    assert run.system.log == []


async def test_a_new_skew_outlives_the_walk_of_the_one_before(tmp_path: Path) -> None:
    """On a container a cancelled walk goes on: one that slept through its own healing must
    leave the next skew alone.
    """
    file = str(tmp_path / "faketime")
    (tmp_path / "faketime").write_text("+0")

    async def walk(fault_id: int, offset: str, seconds: str) -> subprocess.Popen[bytes]:
        argv = ["sh", "-c", WALK, "sh", file, token(file, fault_id), offset, seconds]
        process = subprocess.Popen(argv)  # noqa: ASYNC220
        while held() != offset:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        return process

    def held() -> str:
        with open(file) as control:
            return control.read()

    first = await walk(1, "-5.000", "0.5")
    await restore_true_time(LocalRemote("n1"), file)
    assert held() == "+0"
    second = await walk(2, "+9.000", "1.5")
    await asyncio.to_thread(first.wait)
    assert held() == "+9.000"
    await asyncio.to_thread(second.wait)
    assert held() == "+0"
    assert os.listdir(tmp_path) == ["faketime"]


# -- healing without the control node ---------------------------------------------------------


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


async def test_offline_heal_undoes_what_a_dead_run_left(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.cluster.net is not None
    run.cluster.net.closed = {("n1", "n2")}
    (run.cluster.clocks / "n3").write_text("-20")
    sleeper = subprocess.Popen(["sleep", "60"], start_new_session=True)  # noqa: ASYNC220
    try:
        sleeper.send_signal(signal.SIGSTOP)
        journal = FaultJournal(run.journal)
        for number, (kind, undo) in enumerate(
            [
                ("partition", {"net": True, "cut": [["n1", "n2"]]}),
                ("clock", {"clock": {"n3": str(run.cluster.clocks / "n3")}}),
                ("pause", {"resume": {"n1": sleeper.pid}}),
                ("kill", {"restart": ["n2"]}),
            ],
            start=1,
        ):
            journal.append(FaultEvent(number, 0, "inject", kind, kind, undo=undo), sync=True)
        journal.append(FaultEvent(5, 0, "inject", "kill", "kill-one", undo={"restart": ["n9"]}))
        journal.append(FaultEvent(5, 0, "healed", "kill", "kill-one"))
        journal.close()
        with run.journal.open("ab") as file:
            file.write(b'{"id": 6, "time_ns": 12, "eve')  # the control node died here

        async def restart(node: str) -> str:
            await run.system.start(node)
            return f"{node} started"

        left = unhealed(read_journal(run.journal))
        said = await undo_all(left, run.cluster, restart, run.journal)  # type: ignore[arg-type]
        assert state_of(sleeper.pid) != "T"
    finally:
        sleeper.kill()
        sleeper.wait()
    assert len(said) == 4
    assert run.cluster.net.closed == set()
    assert (run.cluster.clocks / "n3").read_text() == "+0"
    assert run.system.log == ["start n2"]
    assert unhealed(read_journal(run.journal)) == []


async def test_offline_heal_says_what_it_could_not_do_and_does_the_rest(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.cluster.net is not None
    run.cluster.net.closed = {("n1", "n2")}
    left = [
        FaultEvent(1, 0, "inject", "partition", "halves", undo={"net": True}),
        FaultEvent(2, 0, "inject", "kill", "kill-one", undo={"restart": ["n2"]}),
    ]
    with pytest.raises(PaxtestError, match="n2 was killed") as caught:
        await undo_all(left, run.cluster, None, run.journal)  # type: ignore[arg-type]
    assert "prune" in caught.value.hint
    assert run.cluster.net.closed == set()


async def test_heal_run_refuses_what_is_no_run_and_finds_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run"):
        await heal_run(tmp_path / "absent")
    with pytest.raises(StoreError, match="no nemesis"):
        await heal_run(tmp_path)
    run = Run(tmp_path, fault("kill", "kill-one"))
    await run.nemesis.run()
    assert await heal_run(tmp_path) == []
    with run.journal.open("a") as file:
        file.write("{not json}\n{}\n")
    with pytest.raises(StoreError, match="line 6"):
        await heal_run(tmp_path)


async def test_heal_run_needs_the_cluster(tmp_path: Path) -> None:
    journal = FaultJournal(tmp_path / "faults.jsonl")
    journal.append(FaultEvent(1, 0, "inject", "partition", "halves", undo={"net": True}))
    journal.close()
    with pytest.raises(StoreError, match=r"cluster\.json"):
        await heal_run(tmp_path)


def test_a_whole_last_line_without_its_newline_counts(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    journal = FaultJournal(path)
    journal.append(FaultEvent(1, 0, "inject", "kill", "kill-one"))
    journal.close()
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(read_journal(path)) == 1
    journal = FaultJournal(path)
    journal.append(FaultEvent(1, 0, "healed", "kill", "kill-one"))
    journal.close()
    assert unhealed(read_journal(path)) == []


# -- the front door ----------------------------------------------------------------------------


def test_parse_knows_its_names() -> None:
    assert parse("partition, kill,partition") == ["partition", "kill"]
    assert parse("all") == names()
    every = ["partition", "kill", "pause", "clock", "delay", "disk", "quorum", "member"]
    assert names() == every
    assert parse("none") == parse("") == []
    with pytest.raises(PlanError, match="'partitions'") as caught:
        parse("kill,partitions")
    assert "did you mean 'partition'?" in caught.value.hint


async def test_what_a_place_cannot_do_is_refused_before_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path)
    cluster: Any = run.cluster
    system: Any = run.system
    await check_supported(names(), cluster, system)
    assert await unavailable(names(), cluster, system) == {}
    run.system.faketime = False
    cluster.net = None
    with pytest.raises(Unsupported, match="libfaketime") as caught:
        await check_supported(names(), cluster, system)
    assert "way to touch the network" in caught.value.message
    assert "apt-get install libfaketime" in caught.value.hint
    assert set(lacking(names(), cluster, system)) == {"partition", "clock", "delay", "quorum"}
    await check_supported(["kill", "pause"], cluster, system)


async def test_single_faults_that_a_place_cannot_have_are_named(tmp_path: Path) -> None:
    run = Run(tmp_path)
    cluster: Any = run.cluster
    system: Any = run.system
    system.rejoins_empty = False

    async def refuse(links: Any, **shape: float) -> None:
        if shape.get("delay_s"):
            raise Unsupported("this kernel has no netem", "modprobe sch_netem")

    cluster.net.shape = refuse
    gaps = await unavailable(names(), cluster, system)
    late = {"slow-leader", "slow-links", "swap-late", *LATE}
    assert set(gaps) == {*late, "wipe", "swap-wipe"}
    assert "netem" in gaps["slow-leader"] and "lost its disk" in gaps["wipe"]


async def test_the_late_healing_of_a_fault_leaves_the_next_ones_links_alone(tmp_path: Path) -> None:
    run = Run(tmp_path)
    ground = Ground(run.cluster, run.system)  # type: ignore[arg-type]
    assert run.cluster.net is not None
    link = {("n1", "n2")}
    await ground.shape(1, [("n3", "n1")], delay_s=0.1)
    await ground.shape(2, link, delay_s=0.2)
    assert "fault 2" in await ground.unshape(1)
    await ground.open(1)
    assert (run.cluster.net.shaped, run.cluster.net.delay_s) == (link, 0.2)
    await ground.cut(2, link)
    await ground.open(2)
    assert run.cluster.net.shaped == run.cluster.net.closed == set()
    await ground.shape(3, link, delay_s=0.1)
    assert await ground.unshape(3) == "all links as usual"
    assert run.cluster.net.shaped == set()


async def test_build_makes_a_nemesis_with_the_seeds_schedule(tmp_path: Path) -> None:
    run = Run(tmp_path)

    def make(seed: int) -> Nemesis:
        return build(
            ["kill", "pause"],
            cluster=run.cluster,  # type: ignore[arg-type]
            system=run.system,  # type: ignore[arg-type]
            seed=seed,
            time_limit_s=30,
            interval_s=None,
            quiet_tail_s=None,
            journal_path=run.journal,
            in_flight=lambda: 0,
            record=lambda f, value, error: None,
            clock=time.monotonic_ns,
        )

    assert make(1).schedule == make(1).schedule != make(2).schedule
