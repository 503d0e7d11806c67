"""docs/reference documents every field of results.json, history.jsonl and faults.jsonl."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from paxtest.nemesis.record import FaultEvent
from paxtest.operation import Op
from paxtest.store import Run
from paxtest.verdict import CheckResult, Counts, FaultCounts, Operation, Phase, RunResult

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize(
    ("page", "heading", "struct"),
    [
        ("results.md", "# results.json", RunResult),
        ("results.md", "## operations", Counts),
        ("results.md", "## faults", FaultCounts),
        ("results.md", "## checks[]\n", CheckResult),
        ("results.md", "## checks[].counterexample[]", Operation),
        ("results.md", "## phases[]", Phase),
        ("store.md", "## history.jsonl", Op),
        ("store.md", "## faults.jsonl", FaultEvent),
    ],
)
def test_every_field_has_a_row_and_every_row_a_field(
    page: str, heading: str, struct: type[msgspec.Struct]
) -> None:
    section = (REFERENCE / page).read_text().split(heading, 1)[1].split("\n## ", 1)[0]
    rows = {
        line.split("`")[1]
        for line in section.splitlines()
        if line.startswith("| `") and line.count("|") > 2
    }
    assert rows == set(struct.__struct_fields__)


def test_every_file_of_a_run_is_described() -> None:
    text = (REFERENCE / "store.md").read_text()
    run = Run(Path("run"))
    files = (run.plan, run.history, run.faults, run.results, run.report, run.log, run.cluster)
    for name in (*(f.name for f in files), "nodes/", "junit.xml", "summary.md"):
        assert f"| `{name}" in text, name
