"""Ports: everything through which the server touches the world outside.

The real ones are in `disk.py`, `network.py` and below; the simulator has its own.
"""

from __future__ import annotations

import time
from typing import Protocol

from .messages import Message


class Clock(Protocol):
    """Two clocks. Timers use `monotonic_s`; `wall_s` is for people, and for bugs."""

    def monotonic_s(self) -> float: ...

    def wall_s(self) -> float: ...


class Network(Protocol):
    """Sends without promise: a message may be lost, late, doubled, out of order."""

    def send(self, destination: str, message: Message) -> None: ...


class Disk(Protocol):
    """A flat directory of files. What is not synced may be lost; what is synced stays."""

    def names(self) -> list[str]:
        """Names of all files, sorted."""

    def read(self, name: str) -> bytes: ...

    def append(self, name: str, data: bytes) -> None:
        """Append and make durable before returning (the file is made where there is none)."""

    def replace(self, name: str, data: bytes) -> None:
        """Write a whole file atomically and durably: temporary file, fsync, rename, fsync."""

    def truncate(self, name: str, size: int) -> None: ...

    def remove(self, name: str) -> None: ...


class SystemClock:
    """The machine's clocks."""

    def monotonic_s(self) -> float:
        return time.monotonic()

    def wall_s(self) -> float:
        return time.time()


class Moment:
    """The time, by the monotonic clock, of the event in hand: one for all that follows from it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.now_s = clock.monotonic_s()

    def advance(self) -> float:
        """Another event is taken in: give its time."""
        self.now_s = self._clock.monotonic_s()
        return self.now_s
