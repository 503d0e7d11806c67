"""Which links each partition cuts."""

from __future__ import annotations

from random import Random

import pytest

from paxtest.nemesis.fault import targets
from paxtest.nemesis.partition import MIX, between, cut_links

FIVE = ["n1", "n2", "n3", "n4", "n5"]


def heard_by(node: str, nodes: list[str], cut: set[tuple[str, str]]) -> set[str]:
    """The nodes whose packets reach `node`, itself included."""
    return {other for other in nodes if other == node or (other, node) not in cut}


def test_isolate_leader_cuts_every_link_of_the_leader_and_no_other() -> None:
    cut = cut_links("isolate-leader", FIVE, "n3", Random(1))
    assert cut == {(a, b) for a in FIVE for b in FIVE if a != b and "n3" in (a, b)}


def test_one_way_out_silences_the_leader_which_still_hears_everybody() -> None:
    cut = cut_links("one-way-out", FIVE, "n2", Random(1))
    assert cut == {("n2", other) for other in FIVE if other != "n2"}
    assert heard_by("n2", FIVE, cut) == set(FIVE)


def test_one_way_in_deafens_the_leader_which_still_is_heard() -> None:
    cut = cut_links("one-way-in", FIVE, "n2", Random(1))
    assert cut == {(other, "n2") for other in FIVE if other != "n2"}


def test_halves_leave_each_side_whole() -> None:
    assert cut_links("halves", FIVE, "n1", Random(1)) == between(FIVE[:2], FIVE[2:])
    sizes = {
        len(heard_by(node, FIVE, cut_links("random-halves", FIVE, "n1", Random(seed))))
        for seed in range(20)
        for node in FIVE
    }
    assert sizes == {2, 3}


def test_bridge_leaves_one_node_that_sees_both_sides() -> None:
    cut = cut_links("bridge", FIVE, "n1", Random(3))
    heard = {node: heard_by(node, FIVE, cut) for node in FIVE}
    bridges = [node for node in FIVE if heard[node] == set(FIVE)]
    assert len(bridges) == 1
    assert all(len(heard[node]) == 3 for node in FIVE if node not in bridges)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7])
def test_in_a_ring_everybody_hears_a_majority_and_no_two_the_same(count: int) -> None:
    nodes = [f"n{i}" for i in range(1, count + 1)]
    cut = cut_links("majorities-ring", nodes, "n1", Random(count))
    heard = [frozenset(heard_by(node, nodes, cut)) for node in nodes]
    assert cut
    assert all(len(majority) == count // 2 + 1 for majority in heard)
    assert len(set(heard)) == count


@pytest.mark.parametrize("name", sorted(MIX.weights.keys() - {"reset-leader"}))
@pytest.mark.parametrize("count", [3, 4, 5, 7])
def test_every_partition_cuts_real_links_and_is_decided_by_its_seed(name: str, count: int) -> None:
    nodes = [f"n{i}" for i in range(1, count + 1)]
    for seed in range(10):
        cut = cut_links(name, nodes, "n2", Random(seed))
        assert cut, f"seed {seed}"
        assert all(a != b and {a, b} <= set(nodes) for a, b in cut), f"seed {seed}"
        assert len(cut) < count * (count - 1), f"seed {seed}: no link is left open"
        assert cut == cut_links(name, nodes, "n2", Random(seed))


def test_an_unknown_partition_is_a_defect() -> None:
    with pytest.raises(ValueError, match="sideways"):
        cut_links("sideways", FIVE, "n1", Random(1))


@pytest.mark.parametrize(
    ("count", "minority", "majority"), [(1, 1, 1), (2, 1, 2), (3, 1, 2), (4, 1, 3), (5, 2, 3)]
)
def test_targets_have_the_size_that_their_name_says(
    count: int, minority: int, majority: int
) -> None:
    nodes = [f"n{i}" for i in range(1, count + 1)]
    for seed in range(5):
        sizes = {
            who: len(set(targets(who, nodes, "n1", Random(seed))))
            for who in ("one", "minority", "majority", "all")
        }
        assert sizes == {"one": 1, "minority": minority, "majority": majority, "all": count}
    assert targets("leader", nodes, nodes[-1], Random(1)) == [nodes[-1]]
