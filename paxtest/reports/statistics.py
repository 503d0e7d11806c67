"""Tables counted from the columns of a run: per function, per node, errors, availability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paxtest.reports.operations import Columns

WINDOW_S = 1.0
"""A window of this length in which operations ended but none as ok counts as unavailable."""
OUTAGES_MAX = 20
ERRORS_MAX = 30


@dataclass(frozen=True)
class Row:
    """Counts of one function or node, and latencies of what ended as ok, in seconds."""

    name: str
    total: int
    ok: int
    fail: int
    info: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None


@dataclass(frozen=True)
class ErrorRow:
    """How often one error class came up, with an example."""

    f: str
    outcome: str
    kind: str
    count: int
    example: str


@dataclass(frozen=True)
class Availability:
    """Share of the windows with at least one ok; the longest stretches without one."""

    windows: int
    available: int
    outages: list[tuple[float, float]]  # (begin_s, end_s), the longest first
    outages_total: int

    @property
    def percent(self) -> float:
        """0 to 100."""
        return 100.0 * self.available / self.windows if self.windows else 0.0


def per_function(columns: Columns) -> list[Row]:
    """A row for each function."""
    return [_row(f, columns, columns.f == code) for code, f in enumerate(columns.fs)]


def per_node(columns: Columns) -> list[Row]:
    """A row for each node that clients talked to."""
    rows = [_row(n or "–", columns, columns.node == code) for code, n in enumerate(columns.nodes)]
    return sorted(rows, key=lambda row: row.name)


def _row(name: str, columns: Columns, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Row:
    outcomes = np.bincount(columns.outcome[chosen], minlength=3)
    good = chosen & (columns.outcome == 0) & (columns.end_ns >= 0)
    latency = (columns.end_ns[good] - columns.begin_ns[good]) / 1e9
    p50, p95, p99, top = (
        (float(q) for q in np.quantile(latency, (0.5, 0.95, 0.99, 1.0)))
        if len(latency)
        else (None, None, None, None)
    )
    return Row(
        name, int(chosen.sum()), int(outcomes[0]), int(outcomes[1]), int(outcomes[2]),
        p50, p95, p99, top,
    )  # fmt: skip


def errors(columns: Columns) -> list[ErrorRow]:
    """The most frequent errors."""
    return [
        ErrorRow(f, outcome, kind, count, columns.error_texts[f, outcome, kind])
        for (f, outcome, kind), count in columns.errors.most_common(ERRORS_MAX)
    ]


def availability(columns: Columns) -> Availability:
    """Windows of a second from the first invocation to the last event.

    A window counts only while clients asked for something: one in which an operation was open.
    """
    if not len(columns):
        return Availability(0, 0, [], 0)
    begin = columns.begin_ns / 1e9
    end = np.where(columns.end_ns >= 0, columns.end_ns, columns.begin_ns) / 1e9
    count = int(max(end.max(), begin.max()) // WINDOW_S) + 1
    good = np.zeros(count, bool)
    good[(end[(columns.outcome == 0) & (columns.end_ns >= 0)] // WINDOW_S).astype(int)] = True
    # Open operations as a difference array: +1 where one begins, -1 after the window it ends in.
    steps = np.zeros(count + 1, np.int64)
    np.add.at(steps, (begin // WINDOW_S).astype(int), 1)
    np.add.at(steps, (end // WINDOW_S).astype(int) + 1, -1)
    asked = np.cumsum(steps)[:count] > 0
    down = asked & ~good
    edges = np.flatnonzero(np.diff(np.concatenate([[False], down, [False]]).astype(np.int8)))
    outages = [(float(a) * WINDOW_S, float(b) * WINDOW_S) for a, b in edges.reshape(-1, 2)]
    outages.sort(key=lambda o: o[0] - o[1])
    return Availability(
        int(asked.sum()), int((asked & good).sum()), outages[:OUTAGES_MAX], len(outages)
    )
