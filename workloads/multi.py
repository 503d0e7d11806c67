"""Workload `multi`: several registers at once, read and written by transactions.

Each key is a group of three registers. A read takes all three; a write sets two of them; a `txn`
reads one and sets another. Whoever sees a transaction half done, or sees two of them in two orders,
is found out. The system must have transactions over several keys.
"""

from __future__ import annotations

from typing import Any

import msgspec

from paxtest.generator import Event
from paxtest.workloads import many_keys
from paxtest.workloads.keyed import Functions
from paxtest.workloads.many_keys import ManyKeys, Positive

REGISTERS = ("a", "b", "c")


class Options(many_keys.Options, frozen=True):
    """Fewer operations a key: no fast algorithm knows several registers."""

    ops_per_key: Positive = 40


class MultiFunctions(msgspec.Struct, frozen=True):
    """read, write and txn."""

    reads: float

    def choose(self, memory: Any, value: int, draw: float) -> tuple[str, Any, bool]:
        if draw < self.reads:
            return "read", None, False
        one, other, third = (REGISTERS[(value + i) % 3] for i in range(3))
        if draw < (1 + self.reads) / 2:
            return "write", {one: value, other: value}, True
        return "txn", [["r", other, None], ["w", third, value]], True

    def remember(self, memory: Any, event: Event) -> Any:
        return memory


class Multi(ManyKeys):
    name = "multi"
    model = "multi-register"
    functions = frozenset({"read", "write", "txn"})
    schema = Options
    clients_per_key = 2

    def key_functions(self) -> Functions:
        return MultiFunctions(self.options.reads)
