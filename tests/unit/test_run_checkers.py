"""Stats, availability, unexpected exceptions and log patterns, over small histories and logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paxtest.checkers import log_patterns
from paxtest.checkers.availability import Availability
from paxtest.checkers.exceptions import UnexpectedExceptions
from paxtest.checkers.log_patterns import LogPatterns
from paxtest.checkers.protocol import Evidence
from paxtest.checkers.stats import Stats
from paxtest.operation import NEMESIS, Op, Type, encode
from paxtest.verdict import Verdict

MS = 1_000_000
SECOND = 1_000_000_000


class Story:
    """Writes a history: each operation takes from `at` to `at + took`, in nanoseconds."""

    def __init__(self) -> None:
        self.events: list[Op] = []
        self.process = 0

    def tell(
        self,
        f: str,
        at: int,
        took: int,
        type_: Type | None = Type.OK,
        error: tuple[str, str] | None = None,
        process: int | str | None = None,
    ) -> Story:
        """`type_` None: the operation stays open."""
        self.process += 1
        who = self.process if process is None else process
        self.events.append(Op(0, at, who, Type.INVOKE, f, 1))
        if type_ is not None:
            self.events.append(Op(0, at + took, who, type_, f, 1, error=error))
        return self

    def evidence(self, tmp_path: Path, tail: bytes = b"") -> Evidence:
        path = tmp_path / "history.jsonl"
        ordered = sorted(self.events, key=lambda op: op.time_ns)
        path.write_bytes(b"".join(encode(op) + b"\n" for op in ordered) + tail)
        return Evidence(path)


# -- stats -------------------------------------------------------------------------------------


def test_stats_counts_and_quantiles(tmp_path: Path) -> None:
    story = Story()
    for n in range(100):
        story.tell("read", n * MS, (n + 1) * MS)
    story.tell("write", 0, 7 * MS, Type.OK).tell("write", 1, 3 * MS, Type.FAIL)
    story.tell("write", 2, 900 * MS, Type.INFO).tell("write", 3, 0, None)
    story.tell("partition", 5, 5, Type.INFO, process=NEMESIS)
    result = Stats({"read", "write"}).check(story.evidence(tmp_path, tail=b'{"index":1,"ti'))
    assert (result.verdict, result.operations) == (Verdict.VALID, 104)
    assert result.details["functions"] == {
        "read": {
            "invoked": 100,
            "ok": 100,
            "fail": 0,
            "info": 0,
            "latency": {"p50_ms": 50.0, "p95_ms": 95.0, "p99_ms": 99.0, "max_ms": 100.0},
        },
        "write": {
            "invoked": 4,
            "ok": 1,
            "fail": 1,
            "info": 2,
            "latency": {"p50_ms": 3.0, "p95_ms": 7.0, "p99_ms": 7.0, "max_ms": 7.0},
        },
    }


def test_stats_without_success_is_unknown_and_says_why(tmp_path: Path) -> None:
    story = Story().tell("read", 0, MS).tell("cas", 0, MS, Type.FAIL).tell("cas", 1, MS, Type.INFO)
    result = Stats({"read", "cas", "write"}).check(story.evidence(tmp_path))
    assert result.verdict is Verdict.UNKNOWN
    assert "no cas ever succeeded (1 failed, 1 unknown)" in result.explanation
    assert "no write was ever invoked" in result.explanation
    assert "read" not in result.explanation


def test_stats_of_nothing_is_unknown(tmp_path: Path) -> None:
    result = Stats().check(Story().evidence(tmp_path))
    assert (result.verdict, result.operations) == (Verdict.UNKNOWN, 0)
    assert "nothing was tested" in result.explanation


# -- availability ------------------------------------------------------------------------------


def availability(story: Story, tmp_path: Path) -> dict[str, Any]:
    result = Availability().check(story.evidence(tmp_path))
    assert result.verdict is Verdict.VALID
    return result.details


def test_availability_per_second_and_longest_outage(tmp_path: Path) -> None:
    story = Story()
    for tenth in range(100):
        at = tenth * SECOND // 10
        down = 3 * SECOND <= at < 6 * SECOND
        story.tell("read", at, MS, Type.FAIL if down else Type.OK,
                   ("no-connection", "") if down else None)  # fmt: skip
    details = availability(story, tmp_path)
    assert details["seconds"] == [[s, 0 if 3 <= s < 6 else 10, 10] for s in range(10)]
    assert details["ok_share"] == 0.7
    assert details["longest_outage"] == {"from_s": 2.901, "to_s": 6.001, "seconds": 3.1}


def test_availability_counts_a_refusal_for_reasons_of_the_data_as_service(tmp_path: Path) -> None:
    story = Story().tell("cas", 0, MS, Type.FAIL, ("cas-mismatch", "")).tell("read", 0, 2 * MS)
    assert availability(story, tmp_path)["ok_share"] == 1.0


def test_an_outage_lasts_to_the_end_and_counts_what_stayed_open(tmp_path: Path) -> None:
    story = Story().tell("read", 0, MS).tell("write", 2 * SECOND, 0, None)
    story.tell("write", 3 * SECOND, SECOND, Type.INFO)
    details = availability(story, tmp_path)
    assert details["longest_outage"]["from_s"] == 0.001
    assert details["longest_outage"]["to_s"] == 4.0
    assert details["seconds"] == [[0, 1, 1], [4, 0, 2]]


def test_availability_of_nothing(tmp_path: Path) -> None:
    assert availability(Story(), tmp_path) == {
        "ok_share": None,
        "seconds": [],
        "longest_outage": None,
    }


# -- unexpected exceptions ---------------------------------------------------------------------


def test_unexpected_exceptions_are_listed_by_class_most_frequent_first(tmp_path: Path) -> None:
    story = Story()
    for n in range(3):
        story.tell("write", SECOND + n, 1, Type.INFO, ("unexpected", f"KeyError: {n}"))
    story.tell("cas", SECOND, 9, Type.INFO, ("unexpected", "KeyError: 9"))
    story.tell("read", 5 * SECOND, 1, Type.FAIL, ("unexpected", "ValueError: bad"))
    story.tell("read", 6 * SECOND, 1, Type.FAIL, ("timeout", "no answer"))
    result = UnexpectedExceptions().check(story.evidence(tmp_path))
    assert result.verdict is Verdict.VALID
    first, second = result.details["unexpected"]
    assert (first["class"], first["count"], first["f"]) == ("KeyError", 4, ["write", "cas"])
    assert (first["first_s"], first["example"]) == (1.0, "KeyError: 0")
    assert (second["class"], second["count"]) == ("ValueError", 1)
    assert result.details["classified"] == {"timeout": 1}
    assert "KeyError (4 times), ValueError (1 times)" in result.explanation


def test_too_many_kinds_of_errors_are_bounded_and_reported(tmp_path: Path) -> None:
    story = Story()
    for n in range(80):
        story.tell("read", n, 1, Type.FAIL, ("unexpected", f"Error{n}: x"))
    details = UnexpectedExceptions().check(story.evidence(tmp_path)).details
    assert len(details["unexpected"]) == 50
    assert "30 of further kinds" in details["limits"][0]


# -- log patterns ------------------------------------------------------------------------------


def search(tmp_path: Path, **logs: bytes) -> Any:
    files = {}
    for node, text in logs.items():
        path = tmp_path / f"{node}.log"
        path.write_bytes(text)
        files[node] = [path]
    return LogPatterns().check(Evidence(tmp_path / "history.jsonl", files))


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "panic: runtime error: index out of range",
        "fatal error: all goroutines are asleep - deadlock!",
        "thread 'main' panicked at src/main.rs:4:5:",
        "thread 'tokio-runtime-worker' (4242) panicked at src/raft.rs:9:1:",
        'Exception in thread "main" java.lang.NullPointerException',
        "[1]  + 31 segmentation fault (core dumped)  ./server",
        "server: raft.c:10: step: Assertion `term >= 0' failed.",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "==7==ERROR: AddressSanitizer: heap-use-after-free",
    ],
)
def test_a_crash_in_a_log_is_invalid(line: str, tmp_path: Path) -> None:
    log = f"starting\n{line}\n  File x, line 3\nValueError: ballot\n".encode()
    result = search(tmp_path, n1=b"all well\n", n2=log)
    assert result.verdict is Verdict.INVALID
    (finding,) = result.details["findings"]
    assert (finding["node"], finding["line"], finding["offset"]) == ("n2", 2, 9)
    assert finding["file"].endswith("n2.log")
    assert finding["excerpt"].startswith(line) and finding["excerpt"].endswith("ValueError: ballot")
    assert "n2's log n2.log, line 2" in result.explanation


def test_what_a_system_merely_logs_is_no_crash(tmp_path: Path) -> None:
    harmless = b"don't panic: all is well\nERROR peer n2 gave: Traceback (most recent call last)\n"
    result = search(tmp_path, n1=harmless + b"\xff\xfe broken utf-8\n", n2=b"")
    assert (result.verdict, result.details["findings"]) == (Verdict.VALID, [])


def test_no_logs_is_said(tmp_path: Path) -> None:
    result = search(tmp_path)
    assert (result.verdict, result.explanation) == (
        Verdict.VALID,
        "No node's log was there to be read.",
    )


def test_a_log_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    result = LogPatterns().check(Evidence(tmp_path, {"n1": [tmp_path / "gone.log"]}))
    assert "n1: gone.log could not be read" in result.details["limits"][0]


def test_only_the_ends_of_a_huge_log_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_patterns, "HALF_BYTES", 4000)
    filler = b"x" * 99 + b"\n"
    crash = b"panic: late\n"
    in_the_gap = filler * 100 + crash + filler * 100
    assert search(tmp_path, n1=in_the_gap).verdict is Verdict.VALID
    result = search(tmp_path, n1=in_the_gap + crash)
    assert result.verdict is Verdict.INVALID
    (finding,) = result.details["findings"]
    assert finding["line"] is None
    assert finding["offset"] == len(in_the_gap)
    assert "first and last 4000" in result.details["limits"][0]


def test_findings_are_bounded_and_a_line_of_any_length_is_read_in_pieces(tmp_path: Path) -> None:
    result = search(tmp_path, n1=(b"panic: x\n" + b"y\n" * 40) * 50 + b"z" * 10**6 + b"panic: q")
    assert len(result.details["findings"]) == 20
    assert "30 further findings" in result.details["limits"][0]
