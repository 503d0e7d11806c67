"""Faults that need slow links: leaders that are heard late, and remains of leaders that fell.
nemesis/late.py and the handover `swap-late`, on a cluster that is not real."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest
from nemesis_fakes import WHOLE, Run, fault

FIVE = ("n1", "n2", "n3", "n4", "n5")
Links = set[tuple[str, str]]


def watch(run: Run, elect: bool = False) -> list[tuple[str, Links]]:
    """What the network was told: ("cut" or "shape", links). `elect`: another one claims to lead as
    soon as one is cut off, and the old one goes on claiming it."""
    net, told = run.cluster.net, []  # type: ignore[var-annotated]
    assert net is not None
    cut, shape = net.cut, net.shape

    async def cutting(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        told.append(("cut", set(links)))
        if elect and links:
            old, apart = run.system.leaders[-2:], group(set(links))
            if old[-1] in apart and len(apart) < len(FIVE):
                new = next(node for node in FIVE if node not in apart | set(old))
                run.system.leaders = [old[-1], new]

    async def shaping(links: Collection[tuple[str, str]], **kinds: float) -> None:
        await shape(links, **kinds)
        told.append(("shape", set(links)))

    net.cut, net.shape = cutting, shaping  # type: ignore[method-assign]
    return told


def group(links: Links) -> set[str]:
    """The nodes that are cut off from a majority: all where there is none."""
    heard = {node: [other for other in FIVE if (node, other) not in links] for node in FIVE}
    return {node for node in FIVE if len(heard[node]) <= len(FIVE) // 2}


@pytest.mark.parametrize("seed", range(4))
async def test_a_leader_is_heard_late_by_those_whom_others_ask(tmp_path: Path, seed: int) -> None:
    run = Run(tmp_path, fault("quorum", "rivals-late", hold_s=3.3, seed=seed), nodes=FIVE)
    told = watch(run)
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    first = told.pop(0)
    assert first == ("shape", {("n2", node) for node in FIVE if node != "n2"}), "late for all"
    cuts = [links for kind, links in told if kind == "cut" and links]
    late = [links for kind, links in told if kind == "shape" and links]
    assert len(cuts) == len(late) >= 1
    for closed, slow in zip(cuts, late, strict=True):
        unheard = {node for node in FIVE if (node, "n2") in closed}
        hears = {node for _, node in slow}
        faithful = set(FIVE) - unheard - hears - {"n2"}
        assert len(unheard) == 2 and slow == {("n2", node) for node in hears}
        halves = {link for a in {"n2"} | faithful for b in unheard for link in ((a, b), (b, a))}
        answers = closed - halves  # missing ones, so that who hears it late is not elected
        assert halves <= closed and len(answers) == len(faithful)
        assert all(a in unheard and b in hears for a, b in answers)
    assert told[0][0] == "cut", "what is proposed last must wait for those that hear it late"
    assert run.events()[0].undo == {"net": True}
    assert run.cluster.net is not None
    assert run.cluster.net.closed == run.cluster.net.shaped == set()


async def test_leaders_of_a_figure_eight_leave_remains_on_two_minorities(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "figure-eight", hold_s=1.5), nodes=FIVE)
    told = watch(run, elect=True)
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    assert [kind for kind, _ in told[:3]] == ["cut", "shape", "cut"]
    assert len(told[1][1]) == 20, "all links"
    groups = [group(links) for kind, links in told if kind == "cut" and links]
    hidden, nobody, all_but_one = groups[:3]
    assert "n2" in hidden and len(hidden) == 2
    assert nobody == set(FIVE), "the next leader has a mate, the old one's mate is with the fifth"
    assert hidden - all_but_one == set(FIVE) - all_but_one != set(), "only its mate can be elected"
    assert run.cluster.net is not None
    assert run.cluster.net.closed == run.cluster.net.shaped == set()


async def test_a_straggler_hears_the_old_leader_after_it_is_back_with_the_new_one(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, fault("quorum", "straggler", hold_s=3.0), nodes=FIVE)
    told = watch(run)
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    (_, late), (_, away), (_, back) = told[:3]
    ((leader, straggler),) = late
    rest = set(FIVE) - {leader, straggler}
    assert leader == "n2"
    assert away == {link for node in rest for pivot in ("n2", straggler)
                    for link in ((node, pivot), (pivot, node))}  # fmt: skip
    assert back == {link for node in rest for link in ((node, "n2"), ("n2", node))}
    assert run.cluster.net is not None
    assert run.cluster.net.closed == run.cluster.net.shaped == set()


async def test_three_nodes_lose_only_their_leader_in_a_figure_eight(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "figure-eight", hold_s=0.6))
    told = watch(run)
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    first = next(links for kind, links in told if kind == "cut")
    assert first == {(a, b) for a in ("n1", "n2", "n3") for b in ("n1", "n2", "n3")
                     if (a == "n2") != (b == "n2")}  # fmt: skip


async def test_three_nodes_can_always_elect_another_one_in_a_figure_eight(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "figure-eight", hold_s=1.5))
    net, cuts, names = run.cluster.net, [], ("n1", "n2", "n3")  # type: ignore[var-annotated]
    assert net is not None
    cut = net.cut

    async def cutting(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        if links:
            cuts.append(set(links))
            run.system.leaders = [a for a in names if any((a, b) not in links and a != b
                                                          for b in names)][:1]  # fmt: skip

    net.cut = cutting  # type: ignore[method-assign]
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert len(cuts) >= 2 and all(len(links) == 4 for links in cuts), "one leader at a time"


async def test_the_leader_of_a_late_handover_hears_the_others_late(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "swap-late", hold_s=1.0), nodes=FIVE)
    told = watch(run)
    await run.nemesis.run()
    kind, slow = told[0]
    assert kind == "shape" and len(slow) == 2 and all(to == "n2" for _, to in slow)
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()


@pytest.mark.parametrize("name", ["rivals-late", "figure-eight", "straggler", "swap-late"])
async def test_a_delay_that_nobody_sees_is_not_proven(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, fault("quorum", name, hold_s=0.6), nodes=FIVE)
    assert run.cluster.net is not None

    async def ignore(links: Collection[tuple[str, str]], **kinds: float) -> None:
        """As a network that says yes and does nothing."""

    run.cluster.net.shape = ignore  # type: ignore[method-assign]
    await run.nemesis.run()
    assert not run.events()[2].effective, run.events()[2]
