"""Workload `set`: unique elements added to many sets, which are read as a whole now and then."""

from __future__ import annotations

from typing import Any

import msgspec

from paxtest.generator import Event
from paxtest.workloads import many_keys
from paxtest.workloads.keyed import Functions
from paxtest.workloads.many_keys import ManyKeys, Positive, Share


class Options(many_keys.Options, frozen=True):
    """Fewer reads than for registers: an element once lost stays missing."""

    ops_per_key: Positive = 200
    reads: Share = 0.25


class SetFunctions(msgspec.Struct, frozen=True):
    """add and read."""

    reads: float

    def choose(self, memory: Any, value: int, draw: float) -> tuple[str, Any, bool]:
        return ("read", None, False) if draw < self.reads else ("add", value, True)

    def remember(self, memory: Any, event: Event) -> Any:
        return memory


class Set(ManyKeys):
    name = "set"
    model = "grow-set"
    functions = frozenset({"add", "read"})
    schema = Options

    def key_functions(self) -> Functions:
        return SetFunctions(self.options.reads)
