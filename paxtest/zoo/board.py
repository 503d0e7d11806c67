"""Board: the rows of a scoreboard, kept in a file from which it can be resumed, and counted."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable
from pathlib import Path

import msgspec

from paxtest.cluster.paxos_server.bugs import BUGS
from paxtest.errors import StoreError
from paxtest.reports import words
from paxtest.zoo.row import CONTROL, Mode, Row

SCHEMA = 1
HARMLESS = frozenset(name for name, bug in BUGS.items() if bug.anomalies == ("liveness",))
"""Bugs that cost only time: a tester that reports one of them cries wolf."""


class Score(msgspec.Struct, frozen=True):
    """All runs of one bug in one mode under one set of fault families.

    `found` of `runs` (runs without a verdict do not count, they are `failed`). `first_seed`: the
    smallest that found it. Medians are over the runs that found it; None when none did.
    """

    mode: Mode
    nemeses: str
    bug: str
    runs: int
    found: int
    failed: int
    first_seed: int | None
    median_operations: float | None
    median_seconds: float | None
    median_size: float | None
    by: dict[str, int]
    lemmas: dict[str, int]

    @property
    def percent(self) -> float:
        return 100 * self.found / self.runs if self.runs else 0.0

    @property
    def harmful(self) -> bool:
        return self.bug != CONTROL and self.bug not in HARMLESS


class Board:
    """Rows in `folder`/rows.jsonl, one JSON object a line, appended run by run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "rows.jsonl"
        self.rows: dict[tuple[Mode, str, str, int], Row] = {}
        self._read()

    def _read(self) -> None:
        if not self.path.exists():
            return
        lines = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            try:
                row = msgspec.json.decode(line, type=Row)
            except msgspec.DecodeError as error:
                if number == len(lines):  # no newline after it: the writer died within the line
                    self._cut(len(line))
                    continue
                raise StoreError(
                    f"{self.path}, line {number}, is not a row of a scoreboard: {error}",
                    "move the file away to begin anew",
                ) from None
            self.rows[row.identity] = row

    def _cut(self, length: int) -> None:
        with self.path.open("r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - length)

    def add(self, rows: Iterable[Row]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            for row in rows:
                file.write(msgspec.json.encode(row) + b"\n")
                self.rows[row.identity] = row

    def has(self, mode: Mode, nemeses: str, bug: str, seed: int) -> bool:
        """Whether this run is there, with a verdict."""
        row = self.rows.get((mode, nemeses, bug, seed))
        return row is not None and not row.error

    def scores(self) -> list[Score]:
        """In the order of the zoo, the correct server first."""
        groups: dict[tuple[Mode, str, str], list[Row]] = {}
        for row in self.rows.values():
            groups.setdefault((row.mode, row.nemeses, row.bug), []).append(row)
        order = [CONTROL, *sorted(BUGS, key=lambda name: BUGS[name].number)]
        keys = sorted(groups, key=lambda key: (key[0], key[1], order.index(key[2])))
        return [score(groups[key]) for key in keys]


def score(rows: list[Row]) -> Score:
    """Count the runs of one bug."""
    first = rows[0]
    judged = [row for row in rows if not row.error]
    found = [row for row in judged if row.found]
    by: dict[str, int] = {}
    lemmas: dict[str, int] = {}
    for row in found:
        for name in row.by:
            by[name] = by.get(name, 0) + 1
        if row.lemma:
            lemmas[row.lemma] = lemmas.get(row.lemma, 0) + 1
    sizes = [row.counterexample for row in found if row.counterexample]
    return Score(
        mode=first.mode,
        nemeses=first.nemeses,
        bug=first.bug,
        runs=len(judged),
        found=len(found),
        failed=len(rows) - len(judged),
        first_seed=min((row.seed for row in found), default=None),
        median_operations=statistics.median(r.operations for r in found) if found else None,
        median_seconds=statistics.median(r.seconds for r in found) if found else None,
        median_size=statistics.median(sizes) if sizes else None,
        by=dict(sorted(by.items())),
        lemmas=dict(sorted(lemmas.items())),
    )


def to_json(scores: list[Score]) -> bytes:
    """zoo.json: schema 1, the scores."""
    return msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, "scores": scores}), indent=1)


def summary(scores: list[Score], mode: Mode, nemeses: str) -> list[str]:
    """What a person wants to know first, one sentence a line."""
    mine = [s for s in scores if s.mode is mode and s.nemeses == nemeses and s.runs]
    harmful = [s for s in mine if s.harmful]
    clean = [s for s in mine if not s.harmful]
    told = [
        f"{sum(s.found > 0 for s in harmful)} of {len(harmful)} harmful bugs found at least once"
    ]
    if mode is Mode.SIMULATE:
        early = sum(s.first_seed is not None and s.first_seed < 100 for s in harmful)
        told[0] += f", {early} of them within the first 100 seeds"
    else:
        told[0] += f", {sum(4 * s.found >= 3 * s.runs for s in harmful)} in at least 3 of 4 runs"
    missed = [s.bug for s in harmful if not s.found]
    if missed:
        told.append(f"never found: {', '.join(missed)}")
    sizes = [s.median_size for s in harmful if s.median_size is not None]
    if sizes:
        told.append(f"median counterexample: {statistics.median(sizes):g} operations")
    false_alarms = sum(s.found for s in clean)
    runs = sum(s.runs for s in clean)
    if clean:
        alarms = words.count(false_alarms, "false alarm")
        told.append(f"{alarms} in {words.count(runs, 'run')} without a harmful bug")
    return told
