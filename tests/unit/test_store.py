"""Run directories: created, linked, found, and written atomically."""

from __future__ import annotations

from pathlib import Path

import pytest

from paxtest import store
from paxtest.errors import StoreError
from paxtest.operation import Op, Type, encode
from paxtest.verdict import CheckResult, RunResult, Verdict, worst


def test_latest_points_at_the_newest_run(tmp_path: Path) -> None:
    store.create(tmp_path, "one")
    two = store.create(tmp_path, "two")
    newest = store.create(tmp_path, "one")
    assert (tmp_path / "latest").resolve() == newest.path.resolve()
    assert (tmp_path / "one/latest").resolve() == newest.path.resolve()
    assert (tmp_path / "two/latest").resolve() == two.path.resolve()


def test_a_hostile_name_stays_inside_the_store(tmp_path: Path) -> None:
    run = store.create(tmp_path / "store", "../../etc/passwd")
    assert run.path.resolve().is_relative_to((tmp_path / "store").resolve())


def test_results_come_back(tmp_path: Path) -> None:
    run = store.create(tmp_path, "t")
    check = CheckResult("linearizable", Verdict.INVALID, explanation="p7 read 31 ...")
    run.save_results(RunResult(Verdict.INVALID, 1, seed=7, checks=[check]))
    assert run.load_results().checks[0].explanation == "p7 read 31 ..."
    assert not list(run.path.glob("*.tmp"))


def test_find_takes_a_directory_a_link_and_a_file(tmp_path: Path) -> None:
    run = store.create(tmp_path, "t")
    run.save_plan({"seed": 1})
    for path in (run.path, tmp_path / "latest", run.plan):
        assert store.find(path).path == run.path.resolve()


def test_find_says_what_to_do_when_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run at"):
        store.find(tmp_path / "nothing")
    with pytest.raises(StoreError, match="not a run directory"):
        store.find(tmp_path)


def test_segments_of_load_processes_become_one_history(tmp_path: Path) -> None:
    run = store.create(tmp_path, "t")
    for number in (0, 1):
        events = [
            Op(0, 10 * number + 1, number, Type.INVOKE, "read"),
            Op(1, 10 * number + 5, number, Type.OK, "read"),
        ]
        run.segment(number).write_bytes(b"".join(encode(e) + b"\n" for e in events))
    run.history.write_bytes(encode(Op(0, 7, "nemesis", Type.INFO, "kill")) + b"\n")
    run.merge_history()
    lines = run.history.read_text().splitlines()
    assert len(lines) == 5 and '"nemesis"' in lines[2] and not run.segments()
    run.merge_history()
    assert len(run.history.read_text().splitlines()) == 5


def test_an_unknown_never_hides_an_invalid() -> None:
    v = Verdict
    assert worst([v.VALID, v.UNKNOWN, v.INVALID]) is v.INVALID
    assert worst([v.VALID, v.UNKNOWN]) is v.UNKNOWN
    assert worst([v.VACUOUS, v.VALID]) is v.VACUOUS
    assert worst([]) is v.VALID
