"""Traces in files: written before the deed, read with what a crash leaves; audit and chosen."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from sample_traces import B1, B2, CASES, CHOSEN, SECOND, SERVED, X, Y, accepted, traces
from typer.testing import CliRunner

from paxtest import simulated
from paxtest.auditor import files
from paxtest.auditor.identities import Traces
from paxtest.auditor.proposals import proposals, sentences
from paxtest.auditor.told import Told
from paxtest.checkers.audit import TraceAudit
from paxtest.checkers.protocol import Evidence
from paxtest.cli import app
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.cluster.paxos_server.trace import Trace
from paxtest.cluster.paxos_server.tracefile import TraceFile
from paxtest.errors import StoreError
from paxtest.reports.html import audit as audit_of
from paxtest.reports.html import write
from paxtest.reports.run import Run as ReportRun
from paxtest.store import TRACE, Run
from paxtest.verdict import RunResult, Verdict


def stored(directory: Path, told: Traces) -> Run:
    run = Run(directory)
    run.nodes.mkdir(parents=True)
    run.history.write_bytes(b"")
    for node, events in told.items():
        (run.nodes / node).mkdir()
        lines = msgspec.json.Encoder().encode_lines(events)
        (run.nodes / node / TRACE).write_bytes(lines)
    return run


# --- TraceFile ---


def test_lives_append_and_a_torn_line_stays_alone(tmp_path: Path) -> None:
    path = tmp_path / TRACE
    for life in (1, 2):
        trace = Trace(lambda: 5)
        file = TraceFile(path, trace)
        trace.add("fsync", life)
        file.write()
        file.close()
        assert trace.events == []
        with path.open("ab") as end:
            end.write(b'[5,"fsy')  # as when the disk was full, or the machine went away
    events = files.events(path)
    assert [event[1:] for event in events if event[1] != "clock"] == [["fsync", 1], ["fsync", 2]]


def test_a_node_that_may_write_no_more_files_is_still_told_of(tmp_path: Path) -> None:
    path = tmp_path / TRACE
    script = (
        "import resource, sys, time, pathlib\n"
        "from paxtest.cluster.paxos_server.trace import Trace\n"
        "from paxtest.cluster.paxos_server.tracefile import TraceFile\n"
        "trace = Trace(lambda: 5)\n"
        "file = TraceFile(pathlib.Path(sys.argv[1]), trace)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))\n"
        "trace.add('fsync', 1); file.write()\n"
        "import os; os.kill(os.getpid(), 9)\n"
    )
    died = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert died.returncode == -9
    over = time.monotonic() + 5
    while not path.read_bytes().count(b"fsync") and time.monotonic() < over:
        time.sleep(0.02)  # waits for what goes through the pipe
    assert [event[1:] for event in files.events(path)][-1] == ["fsync", 1]


def test_a_trace_ends_at_its_limit_with_an_event_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / TRACE
    for _ in range(2):
        trace = Trace(lambda: 5)
        file = TraceFile(path, trace, limit_bytes=500)
        for _ in range(100):
            trace.add("fsync", 1)
            file.write()
        file.close()
    kinds = [event[1] for event in files.events(path)]
    assert kinds[-1] == "cut" and kinds.count("cut") == 1
    assert path.stat().st_size < 500 + 100


def test_damage_within_a_life_cuts_the_trace(tmp_path: Path) -> None:
    path = tmp_path / TRACE
    path.write_bytes(b'[1,"fsync",1]\n[2,"fs\n[3,"fsync",3]\n')
    assert files.events(path) == [[1, "fsync", 1], [1, "cut", 0]]


def test_times_are_the_runs(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", {"n1": [[1500, "clock", "boot"], [2000, "fsync", 1]]})
    assert [event[0] for event in files.load(run)["n1"]] == [0, 500]
    run.clock.write_text('{"boot_id": "boot", "start_ns": 1600}')
    assert [event[0] for event in files.load(run)["n1"]] == [-100, 400]
    run.clock.write_text("{}")
    with pytest.raises(StoreError, match=r"clock\.json"):
        files.load(run)


def test_events_of_another_shape_are_an_error_with_a_hint(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", {"n1": [[1, "accept", "?"]]})
    with pytest.raises(StoreError, match="cannot be understood"):
        files.audit_run(run)


# --- the commands ---


def paxtest(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


def test_audit_of_a_run(tmp_path: Path) -> None:
    run = stored(tmp_path / "bad", traces(*CASES["I7"][0]))
    code, said = paxtest("audit", run.path)
    assert code == 1
    assert said.startswith("The earliest lemma to fail is I7")
    assert "I5   holds" in said and "I15  not checked" in said
    code, said = paxtest("audit", run.path, "--json")
    told = msgspec.json.decode(said, type=Told)
    assert code == 1 and told.lemma == "I7" and len(told.lemmas) == 15
    assert json.loads(said)["schema"] == 1
    assert paxtest("audit", stored(tmp_path / "good", traces(*SERVED)).path)[0] == 0
    cut = stored(tmp_path / "cut", traces(*SERVED, ["n1", "cut", 1]))
    code, said = paxtest("audit", cut.path)
    assert code == 2 and "incomplete" in said
    (cut.nodes / "n1" / TRACE).unlink()
    assert paxtest("audit", cut.path)[0] == 2
    for node in ("n2", "n3"):
        (cut.nodes / node / TRACE).unlink()
    error = CliRunner().invoke(app, ["audit", str(cut.path)]).exception
    assert isinstance(error, StoreError) and "holds no trace" in str(error)


def test_chosen_counts_proposals_not_values(tmp_path: Path) -> None:
    split = traces(*accepted("n1", B1, X, 1), *accepted("n2", B2, X, 1))
    found = proposals(split, 1)
    assert [(p.ballot, list(p.accepted), p.chosen_ns) for p in found] == [
        ((1, "n1", 1), ["n1"], None),
        ((2, "n2", 1), ["n2"], None),
    ]
    told = sentences(found)
    assert told[0] == "Nothing is chosen as far as the traces tell."
    assert "accepted by 2 nodes, but under different ballots" in told[1]
    assert paxtest("chosen", stored(tmp_path / "split", split).path)[0] == 2
    code, said = paxtest("chosen", stored(tmp_path / "one", traces(*CHOSEN)).path, "--slot", 1)
    assert code == 0
    assert f"ballot 1.n1.1  value {X}  first seen at n1" in said and "n1.1#1" in said
    assert said.endswith(f"Chosen: {X}.\n")
    both = traces(*CASES["I10"][0])
    code, said = paxtest("chosen", stored(tmp_path / "two", both).path)
    assert code == 1 and "2 values are chosen" in said
    error = CliRunner().invoke(app, ["chosen", str(tmp_path / "two"), "--slot", "9"]).exception
    assert error is not None and "they have slots 1 to 1" in str(error)


# --- beside the verdict ---


def test_the_check_and_the_report_of_a_run(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", traces(*CHOSEN, *SECOND, ["n2", "propose", 1, B2, Y, []]))
    check = TraceAudit(run, linearizable=True).check(Evidence(run.history))
    assert check.verdict is Verdict.INVALID and check.details["lemma"] == "I7"
    run.save_results(RunResult(Verdict.INVALID, 1, seed=1, reason="r", checks=[check]))
    page = write(run.path).read_text("utf-8")
    assert 'id="audit"' in page and "I7 fails" in page
    assert "but the highest ballot reported there" in page
    crashed = RunResult(Verdict.UNKNOWN, 255, 1, checks=[check])
    check.details = {"crashed": True}
    assert audit_of(ReportRun(run.path, result=crashed)) is None


def test_what_is_missing_is_a_limit_and_not_a_verdict(tmp_path: Path) -> None:
    run = stored(tmp_path / "run", traces(*SERVED, ["n1", "cut", 1]))
    check = TraceAudit(run, linearizable=True).check(Evidence(run.history))
    assert check.verdict is Verdict.VALID
    assert "the trace of n1 is cut" in check.details["limits"][0]


# --- the simulator's bugs ---

EXPECTED = {
    "local-read": (0, {"I14"}),
    "volatile-accept": (0, {"I5"}),
    "lease-wallclock": (10, {"I15", "I14"}),
    "ignore-accepted": (0, {"I7"}),
}
"""Bug -> a seed that shows it, the lemmas that the proof expects to fail first."""


@pytest.mark.parametrize("bug", EXPECTED)
def test_the_auditor_names_the_lemma_of_a_bug(bug: str, tmp_path: Path) -> None:
    first, lemmas = EXPECTED[bug]
    named = []
    for seed in range(first, first + 40):
        result = simulated.run(seed, Options(bugs=(bug,)))
        named.append(simulated.judge(result).lemma)
        if named[-1]:
            break
    assert named[-1] in lemmas, f"seeds {first} to {first + 39}: {named}"
    simulated.keep(result, tmp_path / "kept")
    code, said = paxtest("audit", tmp_path / "kept")
    assert code == 1 and f"The earliest lemma to fail is {named[-1]}" in said
