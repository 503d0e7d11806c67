"""report.html: everything about a run in one file that needs no network and no server."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
import yaml
from markupsafe import Markup

import paxtest
from paxtest.auditor.told import Told
from paxtest.reports import charts, operations, statistics, timeline, words
from paxtest.reports.run import Fault, Run, label, load
from paxtest.store import write_atomically
from paxtest.verdict import CheckResult, Operation, Verdict

COUNTEREXAMPLES_MAX = 5
COUNTEREXAMPLE_ROWS_MAX = 200
CONTEXT_CANDIDATES_MAX = 20_000
FAULT_ROWS_MAX = 300
PLAN_CHARACTERS_MAX = 100_000

HEADLINES = {
    Verdict.VALID: "Valid",
    Verdict.INVALID: "Invalid",
    Verdict.UNKNOWN: "Unknown",
    Verdict.VACUOUS: "Vacuous",
    None: "No verdict",
}


@dataclass(frozen=True)
class Story:
    """A counterexample as the page tells it."""

    check: CheckResult
    drawing: timeline.Timeline | None
    rows: list[Operation]
    hidden: int
    impossible: Operation | None
    context: int

    def is_impossible(self, operation: Operation) -> bool:
        """Whether this is the operation that cannot be."""
        return self.impossible is not None and timeline.same(operation, self.impossible)


def write(run_dir: Path) -> Path:
    """Make report.html of a run directory. Raises StoreError where there is none."""
    run = load(run_dir)
    target = run.path / "report.html"
    write_atomically(target, render(run))
    return target


def render(run: Run) -> str:
    """The page."""
    journal = run.path / "history.jsonl"
    columns = operations.scan(journal)
    if columns.damage.torn_tail:
        run.missing.append("history.jsonl ends in a torn line, as after a crash.")
    if columns.damage.lines:
        run.missing.append(
            f"history.jsonl: {words.count(columns.damage.lines, 'event')} could not be read."
        )
    wanted = set(columns.index[charts.thin(columns)].tolist())
    drawn = operations.select(journal, lambda o: o.index in wanted, charts.POINTS_MAX)
    plots = charts.draw(columns, drawn, run.faults)
    result = run.result
    verdict = result.verdict if result else None
    kinds = sorted({fault.kind for fault in run.faults})
    page = _environment().get_template("report.html.j2").render(
        run=run, plan=run.plan, result=result, verdict=verdict,
        headline=HEADLINES[verdict], meaning=sentences(run),
        version=paxtest.__version__, check=run.main_check, rests=rests_on(run, len(columns)),
        stories=_stories(run, journal), audit=audit(run),
        functions=statistics.per_function(columns), nodes=statistics.per_node(columns),
        errors=statistics.errors(columns),
        availability=statistics.availability(columns), columns=columns, plots=plots,
        kinds=kinds, colours={kind: charts.kind_colour(kind, kinds) for kind in kinds},
        during=lambda begin, end: _faults_during(run.faults, begin, end),
        fault_rows=run.faults[:FAULT_ROWS_MAX], plan_text=_plan_text(run.plan), label=label,
        phases_s=sum(phase.seconds for phase in result.phases) if result else 0.0,
        repeat=_command(run.plan.get("repeat")),
        data=_data(plots), policy=_policy(plots is not None), style=Markup(_asset("report.css")),
        script=Markup(_asset("report.js")), bokeh=Markup(charts.bokeh_js()) if plots else "",
    )  # fmt: skip
    return str(page)


def sentences(run: Run) -> str:
    """What the verdict means, and the reason where the counterexample below does not tell it."""
    result, check = run.result, run.main_check
    if result is None:
        return "This run was never checked to its end."
    meaning = {
        Verdict.VALID: "One order of the operations explains everything clients saw.",
        Verdict.INVALID: "No order of the operations explains what clients saw.",
        Verdict.UNKNOWN: "Neither an order nor a violation was found.",
        Verdict.VACUOUS: "Nothing was put to the test.",
    }[result.verdict]
    decided = {Verdict.INVALID: "failed", Verdict.UNKNOWN: "could not decide"}
    if check is not None and not check.algorithm and check.verdict in decided:
        meaning = f"The check {check.name} {decided[check.verdict]}."
        if any(c.algorithm and c.verdict is Verdict.VALID for c in result.checks):
            meaning += " The history itself is linearizable."
    told = check is not None and bool(check.counterexample) and result.reason == check.explanation
    # The reason of a valid run is whatever its checks had to remark: the table of checks has it.
    return meaning if told or result.verdict is Verdict.VALID else f"{meaning} {result.reason}"


def rests_on(run: Run, recorded: int) -> list[tuple[str, str, str]]:
    """The verdict's grounds: (name, figure, note)."""
    result, check = run.result, run.main_check
    if result is None:
        return [("operations", f"{recorded:,}", "recorded, not checked")]
    counts, faults = result.operations, result.faults
    tiles = [(
        "operations", f"{counts.invoked:,}",
        f"{counts.ok:,} ok, {counts.fail:,} fail, {counts.info:,} unknown",
    )]  # fmt: skip
    if check is not None:
        if check.keys:
            tiles.append(("keys", f"{check.keys:,}", "each checked on its own"))
        tiles.append((
            "decided by", words.plain(check.algorithm or check.name, 60),
            f"in {words.seconds(check.seconds, 2)}",
        ))  # fmt: skip
        if check.verdict in (Verdict.VALID, Verdict.INVALID):
            what = "witness" if check.verdict is Verdict.VALID else "counterexample"
            tiles.append(
                ("certified", "yes", f"{what} confirmed by the independent verifier")
                if check.certified
                else ("certified", "no", f"no {what} was confirmed independently")
            )
    tiles.append((
        "effective faults", f"{faults.effective:,} of {faults.injected:,}",
        words.kinds(faults.kinds) or "none was seen to take effect",
    ))  # fmt: skip
    told = audit(run)
    if told is not None:
        lemma = words.plain(told.lemma, 40)
        note = f"{told.events:,} events of the nodes held against the proof"
        tiles.append(("audit", f"{lemma} fails" if lemma else "no lemma fails", note))
    if result.first_violation_s is not None:
        at_s = result.first_violation_s
        during = _faults_during(run.faults, at_s, at_s)
        tiles.append(("first violation", words.seconds(at_s), f"after the run began; {during}"))
    return tiles


