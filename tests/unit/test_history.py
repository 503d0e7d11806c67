"""The journal: what is on disk, in which order, and what a torn file still gives."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from paxtest import history
from paxtest.errors import HistoryError
from paxtest.history import Journal
from paxtest.operation import NEMESIS, Op, Type, encode


def op(index: int, time_ns: int, process: int, type_: Type, f: str = "read", **more: object) -> Op:
    return Op(index, time_ns, process, type_, f, **more)  # type: ignore[arg-type]


def write(path: Path, ops: list[Op]) -> Path:
    path.write_bytes(b"".join(encode(o) + b"\n" for o in ops))
    return path


def test_events_come_back_as_they_went_in(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "history.jsonl")
    seen: list[Op] = []
    journal.listen(seen.append)
    journal.append(0, Type.INVOKE, "cas", "k1", [1, 2], node="n1")
    journal.append(0, Type.FAIL, "cas", "k1", [1, 2], ("cas-mismatch", "it was 3"), "n1")
    journal.append(NEMESIS, Type.INFO, "partition", value={"cut": ["n1"]})
    journal.close()
    read = list(history.read(tmp_path / "history.jsonl"))
    assert [o.index for o in read] == [0, 1, 2]
    assert read[1].error == ("cas-mismatch", "it was 3") and read[1].node == "n1"
    assert [o.time_ns for o in read] == sorted(o.time_ns for o in read)
    assert len(seen) == 3 and seen[0].f == "cas"


def test_no_event_is_lost_between_the_loop_and_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FLUSH_S", 0.0)  # the writer swaps buffers as often as it can
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        journal = Journal(tmp_path / "h.jsonl")
        for number in range(20_000):
            journal.append(number % 7, Type.INVOKE, "read")
        journal.close()
    finally:
        sys.setswitchinterval(switch)
    assert [o.index for o in history.read(tmp_path / "h.jsonl")] == list(range(20_000))


def test_a_torn_last_line_is_normal_anywhere_it_tears(tmp_path: Path) -> None:
    whole = encode(op(0, 1, 0, Type.INVOKE)) + b"\n" + encode(op(1, 2, 0, Type.OK)) + b"\n"
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole) - 1):
        path = tmp_path / "torn.jsonl"
        path.write_bytes(whole[:cut])
        events = list(history.read(path))
        complete_without_newline = cut == len(whole) - 1
        assert len(events) == (2 if complete_without_newline else 1), f"cut at byte {cut}"


def test_a_broken_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"index":0}\nnonsense\n' + encode(op(1, 2, 0, Type.OK)) + b"\n")
    with pytest.raises(HistoryError, match=r"line 1: .*is not an event"):
        list(history.read(path))


def test_an_open_operation_is_info(tmp_path: Path) -> None:
    path = write(tmp_path / "h.jsonl", [op(0, 5, 3, Type.INVOKE, "write", value=7)])
    (only,) = history.pair(history.read(path))
    assert only.type == "info" and only.completed_ns is None and only.value == 7
    assert history.tally(path) == history.Tally(invoked=1, ok=0, fail=0, info=1)


def test_merging_orders_by_time_and_puts_invocations_first_in_ties(tmp_path: Path) -> None:
    a = write(tmp_path / "a", [op(0, 1, 0, Type.INVOKE), op(1, 5, 0, Type.OK)])
    b = write(tmp_path / "b", [op(0, 5, 1, Type.INVOKE), op(1, 6, 1, Type.OK)])
    count = history.merge([a, b], tmp_path / "merged.jsonl")
    merged = list(history.read(tmp_path / "merged.jsonl"))
    assert count == 4 and [o.index for o in merged] == [0, 1, 2, 3]
    assert [(o.process, o.type) for o in merged] == [
        (0, Type.INVOKE), (1, Type.INVOKE), (0, Type.OK), (1, Type.OK),
    ]  # fmt: skip


def test_merging_never_orders_what_was_concurrent() -> None:
    """For random segments: a precedes b in the merge only if it did in time."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        segments = []
        for process in range(3):
            ops, now = [], 0
            for i in range(40):
                now += 1 + rng.randrange(3)  # one process never begins in the same nanosecond
                ops.append(op(2 * i, now, process, Type.INVOKE))
                now += rng.randrange(3)
                ops.append(op(2 * i + 1, now, process, Type.OK))
            segments.append(write(Path(folder) / str(process), ops))
        history.merge(segments, Path(folder) / "merged")
        merged = list(history.read(Path(folder) / "merged"))
    completed: list[Op] = []
    for event in merged:
        if event.type is Type.INVOKE:
            assert all(c.time_ns < event.time_ns for c in completed), f"seed {seed}"
        else:
            completed.append(event)


def test_a_failing_disk_is_not_silent(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "h.jsonl")
    import os

    os.close(journal._fd)  # the disk goes away under the journal
    journal.append(0, Type.INVOKE, "read")
    journal._thread.join(5)
    with pytest.raises(OSError):
        journal.append(0, Type.OK, "read")
