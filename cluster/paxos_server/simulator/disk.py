"""SimulatedDisk: keeps what was synced, tears what was not, and flips bits when told to."""

from __future__ import annotations

import errno
import random


class PowerLoss(Exception):
    """The node lost its power in the middle of a write."""


class SimulatedDisk:
    """The Disk port in memory. It outlives its node."""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        self._tear_at: float | None = None
        self._fails = False

    def names(self) -> list[str]:
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        return bytes(self.files[name])

    def append(self, name: str, data: bytes) -> None:
        if self._tear_at is not None:
            data = data[: int(len(data) * self._tear_at)]
            self.files.setdefault(name, bytearray()).extend(data)
            raise PowerLoss
        if self._fails:
            self._fails = False
            raise OSError(errno.EIO, "the disk failed, and dropped what was written")
        self.files.setdefault(name, bytearray()).extend(data)

    def replace(self, name: str, data: bytes) -> None:
        if self._tear_at is not None:
            raise PowerLoss
        self.files[name] = bytearray(data)

    def truncate(self, name: str, size: int) -> None:
        del self.files[name][size:]

    def remove(self, name: str) -> None:
        if self._tear_at is not None:
            raise PowerLoss
        del self.files[name]

    def tear(self, fraction: float) -> None:
        """The next write will be the last: this part of it gets through."""
        self._tear_at = fraction

    def fail(self) -> None:
        """The next sync will fail, once; what it should have kept is lost."""
        self._fails = True

    def power_on(self) -> None:
        self._tear_at = None
        self._fails = False

    def flip_bit(self, rng: random.Random) -> str:
        """Flip one bit of a file; its name."""
        name = rng.choice(self.names())
        data = self.files[name]
        # Half of them near the end, where what was acknowledged last is.
        first = len(data) * 3 // 4 if rng.random() < 0.5 else 0
        data[rng.randrange(first, len(data))] ^= 1 << rng.randrange(8)
        return name
