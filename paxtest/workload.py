"""Workload: what the clients do and what must hold of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from paxtest.checkers.protocol import Checker
from paxtest.generator import Generator


class Workload(Protocol):
    """Works with any system whose client supports `functions`.

    The factory is called as `factory(options, seed=..., nodes=..., concurrency=...)`.
    """

    name: str
    model: str  # a name from `paxtest list models`
    functions: frozenset[str]

    def generator(self) -> Generator:
        """The main load; unbounded, the runner bounds it by time or count."""

    def final_generator(self) -> Generator:
        """Reads after healing and quiescence, on every node."""

    def checkers(self) -> Sequence[Checker]: ...
