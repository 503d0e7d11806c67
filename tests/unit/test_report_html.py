"""report.html: whole, self-contained, honest about what is missing, proof against its data."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sample_runs import build

from paxtest.reports import html, write_all

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    "\"'><svg onload=alert(3)>",
    "]]><!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil\x00\x1b[31m\u2028",
    "@{x}{safe}<b>bold</b>",
]


class Page(HTMLParser):
    """Elements, texts of scripts, and visible text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.visible = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = attrs, text + data
        elif self._inside != "style":
            self.visible += data


def report(directory: Path) -> Page:
    return Page(html.write(directory).read_text("utf-8"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("valid", ["Valid", "witness confirmed", "8 of 8", "register, near-linear"]),
        ("invalid", ["Invalid", "here it became impossible", "Process 904 read 7001", "28.2900 s"]),
        ("unknown", ["Unknown", "did not end within", "17 of 20 keys", "Limits that bit"]),
        ("vacuous", ["Vacuous", "none of them was seen to take effect", "0 of 2"]),
    ],
)
def test_says_the_verdict_and_what_it_rests_on(tmp_path: Path, kind: str, words: list[str]) -> None:
    page = report(build(tmp_path / "paxos-register" / "1", kind))
    for word in [*words, "2,000", "--seed 7", "paxtest run --system paxos", "pid 402 on n3"][
        : None if kind != "vacuous" else -1
    ]:
        assert word in page.visible, word


def test_asks_for_nothing_from_anywhere(tmp_path: Path) -> None:
    page = report(build(tmp_path / "t" / "1", "invalid"))
    for tag, attributes in page.elements:
        assert tag not in ("iframe", "object", "embed", "img", "base", "form")
        for name in ("src", "href", "action", "data"):
            reference = attributes.get(name) or ""
            assert not re.match(r"[a-z]+:|//|/", reference) or reference == "data:,", reference


def test_only_its_own_scripts_may_run(tmp_path: Path) -> None:
    page = report(build(tmp_path / "t" / "1", "invalid", values=HOSTILE))
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv")) or ""
    code = [text for attributes, text in page.scripts if "type" not in attributes]
    assert len(code) == 2
    for text in code:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    script_source = policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe" not in script_source and "default-src 'none'" in policy


def test_nothing_a_system_said_becomes_markup_or_script(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1", "invalid", values=HOSTILE, name=HOSTILE[0])
    (directory / "nodes" / "n1" / "<img src=x onerror=alert(4)>.log").write_text("")
    text = html.write(directory).read_text("utf-8")
    page = Page(text)
    assert len(page.scripts) == 3, "chart data, Bokeh, our own"
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    assert not [t for t, _ in page.elements if t in ("img", "b")]
    for character in ("\x00", "\x1b", "\u202e", "\u2028"):
        assert character not in text
    data = next(text for attributes, text in page.scripts if attributes.get("id") == "chart-data")
    assert not set("<>&") & set(data)
    assert "</script>" in json.dumps(json.loads(data)), "hostile values must be in the hover data"
    assert HOSTILE[0] in page.visible and "49" not in HOSTILE[4]


def test_is_the_same_when_written_twice_but_for_ids(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1", "invalid")

    def shown() -> str:
        return re.sub(r"\s+", " ", report(directory).visible)

    assert shown() == shown()


def test_fifty_thousand_operations_are_thinned_and_it_says_so(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1", "invalid", operations=50_000)
    path = html.write(directory)
    assert path.stat().st_size < 6_000_000
    assert re.search(r"scatter shows 8,000 of [\d,]+ completed", Page(path.read_text()).visible)


def test_a_crashed_run_shows_what_there_is(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1")
    for part in ("results.json", "plan.yaml"):
        (directory / part).unlink()
    journal = directory / "history.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    page = report(directory)
    for word in ("No verdict", "results.json is missing", "torn line", "paxtest check", "cas"):
        assert word in page.visible, word


def test_an_empty_directory_gets_reports_too(tmp_path: Path) -> None:
    path = write_all(tmp_path)
    page = Page(path.read_text())
    assert "No verdict" in page.visible and "No operation was recorded" in page.visible
    assert (tmp_path / "junit.xml").is_file() and (tmp_path / "summary.md").is_file()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["junit.xml", "report.html", "summary.md"]


def test_a_failed_check_that_is_not_about_order_is_not_told_as_one(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1")
    results = json.loads((directory / "results.json").read_text())
    results["verdict"], results["reason"] = "invalid", "n2 logged a panic"
    results["checks"][2] |= {"verdict": "invalid", "explanation": "n2 logged a panic"}
    (directory / "results.json").write_text(json.dumps(results))
    shown = report(directory).visible
    assert "The check log-pattern failed. The history itself is linearizable." in shown
    assert "No order of the operations" not in shown and "n2 logged a panic" in shown


def test_the_reason_is_not_told_twice(tmp_path: Path) -> None:
    directory = build(tmp_path / "t" / "1", "invalid")
    results = json.loads((directory / "results.json").read_text())
    results["reason"] = results["checks"][0]["explanation"]
    (directory / "results.json").write_text(json.dumps(results))
    shown = report(directory).visible
    assert shown.count("Process 904 read 7001 from n1") == 2, "the story, and the table of checks"
