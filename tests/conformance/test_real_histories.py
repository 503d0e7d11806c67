"""Verdicts on histories that other projects recorded from real systems.

They are no part of this project; where they are absent the tests skip and say so.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from paxtest import _core
from paxtest.checkers import verify

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "histories"

pytestmark = pytest.mark.skipif(not ROOT.is_dir(), reason=f"the shared histories are not at {ROOT}")


def judge(path: Path, model: str, initial: object = None) -> str:
    history = _core.History.read(str(path))
    report = _core.check(history, model, initial=initial)
    given = verify.UNSET if initial is None else initial
    verify.certify(history, report, initial=given)  # raises where the two disagree
    again = _core.check(history, model, initial=initial, algorithm="search", minimise=False)
    assert again["verdict"] == report["verdict"], path.name
    return report["verdict"]


def test_etcd() -> None:
    expected = json.loads((ROOT / "etcd-jepsen" / "verdicts.json").read_text())
    found = {
        path.stem: judge(path, "cas-register")
        for path in sorted((ROOT / "etcd-jepsen").glob("*.log"))
    }
    assert len(found) >= 51
    assert found == {name: expected[name] for name in found}


def test_knossos() -> None:
    files = sorted((ROOT / "knossos").glob("*.edn"))
    assert len(files) >= 40
    for path in files:
        expected = "valid" if path.name.startswith("good") else "invalid"
        assert judge(path, "cas-register", initial=0) == expected, path.name


def test_kv() -> None:
    files = sorted((ROOT / "kv").glob("*.txt"))
    assert len(files) >= 4
    for path in files:
        expected = "valid" if path.stem.endswith("ok") else "invalid"
        assert judge(path, "kv") == expected, path.name
