"""The runs of a store, read just far enough to list them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from paxtest.reports.run import label, read_json, read_plan
from paxtest.verdict import Counts, Phase, Verdict

RUNS_MAX = 5_000
"""The newest this many are listed."""
PARTS = ("results.json", "history.jsonl", "plan.yaml")
"""A directory with any of these is a run."""


class Header(msgspec.Struct):
    """What the list needs of results.json; msgspec skips the rest without building it."""

    verdict: Verdict
    seed: int = 0
    operations: Counts = msgspec.field(default_factory=Counts)
    phases: list[Phase] = []


@dataclass(frozen=True)
class Listed:
    """A row of the list. `verdict` is "none" for a run that was not checked to its end."""

    path: str  # below the store, with /
    test: str
    time: str
    verdict: str
    system: str
    workload: str
    nemesis: str
    seed: str
    operations: int | None
    duration_s: float | None
    has_report: bool


class Runs:
    """The list, cached by the files' times: asking again costs a stat or two per run."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._known: dict[str, tuple[tuple[int, ...], Listed]] = {}

    def newest_first(self) -> list[Listed]:
        """All runs of the store, as far as RUNS_MAX."""
        found = sorted(directories(self._store), key=lambda d: d.name, reverse=True)[:RUNS_MAX]
        known = {}
        for directory in found:
            state = tuple(_modified_ns(directory / part) for part in (*PARTS, "report.html"))
            path = directory.relative_to(self._store).as_posix()
            before = self._known.get(path)
            fresh = before is not None and before[0] == state
            known[path] = before if before and fresh else (state, _read(self._store, directory))
        self._known = known
        return [listed for _, listed in known.values()]


def directories(store: Path) -> Iterator[Path]:
    """Run directories: store/<test>/<time>. Links (`latest`) are not followed."""
    for test in _folders(store):
        for directory in _folders(test):
            if any((directory / part).is_file() for part in PARTS):
                yield directory


def _folders(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return [Path(e.path) for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _modified_ns(path: Path) -> int:
    try:
        return path.lstat().st_mtime_ns
    except OSError:
        return 0


def _read(store: Path, directory: Path) -> Listed:
    # A part that is a link may lead anywhere: it is not read.
    plan: dict[str, Any] = {} if (directory / "plan.yaml").is_symlink() else read_plan(directory)[0]
    results = directory / "results.json"
    header = None if results.is_symlink() else read_json(results, Header)[0]
    return Listed(
        path=directory.relative_to(store).as_posix(),
        test=directory.parent.name,
        time=shown_time(directory.name),
        verdict=header.verdict.value if header else "none",
        system=label(plan.get("system")),
        workload=label(plan.get("workload")),
        nemesis=label(plan.get("nemesis")) or "none",
        seed=str(header.seed if header else plan.get("seed", "")),
        operations=header.operations.invoked if header else None,
        duration_s=sum(phase.seconds for phase in header.phases) if header else None,
        has_report=(directory / "report.html").is_file(),
    )


def shown_time(name: str) -> str:
    """The UTC time in a directory's name, written for people; other names as they are."""
    compact = "".join(c for c in name if c.isdigit())[:14]
    try:
        return datetime.strptime(compact, "%Y%m%d%H%M%S").replace(tzinfo=UTC).isoformat(" ")[:19]
    except ValueError:
        return name
