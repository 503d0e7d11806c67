"""A drawing of the counterexample: one lane a process, a bar an operation, in real-time order.

The time axis keeps the order of all begins and ends, and lets short distances be wide and long
ones narrow: milliseconds and the minute between them would not fit otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from paxtest.reports import words
from paxtest.verdict import CheckResult, Operation

CONTEXT_MAX = 12
"""Operations drawn beside those of the counterexample."""
COUNTEREXAMPLE_MAX = 60

LANE, BAR, TOP, LEFT, RIGHT = 38, 24, 44, 132, 46
CHARACTER = 7.3  # width of a monospaced character at 12 px
GAP_MIN, GAP_MAX = 9.0, 70.0


@dataclass(frozen=True)
class Bar:
    """An operation as drawn; lengths in SVG user units."""

    x: float
    y: float
    width: float
    outcome: str
    role: str  # impossible, counterexample or context
    label: str
    details: tuple[tuple[str, str], ...]
    open: bool

    @property
    def title(self) -> str:
        """All details in one line."""
        return "; ".join(f"{name} {text}" for name, text in self.details)


@dataclass(frozen=True)
class Lane:
    """A process."""

    y: float
    process: str
    nodes: str
    told: bool  # it has a part in the counterexample


@dataclass(frozen=True)
class Timeline:
    """All that the template draws."""

    width: float
    height: float
    lanes: list[Lane]
    bars: list[Bar]
    ticks: list[tuple[float, str]]
    impossible_x: float | None  # where the impossible operation began
    left: float = LEFT
    bar_height: float = BAR


def impossible(check: CheckResult) -> Operation | None:
    """The operation at which the history became impossible.

    That is the one which completed at `first_violation_ns`; where the checker does not say, the
    one which completed last: before that, a minimal counterexample lacked it, and had an order.
    """
    known = [o for o in check.counterexample if o.completed_ns is not None]
    at = [o for o in known if o.completed_ns == check.first_violation_ns]
    return (at or [max(known, key=lambda o: o.completed_ns or 0)])[0] if known else None


def same(a: Operation, b: Operation) -> bool:
    """Whether both are one operation (indices differ where a checker numbers anew)."""
    return _identity(a) == _identity(b)


def _identity(o: Operation) -> tuple[int | str, int, str]:
    return o.process, o.invoked_ns, o.f


def choose_context(
    counterexample: Sequence[Operation], candidates: Sequence[Operation], limit: int = CONTEXT_MAX
) -> list[Operation]:
    """Of the other operations on the same keys, those nearest to the counterexample's in time."""
    known = {_identity(o) for o in counterexample}
    others = [c for c in candidates if _identity(c) not in known]
    # Each operation of the counterexample gets its share, the last, which is mostly the
    # impossible one, before the others: all of them together would go to where the load is.
    told = sorted(counterexample, key=lambda o: o.invoked_ns, reverse=True)[:limit]
    nearest = [sorted(others, key=lambda c: _distance_ns(c, o)) for o in told]
    turns = (candidate for turn in zip(*nearest, strict=True) for candidate in turn)
    chosen: dict[tuple[int | str, int], Operation] = {}
    for candidate in turns:
        if len(chosen) >= limit:
            break
        chosen.setdefault((candidate.process, candidate.invoked_ns), candidate)
    return list(chosen.values())


def _distance_ns(a: Operation, b: Operation) -> int:
    """How long the one had ended when the other began; for two that overlap, less than 0."""
    end_a = a.invoked_ns if a.completed_ns is None else a.completed_ns
    end_b = b.invoked_ns if b.completed_ns is None else b.completed_ns
    return max(a.invoked_ns, b.invoked_ns) - min(end_a, end_b)


