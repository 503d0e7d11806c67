"""Whole runs on the local cluster: verdicts, faults, interruptions, crashes, healing, pruning."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from commandline import completions, leftovers, paxtest, start, stop, wait_for

from paxtest import history, store

LOCAL = ("run", "--cluster", "local", "--seed", "7")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def results(folder: Path) -> dict[str, object]:
    loaded = json.loads((folder / "latest/results.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


def test_a_correct_cluster_under_every_fault_is_valid_and_leaves_nothing(tmp_path: Path) -> None:
    done = paxtest(
        *LOCAL, "--nemesis", "partition,kill,pause,clock", "--time-limit", "15",
        "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = results(tmp_path)
    assert result["verdict"] == "valid" and result["schema"] == 1 and result["seed"] == 7
    faults = result["faults"]
    assert isinstance(faults, dict) and faults["effective"] >= 4 and len(faults["kinds"]) >= 3
    run = store.find(tmp_path / "latest")
    assert all(run.logs()[f"n{i}"] for i in range(1, 6))
    checks = result["checks"]
    assert isinstance(checks, list)
    (audit,) = [c for c in checks if c["name"] == "audit"]
    assert audit["verdict"] == "valid" and not audit["details"]["incomplete"], audit
    (agreement,) = [c for c in checks if c["name"] == "agreement"]
    assert agreement["verdict"] == "valid" and agreement["operations"] >= 1, agreement
    assert {"holds"} == {row["status"] for row in audit["details"]["lemmas"][:13]}
    assert run.report.exists() and (run.path / "junit.xml").exists()
    assert "paxtest run --seed 7" in run.load_plan()["repeat"]
    assert not leftovers()
    again = paxtest("check", tmp_path / "latest")
    assert again.returncode == 0, again.stdout + again.stderr
    audited = paxtest("audit", tmp_path / "latest")
    assert audited.returncode == 0, audited.stdout + audited.stderr
    chosen = paxtest("chosen", tmp_path / "latest", "--slot", "5")
    assert chosen.returncode == 0, chosen.stdout + chosen.stderr


def test_a_bug_is_found_and_told(tmp_path: Path) -> None:
    done = paxtest(
        *LOCAL, "--nemesis", "partition,pause", "--time-limit", "30", "--bug", "local-read",
        "--stop-on-invalid", "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    result = results(tmp_path)
    checks = result["checks"]
    assert isinstance(checks, list)
    (check,) = [c for c in checks if c["name"] == "linearizable"]
    assert check["verdict"] == "invalid" and check["certified"] and check["explanation"]
    assert 2 <= len(check["counterexample"]) <= 20
    assert result["first_violation_s"] is not None
    (audit,) = [c for c in checks if c["name"] == "audit"]
    assert audit["verdict"] == "invalid" and audit["details"]["lemma"] == "I14", audit
    assert paxtest("check", tmp_path / "latest").returncode == 1
    assert not leftovers()


def test_faults_that_cannot_take_effect_make_the_run_vacuous(tmp_path: Path) -> None:
    # A dozen operations are over in a moment: nothing is in flight when the faults strike.
    done = paxtest(
        *LOCAL, "--nodes", "3", "--concurrency", "3", "--nemesis", "pause", "--time-limit", "6",
        "--ops", "12", "--set", "workload.cas=false", "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert results(tmp_path)["verdict"] == "vacuous"


def test_no_nemesis_asked_for_is_not_vacuous(tmp_path: Path) -> None:
    done = paxtest(*LOCAL, "--nodes", "3", "--time-limit", "2", "--store", tmp_path)
    assert done.returncode == 0 and results(tmp_path)["verdict"] == "valid", done.stderr


def test_several_load_processes_make_one_history(tmp_path: Path) -> None:
    done = paxtest(
        *LOCAL, "--nodes", "3", "--time-limit", "4", "--load-processes", "2", "--nemesis", "kill",
        "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    events = list(history.read(tmp_path / "latest/history.jsonl"))
    assert [e.time_ns for e in events] == sorted(e.time_ns for e in events)
    assert {int(e.process) % 2 for e in events if e.process != "nemesis"} == {0, 1}
    assert not store.find(tmp_path / "latest").segments()


def test_rate_and_ops_are_kept(tmp_path: Path) -> None:
    done = paxtest(
        *LOCAL, "--nodes", "3", "--time-limit", "20", "--rate", "100", "--ops", "300",
        "--store", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = list(history.read(tmp_path / "latest/history.jsonl"))
    load = [e for e in events if e.type == "invoke"][:300]
    seconds = (load[-1].time_ns - load[0].time_ns) / 1e9
    assert 2 <= seconds <= 8, f"300 operations at 100/s took {seconds} s"


def test_ctrl_c_heals_collects_tears_down_and_checks(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(
        *LOCAL, "--nemesis", "partition,pause", "--time-limit", "60", "--store", tmp_path, log=log
    )
    wait_for(lambda: completions(tmp_path) > 500, 60, "500 operations", log)
    code = stop(process)
    result = results(tmp_path)
    assert code == result["exit_code"] and result["verdict"] in ("valid", "vacuous"), (
        log.read_text()
    )
    limits = result["limits"]
    assert isinstance(limits, list) and any("interrupted after" in text for text in limits)
    assert store.find(tmp_path / "latest").logs()
    assert not leftovers() and "Traceback" not in log.read_text()


def test_a_second_ctrl_c_leaves_at_once_and_prune_tidies(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(*LOCAL, "--time-limit", "60", "--store", tmp_path, log=log)
    wait_for(lambda: completions(tmp_path) > 100, 60, "100 operations", log)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    process.wait(timeout=20)
    assert paxtest("cluster", "prune").returncode == 0
    assert not leftovers()


def test_sigkill_loses_nothing_but_the_run_and_prune_tidies(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = start(
        *LOCAL, "--nemesis", "partition,kill,pause,clock", "--time-limit", "60",
        "--store", tmp_path, log=log,
    )  # fmt: skip
    wait_for(lambda: completions(tmp_path) > 1000, 60, "1,000 operations", log)
    process.kill()
    process.wait()
    assert paxtest("cluster", "prune").returncode == 0
    assert not leftovers()
    done = paxtest("check", tmp_path / "latest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert paxtest("report", tmp_path / "latest").returncode == 0


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, "Ctrl-C"])
def test_a_scoreboard_that_is_ended_ends_its_run(
    tmp_path: Path, told: signal.Signals | str
) -> None:
    log = tmp_path / "log"
    process = start(
        "zoo", "--bugs", "none", "--seeds", "1", "--cluster", "local", "--store", tmp_path, log=log
    )
    run = tmp_path / "zoo/runs/none-0"
    wait_for(lambda: completions(run) > 50, 60, "operations of the scoreboard's run", log)
    if isinstance(told, str):  # a terminal tells all that it has started
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 255
    else:
        assert stop(process, told) == 255
    assert "interrupted" in log.read_text()
    assert (run / "latest/results.json").exists(), "the run was not ended, but killed"
    assert not leftovers()
    assert not (tmp_path / "zoo/rows.jsonl").exists(), "half a run is no row"
