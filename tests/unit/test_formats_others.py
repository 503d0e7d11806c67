"""EDN, log lines, CSV, compression, the guess of a format, and what is written."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pytest

from paxtest import _core, formats
from paxtest.errors import HistoryError, UsageError
from paxtest.formats import guess


def read(text: str | bytes, format: str = "auto", **more: bool) -> _core.History:
    data = text.encode() if isinstance(text, str) else text
    return _core.History.from_bytes(data, format, **more)  # type: ignore[arg-type]


def args(history: _core.History) -> list[object]:
    return [history.operation(i)["arg"] for i in range(len(history))]


MAPS = """\
{:process 0, :type :invoke, :f :write, :value 1, :time 7, :index 0}
{:process 0, :type :ok, :f :write, :value 1, :time 9, :index 1}
"""


@pytest.mark.parametrize(
    "text",
    [
        MAPS,
        f"[{MAPS}]",
        f"({MAPS})",
        f"; a comment\n[ #_{{:gone [1 2}} ; more\n {MAPS} #_ nothing ]\n".replace(
            "[1 2}", "[1 2]}"
        ),
        MAPS.replace("{:", "#jepsen.history.Op{:"),
        MAPS.replace("{:process", "^{:meta true} {:process").replace("^{:meta true} ", ""),
        MAPS.replace(", ", ",\n   "),
        "\ufeff" + MAPS,
    ],
)
def test_edn_in_its_shapes(text: str) -> None:
    history = read(text)
    assert history.format == "edn"
    op = history.operation(0)
    assert (op["type"], op["arg"], op["invoked_ns"], op["completed_ns"]) == ("ok", 1, 7, 9)


@pytest.mark.parametrize(
    ("edn", "value"),
    [
        ("nil", None), ("true", True), ("-7", -7), ("7N", 7), ("0x1F", 31), ("2r101", 5),
        ("017", 15), ("1.5M", 1.5), ("2.0", 2), ("1/3", "1/3"), ('"a\\n\\u00e9\\101"', "a\néA"),
        ("\\a", "a"), ("\\newline", "\n"), ("\\(", "("), (":kw", ":kw"), ("sym", "sym"),
        ("#{3 1 1}", [1, 3]), ("(1 [2 nil])", [1, [2, None]]),
        ('{:a 1 "b" [2]}', {":a": 1, "b": [2]}),
        ('#inst "2020-01-01"', "2020-01-01"), ("#a.b.C{:x 1}", {":x": 1}), ("[1 #_2 3]", [1, 3]),
    ],
)  # fmt: skip
def test_edn_values(edn: str, value: object) -> None:
    history = read("{:process 0 :type :invoke :f :write :value " + edn + "}", independent=False)
    assert args(history) == [value]


def test_edn_is_read_the_same_wherever_the_chunks_end() -> None:
    # A filler moves the events over the boundary of the first chunk (1 MiB).
    for shift in range(0, 120, 7):
        text = ";" + "x" * (2**20 - 100 + shift) + "\n" + MAPS * 3
        history = read(text, "edn")
        assert args(history) == [1, 1, 1], shift


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[{:process 0 :type :invoke :f :r}", 1, "ends inside"),
        ("[\n{:process 0 :type :invoke :f :r} 3]", 2, "expected an event"),
        ("{:process 0 :type :invoke :f :r\n :value [1 2)}", 2, "expected `]`"),
        ("{:process 0 :type :wat :f :r}", 1, "unknown type"),
        ("{:type :invoke :f :r}", 1, "without :process"),
        ("[{:process 0 :type :invoke :f :r}] {}", 1, "behind the end"),
        ("{:process 0 :type :invoke :f :r :value " + "[" * 1000, 1, "nested too deeply"),
        ("{:process 0 :type :invoke :f :r :x " + "#_" * 100_000, 1, "nested too deeply"),
        ("{:process 0 :type :invoke :f :r :x " + "^" * 100_000, 1, "nested too deeply"),
        ("{:process 0 :type :invoke :f :r :value 99999999999999999999}", 1, "64 bits"),
        ("{:process 0 :type :ok :f :r}", 1, "did not invoke"),
    ],
)
def test_edn_that_is_no_history(text: str, line: int, said: str) -> None:
    with pytest.raises(_core.FormatError) as caught:
        read(text, "edn")
    assert said in caught.value.args[0]
    assert caught.value.args[1] == line


def test_the_nemesis_and_timed_out_values() -> None:
    history = read(
        "{:process :nemesis :type :info :f :start :value nil}\n"
        "{:process 3 :type :invoke :f :write :value 1}\n"
        "{:process 3 :type :fail :f :write :value :timed-out}\n"
    )
    assert history.nemesis_events == 1
    assert history.operation(0)["type"] == "info"


INDEPENDENT = """\
{:process 0 :type :invoke :f :write :value [9 1]}
{:process 0 :type :ok :f :write :value [9 1]}
{:process 1 :type :invoke :f :cas :value [8 [1 2]]}
{:process 2 :type :invoke :f :read :value [8 nil]}
{:process 2 :type :ok :f :read :value [8 5]}
"""


def test_independent_keys_are_told_from_the_whole_history() -> None:
    history = read(INDEPENDENT)
    assert [history.operation(i)["key"] for i in range(3)] == [9, 8, 8]
    assert args(history) == [1, [1, 2], None]
    assert history.operation(2)["out"] == 5
    assert "independent keys" in history.notes[0]
    assert args(read(INDEPENDENT, independent=False))[0] == [9, 1]


@pytest.mark.parametrize(
    ("text", "keyed"),
    [
        # Plain compare-and-set looks like a tuple; only its `to` can tell.
        ("{:process 0 :type :invoke :f :cas :value [1 2]}", False),
        ("{:process 0 :type :invoke :f :cas :value [1 [2 3]]}", True),
        ("{:process 0 :type :invoke :f :cas :value [1 2]}"
         "{:process 1 :type :invoke :f :read :value nil}", False),
        ("{:process 0 :type :invoke :f :write :value [1 2]}"
         "{:process 0 :type :ok :f :write :value [3 2]}", False),
        ("{:process 0 :type :invoke :f :txn :value [[:r 1 nil] [:w 1 2]]}", False),
        ("{:process 0 :type :invoke :f :add :value [1 2]}", True),
    ],
)  # fmt: skip
def test_which_pairs_are_keys(text: str, keyed: bool) -> None:
    assert (read(text).operation(0)["key"] is not None) == keyed


def test_independent_by_force() -> None:
    cas = "{:process 0 :type :invoke :f :cas :value [1 2]}"
    assert read(cas, independent=True).operation(0)["key"] == 1
    with pytest.raises(_core.FormatError, match="no tuple"):
        read("{:process 0 :type :invoke :f :read :value nil}", independent=True)


def test_log_lines() -> None:
    history = read(
        "something else\n"
        "INFO  jepsen.util - 3\t:invoke\t:cas\t[3 0]\n"
        "2024-01-01 10:00:00,1{GMT} INFO [jepsen worker 4] jepsen.util: 4 :invoke :write 7\n"
        "INFO  jepsen.util - :nemesis\t:info\t:start\tnil\n"
        "INFO  jepsen.util - 3\t:info\t:cas\t:timed-out\n"
        "4\t:ok\t:write\t7\n"
    )
    assert history.format == "jepsen-log"
    assert args(history) == [[3, 0], 7]
    assert history.outcomes() == (1, 0, 1)
    assert history.nemesis_events == 1
    assert history.notes == ["1 lines that are no operations were skipped"]
    with pytest.raises(_core.FormatError, match="cut off"):
        read("3\t:invoke\t:write\t[3\n")


def test_kv_text() -> None:
    history = read('{:process 0, :type :invoke, :f :append, :key "0", :value "x 0 0 y"}\n')
    assert (history.format, history.operation(0)["key"]) == ("kv", "0")


def test_csv_of_events() -> None:
    history = read(
        "index,time_ns,process,type,f,key,value,error\n"
        '0,5,0,invoke,cas,k,"[1, ""a""]",\n'
        "1,6,1,invoke,read,k,,\n"
        "2,7,nemesis,info,kill,,,\n"
        '3,8,1,ok,read,k,hello,"x, y"\n'
    )
    assert (history.format, history.nemesis_events) == ("csv", 1)
    assert args(history) == [[1, "a"], None]
    assert history.operation(1)["out"] == "hello"
    assert history.operation(1)["error"] == ("x, y", "")


def test_csv_of_operations() -> None:
    history = read(
        "process;f;arg;out;start;end\n0;write;1;;10;20\n1;read;;1;15;30\n2;write;2;;40;\n"
    )
    assert history.format == "csv"
    assert history.outcomes() == (2, 0, 1)
    assert [history.operation(i)["invoked_ns"] for i in range(3)] == [10, 15, 40]
    with pytest.raises(_core.FormatError, match="before invoked_ns"):
        read("process,f,start,end\n0,write,10,5\n")
    with pytest.raises(_core.FormatError) as caught:
        read('process,f,start,end\n0,write,10,20\n0,"write,10,20\n')
    assert caught.value.args[1] == 3


def test_compressed() -> None:
    data = b"".join(b'{"process":%d,"type":"invoke","f":"r"}\n' % i for i in range(1000))
    packed = gzip.compress(data[:500]) + gzip.compress(data[500:])
    history = read(packed)
    assert (len(history), history.notes) == (1000, ["decompressed from gzip"])
    with pytest.raises(_core.FormatError, match="reading failed"):
        read(packed[:-300])


def test_zstd_of_several_frames() -> None:
    def frame(block: bytes) -> bytes:
        # Magic, single segment with a one-byte size, one last raw block.
        size = len(block)
        header = (size << 3 | 1).to_bytes(3, "little")
        return bytes.fromhex("28b52ffd20") + bytes([size]) + header + block

    one = b'{"process":1,"type":"invoke","f":"r"}\n'
    history = read(frame(one) + frame(one.replace(b"1", b"2")))
    assert len(history) == 2
    with pytest.raises(_core.FormatError):
        read(bytes.fromhex("28b52ffd") + b"\xff" * 40)


@pytest.mark.parametrize("text", ["hello\nworld\n", "%PDF-1.4\n", "a,b,c\n1,2,3\n", "<html>"])
def test_what_is_no_format(text: str) -> None:
    with pytest.raises(_core.FormatError, match="not a history in any known format"):
        read(text)


def test_an_empty_file_is_an_empty_history(tmp_path: Path) -> None:
    assert len(read(b"")) == 0
    (tmp_path / "h").write_bytes(b"")
    assert len(formats.read(tmp_path / "h")) == 0


def test_errors_of_files(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="No such file"):
        formats.read(tmp_path / "absent")
    (tmp_path / "h").write_text('{"process":1}\n')
    with pytest.raises(HistoryError, match="h, line 1: an event without `type`"):
        formats.read(tmp_path / "h")


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    formats.write(read(INDEPENDENT), tmp_path / "h.parquet")
    rows = parquet.read_table(io.BytesIO((tmp_path / "h.parquet").read_bytes())).to_pylist()
    assert [(r["key"], r["f"], r["type"], r["arg"], r["value"]) for r in rows] == [
        ("9", "write", "ok", "1", "1"),
        ("8", "cas", "info", "[1,2]", None),
        ("8", "read", "ok", None, "5"),
    ]
    assert rows[0]["invoked_ns"] is None


def test_an_ending_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.txt"):
        formats.write(read(MAPS), tmp_path / "h.txt")
    with pytest.raises(UsageError, match="cannot write"):
        formats.write(read(MAPS), tmp_path / "no" / "h.edn")


@pytest.mark.parametrize(
    ("model", "rows"),
    [
        ("register", [("write", 1, 1), ("read", None, 1)]),
        ("cas-register", [("write", 1, 1), ("cas", [1, 2], [1, 2])]),
        ("kv", [("put", "a", "a"), ("append", "b", "b"), ("get", None, "ab")]),
        ("append-list", [("append", 1, 1), ("read", None, [1])]),
        ("grow-set", [("add", 1, 1), ("read", None, [1])]),
        ("counter", [("add", 1, 1), ("read", None, 1)]),
        ("set", [("add", 1, 1), ("contains", 1, True)]),
        ("queue", [("enqueue", 1, 1), ("dequeue", None, 1)]),
        ("stack", [("push", 1, 1), ("pop", None, 1)]),
        ("priority-queue", [("insert", 1, 1), ("delete-min", None, 1)]),
        ("mutex", [("acquire", None, None), ("release", None, None)]),
        ("multi-register", [("write", {"x": 1}, {"x": 1}), ("read", None, {"x": 1})]),
    ],
)
def test_the_model_is_guessed(model: str, rows: list[tuple[str, object, object]]) -> None:
    history = _core.History.from_ops(
        [(0, f, None, a, o, "ok", 10 * i, 10 * i + 5) for i, (f, a, o) in enumerate(rows)]
    )
    assert guess.model(history) == model
    assert _core.check(history, model)["verdict"] == "valid"


def test_an_index_may_be_nil() -> None:
    event = "{:process 0, :type :invoke, :f :write, :index nil, :time nil, :value 1}"
    assert args(read(event)) == [1]


def test_a_tag_says_that_all_values_are_tuples() -> None:
    tuples = "{:process 0, :type :invoke, :f :read, :value #jepsen.independent.Tuple [0 nil]}\n"
    plain = "{:process 1, :type :invoke, :f :cas, :value [1 2]}\n"
    assert [read(tuples + plain).operation(n)["key"] for n in range(2)] == [0, 1]
    with pytest.raises(_core.FormatError, match="no tuple"):
        read(tuples + "{:process 1, :type :invoke, :f :write, :value 7}\n")


def test_a_key_of_a_value_is_no_key_of_the_event() -> None:
    history = read("{:process 0, :type :invoke, :f :write, :value {:key 1}}\n")
    assert history.format == "edn"


def test_a_json_array_is_told_from_edn() -> None:
    with pytest.raises(_core.FormatError, match="one JSON array"):
        read('[{"process": 0, "type": "invoke", "f": "read"}]')


def test_a_model_that_cannot_be_guessed() -> None:
    history = _core.History.from_ops([(0, "frobnicate", None, 1, 1, "ok", 0, 1)])
    with pytest.raises(HistoryError, match="cannot guess the model from the functions frobnicate"):
        guess.model(history)
