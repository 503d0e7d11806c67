"""Stutter: processes that stop and go on several times a second, as on an overloaded host.

What takes a millisecond then takes as long as cutting a link or killing a process does, so that
these strike between a promise and the proposal that rests on it, or between a vote and its count.
"""

from __future__ import annotations

import asyncio
import math
from random import Random
from typing import Any

from paxtest.nemesis.fault import Context

STOPPED_S, GOING_S = (0.02, 0.6), (0.01, 0.05)
"""Between the shortest and longest; stops are log-uniform, so that many steps take a moment and
some as long as a node waits for a leader."""

# $1 pid, then pairs: seconds stopped, seconds going. Daemons lead a process group of their own.
# Ends by itself, the process going, or as soon as that is gone.
SCRIPT = """pid=$1; shift
send() { kill -s "$1" -- "-$pid" 2>/dev/null || kill -s "$1" "$pid" 2>/dev/null; }
trap 'send CONT; exit' TERM
while [ $# -ge 2 ]; do
  send STOP || exit 0; sleep "$1"; send CONT || exit 0; sleep "$2"; shift 2
done"""


def steps(hold_s: float, rng: Random) -> list[float]:
    """Seconds stopped, going, stopped, ... for `hold_s` in all, at least once. Pure."""
    drawn: list[float] = []
    while not drawn or sum(drawn) < hold_s:
        stopped_s = math.exp(rng.uniform(*map(math.log, STOPPED_S)))
        drawn += [round(stopped_s, 3), round(rng.uniform(*GOING_S), 3)]
    return drawn


class Stutter:
    """The stuttering of some processes, all by the same steps: begun, and ended. The steps begin
    elsewhere on each node, so that no two stop and go together.
    """

    def __init__(self, pids: dict[str, int], drawn: list[float], context: Context) -> None:
        self._pids = pids
        self._context = context
        turns = [2 * (len(drawn) // 2 * i // max(1, len(pids))) for i in range(len(pids))]
        self._steps = {n: drawn[t:] + drawn[:t] for n, t in zip(pids, turns, strict=True)}
        self._walks: list[asyncio.Task[Any]] = []

    def begin(self) -> None:
        for node, pid in self._pids.items():
            drawn = [f"{seconds:.3f}" for seconds in self._steps[node]]
            argv = ["sh", "-c", SCRIPT, "stutter", str(pid), *drawn]
            limit_s = sum(self._steps[node]) * 3 + 10.0
            run = self._context.cluster.remote(node).run(argv, timeout_s=limit_s, check=False)
            self._walks.append(asyncio.ensure_future(run))

    async def end(self) -> None:
        """Wait until the last step is over: a script that is cut off could leave them stopped."""
        await asyncio.gather(*self._walks, return_exceptions=True)
