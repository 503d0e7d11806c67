"""Workload `register`: reads, writes and compare-and-set on many independent registers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from paxtest.generator import Event
from paxtest.workloads import many_keys
from paxtest.workloads.keyed import Functions
from paxtest.workloads.many_keys import ManyKeys

RECENT = 4
"""How many of the values last seen on a key a compare-and-set may start from."""


class Options(many_keys.Options, frozen=True):
    """`cas` false: reads and writes only."""

    cas: bool = True


class RegisterFunctions(msgspec.Struct, frozen=True):
    """read, write and cas; a key's memory is the tuple of values seen last, newest first."""

    reads: float
    cas: bool

    def choose(
        self, memory: tuple[int, ...] | None, value: int, draw: float
    ) -> tuple[str, Any, bool]:
        if draw < self.reads:
            return "read", None, False
        rest = (draw - self.reads) / (1 - self.reads)
        if rest < 0.5 or not self.cas or not memory:
            return "write", value, True
        # Mostly from the newest value, or hardly any would succeed; now and then from one that
        # has been replaced, which must fail.
        turn = (rest - 0.5) * 2
        index = 0 if turn < 0.8 else int((turn - 0.8) * 5 * len(memory))
        return "cas", [memory[min(index, len(memory) - 1)], value], True

    def remember(self, memory: tuple[int, ...] | None, event: Event) -> tuple[int, ...] | None:
        value = event.value[1] if event.f == "cas" else event.value
        if value is None or (memory and memory[0] == value):
            return memory
        older = [seen for seen in memory or () if seen != value]
        return (value, *older[: RECENT - 1])


class Register(ManyKeys):
    """Every written value is unique over the whole run, which the fast checker needs."""

    name = "register"
    model = "cas-register"
    functions = frozenset({"read", "write", "cas"})
    schema = Options
    options: Options

    def __init__(self, options: Mapping[str, Any], **setting: Any) -> None:
        super().__init__(options, **setting)
        if not self.options.cas:
            self.functions = frozenset({"read", "write"})

    def key_functions(self) -> Functions:
        return RegisterFunctions(self.options.reads, self.options.cas)
