"""Storage: all that a node keeps on its disk: the log, and the snapshot that it builds on."""

from __future__ import annotations

import struct
import zlib

from .messages import AnyRecord
from .ports import Disk
from .recovery import Remembered, checkpoint, remember
from .wal import CorruptLog, Wal

SNAPSHOT = "snapshot"
_HEADER = struct.Struct("<8sIQ")
_MAGIC = b"PXSNAP1\n"
_SLOT = struct.Struct("<Q")


class Storage:
    """Opened once in a node's life."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._wal = Wal(disk)

    @property
    def torn_bytes(self) -> int:
        """How many bytes of an unfinished write `open` cut off."""
        return self._wal.torn_bytes

    def open(self) -> Remembered:
        """What the node remembers. Raises CorruptLog, OSError."""
        slot, snapshot = 0, b""
        if SNAPSHOT in self._disk.names():
            slot, snapshot = _decode(self._disk.read(SNAPSHOT))
        return remember(self._wal.open(), slot, snapshot)

    def append(self, records: list[AnyRecord]) -> None:
        """Keep records in memory until `flush`."""
        self._wal.append(records)

    def flush(self) -> None:
        """Make all records durable. Raises OSError."""
        self._wal.flush()

    def save(self, memory: Remembered) -> None:
        """Make a snapshot durable, and only then let the log begin anew. Raises OSError."""
        slot = _SLOT.pack(memory.snapshot_slot)
        crc = zlib.crc32(memory.snapshot, zlib.crc32(slot))
        header = _HEADER.pack(_MAGIC, crc, memory.snapshot_slot)
        self._disk.replace(SNAPSHOT, header + memory.snapshot)
        self._wal.restart(checkpoint(memory))


def _decode(data: bytes) -> tuple[int, bytes]:
    if len(data) >= _HEADER.size:
        magic, crc, slot = _HEADER.unpack_from(data)
        snapshot = data[_HEADER.size :]
        if magic == _MAGIC and crc == zlib.crc32(snapshot, zlib.crc32(_SLOT.pack(slot))):
            return slot, snapshot
    raise CorruptLog("the snapshot is corrupt")
