"""Clock skew of single processes, by libfaketime's control file. The host's clock is not touched.

A skew is a list of steps (offset, how long): a jump has one, a drift rises by small steps, a
strobe alternates. The node itself walks through them, in a small shell loop, and puts the true
time back at the end, so that a skew ends even if the control node dies. Rates (`x1.5`) of
libfaketime itself are not used: they stretch the process's timeouts as well, and count from
the process's start, so that switching one on would be a jump too.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PaxtestError
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, leader_note, targets
from paxtest.remote.protocol import Remote
from paxtest.system import System

MIX = Mix(
    kind="clock",
    weights={"jump-back": 2, "strobe": 2, "drift-slow": 1, "jump-forward": 1, "drift-fast": 1},
    # Long, so that partitions, kills and pauses strike while clocks are wrong.
    hold_s={
        "jump-back": (3.0, 6.0),
        "jump-forward": (3.0, 6.0),
        "drift-slow": (4.0, 8.0),
        "drift-fast": (4.0, 8.0),
        "strobe": (4.0, 8.0),
    },
    # Every other skew turns time back once, while the leader is cut off: what leases break on.
    slots=(
        frozenset({"jump-back"}),
        frozenset({"strobe", "drift-slow", "jump-forward", "drift-fast"}),
    ),
    pace=1.5,
    harmless=True,
)
BACKWARD = frozenset({"jump-back", "strobe", "drift-slow"})
"""The skews under which a process sees time repeat or crawl."""

TRUE_TIME = "+0"
_DRIFT_STEP_S = 0.2
_TOLERANCE_S = 0.4  # of measuring a running process's clock from outside
# $1 control file, $2 token, then pairs: offset, seconds. Ends when the token is gone. The file
# is replaced by rename: libfaketime must never read half an offset.
WALK = """f=$1 t=$2; shift 2; : > "$t"
while [ $# -ge 2 ] && [ -e "$t" ]; do
  printf %s "$1" > "$t.next" && mv -f "$t.next" "$f"; sleep "$2"; shift 2
done
if [ -e "$t" ]; then printf %s +0 > "$t.next" && mv -f "$t.next" "$f"; rm -f "$t"; fi"""
# $1 control file. Prints what the file holds at the end.
_TRUE = """rm -f "$1".skewed.*; printf %s +0 > "$1.true" && mv -f "$1.true" "$1"; sleep 0.05
cat "$1" """


@dataclass(frozen=True)
class Skew:
    """`nodes` whose clocks go wrong, and the steps: (offset in seconds, seconds it holds).

    `low_s`, `high_s`: the offsets between which the clock moves while the skew holds.
    """

    nodes: tuple[str, ...]
    steps: tuple[tuple[float, float], ...]
    at_leader: bool
    strobes: bool
    text: str

    @property
    def low_s(self) -> float:
        return min(offset for offset, _ in self.steps)

    @property
    def high_s(self) -> float:
        return max(offset for offset, _ in self.steps)


def _magnitude(rng: Random, low: float, high: float) -> float:
    """Log-uniform: small skews are as likely as large ones, and break other things."""
    return round(math.exp(rng.uniform(math.log(low), math.log(high))), 3)


def plan_skew(
    name: str, nodes: tuple[str, ...], leader: str, duration_s: float, rng: Random
) -> Skew:
    """Which clocks, and by how much. Pure.

    Of 15 skews 10 strike the leader alone, 2 all nodes, 3 some of them: a quorum whose clocks
    all stand back together waits as long as its leader, and shows less.
    """
    who = rng.choices(("leader", "all", "one", "minority", "majority"), (10, 2, 1, 1, 1))[0]
    chosen = tuple(targets(who, nodes, leader, rng))
    text = f"{name} of {who}"
    match name:
        case "jump-back" | "jump-forward":
            by = _magnitude(rng, 2.0, 60.0) * (-1 if name == "jump-back" else 1)
            steps = [(by, duration_s)]
            text += f": {by:+.3f} s"
        case "strobe":
            # Around the true time, one side or the other first.
            swing = _magnitude(rng, 1.0, 60.0) * rng.choice((-1, 1))
            # At least three sides a fault, or nothing alternates and nothing can be proven.
            half = round(min(_magnitude(rng, 0.3, 2.0), duration_s / 3), 2)
            count = max(2, round(duration_s / half))
            steps = [(swing if step % 2 == 0 else 0.0, half) for step in range(count)]
            text += f": {swing:+.3f} s and back every {half} s"
        case "drift-slow" | "drift-fast":
            rate = round(_magnitude(rng, *((0.05, 0.5) if name == "drift-slow" else (1.5, 5.0))), 2)
            count = max(2, round(duration_s / _DRIFT_STEP_S))
            per_step = (rate - 1) * _DRIFT_STEP_S
            steps = [(round(per_step * (i + 1), 3), _DRIFT_STEP_S) for i in range(count)]
            text += f": runs at {rate} of true speed"
        case _:
            raise ValueError(f"no clock fault is named {name!r}")
    return Skew(chosen, tuple(steps), who == "leader", name == "strobe", text)


def token(control_file: str, fault_id: int) -> str:
    """The file on the node whose absence ends the walk of this fault."""
    return f"{control_file}.skewed.{fault_id}"


async def restore_true_time(remote: Remote, control_file: str) -> None:
    """End any walk and put the true time back; idempotent. Raises if the file says otherwise."""
    argv = ["sh", "-c", _TRUE, "sh", control_file]
    for _ in range(3):  # a walk may have been writing at this very moment
        held = (await remote.run(argv, timeout_s=5.0)).stdout.strip()
        if held == TRUE_TIME:
            return
    raise PaxtestError(
        f"node {remote.node}: the clock's control file {control_file} holds {held!r}",
        f"write {TRUE_TIME!r} into it by hand",
    )


class ClockAction:
    """Skews through the control file; seen by asking the process what time it is."""

    def __init__(self, fault_id: int, skew: Skew, files: dict[str, str], context: Context) -> None:
        self._fault_id = fault_id
        self._system = context.system
        self._cluster = context.cluster
        self._skew = skew
        self._files = files
        self._walks: list[asyncio.Task[Any]] = []
        self._seen: dict[str, list[float]] = {node: [] for node in files}
        self.nodes = list(files)
        self.undo: dict[str, Any] = {"clock": files}
        note = leader_note(context, skew.at_leader)
        self.text = f"{skew.text}, on {' '.join(files)}{note}"

    async def inject(self) -> None:
        """Returns when the first offset is in every file; the walks go on by themselves."""
        argv: list[str] = []
        for offset, seconds in self._skew.steps:
            argv += [f"{offset:+.3f}", f"{seconds:.3f}"]
        limit_s = sum(seconds for _, seconds in self._skew.steps) * 1.5 + 10.0
        for node, file in self._files.items():
            walk = ["sh", "-c", WALK, "sh", file, token(file, self._fault_id), *argv]
            run = self._cluster.remote(node).run(walk, timeout_s=limit_s)
            self._walks.append(asyncio.ensure_future(run))
        # A walk that cannot even begin (no such directory, no shell) fails at once.
        done, _ = await asyncio.wait(self._walks, timeout=0.1, return_when=asyncio.FIRST_EXCEPTION)
        for walk_task in done:
            walk_task.result()

    async def probe(self) -> tuple[bool, str]:
        """Asks each process its time until one is seen off by what the skew says; 0.8 s at most.

        Of a strobe both sides must be seen, and a side can hold longer than one probe lasts:
        the last readings of earlier probes count.
        """
        seen = self._seen
        for attempt in range(4):
            if attempt:
                await asyncio.sleep(0.2)
            offsets = await asyncio.gather(*(self._system.clock_offset_s(n) for n in self.nodes))
            for node, offset in zip(self.nodes, offsets, strict=True):
                if offset is not None:
                    seen[node] = [*seen[node][-7:], offset]
            if any(self._holds(values) for values in seen.values()):
                break
        said = [
            f"{node} off by {', '.join(f'{v:+.2f}' for v in values)} s"
            if values
            else f"{node} silent"
            for node, values in seen.items()
        ]
        return any(self._holds(values) for values in seen.values()), "; ".join(said)

    def _holds(self, seen: list[float]) -> bool:
        low, high = self._skew.low_s - _TOLERANCE_S, self._skew.high_s + _TOLERANCE_S
        if any(not low <= value <= high for value in seen):
            return False
        off = [value for value in seen if abs(value) > _TOLERANCE_S]
        return bool(off) and (not self._skew.strobes or len(off) < len(seen))

    async def heal(self) -> str:
        await asyncio.gather(
            *(
                restore_true_time(self._cluster.remote(node), file)
                for node, file in self._files.items()
            )
        )
        for walk in self._walks:
            walk.cancel()
        await asyncio.gather(*self._walks, return_exceptions=True)
        offsets = await asyncio.gather(*(self._system.clock_offset_s(n) for n in self.nodes))
        return ", ".join(
            f"{node} control file true" + ("" if off is None else f", off by {off:+.2f} s")
            for node, off in zip(self.nodes, offsets, strict=True)
        )


class ClockFamily:
    """Skews what a process takes for the time of day; its monotonic clock stays true.

    The skew belongs to the node, as a machine's wrong clock would: a process that is killed
    and started again under it finds the same wrong time.
    """

    kind = "clock"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        without = [node.name for node in cluster.nodes if system.faketime_file(node.name) is None]
        if not without:
            return None
        return (
            f"the processes on {' '.join(without)} do not run under libfaketime",
            "install it (Debian: apt-get install libfaketime), and use a system whose nodes are "
            "started with it; or leave 'clock' out of --nemesis",
        )

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        rng = Random(fault.seed)
        skew = plan_skew(fault.name, context.nodes, context.leader, fault.duration_s, rng)
        files = {node: context.system.faketime_file(node) for node in skew.nodes}
        usable = {node: file for node, file in files.items() if file is not None}
        if not usable:
            return f"nothing to skew: no control file on {' '.join(skew.nodes)}"
        return ClockAction(fault.id, skew, usable, context)
