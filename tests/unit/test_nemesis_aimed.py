"""Faults aimed at a moment, at a majority, or at each other: see nemesis/quorum.py, ground.py."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from nemesis_fakes import WHOLE, Run, fault

from paxtest.errors import PaxtestError, Unsupported
from paxtest.nemesis import FAMILIES, nemesis
from paxtest.nemesis.again import Again
from paxtest.nemesis.fault import Mix
from paxtest.nemesis.quorum import LATE, MIX, RIVALS
from paxtest.nemesis.swap import NO_KILL, plan_swap
from paxtest.nemesis.turns import Turns

FIVE = ("n1", "n2", "n3", "n4", "n5")


# -- the next leader, the second start, the late minority ------------------------------------


@pytest.mark.parametrize(("kind", "struck"), [("kill", "kill"), ("pause", "pause")])
async def test_a_successor_is_struck_when_it_claims_to_lead(
    tmp_path: Path, kind: str, struck: str
) -> None:
    run = Run(tmp_path, fault(kind, f"{kind}-successor"))
    deed = getattr(run.system, struck)

    async def elect(node: str) -> None:
        await deed(node)
        run.system.leaders = {"n2": ["n2", "n3"]}.get(node, [])  # n2 believes it leads still

    setattr(run.system, struck, elect)
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert run.system.log[:2] == [f"{struck} n2", f"{struck} n3"]
    assert run.events()[2].nodes == ["n2", "n3"] and run.events()[2].effective
    assert "its successor n3" in run.events()[2].text
    assert all(state == "S" for _, state in run.system.process.values())


async def test_where_nobody_follows_only_the_leader_is_struck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paxtest.nemesis.processes._SUCCESSOR_S", 0.1)
    run = Run(tmp_path, fault("kill", "kill-successor"))
    await run.nemesis.run()
    assert run.system.log == ["kill n2", "start n2"]
    assert "no other node claims to lead" in run.events()[2].text


async def test_killed_again_after_its_restart(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("kill", "kill-again"))
    await run.nemesis.run()
    (node,) = run.events()[0].nodes
    assert run.system.log == [f"{what} {node}" for what in ("kill", "start", "kill", "start")]
    assert run.happened() == WHOLE


async def test_a_storm_kills_one_after_the_other_and_starts_each_at_once(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("kill", "kill-storm", hold_s=0.8))
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert run.events()[2].effective
    log = run.system.log
    assert len(log) >= 4 and log[1::2] == [line.replace("kill", "start") for line in log[::2]]
    assert all(a != b for a, b in pairwise(log[::2]))


async def test_the_leader_is_late_and_nobody_else_starts_it(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        fault("kill", "kill-all-late", hold_s=0.4),
        fault("disk", "write-error-leader", id=2, start_s=0.1, hold_s=0.05),
        nodes=FIVE,
    )
    await run.nemesis.run()
    starts = [line for line in run.system.log if line.startswith("start")]
    assert len(starts) == 5
    late = run.events()[2].text.split("late: ")[1].split()
    assert "n2" in late and len(late) == 2
    assert {line.split()[1] for line in starts[3:]} == set(late)


# -- two faults at a time ---------------------------------------------------------------------


async def test_two_partitions_cut_what_either_cuts_and_the_end_of_one_leaves_the_other(
    tmp_path: Path,
) -> None:
    run = Run(
        tmp_path,
        fault("partition", "isolate-leader", id=1, hold_s=2.0),
        fault("delay", "flapping-links", id=2, start_s=0.1, hold_s=0.1),
    )
    assert run.cluster.net is not None
    seen: list[set[tuple[str, str]]] = []
    cut = run.cluster.net.cut

    async def look(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        seen.append(set(links))

    run.cluster.net.cut = look  # type: ignore[method-assign]
    await run.nemesis.run()
    isolated = seen[0]
    assert len(isolated) == 4 and all("n2" in link for link in isolated)
    assert len(seen) >= 3 and all(links >= isolated for links in seen)
    assert any(links > isolated for links in seen) and seen[-1] == isolated
    assert run.cluster.net.closed == set()


async def test_what_needs_the_ground_for_itself_waits_and_is_waited_for() -> None:
    turns = Turns()
    order: list[str] = []
    usual = Mix("kill", {}, {}, ())
    alone = Mix("quorum", {}, {}, (), alone=True)
    harmless = Mix("clock", {}, {}, (), harmless=True)
    first_may_end = asyncio.Event()

    async def strike(name: str, mix: Mix, until: asyncio.Event | None = None) -> None:
        async with turns.turn(mix):
            order.append(f"{name} begins")
            if until is not None:
                await until.wait()
            order.append(f"{name} ends")

    async with asyncio.TaskGroup() as group:
        group.create_task(strike("first", usual, first_may_end))
        group.create_task(strike("beside", usual))
        await asyncio.sleep(0)
        group.create_task(strike("swap", alone))
        await asyncio.sleep(0)
        group.create_task(strike("later", usual))
        group.create_task(strike("clock", harmless))
        while "clock ends" not in order:  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert "swap begins" not in order and "later begins" not in order
        first_may_end.set()
    kept = [line for line in order if not line.startswith("clock")]
    assert kept[-5:] == ["first ends", "swap begins", "swap ends", "later begins", "later ends"]


# -- handovers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 9])
def test_two_majorities_share_as_few_nodes_as_can_be(count: int) -> None:
    nodes = [f"n{i}" for i in range(count)]
    majority = count // 2 + 1
    for seed in range(50):
        rng = Random(seed)
        leader, wanted = rng.choice(nodes), rng.choice([None, *nodes])
        swap = plan_swap(nodes, leader, wanted, rng)
        assert len(swap.first) == len(swap.second) == majority
        assert set(swap.first) & set(swap.second) == set(swap.pivot)
        assert len(swap.pivot) == 2 * majority - count
        assert set(swap.first) | set(swap.second) == set(nodes)
        assert leader in swap.old and set(swap.old) == set(swap.first) - set(swap.pivot)
        assert wanted in (None, leader) or wanted in swap.pivot
        assert not [link for link in swap.cut_first() if set(link) <= set(swap.first)]
        assert not [link for link in swap.cut_second() if set(link) <= set(swap.second)]


@pytest.mark.parametrize(
    "name", [name for name in MIX.weights if name not in RIVALS | {*LATE, "swap-sleep"}]
)
async def test_every_handover_is_proven_and_healed(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, fault("quorum", name, hold_s=0.4), nodes=FIVE)
    assert run.cluster.net is not None
    seen: list[set[tuple[str, str]]] = []
    cut = run.cluster.net.cut

    async def look(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        seen.append(set(links))

    run.cluster.net.cut = look  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert run.events()[2].effective, run.events()[2]
    first, second = seen[0], seen[2 if name == "swap-late" else 1]  # what is late may still come
    alone = set(run.events()[0].text.split(" alone")[0].split())
    assert len(alone) == 3 and "n2" in alone
    assert first == {(a, b) for a in FIVE for b in FIVE if (a in alone) != (b in alone)}
    others = set(FIVE) - alone
    (pivot,) = [n for n in alone if not any((n, other) in second for other in others)]
    assert second == {
        (a, b) for a in FIVE for b in FIVE if (a in others | {pivot}) != (b in others | {pivot})
    }
    struck = {line.split()[1] for line in run.system.log if line.startswith("kill")}
    expected = {"swap-kill-all": set(FIVE)} | {strike: set() for strike in NO_KILL}
    assert struck == expected.get(name, {pivot})
    if name == "swap-clock":
        assert "n2 off by -" in run.events()[2].evidence
    assert all((run.cluster.clocks / node).read_text() == "+0" for node in FIVE)
    if name == "swap-kill-all":  # the old side is the last to come back
        starts = [line.split()[1] for line in run.system.log if line.startswith("start")]
        assert set(starts[3:]) == alone - {pivot}
    assert run.cluster.net.closed == set()
    assert all(state == "S" for _, state in run.system.process.values())
    if name != "swap-wipe":
        assert all(run.system.file(n).read_bytes() == run.system.content(n) for n in FIVE)
    assert await run.nemesis.heal() == []


# -- resets -------------------------------------------------------------------------------------


async def test_connections_of_the_leader_are_reset_again_and_again(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("partition", "reset-leader", hold_s=1.6), nodes=FIVE)
    net = run.cluster.net
    assert net is not None
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    assert len(net.resets) >= 2
    for links in net.resets:
        assert len(links) in (3, 4) and {to for _, to in links} == {"n2"}
    total = sum(map(len, net.resets))
    assert f"{total} resets sent in {len(net.resets)} times" in run.events()[-1].evidence
    before = len(net.resets)
    await asyncio.sleep(0.7)  # longer than the longest pause: nothing goes on
    assert len(net.resets) == before and await run.nemesis.heal() == []


async def test_resets_that_reset_nothing_are_not_effective(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("partition", "reset-leader", hold_s=0.3))
    assert run.cluster.net is not None
    run.cluster.net.deaf = True
    await run.nemesis.run()
    assert run.events()[2].effective is False and "0 resets sent" in run.events()[2].evidence


async def test_a_kernel_that_cannot_send_resets_has_all_other_partitions(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.cluster.net is not None
    ask = FAMILIES["partition"].unavailable  # type: ignore[attr-defined]
    assert await ask(run.cluster, run.system) == {}

    async def refuse(links: Collection[tuple[str, str]], for_s: float) -> int:
        raise Unsupported("no REJECT here", "modprobe ipt_REJECT")

    run.cluster.net.reset = refuse  # type: ignore[method-assign]
    assert await ask(run.cluster, run.system) == {"reset-leader": "no REJECT here"}


async def test_what_is_under_way_is_done_before_it_ends() -> None:
    """A reset that a heal left half done would go on after it."""
    begun, may_end, done = asyncio.Event(), asyncio.Event(), 0

    async def deed() -> None:
        nonlocal done
        if done:
            begun.set()
            await may_end.wait()
        done += 1

    again = Again(deed, lambda: 0.001)
    await again.begin()
    await begun.wait()
    ending = asyncio.create_task(again.end())
    await asyncio.sleep(0.01)
    assert not ending.done()
    may_end.set()
    await ending
    assert done == 2


async def test_what_is_done_over_and_over_ends_once_and_says_what_ended_it() -> None:
    done, failed = 0, asyncio.Event()

    async def deed() -> None:
        nonlocal done
        done += 1
        if done == 3:
            failed.set()
            raise PaxtestError("no firewall any more")

    again = Again(deed, lambda: 0.001)
    await again.begin()
    await failed.wait()
    with pytest.raises(PaxtestError, match="no firewall any more"):
        await again.end()
    await again.end()
    assert done == 3


# -- delays -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flapping-links", "slow-leader", "slow-links", "lossy-links"])
async def test_delays_are_proven_and_healed(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, fault("delay", name, hold_s=1.5))
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert run.events()[2].effective, run.events()[2]
    assert run.cluster.net is not None
    assert run.cluster.net.closed == run.cluster.net.shaped == set()


async def test_a_delay_that_does_not_delay_is_not_effective(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("delay", "slow-leader", hold_s=0.3))
    assert run.cluster.net is not None

    async def ignore(links: Collection[tuple[str, str]], **shape: float) -> None:
        return None

    run.cluster.net.shape = ignore  # type: ignore[method-assign, assignment]
    await run.nemesis.run()
    assert run.events()[2].effective is False
    assert "arrived after" in run.events()[2].evidence


async def test_links_that_lose_nothing_are_not_effective(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("delay", "lossy-links", hold_s=0.3))
    assert run.cluster.net is not None
    run.cluster.net.lost = 0
    await run.nemesis.run()
    assert run.events()[2].effective is False and "0 packets lost" in run.events()[2].evidence


@pytest.mark.parametrize(("questions", "limit_s", "left"), [(6, 9.0, 0), (10_000, 0.2, 1)])
async def test_a_handover_begins_when_all_nodes_vote_or_one_never_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, questions: int, limit_s: float, left: int
) -> None:
    monkeypatch.setattr(nemesis, "_CALM_S", limit_s)
    run = Run(tmp_path, fault("quorum", "swap", hold_s=0.4), nodes=FIVE)
    run.system.voteless["n3"] = questions
    net, left_at_cut = run.cluster.net, []
    assert net is not None
    cut = net.cut

    async def cutting(links: Collection[tuple[str, str]]) -> None:
        left_at_cut.append(run.system.voteless["n3"])
        await cut(links)

    net.cut = cutting  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE
    assert min(left_at_cut[0], 1) == left


async def test_a_handover_begins_when_one_node_leads(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "swap", hold_s=0.4), nodes=FIVE)
    claims = iter([["n1", "n4"], [], ["n1", "n4"]])
    answers: list[list[str]] = []

    async def primaries() -> list[str]:
        answers.append(next(claims, ["n4"]))
        return answers[-1]

    run.system.primaries = primaries  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE and answers[3] == ["n4"]
    assert "n4" in run.events()[0].text.split(" alone")[0]


async def test_a_handover_of_a_system_without_leaders_waits_for_none(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "swap", hold_s=0.4), nodes=FIVE)
    asked = 0

    async def primaries() -> list[str]:
        nonlocal asked
        asked += 1
        return []

    run.system.primaries = primaries  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE and asked == 2, "once to see the calm, once to find a target"


async def test_a_system_that_cannot_tell_keeps_no_handover_from_beginning(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "swap", hold_s=0.4), nodes=FIVE)

    async def votes(node: str) -> bool:
        raise RuntimeError("no such question")

    run.system.votes = votes  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective


async def test_a_partition_waits_for_no_votes(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("partition", "halves"), nodes=FIVE)
    run.system.voteless["n3"] = 10_000
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.system.voteless["n3"] == 10_000
