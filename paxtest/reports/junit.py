"""junit.xml: a run as a test suite, for CI systems that show such files.

invalid is a failure, unknown and vacuous are errors (nothing was proven), a run without a
verdict is an error.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from paxtest.reports import words
from paxtest.reports.run import Run, load
from paxtest.store import write_atomically
from paxtest.verdict import CheckResult, RunResult, Verdict

FAULTS_CASE = "faults took effect"


def write(run_dir: Path) -> Path:
    """Make junit.xml of a run directory. Raises StoreError where there is none."""
    run = load(run_dir)
    target = run.path / "junit.xml"
    write_atomically(target, render(run))
    return target


def render(run: Run) -> str:
    """The document."""
    suite = ET.Element("testsuite", name=f"paxtest.{words.plain(run.name)}")
    if run.result is None:
        case = _case(suite, run, "verdict", 0.0)
        problem = " ".join(run.missing) or "results.json is missing."
        _problem(case, "error", "no verdict", words.prose(problem))
    else:
        for check in run.result.checks:
            _check(suite, run, check)
        _faults(suite, run, run.result)
        named = {check.verdict for check in run.result.checks}
        if run.result.verdict not in (*named, Verdict.VALID, Verdict.VACUOUS):
            case = _case(suite, run, "verdict", 0.0)
            _problem(case, _tag(run.result.verdict), run.result.verdict, run.result.reason)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(c.find("failure") is not None for c in cases)))
    suite.set("errors", str(sum(c.find("error") is not None for c in cases)))
    suite.set("skipped", str(sum(c.find("skipped") is not None for c in cases)))
    suite.set("time", f"{sum(p.seconds for p in run.result.phases) if run.result else 0:.3f}")
    properties = ET.Element("properties")
    for name in ("seed", "repeat"):
        value = getattr(run.result, name, None) or run.plan.get(name)
        if value is not None:
            ET.SubElement(properties, "property", name=name, value=words.plain(value, 4_000))
    suite.insert(0, properties)
    ET.indent(suite)
    return ET.tostring(suite, "unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, run: Run, name: str, seconds: float) -> ET.Element:
    return ET.SubElement(
        suite, "testcase", classname=words.plain(run.name), name=words.plain(name),
        time=f"{seconds:.3f}",
    )  # fmt: skip


def _tag(verdict: Verdict) -> str:
    return "failure" if verdict is Verdict.INVALID else "error"


def _problem(case: ET.Element, tag: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, message=words.plain(message), type=tag).text = words.prose(text)


def _check(suite: ET.Element, run: Run, check: CheckResult) -> None:
    case = _case(suite, run, check.name, check.seconds)
    if check.verdict is not Verdict.VALID:
        text = check.explanation or f"The verdict is {check.verdict}."
        _problem(case, _tag(check.verdict), check.verdict, text)


def _faults(suite: ET.Element, run: Run, result: RunResult) -> None:
    case = _case(suite, run, FAULTS_CASE, 0.0)
    if result.verdict is Verdict.VACUOUS:
        text = result.reason or "No fault took effect while operations were in flight."
        _problem(case, "error", "vacuous", text)
    elif result.faults.effective:
        ET.SubElement(case, "system-out").text = (
            f"{result.faults.effective} of {result.faults.injected} took effect: "
            f"{words.kinds(result.faults.kinds)}"
        )
    elif result.faults.injected:
        _problem(case, "error", "no fault took effect", f"{result.faults.injected} were injected.")
    else:
        ET.SubElement(case, "skipped", message="no fault was asked for")
