"""Workload `register`: reads, writes and compare-and-set on many independent registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from paxtest.checkers.protocol import Checker
from paxtest.errors import PlanError
from paxtest.generator import Event, Generator
from paxtest.workloads import options as reading
from paxtest.workloads.final_reads import on_every_node
from paxtest.workloads.keyed import KeyedLoad, KeyNames, Ledger, keyed_load

Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

RECENT = 4
"""How many of the values last seen on a key a compare-and-set may start from."""


class Options(msgspec.Struct, frozen=True):
    """What `workload.NAME` in a plan may set. docs/reference/workloads.md explains each."""

    keys: Positive | None = None
    ops_per_key: Positive = 500
    reads: Share = 0.5
    cas: bool = True
    final_keys: Positive = 20
    key_prefix: str = ""


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


class Register:
    """Every written value is unique over the whole run, which the fast checker needs."""

    name = "register"
    model = "cas-register"

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        seed: int,
        nodes: int,
        concurrency: int,
        load_process: tuple[int, int] = (0, 1),
    ) -> None:
        self.options = reading.read(self.name, options, Options)
        if concurrency < nodes:
            raise PlanError(
                f"concurrency {concurrency} is less than the {nodes} nodes",
                f"use at least {nodes} (1n), or some nodes would never be asked",
            )
        self.nodes = nodes
        # About three clients at a time on each key: enough to overlap, few enough to succeed.
        self.keys = self.options.keys or max(1, concurrency // 3)
        self.functions = frozenset({"read", "write"} | ({"cas"} if self.options.cas else set()))
        self._names = KeyNames(self.options.key_prefix)
        self._ledger = Ledger()
        self._load_process = load_process

    def generator(self) -> KeyedLoad:
        return keyed_load(
            RegisterFunctions(self.options.reads, self.options.cas),
            keys=self.keys,
            ops_per_key=self.options.ops_per_key,
            names=self._names,
            ledger=self._ledger,
            load_process=self._load_process,
        )

    def keys_opened(self) -> int:
        """How many keys the load has opened: what a load process tells its parent."""
        return self._ledger.opened

    def note_keys_opened(self, opened: int) -> None:
        """Told by a load process; the final reads cover the last of the largest number."""
        self._ledger.note(opened)

    def final_generator(self) -> Generator:
        def reads() -> list[dict[str, Any]]:
            opened = max(self.keys, self._ledger.opened)
            first = max(0, opened - max(self.keys, self.options.final_keys))
            return [{"f": "read", "key": self._names.name(n)} for n in range(first, opened)]

        return on_every_node(self.nodes, reads)

    def checkers(self) -> Sequence[Checker]:
        from paxtest.checkers.availability import Availability
        from paxtest.checkers.exceptions import UnexpectedExceptions
        from paxtest.checkers.linearizable import Linearizable
        from paxtest.checkers.log_patterns import LogPatterns
        from paxtest.checkers.stats import Stats

        return [
            Linearizable(model=self.model),
            Stats(self.functions),
            Availability(),
            UnexpectedExceptions(),
            LogPatterns(),
        ]
