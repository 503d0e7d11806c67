"""Own JSONL: what is read, what is refused, and with which words."""

from __future__ import annotations

import gzip
import json

import pytest

from paxtest import _core
from paxtest.operation import Op, encode


def lines(*events: object) -> bytes:
    return "".join(json.dumps(e) + "\n" for e in events).encode()


def event(process: object, type: str, f: str, **more: object) -> dict[str, object]:
    return {"process": process, "type": type, "f": f, **more}


def complaint(data: bytes, format: str = "jsonl") -> tuple[str, int, str, str]:
    with pytest.raises(_core.FormatError) as caught:
        _core.History.from_bytes(data, format)
    message, line, text, hint = caught.value.args
    return message, line, text, hint


def test_the_journal_of_a_run() -> None:
    ops = [
        Op(0, 10, 0, "invoke", "write", "k", 1, node="n1"),  # type: ignore[arg-type]
        Op(1, 15, "nemesis", "info", "kill", value=["n1"]),  # type: ignore[arg-type]
        Op(2, 20, 1, "invoke", "read", "k"),  # type: ignore[arg-type]
        Op(3, 30, 0, "info", "write", "k", 1, ("timeout", "no answer"), "n1"),  # type: ignore[arg-type]
        Op(4, 40, 1, "ok", "read", "k", 1, node="n2"),  # type: ignore[arg-type]
    ]
    history = _core.History.from_bytes(b"".join(encode(op) + b"\n" for op in ops))
    assert (history.format, len(history), history.events) == ("jsonl", 2, 4)
    assert history.nemesis_events == 1
    assert history.timed
    assert history.outcomes() == (1, 0, 1)
    write, read = history.operation(0), history.operation(1)
    assert write["type"] == "info"
    assert write["completed_ns"] is None
    assert write["error"] == ("timeout", "no answer")
    assert (write["index"], write["node"], write["invoked_ns"]) == (0, "n1", 10)
    assert (read["index"], read["completed_index"], read["out"]) == (2, 4, 1)
    # Positions count the events of clients only.
    assert (read["inv"], read["ret"]) == (1, 3)


def test_an_open_invocation_is_info() -> None:
    history = _core.History.from_bytes(lines(event(0, "invoke", "write", value=1)))
    assert history.operation(0)["type"] == "info"


def test_a_torn_last_line_is_left_out_and_said() -> None:
    data = lines(event(0, "invoke", "read")) + b'{"process":0,"type":"ok","f":"re'
    history = _core.History.from_bytes(data)
    assert len(history) == 1
    assert "torn" in history.notes[0]
    # The same line with its newline is damage, not a crash.
    message, line, _, _ = complaint(data + b"\n")
    assert line == 2
    assert "closing quote" in message


def test_a_last_line_without_newline_counts() -> None:
    data = lines(event(0, "invoke", "read"), event(0, "ok", "read", value=3)).rstrip(b"\n")
    assert _core.History.from_bytes(data).operation(0)["out"] == 3


@pytest.mark.parametrize(
    ("events", "line", "said"),
    [
        ([event(0, "ok", "read")], 1, "did not invoke"),
        ([event(0, "invoke", "read"), event(0, "invoke", "read")], 2, "invokes again"),
        ([event(0, "began", "read")], 1, "unknown type `began`"),
        ([event(0, "invoke", "read"), event(0, "ok", "write")], 2, "had invoked `read` (line 1)"),
        (
            [event(0, "invoke", "read", key=1), event(0, "ok", "read", key=2)],
            2,
            "another key than its invocation",
        ),
        ([{"process": 0, "type": "invoke"}], 1, "without `f`"),
        ([{"f": "read", "type": "invoke"}], 1, "without `process`"),
        ([{"f": "read", "process": 1}], 1, "without `type`"),
    ],
)
def test_what_is_no_history(events: list[object], line: int, said: str) -> None:
    message, where, text, hint = complaint(lines(*events))
    assert said in message
    assert where == line
    assert text
    assert hint