def draw(check: CheckResult, context: Sequence[Operation]) -> Timeline | None:
    """The drawing, or None where there is no counterexample."""
    # A long one is cut at its beginning: the impossible operation stands at its end.
    told = sorted(check.counterexample, key=lambda o: o.invoked_ns)[-COUNTEREXAMPLE_MAX:]
    if not told:
        return None
    worst = impossible(check)
    all_ = sorted([*told, *context], key=lambda o: (o.invoked_ns, o.index))
    labels = [words.call(o.f, o.type, o.value) for o in all_]
    places = _places(all_, labels)
    edge = max(places.values()) + RIGHT
    # The counterexample's lanes come first, so that it can be read without the others.
    actors = list(dict.fromkeys(o.process for o in told))
    processes = list(dict.fromkeys([*actors, *(o.process for o in all_)]))
    lane_of = {process: TOP + LANE * i for i, process in enumerate(processes)}
    bars = []
    for operation, text in zip(all_, labels, strict=True):
        x = places[operation.invoked_ns]
        end = operation.completed_ns
        if worst is not None and same(operation, worst):
            role = "impossible"
        else:
            role = "counterexample" if any(same(operation, o) for o in told) else "context"
        bars.append(Bar(
            x, lane_of[operation.process] + (LANE - BAR) / 2,
            (places[end] if end is not None else edge - 8) - x,
            operation.type, role, text, details(operation), end is None,
        ))  # fmt: skip
    bars.sort(key=lambda bar: ("context", "counterexample", "impossible").index(bar.role))
    lanes = [
        Lane(y, words.plain(process, 12), _nodes(all_, process), process in actors)
        for process, y in lane_of.items()
    ]
    return Timeline(
        width=edge + 4, height=TOP + LANE * len(lanes) + 12, lanes=lanes, bars=bars,
        ticks=_ticks(places),
        impossible_x=None if worst is None else places.get(worst.invoked_ns),
    )  # fmt: skip


def details(operation: Operation) -> tuple[tuple[str, str], ...]:
    """What hovering shows."""
    end = operation.completed_ns
    rows = [
        ("operation", words.call(operation.f, operation.type, operation.value, 200)),
        ("key", words.value(operation.key)),
        ("outcome", operation.type),
        ("process", words.plain(operation.process)),
        ("node", words.plain(operation.node or "–")),
        ("from", words.at(operation.invoked_ns) + " s"),
        ("to", words.at(end) + " s" if end is not None else "unknown"),
    ]
    if end is not None:
        rows.append(("took", words.latency((end - operation.invoked_ns) / 1e9)))
    if operation.error:
        rows.append(("error", words.plain(": ".join(operation.error))))
    return tuple(rows)


def _nodes(operations: Sequence[Operation], process: int | str) -> str:
    nodes = {o.node for o in operations if o.process == process and o.node}
    return words.plain(", ".join(sorted(nodes)), 14)


def _places(operations: Sequence[Operation], labels: Sequence[str]) -> dict[int, float]:
    """An x for each moment: order kept, distances on a log scale, room for each bar's label."""
    moments = sorted({
        t for o in operations for t in (o.invoked_ns, o.completed_ns) if t is not None
    })  # fmt: skip
    gaps = [b - a for a, b in pairwise(moments)]
    widest = math.log1p(max(gaps, default=1) / max(min(gaps, default=1), 1)) or 1.0
    least = max(min(gaps, default=1), 1)
    room: dict[int, list[tuple[int, float]]] = {}
    for operation, text in zip(operations, labels, strict=True):
        if operation.completed_ns is not None:
            needed = len(text) * CHARACTER + 14
            room.setdefault(operation.completed_ns, []).append((operation.invoked_ns, needed))
    places: dict[int, float] = {}
    x = LEFT + 14.0
    for i, moment in enumerate(moments):
        if i:
            share = math.log1p(gaps[i - 1] / least) / widest
            x += GAP_MIN + (GAP_MAX - GAP_MIN) * share
        for begin, needed in room.get(moment, ()):
            if begin in places:
                x = max(x, places[begin] + needed)
        places[moment] = x
    # An open-ended bar that begins last needs room to the right of every moment for its label.
    for operation, text in zip(operations, labels, strict=True):
        if operation.completed_ns is None:
            x = max(x, places[operation.invoked_ns] + len(text) * CHARACTER)
    places[-1] = x
    return places


def _ticks(places: dict[int, float]) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    for moment, x in sorted(places.items()):
        if moment >= 0 and (not found or x - found[-1][0] >= 92):
            found.append((x, words.at(moment)))
    return found
