"""From a seed to one schedule: which faults, when, for how long. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

from paxtest.errors import PlanError
from paxtest.nemesis import clock, kill, partition, pause
from paxtest.nemesis.fault import Mix, PlannedFault

DEFAULT_INTERVAL_S = 6.0
"""Mean time between the starts of two faults of one family."""

MIXES: dict[str, Mix] = {mix.kind: mix for mix in (partition.MIX, kill.MIX, pause.MIX, clock.MIX)}

_FIRST_S = (0.5, 1.5)  # when the first fault of all begins
_REST = 0.25  # of an interval: so long a family rests, at most three quarters it strikes
_SHORTEST_S = 0.2
_APART_S = 0.1  # least time between two faults of one family
_LATE_S = 0.5  # how much later a family may begin for the sake of an anchor


def default_quiet_tail_s(time_limit_s: float) -> float:
    """A fifth of the run, at most 5 s: long enough to see a cluster that never recovers."""
    return min(5.0, time_limit_s / 5)


def build_schedule(
    kinds: Sequence[str],
    *,
    seed: int,
    time_limit_s: float,
    nodes: int,
    interval_s: float = DEFAULT_INTERVAL_S,
    quiet_tail_s: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[PlannedFault]:
    """The faults of a run by start time; ids count from 1 in that order.

    Every family has its own timeline, so faults of different families overlap and those of one
    never do. All are over `quiet_tail_s` (None: a fifth of the run, at most 5 s) before
    `time_limit_s`. `weights`: of fault names, over the families' own (0 leaves one out).
    The same arguments give the same schedule.
    """
    if quiet_tail_s is None:
        quiet_tail_s = default_quiet_tail_s(time_limit_s)
    end_s = time_limit_s - quiet_tail_s
    _refuse_nonsense(kinds, time_limit_s, interval_s, end_s, weights or {})
    rng = Random(f"schedule {seed}")
    order = list(dict.fromkeys(kinds))
    rng.shuffle(order)
    first_s = min(rng.uniform(*_FIRST_S), end_s / 4)
    stagger_s = min(interval_s, end_s / 2) / max(1, len(order))
    planned: list[PlannedFault] = []
    # Clocks first: partitions are aimed at the moments when clocks go wrong.
    for kind in sorted(order, key=lambda kind: (kind != "clock", kind)):
        timeline = _Timeline(MIXES[kind], Random(f"{kind} {seed}"), nodes, weights or {})
        anchors = _anchors(planned, rng) if kind == "partition" else []
        begin_s = first_s + order.index(kind) * stagger_s
        planned += timeline.fill(begin_s, end_s, interval_s, anchors)
    planned.sort(key=lambda fault: (fault.start_s, fault.kind))
    return [
        PlannedFault(number, round(f.start_s, 3), round(f.duration_s, 3), f.kind, f.name, f.seed)
        for number, f in enumerate(planned, start=1)
    ]


def _anchors(planned: Sequence[PlannedFault], rng: Random) -> list[float]:
    """When to isolate the leader so that its clock goes wrong while it is cut off, or just was.

    A clock that jumps back must do so during the isolation (a lease renewed afterwards is
    right again); one that crawls or strobes is wrong all the time.
    """
    anchors = []
    for fault in planned:
        if fault.name == "jump-back":
            anchors.append(max(0.0, fault.start_s - rng.uniform(0.1, 0.5)))
        elif fault.name in clock.BACKWARD:
            anchors.append(fault.start_s + rng.uniform(0.3, 1.5))
    return sorted(anchors)


class _Timeline:
    """One family's faults, one after the other."""

    def __init__(self, mix: Mix, rng: Random, nodes: int, weights: Mapping[str, float]) -> None:
        self._mix = mix
        self._rng = rng
        usable = mix.names(nodes)
        self._weights = {name: weights.get(name, mix.weights[name]) for name in usable}
        if not any(self._weights.values()):  # all weighed away: the user's word for "none"
            self._weights = {}
        self._slots = [slot & self._weights.keys() for slot in mix.slots]
        rng.shuffle(self._slots)
        self._count = 0

    def fill(
        self, begin_s: float, end_s: float, interval_s: float, anchors: Sequence[float]
    ) -> list[PlannedFault]:
        """Faults from `begin_s` until `end_s`; near an anchor the leader is isolated, then."""
        pace_s = interval_s * self._mix.pace
        faults: list[PlannedFault] = []
        free_s, start_s = 0.0, begin_s
        waiting = list(anchors)
        while self._weights and start_s <= end_s - _SHORTEST_S:
            while waiting and waiting[0] < free_s:
                waiting.pop(0)
            # The first fault may come early for an anchor, but not late.
            reach_s = start_s + (pace_s if faults else _LATE_S)
            aimed = bool(waiting) and waiting[0] <= reach_s
            aimed = aimed and self._weights.get("isolate-leader", 0) > 0
            if aimed:
                start_s = waiting.pop(0)
                if start_s > end_s - _SHORTEST_S:
                    break
            name = "isolate-leader" if aimed else self._draw()
            low, high = self._mix.hold_s[name]
            longest_s = max(_SHORTEST_S, pace_s * (1 - _REST))
            hold_s = min(self._rng.uniform(low, high), longest_s, end_s - start_s)
            if waiting:  # be done when the next anchor comes
                hold_s = min(hold_s, max(_SHORTEST_S, waiting[0] - start_s - _APART_S))
            seed = self._rng.getrandbits(32)
            faults.append(PlannedFault(0, start_s, hold_s, self._mix.kind, name, seed))
            free_s = start_s + hold_s + _APART_S
            next_s = start_s + pace_s * self._rng.uniform(0.8, 1.2)
            start_s = max(next_s, start_s + hold_s + pace_s * _REST / 2)
        return faults

    def _draw(self) -> str:
        slot = self._slots[self._count % len(self._slots)]
        self._count += 1
        choice = {name: w for name, w in self._weights.items() if name in slot and w > 0}
        choice = choice or {name: w for name, w in self._weights.items() if w > 0}
        return self._rng.choices(list(choice), list(choice.values()))[0]


def _refuse_nonsense(
    kinds: Sequence[str],
    time_limit_s: float,
    interval_s: float,
    end_s: float,
    weights: Mapping[str, float],
) -> None:
    for kind in kinds:
        if kind not in MIXES:
            raise PlanError(f"no nemesis is named {kind!r}", f"known are {', '.join(MIXES)}")
    if not interval_s > 0:
        raise PlanError(
            f"the nemesis interval is {interval_s} s", "it must be more than 0, 6 is usual"
        )
    if kinds and not end_s > 0:
        raise PlanError(
            f"a run of {time_limit_s} s has no time for faults before its quiet tail",
            "give a longer --time-limit or a shorter quiet tail",
        )
    known = [name for mix in MIXES.values() for name in mix.weights]
    for name, weight in weights.items():
        if name not in known:
            raise PlanError(f"no fault is named {name!r}", f"known are {', '.join(known)}")
        if not 0 <= weight < float("inf"):
            raise PlanError(f"the weight of {name} is {weight}", "it must be 0 or more")
