"""From a seed to one schedule: which faults, when, for how long. Pure and deterministic."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, groupby
from random import Random

import msgspec

from paxtest.errors import PlanError, did_you_mean
from paxtest.nemesis import clock, delay, disk, kill, member, partition, pause, quorum
from paxtest.nemesis.fault import Mix, PlannedFault

DEFAULT_INTERVAL_S = 4.5
"""Mean time between the starts of two faults of one family."""

MIXES: dict[str, Mix] = {
    module.MIX.kind: module.MIX
    for module in (partition, kill, pause, clock, delay, disk, quorum, member)
}

_FIRST_S = (0.5, 1.5)  # when the first fault of all begins
_REST = 0.25  # of an interval: so long a family rests, at most three quarters it strikes
_SHORTEST_S = 0.2
_URGENT = 2.5  # intervals in which an urgent fault has to come
_CALM_S = 1.2  # without a partition before the leader is isolated at an anchor
_APART_S = 0.1  # least time between two faults of one family
_LAG_S = (0.3, 0.7)  # from cutting the leader off to its clock's jump
# A leader that is killed or paused has no lease to overstay: so long before and after the moment
# at which it is cut off with a wrong clock, the other families wait.
_BEFORE_S, _AFTER_S = 1.5, 2.0
_MANY = 4  # families at a time at most; more of them take turns
_STRETCH = 1.5  # intervals that a cast has the ground
_BRISK = 0.75  # the interval's share at which a cast strikes: so few need not spare the cluster
_BESIDE_S = (0.3, 0.5)  # before and after a handover between majorities no other fault begins
_SPREAD_S = 1.5  # over which they begin again after it
_WHOLE = 0.8  # of their shortest time: less shows nothing of faults that are not to be cut short
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
    interval_s: float | None = None,
    quiet_tail_s: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> list[PlannedFault]:
    """The faults of a run by start time; ids count from 1 in that order.

    Every family has its own timeline, so faults of different families overlap and those of one
    never do. Only clocks go wrong beside faults of `quorum`. All are over `quiet_tail_s` (None: a
    fifth of the run, at most 5 s) before `time_limit_s`. More than four families take turns, a few
    at a time, each seed in an order of its own (`casts`). `weights`: of fault names, over the
    families' own (0 leaves one out). The same arguments give the same schedule.
    """
    if interval_s is None:
        interval_s = DEFAULT_INTERVAL_S
    if quiet_tail_s is None:
        quiet_tail_s = default_quiet_tail_s(time_limit_s)
    end_s = time_limit_s - quiet_tail_s
    _refuse_nonsense(kinds, time_limit_s, interval_s, end_s, weights or {})
    rng = Random(f"schedule {seed}")
    order = list(dict.fromkeys(kinds))
    rng.shuffle(order)
    timelines = {
        kind: _Timeline(MIXES[kind], Random(f"{kind} {seed}"), nodes, weights or {}, seed)
        for kind in order
    }
    first_s = min(rng.uniform(*_FIRST_S), end_s / 4)
    if len(order) <= _MANY:
        return _numbered(_together(order, timelines, first_s, end_s, interval_s, rng))
    planned: list[PlannedFault] = []
    brisk_s = interval_s * _BRISK
    stretches = _stretches(first_s, end_s, interval_s)
    for cast, shared in groupby(
        zip(casts(order, rng), stretches, strict=False), lambda pair: pair[0]
    ):
        spans = [span for _, span in shared]
        begin_s, over_s = spans[0][0], spans[-1][1]
        planned += _together(cast, timelines, begin_s, over_s, brisk_s, rng, begin_s)
    return _numbered(planned)


def _stretches(first_s: float, end_s: float, interval_s: float) -> list[tuple[float, float]]:
    """The run's time, divided: each cast of families has the ground for one stretch of it, or for
    as many as it gets in a row."""
    number = max(1, round((end_s - first_s) / (interval_s * _STRETCH)))
    each_s = (end_s - first_s) / number
    return [(first_s + each_s * i, first_s + each_s * (i + 1) - _APART_S) for i in range(number)]


def casts(kinds: Sequence[str], rng: Random) -> Iterator[list[str]]:
    """Who shares which stretch, for ever: two of three are for what has to be alone, the rest are
    dealt from a pack that holds every other family once (clocks: every other pack).

    Clocks go wrong beside partitions only: what hangs on a clock ends with a leader that dies. So
    they take the stretch for themselves, and whoever was to share it has the next one.
    """
    alone = [kind for kind in kinds if MIXES[kind].alone]
    harmless = [kind for kind in kinds if MIXES[kind].harmless]
    others = [kind for kind in kinds if not (MIXES[kind].alone or MIXES[kind].harmless)]
    pack: list[str] = []
    packs = count(1)
    owed = False
    for number in count():
        if alone and number % 3 != 0 and not owed:
            yield [*alone, *harmless]
            continue
        while len(pack) < _MANY:
            wanted = others if next(packs) % 2 else [*others, *harmless]
            pack += rng.sample(wanted, len(wanted))
        cast = list(dict.fromkeys(pack[:_MANY]))
        del pack[:_MANY]
        owed = "clock" in cast and "partition" in kinds
        if owed:
            pack = [kind for kind in cast if kind not in ("clock", "partition")] + pack
            cast = ["partition", "clock"]
        yield cast


def _together(
    kinds: Sequence[str],
    timelines: Mapping[str, _Timeline],
    first_s: float,
    end_s: float,
    interval_s: float,
    rng: Random,
    earliest_s: float = 0.0,
) -> list[PlannedFault]:
    """The faults of these families from `first_s` until `end_s`, each on its own timeline; none
    before `earliest_s`, even for the sake of an anchor.
    """
    order = list(kinds)
    shared = not all(MIXES[kind].alone or MIXES[kind].harmless for kind in kinds)
    if shared:
        order.sort(key=lambda kind: MIXES[kind].alone)  # last: for nothing begins beside it
    stagger_s = min(interval_s, (end_s - first_s) / 2) / max(1, len(order))
    planned: list[PlannedFault] = []
    anchors: list[float] = []
    alone: list[tuple[float, float]] = []
    # Clocks and quorums first, for partitions are aimed at the moments when clocks go wrong, and
    # no fault but a clock's disturbs a handover; then partitions.
    for kind in sorted(order, key=_rank):
        begin_s = first_s + order.index(kind) * stagger_s
        fill = timelines[kind].fill
        if MIXES[kind].alone or MIXES[kind].harmless:
            planned += (faults := fill(begin_s, end_s, interval_s, sparing=shared))
            if MIXES[kind].alone:
                alone += [(f.start_s - _BESIDE_S[0], f.end_s + _BESIDE_S[1]) for f in faults]
        elif kind == "partition":
            wanted = [a for a in _anchors(planned, rng) if a >= earliest_s]
            anchors = [a for a in wanted if a == _outside(a, alone)]
            planned += fill(begin_s, end_s, interval_s, anchors=anchors, alone=alone)
        else:
            planned += fill(begin_s, end_s, interval_s, avoid=anchors, alone=alone)
    return planned


def _rank(kind: str) -> tuple[int, str]:
    return {"clock": 0, "quorum": 1, "partition": 2}.get(kind, 3), kind


def _anchors(planned: Sequence[PlannedFault], rng: Random) -> list[float]:
    """When to isolate the leader so that its clock goes wrong while it is cut off, or just was.

    A clock that jumps back must do so during the isolation (a lease renewed afterwards is
    right again), and so must one that is put right after a jump forward; one that crawls or
    strobes is wrong all the time.
    """
    anchors = []
    for fault in planned:
        if fault.name == "jump-back":
            anchors.append(max(0.0, fault.start_s - rng.uniform(*_LAG_S)))
        elif fault.name == "jump-forward":
            anchors.append(fault.end_s - rng.uniform(*_LAG_S))
        elif fault.name in clock.BACKWARD:
            anchors.append(fault.start_s + rng.uniform(0.3, 1.5))
    return sorted(anchors)


def _numbered(planned: Sequence[PlannedFault]) -> list[PlannedFault]:
    """By start time, with ids; a jump back during an isolation of the leader comes `after` it."""
    ordered = sorted(planned, key=lambda fault: (fault.start_s, fault.kind))
    done: list[PlannedFault] = []
    for number, fault in enumerate(ordered, start=1):
        after = 0
        if fault.name == "jump-back":
            isolations = [f for f in done if f.name == "isolate-leader" and f.end_s > fault.start_s]
            after = isolations[-1].id if isolations else 0
        done.append(
            msgspec.structs.replace(
                fault,
                id=number,
                start_s=round(fault.start_s, 3),
                duration_s=round(fault.duration_s, 3),
                after=after,
            )
        )
    return done


class _Timeline:
    """One family's faults, one after the other."""

    def __init__(
        self, mix: Mix, rng: Random, nodes: int, weights: Mapping[str, float], seed: int
    ) -> None:
        self._mix = mix
        self._rng = rng
        usable = mix.names(nodes)
        self._weights = {name: weights.get(name, mix.weights[name]) for name in usable}
        if not any(self._weights.values()):  # all weighed away: the user's word for "none"
            self._weights = {}
        self._slots = [slot & self._weights.keys() for slot in mix.slots]
        # In their order, so that of two alike neither is far, and from one slot further with each
        # seed: where a run has no time for all, a few runs have them all.
        self._turns = deque(self._slots)
        self._turns.rotate(-seed)

    def fill(
        self,
        begin_s: float,
        end_s: float,
        interval_s: float,
        anchors: Sequence[float] = (),
        avoid: Sequence[float] = (),
        alone: Sequence[tuple[float, float]] = (),
        sparing: bool = False,
    ) -> list[PlannedFault]:
        """Faults from `begin_s` until `end_s`. At an `anchor` the leader is isolated; of times
        to `avoid` a fault keeps clear, as far as the first of them all does not have to wait.
        In the spans `alone` there is none at all. `sparing`: what has to be alone leaves half of
        the time to the others.
        """
        pace_s = interval_s * self._mix.pace
        faults: list[PlannedFault] = []
        free_s, start_s = 0.0, begin_s
        patience_s = begin_s + _URGENT * interval_s if self._mix.urgent else end_s
        waiting = list(anchors)
        while self._weights and start_s <= end_s - _SHORTEST_S:
            while waiting and waiting[0] < free_s:
                waiting.pop(0)
            # The first fault may come early for an anchor, but not late.
            reach_s = start_s + (_CALM_S + _LATE_S * 2 if faults else _LATE_S)
            aimed = bool(waiting) and waiting[0] <= reach_s
            aimed = aimed and self._weights.get("isolate-leader", 0) > 0
            if aimed:
                start_s = waiting.pop(0)
            elif faults and (later_s := _clear_of(start_s, avoid)) < patience_s:
                start_s = later_s
            if (later_s := _outside(start_s, alone)) > start_s:
                # Not all families at the same moment when the span is over.
                start_s = _outside(later_s + self._rng.uniform(0.0, _SPREAD_S), alone)
            if start_s > end_s - _SHORTEST_S:
                break
            room_s = end_s - start_s if faults else end_s
            name = "isolate-leader" if aimed else self._draw(room_s)
            if name is None:
                break
            low, high = self._mix.hold_s[name]
            longest_s = max(_SHORTEST_S, high if name in self._mix.whole else pace_s * (1 - _REST))
            hold_s = min(self._rng.uniform(low, high), longest_s, end_s - start_s)
            if waiting:  # be done in time for a leader to be there when the next anchor comes
                hold_s = min(hold_s, max(_SHORTEST_S, waiting[0] - start_s - _CALM_S))
            hold_s = min(
                hold_s, *(begin - start_s for begin, _ in alone if begin > start_s), hold_s
            )
            seed = self._rng.getrandbits(32)
            if name in self._mix.urgent:
                patience_s = start_s + _URGENT * interval_s
            faults.append(PlannedFault(0, start_s, hold_s, self._mix.kind, name, seed))
            free_s = start_s + hold_s + _APART_S
            next_s = start_s + pace_s * self._rng.uniform(0.8, 1.2)
            rest_s = pace_s * _REST / 2 + (hold_s if sparing and self._mix.alone else 0.0)
            start_s = max(next_s, start_s + hold_s + rest_s)
        return faults

    def _draw(self, room_s: float) -> str | None:
        """One of the next slot, or None where it would be too short to show anything. Where faults
        are not to be cut short, one of the first slot with a fault that fits: those before it
        have their turn as soon as there is room.
        """
        for turn in range(len(self._turns)):
            slot = self._turns[turn]
            choice = {name: w for name, w in self._weights.items() if name in slot and w > 0}
            choice = choice or {name: w for name, w in self._weights.items() if w > 0}
            name = self._rng.choices(list(choice), list(choice.values()))[0]
            whole = name in self._mix.whole
            if room_s >= self._mix.hold_s[name][0] * (_WHOLE if whole else 0.5):
                del self._turns[turn]
                self._turns.append(slot)
                return name
            if not whole:
                break
        return None


def _clear_of(start_s: float, avoid: Sequence[float]) -> float:
    """The first moment from `start_s` on that is not near any of the times to avoid."""
    for moment in sorted(avoid):
        if moment - _BEFORE_S < start_s < moment + _AFTER_S:
            start_s = moment + _AFTER_S
    return start_s


def _outside(start_s: float, alone: Sequence[tuple[float, float]]) -> float:
    """The first moment from `start_s` on from which a fault fits between the spans."""
    for begin, end in sorted(alone):
        if begin - _SHORTEST_S < start_s < end:
            start_s = end
    return start_s


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
            raise PlanError(
                f"no fault is named {name!r}",
                did_you_mean(name, known) or f"known are {', '.join(known)}",
            )
        if not 0 <= weight < float("inf"):
            raise PlanError(f"the weight of {name} is {weight}", "it must be 0 or more")
