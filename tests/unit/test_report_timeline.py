"""The counterexample's drawing keeps real-time order, whatever the distances."""

from __future__ import annotations

import random

import pytest

from paxtest.reports import timeline
from paxtest.verdict import CheckResult, Operation, Verdict


def operation(process: int, begin: int, end: int | None, **more: object) -> Operation:
    return Operation(
        index=begin, process=process, f="write", type="ok" if end is not None else "info",
        invoked_ns=begin, completed_ns=end, key=1, value=begin, **more,
    )  # fmt: skip


def check(*operations: Operation, first_violation_ns: int | None = None) -> CheckResult:
    return CheckResult(
        "linearizable", Verdict.INVALID, counterexample=list(operations),
        first_violation_ns=first_violation_ns,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_bars_overlap_exactly_where_operations_do(seed: int) -> None:
    rng = random.Random(seed)
    operations = []
    for process in range(rng.randint(1, 6)):
        now = rng.randrange(10)
        for _ in range(rng.randint(1, 5)):
            begin = now + rng.choice((1, 10, 10_000, 10**9))
            now = begin + rng.choice((1, 10, 10_000, 10**9))
            operations.append(operation(process, begin, now if rng.random() < 0.8 else None))
            if operations[-1].completed_ns is None:
                break
    drawn = timeline.draw(check(*operations), [])
    assert drawn is not None and len(drawn.bars) == len(operations)
    by_label = {bar.label: bar for bar in drawn.bars}
    pairs = [
        (a, b, by_label[f"write {a.invoked_ns}"], by_label[f"write {b.invoked_ns}"])
        for a in operations
        for b in operations
        if operations_with(a, operations) == operations_with(b, operations) == 1
    ]
    for a, b, bar_a, bar_b in pairs:
        before = a.completed_ns is not None and a.completed_ns < b.invoked_ns
        assert (bar_a.x + bar_a.width < bar_b.x) == before, (seed, a, b)
    for bar in drawn.bars:
        assert bar.width >= len(bar.label) * timeline.CHARACTER, "the label fits"
        assert bar.x + bar.width <= drawn.width


def operations_with(a: Operation, operations: list[Operation]) -> int:
    return sum(o.invoked_ns == a.invoked_ns for o in operations)


def test_unknown_outcomes_are_open_to_the_right_edge() -> None:
    drawn = timeline.draw(check(operation(0, 10, None), operation(1, 20, 30)), [])
    assert drawn is not None
    bars = {bar.label: bar for bar in drawn.bars}
    assert bars["write 10"].open and not bars["write 20"].open
    assert bars["write 10"].x + bars["write 10"].width > bars["write 20"].x + bars["write 20"].width


def test_the_impossible_one_completed_at_the_first_violation_or_last() -> None:
    a, b, c = operation(0, 10, 20), operation(1, 30, 40), operation(2, 35, None)
    assert timeline.impossible(check(a, b, c, first_violation_ns=20)) == a
    assert timeline.impossible(check(a, b, c)) == b
    assert timeline.impossible(check(c)) is None


def test_context_is_the_nearest_others() -> None:
    told = [operation(0, 1_000, 1_010), operation(1, 5_000, 5_010)]
    others = [operation(p, begin, begin + 5) for p, begin in enumerate((0, 990, 3_000, 5_020), 2)]
    chosen = timeline.choose_context(told, [*told, *others], limit=2)
    assert {o.invoked_ns for o in chosen} == {990, 5_020}


def test_the_load_at_one_moment_does_not_crowd_out_the_others() -> None:
    told = [operation(0, 1_000, 1_010), operation(1, 5_000, 5_010)]
    crowd = [operation(p, 990 + p, 1_020) for p in range(2, 20)]
    late = operation(30, 4_990, 5_020)
    chosen = timeline.choose_context(told, [*crowd, late], limit=4)
    assert len(chosen) == 4 and late in chosen


def test_a_giant_counterexample_is_cut_and_keeps_the_impossible_operation() -> None:
    giant = [operation(i, 10 * i, 10 * i + 5) for i in range(20_000)]
    drawn = timeline.draw(check(*giant), timeline.choose_context(giant, giant))
    assert drawn is not None and len(drawn.bars) == timeline.COUNTEREXAMPLE_MAX
    assert drawn.bars[-1].role == "impossible"


def test_no_counterexample_no_drawing() -> None:
    assert timeline.draw(check(), []) is None


def test_all_at_one_moment_can_be_drawn() -> None:
    drawn = timeline.draw(check(operation(0, 5, 5), operation(1, 5, 5)), [operation(2, 5, None)])
    assert drawn is not None and len(drawn.bars) == 3
