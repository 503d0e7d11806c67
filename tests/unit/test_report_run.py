"""A run directory is read so that what is missing or torn only costs itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sample_runs import build

from paxtest.errors import StoreError
from paxtest.nemesis import names
from paxtest.nemesis.record import FaultEvent
from paxtest.reports import html, operations
from paxtest.reports.charts import kind_colour
from paxtest.reports.run import label, load
from paxtest.verdict import Verdict


def test_a_whole_run_misses_nothing(tmp_path: Path) -> None:
    run = load(build(tmp_path / "t" / "1", "invalid"))
    assert run.missing == []
    assert run.result is not None and run.result.verdict is Verdict.INVALID
    assert run.main_check is not None and run.main_check.name == "linearizable"
    assert [f.kind for f in run.faults[:4]] == ["partition", "kill", "pause", "clock"]
    assert all(f.effective and f.end_ns and f.end_ns > f.begin_ns for f in run.faults)
    assert "nodes/n1/paxos.log" in run.logs and "paxtest.log" in run.logs


def test_a_fault_begins_with_its_injection_however_long_that_takes(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1")
    events = [
        FaultEvent(1, time_ns, event, "quorum", "rivals")
        for time_ns, event in [(2_000, "inject"), (9_000, "injected"), (9_500, "healed")]
    ]
    lines = [msgspec.json.encode(event) for event in events]
    (directory / "faults.jsonl").write_bytes(b"\n".join(lines))
    (fault,) = load(directory).faults
    assert (fault.begin_ns, fault.end_ns) == (2_000, 9_500)


def test_every_kind_of_fault_has_a_colour_of_its_own() -> None:
    kinds = names()
    assert len({kind_colour(kind, kinds) for kind in kinds}) == len(kinds)


@pytest.mark.parametrize("part", ["plan.yaml", "results.json", "history.jsonl", "faults.jsonl"])
def test_a_missing_part_is_named(tmp_path: Path, part: str) -> None:
    directory = build(tmp_path / "t" / "1")
    (directory / part).unlink()
    missing = load(directory).missing
    # Without its plan a run asked for no nemesis as far as anyone knows.
    assert len(missing) == 1 and missing[0].startswith(f"{part} is missing"), missing


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("plan.yaml", b"a: [1, 2"),
        ("plan.yaml", b"just text"),
        ("plan.yaml", b"\xff\xfe\x00"),
        ("plan.yaml", b"!!python/object/apply:os.system ['true']"),
        ("results.json", b'{"schema": 1, "verdict": "va'),
        ("results.json", b'{"verdict": "splendid", "exit_code": 0, "seed": 1}'),
        ("results.json", b"[" * 100_000),
        ("faults.jsonl", b'{"id": 1, "ti'),
        ("faults.jsonl", b"[[[[\n\xff\n"),
    ],
)
def test_a_damaged_part_is_named(tmp_path: Path, part: str, content: bytes) -> None:
    directory = build(tmp_path / "t" / "1")
    (directory / part).write_bytes(content)
    missing = load(directory).missing
    assert len(missing) == 1 and missing[0].startswith(part) and "damaged" in missing[0], missing


def test_results_of_a_newer_version_are_shown_with_a_word_of_warning(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1")
    text = (directory / "results.json").read_text()
    (directory / "results.json").write_text(text.replace('"schema":1', '"schema":2,"new":[]'))
    run = load(directory)
    assert run.result is not None and "newer" in run.missing[0]


def test_no_directory_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        load(tmp_path / "nope")
    assert "nope" in caught.value.message and "store/latest" in caught.value.hint


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (None, ""),
        ("paxos", "paxos"),
        ({"name": "paxos", "options": {}}, "paxos"),
        ({"kind": "docker"}, "docker"),
        ({"kinds": ["kill", "pause"], "interval_s": 5}, "kill, pause"),
        ([], ""),
        ({}, ""),
    ],
)
def test_label(part: object, shown: str) -> None:
    assert label(part) == shown


def test_operations_pair_up_and_the_open_ones_are_unknown(tmp_path: Path) -> None:
    journal = tmp_path / "history.jsonl"
    journal.write_bytes(
        b'{"index":0,"time_ns":10,"process":0,"type":"invoke","f":"write","key":1,"value":5}\n'
        b'{"index":1,"time_ns":11,"process":1,"type":"invoke","f":"read","key":1}\n'
        b'{"index":2,"time_ns":12,"process":"nemesis","type":"info","f":"kill"}\n'
        b'{"index":3,"time_ns":13,"process":1,"type":"ok","f":"read","key":1,"value":5}\n'
        b'{"index":4,"time_ns":14,"process":0,"type":"info","f":"write","error":["timeout","x"]}\n'
        b'{"index":5,"time_ns":15,"process":2,"type":"invoke","f":"read","key":1}\n'
        b'{"index":6,"time_ns":16,"process":1,"type":"inv'
    )
    damage = operations.Damage()
    found = list(operations.operations(journal, damage))
    assert [(o.index, o.type, o.value, o.completed_ns, end) for o, end in found] == [
        (1, "ok", 5, 13, 13),
        (0, "info", 5, None, 14),
        (5, "info", None, None, None),
    ]
    assert damage == operations.Damage(torn_tail=True, lines=0)


def test_damaged_lines_are_counted_and_cost_only_themselves(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1", operations=100)
    journal = directory / "history.jsonl"
    whole = operations.scan(journal)
    journal.write_bytes(journal.read_bytes() + b"\xff\xfe\n" + b"[" * 5_000 + b"\n{}\n")
    damaged = operations.scan(journal)
    assert damaged.damage.lines == 3
    assert len(damaged) == len(whole) == 100


def test_more_names_than_can_be_told_apart_become_others() -> None:
    names = operations.Names()
    codes = [names.code(f"f{i}") for i in range(1_000)]
    assert max(codes) <= 255 and names.list[codes[-1]] == "(others)"
    assert names.code("f3") == codes[3]


def test_a_hostile_history_costs_neither_memory_nor_the_report(tmp_path: Path) -> None:
    def event(**more: object) -> bytes:
        common = {"index": 0, "time_ns": 1, "process": 0, "type": "invoke", "f": "read"}
        return msgspec.json.encode(common | more) + b"\n"

    journal = tmp_path / "history.jsonl"
    journal.write_bytes(
        event(time_ns=2**80) + event(time_ns=-1) + event(time_ns=10**18) + event(index=2**63)
        + event(f="w", key="k" * 10**6, value=["v" * 10**6], error=["e" * 10**6, "t" * 10**6])
        + b'{"index":1,"time_ns":2,"value":' + b"[" * 10**5 + b"\n"
        + event(index=2, time_ns=3, type="ok", f="w" * 10**6)
    )  # fmt: skip
    columns = operations.scan(journal)
    assert len(columns) == 1 and columns.damage.lines == 5
    [(operation, _)] = operations.select(journal, lambda o: True, 10)
    assert len(repr(operation)) < 2_000
    html.write(tmp_path)
