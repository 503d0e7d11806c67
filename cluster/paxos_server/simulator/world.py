"""World: virtual time, and everything that is going to happen in it."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

EVENTS_LIMIT = 400_000
"""Some ten times what a seed needs."""


class Runaway(Exception):
    """Events breed events faster than time passes."""


class World:
    """A queue of events in virtual time. All chance comes from `rng`, so that a seed decides
    everything. Only sums and products of random() are used for times: no function of the
    machine's maths library, whose last digit may differ elsewhere."""

    def __init__(self, seed: int) -> None:
        self.now_s = 0.0
        self.rng = random.Random(f"paxos simulation {seed}")
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._counter = 0

    def after(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        """Call after a while; events of the same instant happen in the order of their making."""
        self._counter += 1
        heapq.heappush(self._events, (self.now_s + delay_s, self._counter, call, args))

    def run(self, until_s: float) -> None:
        """Let time pass."""
        events, pop = self._events, heapq.heappop
        while events and events[0][0] <= until_s:
            self.now_s, _, call, args = pop(events)
            call(*args)
            if self._counter > EVENTS_LIMIT:
                raise Runaway(f"more than {EVENTS_LIMIT:,} events by {self.now_s:.3f} s")
        self.now_s = until_s

    def around(self, mean_s: float) -> float:
        """A random time between 0 and twice the mean."""
        return 2 * mean_s * self.rng.random()


class SimulatedClock:
    """A node's two clocks. `rate` is how fast the monotonic one runs; the wall clock runs at the
    same rate and may jump by `wall_offset_s`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._base_s = 0.0
        self._since_s = 0.0
        self.rate = 1.0
        self.wall_offset_s = 0.0

    def monotonic_s(self) -> float:
        return self._base_s + (self._world.now_s - self._since_s) * self.rate

    def wall_s(self) -> float:
        return 1_700_000_000.0 + self.monotonic_s() + self.wall_offset_s

    def set_rate(self, rate: float) -> None:
        self._base_s = self.monotonic_s()
        self._since_s = self._world.now_s
        self.rate = rate
