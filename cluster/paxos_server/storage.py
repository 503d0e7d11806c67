"""Storage: all that a node keeps on its disk: the log, and the snapshot that it builds on."""

from __future__ import annotations

import struct
import zlib

from .bugs import NONE, Bugs
from .messages import Record
from .ports import Disk
from .recovery import Remembered, checkpoint, remember
from .wal import CorruptLog, Wal

SNAPSHOT = "snapshot"
INDEX = "index"
LATE_FLUSHES = 16
_HEADER = struct.Struct("<8sIQ")
_MAGIC = b"PXSNAP1\n"
_SLOT = struct.Struct("<Q")
_CRC = struct.Struct("<I")


class Storage:
    """Opened once in a node's life."""

    def __init__(self, disk: Disk, bugs: Bugs = NONE) -> None:
        self._disk = disk
        self._bugs = bugs
        self._wal = Wal(disk, bugs=bugs)
        self._late: Remembered | None = None  # for bugs compact-early and index-not-atomic only
        self._late_flushes = 0

    @property
    def torn_bytes(self) -> int:
        """How many bytes of an unfinished write `open` cut off."""
        return self._wal.torn_bytes

    def open(self) -> Remembered:
        """What the node remembers. Raises CorruptLog, OSError."""
        slot, snapshot = 0, b""
        if SNAPSHOT in self._disk.names():
            slot, snapshot = _decode(self._disk.read(SNAPSHOT))
        if self._bugs.active("index-not-atomic") and INDEX in self._disk.names():
            slot = max(slot, _index(self._disk.read(INDEX)))
        return remember(self._wal.open(), slot, snapshot)

    def append(self, records: list[Record]) -> None:
        """Keep records in memory until `flush`."""
        self._wal.append(records)

    def flush(self) -> None:
        """Make all records durable. Raises OSError."""
        try:
            self._wal.flush()
        except OSError:
            if not self._bugs.active("fsync-retry"):
                raise
            self._wal.flush()  # nothing is pending any more: that looks like success
        if self._late is not None:
            self._write_late()

    def save(self, memory: Remembered) -> None:
        """Make a snapshot durable, and only then let the log begin anew. Raises OSError."""
        if self._bugs.active("compact-early"):
            self._wal.restart(checkpoint(memory))
            self._late, self._late_flushes = memory, 0
            return
        if self._bugs.active("index-not-atomic") and SNAPSHOT in self._disk.names():
            index = _SLOT.pack(memory.snapshot_slot)
            self._disk.replace(INDEX, index + _CRC.pack(zlib.crc32(index)))
            self._late, self._late_flushes = memory, 0
            return
        self._replace_snapshot(memory)
        self._wal.restart(checkpoint(memory))

    def _write_late(self) -> None:
        """Bugs compact-early, index-not-atomic: the state reaches the disk in its own time."""
        self._late_flushes += 1
        if self._late is not None and self._late_flushes >= LATE_FLUSHES:
            self._replace_snapshot(self._late)
            self._late = None

    def _replace_snapshot(self, memory: Remembered) -> None:
        slot = _SLOT.pack(memory.snapshot_slot)
        crc = zlib.crc32(memory.snapshot, zlib.crc32(slot))
        header = _HEADER.pack(_MAGIC, crc, memory.snapshot_slot)
        self._disk.replace(SNAPSHOT, header + memory.snapshot)


def _index(data: bytes) -> int:
    """Bug index-not-atomic: the slot of its file. A damaged one is noticed, as elsewhere."""
    slot, crc = data[: _SLOT.size], data[_SLOT.size :]
    if crc != _CRC.pack(zlib.crc32(slot)):
        raise CorruptLog("the index is corrupt")
    return int(_SLOT.unpack(slot)[0])


def _decode(data: bytes) -> tuple[int, bytes]:
    if len(data) >= _HEADER.size:
        magic, crc, slot = _HEADER.unpack_from(data)
        snapshot = data[_HEADER.size :]
        if magic == _MAGIC and crc == zlib.crc32(snapshot, zlib.crc32(_SLOT.pack(slot))):
            return slot, snapshot
    raise CorruptLog("the snapshot is corrupt")
