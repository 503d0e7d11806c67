"""Processes that stop and go over and over, and leaders that fall over it: nemesis/stutter.py,
rivals.py. The processes are real; the cluster is not."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from nemesis_fakes import WHOLE, Run, fault

from paxtest.nemesis.stutter import GOING_S, STOPPED_S, steps

FIVE = ("n1", "n2", "n3", "n4", "n5")


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.fixture
def sleepers() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    started = {n: subprocess.Popen(["sleep", "60"], start_new_session=True) for n in FIVE}
    yield started
    for process in started.values():
        process.kill()
        process.wait()


def with_processes(run: Run, sleepers: dict[str, subprocess.Popen[bytes]]) -> Run:
    async def process_state(node: str) -> tuple[int | None, str]:
        pid = sleepers[node].pid
        return (None, "") if sleepers[node].poll() is not None else (pid, state_of(pid))

    run.system.process_state = process_state  # type: ignore[method-assign]
    return run


@pytest.mark.parametrize("hold_s", [0.0, 1.0, 4.0])
def test_steps_fill_the_time_and_keep_their_limits(hold_s: float) -> None:
    drawn = steps(hold_s, Random(1))
    assert drawn and len(drawn) % 2 == 0 and hold_s <= sum(drawn) <= hold_s + 0.7
    assert all(STOPPED_S[0] <= s <= STOPPED_S[1] for s in drawn[::2])
    assert all(GOING_S[0] <= s <= GOING_S[1] for s in drawn[1::2])


@pytest.mark.parametrize("name", ["stutter-all", "stutter-leader"])
async def test_a_stutter_is_seen_and_all_go_on_in_the_end(
    tmp_path: Path, sleepers: dict[str, subprocess.Popen[bytes]], name: str
) -> None:
    run = with_processes(Run(tmp_path, fault("pause", name, hold_s=1.5), nodes=FIVE), sleepers)
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert run.events()[2].effective and "stopped and going" in run.events()[2].evidence
    struck = ["n2"] if name == "stutter-leader" else list(FIVE)
    assert run.events()[0].undo == {"resume": {n: sleepers[n].pid for n in struck}}
    assert all(state_of(process.pid) != "T" for process in sleepers.values())


async def test_who_dies_meanwhile_stutters_no_more(
    tmp_path: Path, sleepers: dict[str, subprocess.Popen[bytes]]
) -> None:
    run = with_processes(
        Run(tmp_path, fault("pause", "stutter-leader", hold_s=30.0), nodes=FIVE), sleepers
    )
    running = asyncio.create_task(run.nemesis.run())
    await asyncio.sleep(0.3)
    sleepers["n2"].kill()
    sleepers["n2"].wait()
    await asyncio.sleep(1.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(5):  # not as long as the stutter would have taken
        await run.nemesis.heal()
    assert run.happened()[-1] == "healed"


async def test_a_leader_stands_still_deaf_to_half_of_the_others(
    tmp_path: Path, sleepers: dict[str, subprocess.Popen[bytes]]
) -> None:
    run = with_processes(Run(tmp_path, fault("quorum", "rivals", hold_s=2.0), nodes=FIVE), sleepers)
    assert run.cluster.net is not None
    seen: list[set[tuple[str, str]]] = []
    cut = run.cluster.net.cut

    async def look(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        seen.append(set(links))

    run.cluster.net.cut = look  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    assert seen and all(len(links) == 4 and all("n2" in link for link in links) for links in seen)
    assert "n2 for " in run.events()[2].text
    assert run.cluster.net.closed == set()
    assert all(state_of(process.pid) != "T" for process in sleepers.values())


async def test_a_leader_that_naps_wakes_up_alone(
    tmp_path: Path, sleepers: dict[str, subprocess.Popen[bytes]]
) -> None:
    run = with_processes(
        Run(tmp_path, fault("quorum", "swap-sleep", hold_s=2.0), nodes=FIVE), sleepers
    )
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    assert f"n2 pid {sleepers['n2'].pid} state T" in run.events()[2].evidence
    assert run.events()[0].undo["resume"] == {"n2": sleepers["n2"].pid}
    assert run.cluster.net is not None and run.cluster.net.closed == set()
    assert all(state_of(process.pid) != "T" for process in sleepers.values())


async def test_each_leader_of_a_relay_is_cut_off_and_let_back(
    tmp_path: Path, sleepers: dict[str, subprocess.Popen[bytes]]
) -> None:
    run = with_processes(Run(tmp_path, fault("quorum", "relay", hold_s=1.2), nodes=FIVE), sleepers)
    assert run.cluster.net is not None
    fallen: list[str] = []
    cut = run.cluster.net.cut

    async def elect(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        (leader,) = [n for n in FIVE if all(n in link for link in links)]
        fallen.append(leader)
        run.system.leaders = [leader, FIVE[FIVE.index(leader) - 1]]  # it believes it leads still

    run.cluster.net.cut = elect  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    assert fallen[0] == "n2" and len(fallen) >= 3 and all(a != b for a, b in pairwise(fallen))
    assert run.cluster.net.closed == set()
    assert all(state_of(process.pid) != "T" for process in sleepers.values())
