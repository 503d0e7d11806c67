"""Traces of the engine perkey: each lemma fails in the trace that was written for it, and not in
the one beside it; runs of the correct engine fail none, and its bugs are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from paxtest.auditor import Status, audit
from paxtest.auditor.audit import Traces
from paxtest.auditor.files import audit_run
from paxtest.auditor.proposals import proposals
from paxtest.cli import app
from paxtest.cluster.paxos_server.config import EngineName
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.simulated import keep, run
from paxtest.store import Run

B1, B2 = (1, "n1", 1), (2, "n2", 1)
P1 = (2, "n1", 1)  # of n1, with phase 1
X, Y = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
S1, S2 = ("n1", 1, 1), ("n1", 1, 2)  # stamps
V1, V2 = ("k", 1), ("k", 2)
Line = tuple[Any, ...]


def start(
    node: str, incarnation: int = 1, promised: Any = (), chosen: Any = (), accepted: Any = (),
    q: int = 2,
) -> Line:  # fmt: skip
    return (node, "start", incarnation, promised, chosen, 0, q, q, ("n1", "n2", "n3"), "versions",
            accepted)  # fmt: skip


def traces(*lines: Line) -> Traces:
    """Lines are (node, kind, ...) in the order of time; every node starts before the first."""
    told: Traces = {"n1": [], "n2": [], "n3": []}
    begun = {line[0] for line in lines if line[1] == "start"}
    first = [start(node) for node in told if node not in begun]
    for time_ns, (node, *event) in enumerate([*first, *lines]):
        told[node].append([time_ns, *event])
    return told


def promised(node: str, b: Any, lsn: int, reported: Any = (), slot: Any = V1) -> list[Line]:
    return [
        (node, "report", b, slot, reported),
        (node, "promise", lsn, b, slot),
        (node, "fsync", lsn),
        (node, "send", b[1], "1b", b, slot),
        (b[1], "receive", node, "1b", b, reported, slot),
    ]


def accepted(node: str, b: Any, value: str, lsn: int, slot: Any = V1) -> list[Line]:
    return [
        (node, "accept", lsn, slot, b, value),
        (node, "fsync", lsn),
        (node, "send", b[1], "2b", b, slot),
    ]


PROPOSED = [
    *promised("n1", P1, 1),
    *promised("n2", P1, 1),
    ("n1", "propose", V1, P1, X, [S1]),
]
CHOSEN = [*PROPOSED, *accepted("n1", P1, X, 2), *accepted("n2", P1, X, 2)]
SERVED = [*CHOSEN, ("n1", "apply", V1, X, [S1]), ("n1", "reply", 1, "ok")]
FAST = [  # n1's next entry, without phase 1
    *SERVED,
    ("n1", "propose", V2, B1, Y, [S2]),
    *accepted("n1", B1, Y, 3, V2),
    *accepted("n2", B1, Y, 3, V2),
    ("n1", "apply", V2, Y, [S2]),
]
READ = [*FAST, ("n1", "reply", 2, "ok"), ("n2", "admit", 7, "k"), ("n2", "apply", V1, X, [S1])]

CASES: dict[str, tuple[list[Line], list[Line]]] = {
    "I1": ([*PROPOSED, *accepted("n2", P1, Y, 2)], CHOSEN),
    "I2": (
        [start("n1"), start("n1", 2), *promised("n1", P1, 1), *promised("n2", P1, 1),
         ("n1", "propose", V1, P1, X, [S1])],
        PROPOSED,
    ),
    "I3": (
        [*accepted("n3", P1, X, 1), start("n3"), *accepted("n3", P1, X, 1), start("n3", 2)],
        [start("n3"), *accepted("n3", P1, X, 1), start("n3", 2, [(V1, P1)], (), [(V1, P1, X)])],
    ),
    "I4": (
        [*promised("n3", (3, "n2", 1), 1), *accepted("n3", P1, X, 2)],
        [*promised("n3", P1, 1), *accepted("n3", (3, "n2", 1), X, 2),
         *accepted("n3", P1, X, 3, V2)],  # another version, another promise
    ),
    "I5": (
        [("n3", "accept", 1, V1, P1, X), ("n3", "send", "n1", "2b", P1, V1)],
        accepted("n3", P1, X, 1),
    ),
    "I6": (
        [*accepted("n2", P1, X, 1), *promised("n2", B2, 2)],
        [*accepted("n2", P1, X, 1), *promised("n2", B2, 2, [(V1, P1, X)])],
    ),
    "I7": (
        [*SERVED, ("n2", "apply", V1, X, [S1]), ("n2", "propose", V2, (1, "n2", 1), Y, [])],
        FAST,
    ),
    "I8": ([start("n1", q=1)], CHOSEN),
    "I9": (
        [*CHOSEN, *promised("n2", (3, "n2", 1), 3), *promised("n3", (3, "n2", 1), 1),
         ("n2", "propose", V1, (3, "n2", 1), Y, [])],
        [*CHOSEN, *promised("n2", (3, "n2", 1), 3, [(V1, P1, X)]), *promised("n3", (3, "n2", 1), 1),
         ("n2", "propose", V1, (3, "n2", 1), X, [])],
    ),
    "I10": (
        [*CHOSEN, *accepted("n3", (3, "n2", 1), Y, 1), *accepted("n2", (3, "n2", 1), Y, 3)],
        CHOSEN,
    ),
    "I11": ([*PROPOSED, ("n1", "apply", V1, X, [S1])], SERVED),
    "I12": ([*PROPOSED, ("n1", "reply", 1, "ok")], SERVED),
    "I13": ([*FAST, ("n2", "apply", V2, Y, [S1])], FAST),
    "I14": (
        [*READ, ("n2", "read", 7, V1, None)],
        [*READ, ("n2", "admit", 8, "other"), ("n2", "read", 8, ("other", 0), None),
         ("n2", "read", 7, V2, None)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("lemma", CASES)
def test_a_trace_that_fails_the_lemma(lemma: str) -> None:
    found = audit(traces(*CASES[lemma][0]))
    assert found.status(lemma) == (Status.FAILED, ""), found.sentences()


@pytest.mark.parametrize("lemma", CASES)
def test_a_trace_that_does_not(lemma: str) -> None:
    found = audit(traces(*CASES[lemma][1]))
    assert found.first(lemma) is None, found.sentences()
    assert found.status(lemma) == (Status.HOLDS, "")


def test_a_failure_names_the_version_and_the_key() -> None:
    found = audit(traces(*CASES["I7"][0])).first("I7")
    assert found is not None and found.slot == V2
    assert "version 2 of key k under ballot 1.n2.1 without promises" in found.text


def test_a_value_other_than_the_highest_reported_one() -> None:
    lines = [
        *promised("n1", P1, 1, [(V1, (1, "n3", 1), Y)]),
        *promised("n2", P1, 1),
        ("n1", "propose", V1, P1, X, [S1]),
    ]
    found = audit(traces(*lines)).first("I7")
    assert found is not None and "highest ballot reported there, 1.n3.1" in found.text


# --- whole runs ---


def options(*bugs: str) -> Options:
    return Options(engine=EngineName.PERKEY, bugs=bugs)


def test_runs_of_the_correct_engine_fail_nothing() -> None:
    for seed in range(12):
        found = audit(run(seed, options()).traces)
        assert not found.failed and not found.incomplete, (seed, found.sentences())
        assert found.events > 1000
        assert set(found.skipped) <= {"I14", "I15"}


@pytest.mark.parametrize(
    "bug, lemmas", [("fast-accept-any", {"I7"}), ("learn-by-value", {"I11", "I12"})]
)
def test_a_bug_is_named(bug: str, lemmas: set[str]) -> None:
    named = [audit(run(seed, options(bug)).traces).earliest for seed in range(5)]
    assert any(named)
    assert {failure.lemma for failure in named if failure is not None} <= lemmas


def test_a_run_that_was_stored(tmp_path: Path) -> None:
    result = run(1, options("fast-accept-any"))
    keep(result, tmp_path)
    found, loaded = audit_run(Run(tmp_path))
    assert found == audit(result.traces)
    assert found.earliest is not None and found.earliest.slot is not None
    key, version = found.earliest.slot  # type: ignore[misc]
    assert proposals(loaded, (key, version))
    told = CliRunner().invoke(app, ["chosen", str(tmp_path), "--key", key, "--slot", str(version)])
    assert "accepted by" in told.output
    error = CliRunner().invoke(app, ["chosen", str(tmp_path)]).exception
    assert error is not None and "every key has a log of its own" in str(vars(error))
