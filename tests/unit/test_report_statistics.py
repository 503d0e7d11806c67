"""Numbers in reports agree with a count by hand, and are written for people."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sample_runs import build

from paxtest.operation import Op, Type, encode
from paxtest.reports import charts, statistics, words
from paxtest.reports.operations import Columns, operations, scan


def journal(tmp_path: Path, *rows: tuple[float, float | None, str]) -> Columns:
    """A history of reads by one process each: (begin_s, end_s, outcome)."""
    events = []
    for process, (begin, end, outcome) in enumerate(rows):
        events.append(Op(0, int(begin * 1e9), process, Type.INVOKE, "read"))
        if end is not None:
            events.append(Op(0, int(end * 1e9), process, Type(outcome), "read"))
    path = tmp_path / "history.jsonl"
    path.write_bytes(b"".join(encode(e) + b"\n" for e in sorted(events, key=lambda e: e.time_ns)))
    return scan(path)


def test_per_function_counts_agree_with_the_history(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1", operations=3_000)
    columns = scan(directory / "history.jsonl")
    by_hand: Counter[tuple[str, str]] = Counter()
    latencies: dict[str, list[float]] = {}
    for operation, _ in operations(directory / "history.jsonl"):
        by_hand[operation.f, operation.type] += 1
        if operation.type == "ok":
            took = ((operation.completed_ns or 0) - operation.invoked_ns) / 1e9
            latencies.setdefault(operation.f, []).append(took)
    for row in statistics.per_function(columns):
        assert (row.ok, row.fail, row.info) == tuple(
            by_hand[row.name, outcome] for outcome in ("ok", "fail", "info")
        )
        assert row.max_s == pytest.approx(max(latencies[row.name]))
        assert row.p50_s == pytest.approx(np.median(latencies[row.name]))
    assert sum(row.total for row in statistics.per_node(columns)) == 3_000


def test_availability_counts_seconds_in_which_clients_waited_in_vain(tmp_path: Path) -> None:
    columns = journal(
        tmp_path,
        (0.1, 0.2, "ok"),
        (1.1, 1.2, "fail"),
        (2.1, 4.5, "info"),
        (5.0, 5.1, "ok"),
        (8.0, 8.1, "ok"),  # seconds 6 and 7: nobody asked
    )
    found = statistics.availability(columns)
    assert (found.windows, found.available) == (7, 3)
    assert found.outages == [(1.0, 5.0)]


def test_availability_of_nothing(tmp_path: Path) -> None:
    assert statistics.availability(journal(tmp_path)).percent == 0.0


def test_thinning_keeps_the_slowest_and_what_failed(tmp_path: Path) -> None:
    rows = [(i / 100, i / 100 + 0.001, "ok") for i in range(2_000)]
    rows[700] = (7.0, 9.5, "ok")
    rows[900] = (9.0, 9.01, "fail")
    columns = journal(tmp_path, *rows)
    kept = charts.thin(columns, limit=100)
    assert len(kept) <= 100 and len(set(kept.tolist())) == len(kept)
    latency = columns.end_ns[kept] - columns.begin_ns[kept]
    assert latency.max() == 2_500_000_000
    assert 1 in columns.outcome[kept]
    spread = np.diff(np.sort(columns.begin_ns[kept]) / 1e9)
    assert spread.max() < 2.0, "the rest is spread over the run"


@pytest.mark.parametrize("duration", [0.001, 5.0, 60.0, 3_600.0, 7 * 86_400.0])
def test_buckets_are_few_and_round(duration: float) -> None:
    assert duration / charts.bucket_s(duration) <= max(charts.BUCKETS, duration / 3_600)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (math.nan, "–"), (2.5, "2.5 s"), (0.00271, "2.71 ms"), (4.2e-5, "42 µs"),
     (3e-9, "3 ns"), (0.0, "0 ns"), (1234.0, "1,234 s")],
)  # fmt: skip
def test_latencies_have_a_unit(seconds: float | None, shown: str) -> None:
    assert words.latency(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, "–"), (9.96, "10.0 s"), (119.0, "119.0 s"),
     (185.2, "3 min 05 s"), (7_260.0, "2 h 01 min")],
)  # fmt: skip
def test_durations_are_written_for_people(seconds: float | None, shown: str) -> None:
    assert words.seconds(seconds) == shown


def test_values_are_one_short_line_without_tricks() -> None:
    assert words.value({"a": [1, None, "x"]}) == '{"a":[1,null,"x"]}'
    assert words.plain("a\nb\x00\u202ec") == "a\\u000ab\\u0000\\u202ec"
    assert words.plain("\ud800") == "\\ud800"
    assert len(words.value("x" * 10_000)) <= words.TEXT_MAX + 1
    assert words.value(object()).startswith("<object")


@pytest.mark.parametrize(
    ("f", "outcome", "value", "shown"),
    [("read", "ok", 3, "read → 3"), ("read", "fail", None, "read → ?"),
     ("write", "info", 3, "write 3"), ("cas", "ok", [3, 4], "cas 3 → 4"),
     ("inc", "ok", None, "inc")],
)  # fmt: skip
def test_operations_in_few_characters(f: str, outcome: str, value: object, shown: str) -> None:
    assert words.call(f, outcome, value) == shown
