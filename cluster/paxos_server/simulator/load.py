"""Load: the port through which the simulator learns what its clients are to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Operation = tuple[str, str, Any]
"""(f, key, value)."""


class Load(Protocol):
    """Threads 0, 1, ... each do one operation at a time. Times are virtual, in nanoseconds."""

    def next(self, thread: int, now_ns: int) -> Operation | int | None:
        """The thread is free: its next operation; or how long to wait before asking again; or
        None, when there is nothing left to do for anybody."""

    def completed(self, thread: int, type_: str, value: Any, now_ns: int) -> None:
        """The thread's operation ended as ok, fail or info, with this value."""

    def finish(self, threads: Sequence[int]) -> None:
        """Everything has healed: what follows are the final operations, thread i on node i modulo
        the number of nodes. There are no other threads than these any more."""


MakeLoad = Callable[[str, int, int, int, int], Load]
"""(workload, seed, nodes, threads, keys) -> its load."""
