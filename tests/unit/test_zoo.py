"""The scoreboard: rows are kept, resumed and counted; the page shows both tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import paxtest

from paxtest.errors import StoreError, UsageError
from paxtest.verdict import CheckResult, Counts, Operation, Phase, RunResult, Verdict
from paxtest.zoo import cluster, page
from paxtest.zoo.board import HARMLESS, Board, score, summary, to_json
from paxtest.zoo.row import CONTROL, Mode, Row


def row(
    bug: str, seed: int, *, found: bool = True, mode: Mode = Mode.CLUSTER, **more: object
) -> Row:
    return Row(mode, "all", bug, seed, found, **more)  # type: ignore[arg-type]


def test_a_board_is_resumed_from_its_file(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add([row("local-read", 1, by=("linearizable",)), row("local-read", 2, error="no engine")])
    again = Board(tmp_path)
    assert again.rows == board.rows
    assert again.has(Mode.CLUSTER, "all", "local-read", 1)
    assert not again.has(Mode.CLUSTER, "all", "local-read", 2)  # no verdict: run it again
    assert not again.has(Mode.SIMULATE, "all", "local-read", 1)


def test_a_row_that_was_being_written_when_the_writer_died_is_dropped(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add([row("local-read", 1), row("local-read", 2)])
    board.path.write_bytes(board.path.read_bytes()[:-9])
    again = Board(tmp_path)
    assert [r.seed for r in again.rows.values()] == [1]
    again.add([row("local-read", 2), row("local-read", 3)])
    assert [r.seed for r in Board(tmp_path).rows.values()] == [1, 2, 3]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"mode": "cluster"}\n')
    with pytest.raises(StoreError, match=r"rows\.jsonl, line 1"):
        Board(tmp_path)


def test_the_later_row_of_a_run_counts(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add([row("ack-local", 1, found=False, error="died"), row("ack-local", 1)])
    (counted,) = Board(tmp_path).scores()
    assert (counted.runs, counted.found, counted.failed) == (1, 1, 0)


def test_medians_are_over_what_was_found() -> None:
    counted = score(
        [
            row("ack-local", 3, by=("linearizable",), operations=100, seconds=2.0,
                counterexample=3),
            row("ack-local", 1, by=("linearizable", "audit"), operations=300, seconds=4.0,
                counterexample=5, lemma="I12"),
            row("ack-local", 0, found=False, operations=9_999, seconds=60.0),
            row("ack-local", 2, found=False, error="verdict unknown"),
        ]
    )  # fmt: skip
    assert (counted.runs, counted.found, counted.failed, counted.first_seed) == (3, 2, 1, 1)
    assert (counted.median_operations, counted.median_seconds, counted.median_size) == (200, 3, 4)
    assert counted.by == {"audit": 1, "linearizable": 2}
    assert counted.lemmas == {"I12": 1}
    assert counted.percent == pytest.approx(66.7, abs=0.1)


def test_the_control_of_the_zoo_is_no_harmful_bug(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add([row("accept-promisers-only", 1), row("local-read", 1, found=False)])
    assert "accept-promisers-only" in HARMLESS
    told = " ".join(summary(board.scores(), Mode.CLUSTER, "all"))
    assert "0 of 1 harmful bugs" in told
    assert "never found: local-read" in told
    assert "1 false alarm in 1 run without a harmful bug" in told


def test_three_of_four_is_counted_run_by_run(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add(row("ack-local", seed, found=seed > 0) for seed in range(4))
    board.add(row("local-read", seed, found=seed > 1) for seed in range(4))
    told = summary(board.scores(), Mode.CLUSTER, "all")
    assert told[0] == "2 of 2 harmful bugs found at least once, 1 in at least 3 of 4 runs"


def test_the_page_and_the_json_show_both_modes_side_by_side(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.add(
        [
            row("local-read", 1, by=("linearizable",), counterexample=2),
            row("local-read", 7, mode=Mode.SIMULATE, by=("divergence",)),
            row(CONTROL, 1, found=False),
            row("half-majority", 1, found=False),
        ]
    )
    html = page.render(board.scores())
    assert html.index("Real nodes") < html.index("Simulator")
    assert html.count("<tr") == 2 + 3
    assert "missed" in html and ">false alarm<" not in html
    assert "1 linearizable; 2 operations" in html and "1 divergence" in html
    data = json.loads(to_json(board.scores()))
    assert data["schema"] == 1
    assert {(s["mode"], s["bug"], s["found"]) for s in data["scores"]} == {
        ("cluster", "none", 0), ("cluster", "half-majority", 0), ("cluster", "local-read", 1),
        ("simulate", "local-read", 1),
    }  # fmt: skip


def test_a_run_is_the_command_it_says(tmp_path: Path) -> None:
    setting = cluster.Setting(30, "kill", "local", "hunt", tmp_path)
    words = cluster.command("retry-dup", 5, 15, setting)
    for pair in (("--bug", "retry-dup"), ("--workload", "counter"), ("--seed", "5"),
                 ("--nemesis", "kill"), ("--preset", "hunt")):  # fmt: skip
        at = words.index(pair[0])
        assert words[at + 1] == pair[1]
    even = cluster.command("half-majority", 5, 15, setting)
    assert even[even.index("--nodes") + 1] == "4"
    assert "--bug" not in cluster.command(CONTROL, 5, 60, setting)


def test_the_budget_is_spent_on_a_short_run_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, float]] = []

    def carry_out(bug: str, seed: int, label: str, load_s: float, setting: object) -> Row:
        asked.append((seed, load_s))
        return row(bug, seed, found=load_s > 20, operations=100, seconds=load_s)

    monkeypatch.setattr(cluster, "_carry_out", carry_out)
    setting = cluster.Setting(60, "", "local", "hunt", tmp_path)
    made = cluster.one("retry-dup", 5, "all", setting)
    assert asked == [(5, 15), (5 + cluster.SECOND, 45)]
    assert (made.seed, made.found, made.operations, made.seconds) == (5, True, 200, 60)
    asked.clear()
    cluster.one(CONTROL, 5, "all", setting)
    assert asked == [(5, 60)]


def test_a_result_becomes_a_row() -> None:
    operations = [Operation(i, 0, "read", "ok", 0) for i in range(3)]
    invalid = CheckResult("linearizable", Verdict.INVALID, counterexample=operations)
    result = RunResult(Verdict.INVALID, 1, 5, operations=Counts(invoked=70), checks=[invalid])
    result.phases = [Phase("drive", 9.5)]
    made = cluster._row(row("local-read", 5, found=False, command="paxtest run"), result)
    assert made.found and made.by == ("linearizable",) and made.counterexample == 3
    assert made.seconds == 9.5  # the moment is not known: all of the load
    result.first_violation_s = 1.25
    assert cluster._row(made, result).seconds == 1.25
    vacuous = RunResult(Verdict.VACUOUS, 2, 5, reason="no fault took effect")
    assert "no fault took effect" in cluster._row(made, vacuous).error


def test_the_command_counts_writes_and_resumes(tmp_path: Path) -> None:
    words = ["zoo", "--simulate", "--seeds", "4", "--jobs", "1", "--store", str(tmp_path),
             "--bugs", "none,local-read"]  # fmt: skip
    first = paxtest(*words)
    assert first.returncode == 0, first.stderr
    assert "local-read: found by" in first.stderr
    rows = (tmp_path / "zoo/rows.jsonl").read_text().splitlines()
    assert len(rows) == 8
    again = paxtest(*words)
    assert again.stdout == first.stdout and "found by" not in again.stderr
    assert (tmp_path / "zoo/rows.jsonl").read_text().splitlines() == rows
    assert (tmp_path / "zoo/zoo.html").exists() and (tmp_path / "zoo/zoo.json").exists()


@pytest.mark.parametrize("budget", ["soon", "0s", "-5s"])
def test_a_budget_that_is_none_is_refused(budget: str) -> None:
    from paxtest.commands.zoo import _seconds

    with pytest.raises(UsageError, match="--budget"):
        _seconds(budget)


def test_a_bug_that_is_mistyped_is_guessed() -> None:
    for words in (["zoo", "--bugs", "local-raed"], ["run", "--bug", "local-raed"]):
        done = paxtest(*words)
        assert done.returncode == 254
        assert "did you mean 'local-read'? known:" in done.stderr
