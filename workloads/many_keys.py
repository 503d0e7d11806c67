"""ManyKeys: what the workloads over many independent keys have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec

from paxtest.checkers.protocol import Checker
from paxtest.errors import PlanError
from paxtest.generator import Generator
from paxtest.workloads import options as reading
from paxtest.workloads.final_reads import on_every_node, until_answered
from paxtest.workloads.keyed import Functions, KeyedLoad, KeyNames, Ledger, keyed_load

Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Options(msgspec.Struct, frozen=True):
    """What `workload.NAME` in a plan may set. docs/reference/workloads.md explains each."""

    keys: Positive | None = None
    ops_per_key: Positive = 500
    reads: Share = 0.5
    readers: Share = 0.0
    final_keys: Positive = 20
    key_prefix: str = ""


class ManyKeys:
    """A workload over `keys` active keys, each retired after `ops_per_key` operations.

    A subclass names itself, its model and its functions, and says what is done to a key.
    """

    name: str
    model: str
    functions: frozenset[str]
    schema: ClassVar[type[Options]] = Options
    clients_per_key: ClassVar[int] = 3
    """Unless `keys` says otherwise, so many clients on average are on a key at a time: enough to
    overlap always, few enough for a compare-and-set to succeed now and then."""

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        seed: int,
        nodes: int,
        concurrency: int,
        load_process: tuple[int, int] = (0, 1),
    ) -> None:
        self.options = reading.read(self.name, options, self.schema)
        if concurrency < nodes:
            raise PlanError(
                f"concurrency {concurrency} is less than the {nodes} nodes",
                f"use at least {nodes} (1n), or some nodes would never be asked",
            )
        self.nodes = nodes
        # The last threads: of every node's clients as many, where each has several.
        self.readers = min(round(self.options.readers * concurrency), concurrency - 1)
        self.keys = self.options.keys or max(1, concurrency // self.clients_per_key)
        self._names = KeyNames(self.options.key_prefix)
        self._ledger = Ledger()
        self._load_process = load_process

    def key_functions(self) -> Functions:
        """What is done to a key."""
        raise NotImplementedError

    def final_part(self, key: int | str) -> Generator:
        """What each node is asked about a key when all is over."""
        return until_answered({"f": "read", "key": key})

    def generator(self) -> KeyedLoad:
        return keyed_load(
            self.key_functions(),
            keys=self.keys,
            ops_per_key=self.options.ops_per_key,
            readers=self.readers,
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
        def parts() -> list[Generator]:
            opened = max(self.keys, self._ledger.opened)
            first = max(0, opened - max(self.keys, self.options.final_keys))
            return [self.final_part(self._names.name(number)) for number in range(first, opened)]

        return on_every_node(self.nodes, parts)

    def checkers(self) -> Sequence[Checker]:
        # Imported here: naming the workloads must not load the native core.
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
