"""Whatever is written reads the same; whatever bytes come, the answer is a history or an error."""

from __future__ import annotations

import tempfile
import unicodedata
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from paxtest import _core

# Times of 2026 fit; integers of 64 bits do; text is any that UTF-8 can hold.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
scalar = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text
)
value = st.recursive(
    scalar, lambda v: st.lists(v, max_size=3) | st.dictionaries(text, v, max_size=3), max_leaves=6
)
row = st.tuples(
    st.integers(0, 3),
    st.sampled_from(["write", "read", "cas", 'odd "name"', "x\\y"]),
    st.sampled_from([None, "k", 1, "a b"]),
    value,
    value,
    st.sampled_from(["ok", "fail", "info"]),
)


def history_of(rows: list[tuple[Any, ...]]) -> _core.History:
    # One after the other, so that no process does two things at once.
    return _core.History.from_ops(
        [
            (
                process + (100 * (i + 1) if outcome == "info" else 0),
                f,
                key,
                arg,
                out,
                outcome,
                10 * i,
                end,
            )
            for i, (process, f, key, arg, out, outcome) in enumerate(rows)
            for end in [None if outcome == "info" else 10 * i + 5]
        ]
    )


def seen(history: _core.History, keys: bool = True) -> list[dict[str, Any]]:
    ops = [dict(history.operation(i)) for i in range(len(history))]
    for op in ops:
        del op["index"], op["completed_index"]
        if not keys:
            del op["key"]
    return ops


@settings(max_examples=300, deadline=None)
@given(st.lists(row, max_size=8))
def test_written_and_read_again(rows: list[tuple[Any, ...]]) -> None:
    history = history_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h"
        history.write(path, "jsonl")
        assert seen(_core.History.read(path, "jsonl")) == seen(history)
        history.write(path, "edn")
        keys = len({repr(op["key"]) for op in seen(history)}) > 1
        again = _core.History.read(path, "edn", independent=keys)
        assert seen(again, keys) == seen(history, keys)


FORMATS = ["auto", "jsonl", "edn", "kv", "jepsen-log", "csv"]
FRAGMENTS = [
    b'{"process":0,"type":"invoke","f":"write","value":', b"{:process 0 :type :invoke :f :w ",
    b":value ", b'"key":', b"}", b"]", b"[", b"(", b"{", b"\n", b'"', b"\\", b"#", b"#_", b"^",
    b";", b"0 :ok :w nil", b"process,f,start,end\n", b"process,type,f\n", b"1,2,3",
    b"\\u12", b"1e99", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"##NaN", b"nil", b"-", b"\xff",
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=30).map(b"".join))
def test_any_bytes(data: bytes) -> None:
    for format in FORMATS:
        try:
            history = _core.History.from_bytes(data, format)
        except _core.FormatError as error:
            message, line, text, _ = error.args
            assert message
            assert line >= 0
            assert not {unicodedata.category(c) for c in text} & {"Cc", "Cf", "Zl", "Zp"}
            continue
        for number in range(len(history)):
            history.operation(number)