def test_a_process_may_go_on_after_info() -> None:
    history = _core.History.from_bytes(
        lines(event(0, "invoke", "write"), event(0, "info", "write"), event(0, "invoke", "read"))
    )
    assert len(history) == 2


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**60, -(2**63), 2**63 - 1, 1.5, "", "é\n\"\\ \x00", "\U0001f600", [],
     [1, [2, None]], {"a": {"b": [1]}, "": 0}, "true", [[]] * 3],
)  # fmt: skip
def test_values_come_back(value: object) -> None:
    for dump in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        data = b'{"process":1,"type":"invoke","f":"w","value":' + dump.encode() + b"}\n"
        assert _core.History.from_bytes(data).operation(0)["arg"] == value


def test_one_is_one_point_zero_but_not_true() -> None:
    data = lines(*(event(i, "invoke", "w", value=v) for i, v in enumerate([1, 1.0, True, "1"])))
    columns = _core.History.from_bytes(data).columns()
    one, float_one, true, text = memoryview(columns["arg"]).cast("Q")
    assert one == float_one
    assert len({one, true, text}) == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"value":' + b"[" * 100_000 + b"\n", "nested too deeply"),
        (b'{"other":' + b'{"a":' * 100_000 + b"\n", "nested too deeply"),
        (b'{"process":1,"type":"invoke","f":"w","value":' + b"9" * 400 + b"}\n", "64 bits"),
        (b'{"process":1,"type":"invoke","f":"w","value":1e999}\n', "64-bit float"),
        (b'{"process":1,"type":"invoke","f":"w","value":"\xff"}\n', "not UTF-8"),
        (b'{"process":1,"type":"invoke","f":"w","value":"\\ud800"}\n', "surrogate"),
        (b'{"process":1,"type":"invoke","f":"w","value":"a\x01"}\n', "control character"),
        (b"\xff\xfe{\n", "JSON object"),
        (b"\x00" * 1000 + b"\n", "JSON object"),
        (b'{"process":1,"type":"invoke","f":"w"} x\n', "end of the line"),
    ],
)
def test_hostile_lines(data: bytes, said: str) -> None:
    message, line, text, _ = complaint(data)
    assert said in message
    assert line == 1
    assert len(text) < 1000
    assert text.isprintable()


def test_a_line_that_never_ends() -> None:
    message, _, _, hint = complaint(gzip.compress(b"{" * (70 << 20)))
    assert "longer than 64 MiB" in message
    assert hint


def test_a_history_larger_than_its_memory() -> None:
    data = b"".join(
        b'{"process":%d,"type":"invoke","f":"w","value":"%d%s"}\n' % (i, i, b"x" * 200)
        for i in range(20_000)
    )
    with pytest.raises(_core.FormatError, match="more than 1 MiB of memory"):
        _core.History.from_bytes(data, memory_mb=1)


def test_unknown_format() -> None:
    with pytest.raises(_core.FormatError, match="unknown format"):
        _core.History.from_bytes(b"", "xml")


def test_from_ops_orders_ties_so_that_nothing_precedes_what_it_met() -> None:
    history = _core.History.from_ops(
        [(0, "write", None, 1, 1, "ok", 0, 5), (1, "read", None, None, 1, "ok", 5, 6)]
    )
    write, read = history.operation(0), history.operation(1)
    assert write["ret"] is not None
    assert read["inv"] < write["ret"]  # a tie: they overlap


def test_from_ops_lets_a_process_go_on_at_once() -> None:
    history = _core.History.from_ops(
        [(0, "write", None, 1, 1, "ok", 0, 5), (0, "read", None, None, 1, "ok", 5, 5)]
    )
    assert history.operation(0)["ret"] == 1


def test_from_ops_lets_a_client_give_up() -> None:
    """An operation without answer stays open, though its client goes on."""
    history = _core.History.from_ops(
        [
            (0, "write", None, 1, None, "info", 0, None),
            (0, "read", None, None, 2, "ok", 5, 6),
            (0, "read", None, None, 1, "ok", 7, 8),
        ]
    )
    assert [history.operation(i)["type"] for i in range(3)] == ["info", "ok", "ok"]
    assert history.operation(0)["ret"] is None


def test_from_ops_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="before invoked_ns"):
        _core.History.from_ops([(0, "write", None, 1, 1, "ok", 5, 4)])
    with pytest.raises(ValueError, match="ok, fail or info"):
        _core.History.from_ops([(0, "write", None, 1, 1, "done", 5, 6)])
