"""summary.md: a run on half a page of Markdown, for job pages and chats."""

from __future__ import annotations

import re
from pathlib import Path

from paxtest.reports import words
from paxtest.reports.run import Run, label, load
from paxtest.store import write_atomically
from paxtest.verdict import Verdict

SIGNS = {
    Verdict.VALID: "✅ valid",
    Verdict.INVALID: "❌ invalid",
    Verdict.UNKNOWN: "❔ unknown",
    Verdict.VACUOUS: "⚠️ vacuous",
    None: "❔ no verdict",
}
EXPLANATION_MAX = 2_000


def write(run_dir: Path) -> Path:
    """Make summary.md of a run directory. Raises StoreError where there is none."""
    run = load(run_dir)
    target = run.path / "summary.md"
    write_atomically(target, render(run))
    return target


def render(run: Run) -> str:
    """The document. Nothing that a system under test said can turn into markup."""
    result, check = run.result, run.main_check
    lines = [f"## {SIGNS[result.verdict if result else None]}: {escape(run.name)}", ""]
    told = check.explanation if check is not None else ""
    if result is not None and result.reason and result.reason != told:
        lines += [escape(result.reason), ""]
    if told:
        told_lines = words.prose(told, EXPLANATION_MAX).splitlines()
        lines += [*(f"> {escape(line)}  " for line in told_lines), ""]
    lines += [f"- {escape(sentence)}" for sentence in run.missing]
    if run.missing:
        lines.append("")
    lines += ["| | |", "|---|---|"]
    for name in ("system", "workload", "nemesis", "cluster"):
        lines.append(f"| {name} | {escape(label(run.plan.get(name)) or '–')} |")
    if result is not None:
        counts, faults = result.operations, result.faults
        lines.append(
            f"| operations | {counts.invoked:,}: {counts.ok:,} ok, {counts.fail:,} fail, "
            f"{counts.info:,} unknown |"
        )
        found = words.kinds(faults.kinds)
        lines.append(
            f"| effective faults | {faults.effective:,} of {faults.injected:,}"
            f"{': ' + escape(found) if found else ''} |"
        )
        for c in result.checks:
            how = f", {escape(c.algorithm)}" if c.algorithm else ""
            how += f", {c.keys:,} keys" if c.keys else ""
            how += ", certified" if c.certified else ""
            lines.append(f"| {escape(c.name)} | {c.verdict}{how} |")
        if result.first_violation_s is not None:
            lines.append(f"| first violation | {result.first_violation_s:.3f} s |")
        lines.append(f"| seed | {result.seed} |")
        lines += [f"| limit | {escape(limit)} |" for limit in result.limits]
    repeat = run.plan.get("repeat")
    if repeat:
        command = " ".join(map(str, repeat)) if isinstance(repeat, list) else str(repeat)
        # Four spaces make a code block that no backtick in the command can end.
        lines += ["", "Repeat:", "", f"    {words.plain(command, 4_000)}"]
    return "\n".join(lines) + "\n"


def escape(text: object) -> str:
    """Plain text in Markdown, inside and outside of tables."""
    shown = words.plain(text, EXPLANATION_MAX)
    shown = shown.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#~!@])", r"\\\1", shown)