def audit(run: Run) -> Told | None:
    """What the auditor found; None where there was none, or it has no such shape."""
    checks = run.result.checks if run.result else []
    try:
        return next((msgspec.convert(c.details, Told) for c in checks if c.name == "audit"), None)
    except msgspec.ValidationError:
        return None  # of another version, or a check that crashed: the table of checks has it


def _stories(run: Run, journal: Path) -> list[Story]:
    checks = [c for c in (run.result.checks if run.result else []) if c.counterexample]
    found = []
    for check in checks[:COUNTEREXAMPLES_MAX]:
        keys = {words.value(o.key) for o in check.counterexample}
        begin = min(o.invoked_ns for o in check.counterexample)
        end = max(o.completed_ns or o.invoked_ns for o in check.counterexample)
        margin = (end - begin) // 2 + 100_000_000
        near = operations.select(
            journal,
            lambda o, keys=keys, first=begin - margin, last=end + margin: (  # type: ignore[misc]
                o.invoked_ns <= last
                and (o.completed_ns is None or o.completed_ns >= first)
                and words.value(o.key) in keys
            ),
            CONTEXT_CANDIDATES_MAX,
        )
        context = timeline.choose_context(check.counterexample, [o for o, _ in near])
        rows = sorted(check.counterexample, key=lambda o: o.invoked_ns)
        found.append(Story(
            check, timeline.draw(check, context), rows[:COUNTEREXAMPLE_ROWS_MAX],
            max(0, len(rows) - COUNTEREXAMPLE_ROWS_MAX), timeline.impossible(check), len(context),
        ))  # fmt: skip
    return found


def _faults_during(faults: list[Fault], begin_s: float, end_s: float) -> str:
    """Which faults held in a stretch of time, in words."""
    hit = [
        fault.name
        for fault in faults
        if fault.begin_ns / 1e9 <= end_s and (fault.end_ns is None or fault.end_ns / 1e9 >= begin_s)
    ]
    return words.plain(
        "during " + ", ".join(dict.fromkeys(hit)) if hit else "no fault at that time"
    )


def _plan_text(plan: dict[str, Any]) -> str:
    if not plan:
        return ""
    return words.prose(
        yaml.safe_dump(plan, sort_keys=False, allow_unicode=True), PLAN_CHARACTERS_MAX
    )


def _command(repeat: Any) -> str:
    if isinstance(repeat, list | tuple):
        return " ".join(map(str, repeat))
    return "" if repeat is None else str(repeat)


def _data(plots: charts.Charts | None) -> Markup:
    """The charts' JSON, safe inside a script element: it holds no `<` and no `&`."""
    if plots is None:
        return Markup("null")
    text = f'{{"docs": {plots.docs_json}, "items": {plots.render_items}}}'
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _policy(with_charts: bool) -> str:
    """Only the page's own two scripts may run, and nothing may be fetched or submitted."""
    scripts = [_asset("report.js"), *([charts.bokeh_js()] if with_charts else [])]
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _asset(name: str) -> str:
    """A script or style sheet, which must not be able to end the element it stands in."""
    text = (Path(__file__).parent / "templates" / name).read_text("utf-8")
    assert not re.search(r"</(script|style)|<!--|\r", text, re.IGNORECASE), name
    return text


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        plain=words.plain, prose=words.prose, json_value=words.value, duration=words.seconds,
        at=words.at, latency=words.latency, url=lambda path: quote(path, safe="/"),
    )  # fmt: skip
    environment.globals.update(words=words, details=timeline.details)
    return environment
