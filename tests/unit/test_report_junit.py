"""junit.xml and summary.md say the verdict to machines and in half a page."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from sample_runs import build

from paxtest.reports import junit, summary


def suite(directory: Path) -> ET.Element:
    return ET.parse(junit.write(directory)).getroot()


@pytest.mark.parametrize(
    ("kind", "failures", "errors"),
    [("valid", 0, 0), ("invalid", 1, 0), ("unknown", 0, 1), ("vacuous", 0, 1)],
)
def test_a_case_for_each_check_and_one_for_the_faults(
    tmp_path: Path, kind: str, failures: int, errors: int
) -> None:
    root = suite(build(tmp_path / "t" / "1", kind))
    names = [case.get("name") for case in root.findall("testcase")]
    assert names == ["linearizable", "stats", "log-pattern", junit.FAULTS_CASE]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == (
        "4", str(failures), str(errors),
    )  # fmt: skip
    assert len(root.findall(".//failure")) == failures
    assert len(root.findall(".//error")) == errors
    if kind == "vacuous":
        assert root.find(f"testcase[@name='{junit.FAULTS_CASE}']/error") is not None


def test_a_run_without_verdict_is_an_error(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1")
    (directory / "results.json").unlink()
    root = suite(directory)
    assert root.get("errors") == "1" and "results.json is missing" in (
        root.findtext("testcase/error") or ""
    )


def test_whatever_a_system_says_stays_xml(tmp_path: Path) -> None:
    hostile = ["]]></failure><x>", "\x00\x08\ufffe & <"]
    root = suite(build(tmp_path / "t" / "1", "invalid", values=hostile))
    assert root.find(".//x") is None and "]]></failure>" in (root.findtext(".//failure") or "")


@pytest.mark.parametrize("kind", ["valid", "invalid", "unknown", "vacuous"])
def test_the_summary_is_short_and_says_why(tmp_path: Path, kind: str) -> None:
    text = summary.write(build(tmp_path / "t" / "1", kind)).read_text()
    assert kind in text.splitlines()[0] and len(text.splitlines()) < 40
    for word in ("2,000", "effective faults", "| seed | 7 |", "    paxtest run --system paxos"):
        assert word in text
    assert ("Process 904 read 7001" in text) == (kind == "invalid")


def test_the_summary_lets_no_markup_in(tmp_path: Path) -> None:
    hostile = ["<img src=x>|`[a](http://b)`", "# @all **x**"]
    text = summary.write(build(tmp_path / "t" / "1", "invalid", values=hostile)).read_text()
    assert "<img" not in text and "[a](" not in text and "\\*\\*x" in text and "\\@all" in text
