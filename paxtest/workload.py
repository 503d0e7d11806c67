"""Workload: what the clients do and what must hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from paxtest.checkers.protocol import Checker
from paxtest.generator import Generator


class Workload(Protocol):
    """Works with any system whose client supports `functions`.

    The factory is called as `factory(options, seed=..., nodes=..., concurrency=...,
    load_process=(i, n))`: the i-th of n load processes, each with a load of its own.
    """

    name: str
    model: str  # a name from `paxtest list models`
    functions: frozenset[str]

    def generator(self) -> Generator:
        """The main load; unbounded, the runner bounds it by time or count."""

    def final_generator(self) -> Generator:
        """Reads after healing and quiescence, on every node."""

    def checkers(self) -> Sequence[Checker]: ...


@runtime_checkable
class SharesKeys(Protocol):
    """A workload that opens keys as it goes: load processes tell the parent how far they got, so
    that its final reads cover what they wrote."""

    def keys_opened(self) -> int: ...

    def note_keys_opened(self, opened: int) -> None: ...
