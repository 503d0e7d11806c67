"""Each lemma fails in the trace that was written for it, and not in the one beside it."""

from __future__ import annotations

from typing import Any

import pytest
from sample_traces import (
    B1,
    B2,
    C1,
    CASES,
    CHOSEN,
    PHASE_1,
    SECOND,
    SERVED,
    X,
    Y,
    accepted,
    promised,
    start,
    traces,
)

from paxtest.auditor import LEMMAS, Status, audit
from paxtest.auditor.proposals import proposals


@pytest.mark.parametrize("lemma", LEMMAS)
def test_a_trace_that_fails_the_lemma(lemma: str) -> None:
    found = audit(traces(*CASES[lemma][0]))
    failed = [failure.lemma for failure in found.failed]
    assert lemma in failed, found.sentences()
    assert found.status(lemma) == (Status.FAILED, "")
    if lemma not in ("I9", "I10"):  # theorems: something that they rest on fails too
        assert found.earliest is not None and found.earliest.lemma == lemma, found.sentences()


@pytest.mark.parametrize("lemma", LEMMAS)
def test_a_trace_that_does_not(lemma: str) -> None:
    found = audit(traces(*CASES[lemma][1]))
    assert lemma not in [failure.lemma for failure in found.failed], found.sentences()
    assert found.status(lemma) == (Status.HOLDS, "")


@pytest.mark.parametrize("lemma", ["I9", "I10"])
def test_a_theorem_is_never_the_diagnosis(lemma: str) -> None:
    found = audit(traces(*CASES[lemma][0]))
    assert found.earliest is not None
    assert found.earliest.lemma not in ("I9", "I10")


def test_a_good_run_fails_nothing() -> None:
    found = audit(traces(*SERVED, *SECOND, ["n2", "propose", 1, B2, X, [C1]]))
    assert not found.failed and not found.incomplete
    assert found.sentences(True) == [f"No lemma fails over {found.events} events."]


OTHERS = [
    ("I3", [*promised("n3", B2, 1), ["n3", "promise", 2, B1]], "promised 1.n1.1 after 2.n2.1"),
    ("I3", [*accepted("n3", B1, X, 1), start("n3", 2, promised=B1)], "came back without the"),
    ("I3", [*accepted("n3", B1, X, 1), *accepted("n3", B1, Y, 2, slot=2), ["n3", "chosen", 3, 1],
            ["n3", "fsync", 3], ["n3", "apply", 1, X, []],
            start("n3", 2, promised=B1, accepted=[[2, B1, Y]])], "but had durably noted"),
    ("I5", [["n3", "report", B1, 1, [], 0], ["n3", "send", "n1", "1b", B1]], "before the promise"),
    ("I7", [*promised("n1", B1, 1), ["n1", "lead", B1, ["n1"]], ["n1", "propose", 1, B1, X, []]],
     "2 are a quorum"),
    ("I7", [*PHASE_1, ["n1", "propose", 1, [2, "n1", 1], X, []]], "from nobody"),
    ("I8", [*PHASE_1, ["n1", "propose", 3, B1, X, []], ["n1", "config", 3, ["n1", "n2"], 2, 2]],
     "learned that n1, n2 vote from slot 3 on when it had proposed in slot 3"),
    ("I8", [["n1", "config", 3, ["n1", "n2"], 1, 1]], "1 promises and 1 acceptances of 2 nodes"),
    ("I11", [*CHOSEN, ["n1", "apply", 2, X, []]], "applied slot 2 right after slot 0"),
    ("I11", [["n1", "snapshot", 9, X], ["n2", "snapshot", 9, Y]], "another state after slot 9"),
    ("I11", [*SERVED, ["n1", "install", 1, X, 1]], "installed a snapshot of slot 1"),
    ("I11", [*PHASE_1, ["n1", "propose", 1, B1, X, [C1]], *accepted("n1", B1, X, 2),
             ["n3", "apply", 1, X, []], *accepted("n2", B1, X, 2)], "before it was chosen"),
    ("I12", [*PHASE_1, ["n1", "propose", 1, B1, X, [C1]], ["n1", "reply", 1, "ok"],
             *accepted("n1", B1, X, 2), *accepted("n2", B1, X, 2)], "was not chosen yet"),
    ("I12", [*CHOSEN, ["n1", "apply", 1, X, [C1]], ["n1", "reply", 1, "fail"]], "certainly not"),
]  # fmt: skip


@pytest.mark.parametrize(("lemma", "lines", "words"), OTHERS)
def test_other_ways_to_fail(lemma: str, lines: list[list[Any]], words: str) -> None:
    first = audit(traces(*lines)).first(lemma)
    assert first is not None
    assert words in first.text


def test_members_known_before_their_slots_were_proposed_in_fail_nothing() -> None:
    late = ["n1", "config", 2, ["n1", "n2"], 2, 2]
    told = [late, *PHASE_1, ["n1", "propose", 3, B1, X, []], late]  # all rows are told each time
    told += [["n1", "config", 4, ["n1", "n2", "n3"], 2, 2], start("n1", 2, promised=B1), late]
    assert not audit(traces(start("n1"), *told)).failed


