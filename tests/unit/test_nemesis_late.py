"""Faults that need slow links: leaders that are heard late, and remains of leaders that fell.
nemesis/late.py and the handover `swap-late`, on a cluster that is not real."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
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
    former: set[str] = set()

    async def cutting(links: Collection[tuple[str, str]]) -> None:
        await cut(links)
        told.append(("cut", set(links)))
        if elect and links:
            old = run.system.leaders[-1]
            inside = {old} | {n for n in FIVE if (old, n) not in links}
            run.system.leaders = [old, next(n for n in FIVE if n not in inside | former)]
            former.clear()
            former.update(inside)

    async def shaping(links: Collection[tuple[str, str]], **kinds: float) -> None:
        await shape(links, **kinds)
        told.append(("shape", set(links)))

    net.cut, net.shape = cutting, shaping  # type: ignore[method-assign]
    return told


async def test_a_leader_is_heard_late_by_one_half_and_not_by_the_other(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "rivals-late", hold_s=2.5), nodes=FIVE)
    told = watch(run)
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    cuts = [links for kind, links in told if kind == "cut" and links]
    late = [links for kind, links in told if kind == "shape" and links]
    assert len(cuts) == len(late) >= 1
    for closed, slow in zip(cuts, late, strict=True):
        unheard = {node for link in closed for node in link} - {"n2"}
        assert len(unheard) == 2 and closed == {
            link for node in unheard for link in ((node, "n2"), ("n2", node))
        }
        assert slow == {("n2", node) for node in FIVE if node not in unheard | {"n2"}}
    assert told[0][0] == "cut", "what is proposed last must wait for those that hear it late"
    assert run.events()[0].undo == {"net": True}
    assert run.cluster.net is not None
    assert run.cluster.net.closed == run.cluster.net.shaped == set()


async def test_each_leader_of_a_figure_eight_falls_with_another_node(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "figure-eight", hold_s=1.5), nodes=FIVE)
    told = watch(run, elect=True)
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    kind, slow = told[0]
    assert kind == "shape" and len(slow) == 12, "between two halves, both ways"
    pairs = []
    for kind, links in told[1:]:
        if kind == "cut" and links:
            sources = [{b for a, b in links if a == node} for node in FIVE]
            pairs.append({n for n, reached in zip(FIVE, sources, strict=True) if len(reached) == 3})
    assert "n2" in pairs[0] and len(pairs) >= 3
    assert all(len(pair) == 2 for pair in pairs)
    assert not [1 for before, after in pairwise(pairs) if before & after]
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


async def test_the_leader_of_a_late_handover_hears_the_others_late(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("quorum", "swap-late", hold_s=1.0), nodes=FIVE)
    told = watch(run)
    await run.nemesis.run()
    kind, slow = told[0]
    assert kind == "shape" and len(slow) == 2 and all(to == "n2" for _, to in slow)
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()


@pytest.mark.parametrize("name", ["rivals-late", "figure-eight", "swap-late"])
async def test_a_delay_that_nobody_sees_is_not_proven(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, fault("quorum", name, hold_s=0.6), nodes=FIVE)
    assert run.cluster.net is not None

    async def ignore(links: Collection[tuple[str, str]], **kinds: float) -> None:
        """As a network that says yes and does nothing."""

    run.cluster.net.shape = ignore  # type: ignore[method-assign]
    await run.nemesis.run()
    assert not run.events()[2].effective, run.events()[2]
