"""paxtest check, as a person and as a program see it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from paxtest import _core

GOOD = (
    '{"process":0,"type":"invoke","f":"write","value":1}\n{"process":0,"type":"ok","f":"write"}\n'
)
BAD = (
    '{"process":0,"time_ns":1000000,"type":"invoke","f":"read"}\n'
    '{"process":0,"time_ns":2000000,"type":"ok","f":"read","value":7,"node":"n1"}\n'
)


def paxtest(*args: object, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from paxtest.cli import main; main()", "check", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    texts = {"good.jsonl": GOOD, "bad.jsonl": BAD, "none.jsonl": "hello\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name.split(".")[0]: tmp_path / name for name in texts}


def hard(path: Path) -> Path:
    """A history that no algorithm decides in a millisecond: five values, forty at once."""
    rng = random.Random(5)
    with path.open("w") as file:
        for _ in range(20):
            doing = [(rng.choice(["read", "write"]), rng.randrange(5)) for _ in range(40)]
            for type in ("invoke", "ok"):
                for process, (f, value) in enumerate(doing):
                    event = {"process": process, "type": type, "f": f, "value": value}
                    file.write(json.dumps(event) + "\n")
    return path


def test_valid(files: dict[str, Path]) -> None:
    done = paxtest(files["good"])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "verdict: VALID"
    assert lines[1].startswith("checked: register (guessed) by zones: 1 operations (1 ok, 0 fail,")
    assert "re-checked by the independent verifier" in lines[2]
    assert done.stderr == ""


def test_invalid_says_why_where_and_what_in_this_order(files: dict[str, Path]) -> None:
    done = paxtest(files["bad"])
    assert done.returncode == 1
    heads = [line.split(":")[0] for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert heads == ["verdict", "why", "look at", "checked"]
    assert "p0 (on n1) read 7 at 0.002 s" in done.stdout
    assert "became impossible at event 1 (0.002 s)" in done.stdout


def test_json(files: dict[str, Path]) -> None:
    done = paxtest("--json", files["good"], files["bad"], files["none"])
    assert done.returncode == 1
    good, bad, none = map(json.loads, done.stdout.splitlines())
    assert (good["schema"], good["verdict"], good["certified"]) == (1, "valid", True)
    assert good["model"] == {"name": "register", "from": "guess"}
    assert good["algorithm"] == {"zones": 1}
    assert set(good["seconds"]) == {"parse", "check", "certify"}
    assert (bad["verdict"], bad["minimal"], bad["reason"]) == ("invalid", True, "unwritten")
    assert bad["first_violation"] == {"index": 1, "time_ns": 2000000, "key": None}
    assert [op["value"] for op in bad["counterexample"]] == [7]
    assert "read 7" in bad["explanation"]
    assert none["verdict"] is None
    assert "not a history" in none["error"]["message"]


def test_the_schema_is_documented(files: dict[str, Path]) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "check-json.md"
    text = page.read_text("utf-8")
    done = paxtest("--json", files["good"], files["none"])
    for line in done.stdout.splitlines():
        for name in json.loads(line):
            assert f"`{name}`" in text, name


def test_many_files_make_a_table(files: dict[str, Path]) -> None:
    done = paxtest(files["good"], files["none"], files["bad"])
    assert done.returncode == 1  # the invalid one is not hidden by the unreadable one
    rows = done.stdout.splitlines()
    assert [row.split()[1] for row in rows[1:4]] == ["VALID", "ERROR", "INVALID"]
    assert rows[4] == "1 could not be checked, 1 invalid, 1 valid"
    assert "not a history" in done.stderr


def test_exit_codes(files: dict[str, Path], tmp_path: Path) -> None:
    assert paxtest(files["good"], files["none"]).returncode == 254
    assert paxtest(tmp_path / "absent").returncode == 254
    done = paxtest(files["none"])
    assert done.returncode == 254
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown(tmp_path: Path) -> None:
    done = paxtest(hard(tmp_path / "hard.jsonl"), "--time-budget", "0.001")
    assert done.returncode == 2, done.stdout
    assert "verdict: UNKNOWN" in done.stdout
    assert "budget ran out" in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ["--model", "nope"],
        ["--format", "nope"],
        ["--algorithm", "nope"],
        ["--initial", "nope"],
        ["--independent", "nope"],
        ["--model", "queue"],
        ["--time-budget", "0"],
        ["--convert", "x.unknown"],
    ],
)
def test_wrong_options_are_one_clear_message(files: dict[str, Path], args: list[str]) -> None:
    done = paxtest(files["good"], *args)
    assert done.returncode == 254, done.stdout
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_initial_of_every_kind(tmp_path: Path) -> None:
    queue = tmp_path / "queue.jsonl"
    queue.write_text(
        '{"process": 0, "type": "invoke", "f": "dequeue"}\n'
        '{"process": 0, "type": "ok", "f": "dequeue", "value": "a"}\n'
    )
    assert paxtest(queue).returncode == 1
    assert paxtest(queue, "--initial", "[]").returncode == 1
    assert paxtest(queue, "--initial", '["a", [1]]').returncode == 0
    late = paxtest(queue, "--initial", '["b", "a"]')
    assert late.returncode == 1
    assert "An element was lost: it was there from the start, before" in late.stdout
    wrong = paxtest(queue, "--initial", "7")
    assert wrong.returncode == 254
    assert "model queue takes a list of the elements" in wrong.stderr


def test_initial(files: dict[str, Path]) -> None:
    assert paxtest(files["bad"], "--initial", "7").returncode == 0
    assert paxtest(files["bad"], "--initial", "any").returncode == 0


def test_a_run_directory_is_checked_by_its_plan(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text(GOOD)
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({"workload": {"name": "register"}}))
    done = paxtest(tmp_path)
    assert done.returncode == 0
    assert "cas-register (from the plan)" in done.stdout
    assert paxtest(tmp_path / "history.jsonl", "--model", "register").returncode == 0


def test_witness(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "w.jsonl"
    assert paxtest(files["good"], "--witness", out).returncode == 0
    [operation] = map(json.loads, out.read_text().splitlines())
    assert (operation["f"], operation["value"]) == ("write", 1)


def test_no_witness_of_what_is_not_linearizable(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "w.jsonl"
    done = paxtest(files["bad"], "--witness", out)
    assert done.returncode == 1
    assert "was not written: no linearization was found" in done.stderr
    assert not out.exists()


def test_convert(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "h.edn"
    done = paxtest(files["bad"], "--convert", out)
    assert done.returncode == 0
    assert "1 operations" in done.stdout
    assert _core.History.read(out).operation(0)["out"] == 7
    assert paxtest(out).returncode == 1


def test_a_model_in_python(files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from paxtest.models import Inconsistent, Model\n"
        "class Mine(Model):\n"
        "    def step(self, state, op):\n"
        "        if op.f == 'write':\n"
        "            return op.value\n"
        "        return state if op.result == state or not op.known else Inconsistent\n"
        "class Broken(Model):\n"
        "    def step(self, state, op):\n"
        "        raise RuntimeError('oh')\n"
    )
    assert paxtest(files["good"], "--model", f"{tmp_path}/mine.py:Mine").returncode == 0
    assert paxtest(files["bad"], "--model", f"{tmp_path}/mine.py:Mine").returncode == 1
    done = paxtest(files["bad"], "--model", f"{tmp_path}/mine.py:Broken")
    assert done.returncode == 254
    assert "RuntimeError: oh" in done.stderr


def test_nothing_heavy_is_imported(files: dict[str, Path]) -> None:
    """A small file is checked at once: no Docker, no Bokeh, no SSH, no pydantic."""
    code = (
        "import sys\n"
        "from paxtest.checkers import file_check\n"
        "from pathlib import Path\n"
        f"file_check.check(Path({str(files['good'])!r}), file_check.Request())\n"
        "heavy = {'docker', 'bokeh', 'paramiko', 'pydantic', 'asyncio', 'pyarrow', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