def test_two_promises_of_one_turn_are_made_up_before_either_is_written() -> None:
    lines = [
        ["n3", "report", B1, 1, [], 0],
        ["n3", "report", B2, 1, [], 0],
        ["n3", "promise", 1, B1],
        ["n3", "promise", 2, B2],
        ["n3", "fsync", 2],
        ["n3", "send", "n1", "1b", B1],
        ["n3", "send", "n2", "1b", B2],
    ]
    found = audit(traces(*lines))
    assert not found.failed, found.sentences()
    found = audit(traces(*lines, ["n3", "accept", 3, 1, B1, X]))
    assert [failure.lemma for failure in found.failed] == ["I4"]


def test_an_acceptance_of_the_same_turn_is_written_after_the_promise_that_reports_it() -> None:
    before = [*promised("n3", B1, 1), *accepted("n3", B1, X, 2)]
    told = ["n3", "report", [3, "n2", 1], 1, [[1, B2, X]], 0]
    written = [["n3", "accept", 3, 1, B2, X], ["n3", "promise", 4, [3, "n2", 1]]]
    sent = [["n3", "fsync", 4], ["n3", "send", "n2", "1b", [3, "n2", 1]]]
    assert not audit(traces(*before, told, *written, *sent)).failed
    first = audit(traces(*before, told, written[1], *sent)).first("I6")
    assert first is not None and "reported ballot 2.n2.1 for slot 1" in first.text


def test_the_earliest_is_told_with_node_slot_ballot_and_moment() -> None:
    found = audit(traces(*CHOSEN, *SECOND, ["n2", "propose", 1, B2, Y, []]))
    first = found.earliest
    assert first is not None
    assert (first.lemma, first.node, first.slot, first.ballot) == ("I7", "n2", 1, "2.n2.1")
    told = found.sentences()
    assert told[0].startswith("The earliest lemma to fail is I7 (a proposal has a quorum")
    assert told[1].startswith("After it failed: I9 at")


def test_all_hold_and_the_history_is_impossible_points_elsewhere() -> None:
    told = audit(traces(*SERVED)).sentences(linearizable=False)
    assert "look at the reads, the sessions or the state machine" in told[1]


def test_reads_that_claim_nothing_are_not_held_to_it() -> None:
    local = [start(node, reads="local") for node in ("n1", "n2", "n3")]
    assert not audit(traces(*local, *SERVED, ["n3", "admit", 7], ["n3", "read", 7, 0, None])).failed


def test_values_under_two_ballots_are_not_chosen() -> None:
    """The seed's rule: learn by proposal, never by value."""
    lines = [*accepted("n1", B1, X, 1), *accepted("n2", B2, X, 1), ["n3", "apply", 1, X, []]]
    first = audit(traces(*lines)).first("I11")
    assert first is not None and "where nothing was chosen" in first.text


def test_a_quorum_of_none_chooses_nothing() -> None:
    """As bad-flex-quorum has it when one voter is left."""
    alone = ["n1", "config", 1, ["n1"], 1, 0]
    traced = traces(alone, *PHASE_1, ["n1", "propose", 1, B1, X, []], ["n1", "apply", 1, X, []])
    found = audit(traced)
    assert found.first("I11") is not None
    assert [p.chosen_ns for p in proposals(traced, 1)] == [None]


def test_times_of_several_clocks_say_nothing_about_order() -> None:
    lines = [*PHASE_1, ["n1", "propose", 1, B1, X, [C1]], *accepted("n1", B1, X, 2),
             ["n3", "apply", 1, X, []], *accepted("n2", B1, X, 2)]  # fmt: skip
    told = traces(*lines)
    for node, events in told.items():
        events.insert(0, [events[0][0], "clock", f"machine of {node}"])
    assert not audit(told).failed


# --- what is missing ---


def test_a_node_without_a_trace_makes_it_incomplete_and_fails_nothing() -> None:
    told = traces(*SERVED)
    del told["n2"]  # without it nothing is seen to be chosen
    found = audit(told)
    assert not found.failed
    assert found.incomplete == ("no trace of n2: what it accepted is not counted",)
    assert found.status("I11")[0] is Status.INCOMPLETE
    assert found.status("I14") == (Status.NOT_CHECKED, "nothing that it speaks of happened")


def test_a_cut_trace_is_judged_up_to_the_cut_everywhere() -> None:
    lines = [*SERVED, ["n2", "cut", 1000], ["n1", "apply", 2, Y, []]]
    found = audit(traces(*lines))
    assert not found.failed
    assert found.status("I11")[0] is Status.INCOMPLETE
    assert "the trace of n2 is cut at" in found.incomplete[0]
    earlier = audit(traces(*CASES["I5"][0], ["n2", "cut", 1000]))
    assert earlier.earliest is not None and earlier.earliest.lemma == "I5"


def test_nodes_on_several_machines_are_not_held_against_real_time() -> None:
    lines = [*SERVED, ["n3", "admit", 7], ["n3", "read", 7, 0, None], ["n1", "clock", "a"]]
    assert audit(traces(*lines, ["n2", "clock", "a"])).failed
    found = audit(traces(*lines, ["n2", "clock", "b"]))
    assert not found.failed
    assert found.status("I14") == (
        Status.NOT_CHECKED, "the nodes are on several machines: their times cannot be compared"
    )  # fmt: skip
