"""Workload `counter`: many counters, each incremented by one and read.

By one only: that is what can be decided fast; arbitrary addends are a subset-sum problem. An
operation applied twice, after a retry inside the system say, shows at the next read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from paxtest.generator import Event
from paxtest.workloads.keyed import Functions
from paxtest.workloads.many_keys import ManyKeys


class CounterFunctions(msgspec.Struct, frozen=True):
    """add (of one) and read."""

    reads: float

    def choose(self, memory: Any, value: int, draw: float) -> tuple[str, Any, bool]:
        return ("read", None, False) if draw < self.reads else ("add", 1, False)

    def remember(self, memory: Any, event: Event) -> Any:
        return memory


class Counter(ManyKeys):
    name = "counter"
    model = "counter"
    functions = frozenset({"add", "read"})

    def key_functions(self) -> Functions:
        return CounterFunctions(self.options.reads)
