"""Workload `append`: unique elements appended to many lists, which are read as a whole.

A list shows the order of all appends at every read, so lost, doubled and reordered ones are seen
even when nobody looked at the time.
"""

from __future__ import annotations

from typing import Any

import msgspec

from paxtest.generator import Event
from paxtest.workloads import many_keys
from paxtest.workloads.keyed import Functions
from paxtest.workloads.many_keys import ManyKeys, Positive


class Options(many_keys.Options, frozen=True):
    """Fewer operations a key than for registers: each read carries the whole list."""

    ops_per_key: Positive = 200


class AppendFunctions(msgspec.Struct, frozen=True):
    """append and read."""

    reads: float

    def choose(self, memory: Any, value: int, draw: float) -> tuple[str, Any, bool]:
        return ("read", None, False) if draw < self.reads else ("append", value, True)

    def remember(self, memory: Any, event: Event) -> Any:
        return memory


class Append(ManyKeys):
    name = "append"
    model = "append-list"
    functions = frozenset({"append", "read"})
    schema = Options

    def key_functions(self) -> Functions:
        return AppendFunctions(self.options.reads)
