"""Write-ahead log: records in checksummed chunks, in segments; one chunk a sync (group commit).

A chunk is `header | payload | footer`: header = magic, chunk number, payload length, CRC-32 of
number, length and payload; footer = magic, chunk number. Chunk n+1 is written only after chunk
n is durable. Therefore a damaged chunk with its own footer or any later chunk behind it is
*corruption* (promises and accepts may be lost: the node must not vote, and refuses to start),
while a damaged chunk without a footer at the very end is the *torn tail* of a sync that never
returned: nothing in it was ever acknowledged, and it is cut off. A last chunk whose footer is
whole but whose checksum is wrong might be either; refusing is the safe answer. A chunk whose
footer alone is damaged is kept, so that no single flipped bit can pass for a torn tail, not even
one in the last whole chunk before a torn one.
"""

from __future__ import annotations

import errno
import struct
import zlib
from collections.abc import Callable
from typing import Any

from .bugs import NONE, Bugs
from .messages import CheckpointRecord, Record, decode_records, encode
from .ports import Disk

_HEADER = struct.Struct("<4sQII")
_FOOTER = struct.Struct("<4sQ")
_MAGIC = b"PXC1"
_END = b"PXE1"
_NUMBERS = struct.Struct("<QI")
SEGMENT_BYTES = 64 * 1024 * 1024


class CorruptLog(Exception):
    """The log is damaged where it had been durable."""


class Wal:
    """Records appended are held here, in user space, until `flush`: what a process has not
    flushed when it is killed is lost, as if the power had failed."""

    def __init__(
        self,
        disk: Disk,
        segment_bytes: int = SEGMENT_BYTES,
        bugs: Bugs = NONE,
        decode: Callable[[bytes], list[Any]] = decode_records,
    ) -> None:
        self._disk = disk
        self._bugs = bugs
        self._decode = decode
        self._segment_bytes = segment_bytes
        self._broken = False
        self._pending: list[Record] = []
        self._segment = 1
        self._segment_size = 0
        self._chunk = 0
        self.torn_bytes = 0

    def open(self) -> list[Any]:
        """All durable records, oldest first; cuts off a torn tail. Raises CorruptLog."""
        records: list[Any] = []
        names = self._since_checkpoint()
        for name in names:
            data = self._disk.read(name)
            end = self._read_segment(name, data, records, last=name == names[-1])
            if end < len(data):
                self.torn_bytes = len(data) - end
                self._disk.truncate(name, end)
            self._segment = int(name[4:14])
            self._segment_size = end
        return records

    def append(self, records: list[Record]) -> None:
        """Keep records for the next flush."""
        self._pending += records

    def flush(self) -> None:
        """Write and sync all pending records as one chunk. Raises OSError, and after that for
        ever: nothing is known of the file any more, and what was pending is not in it."""
        if self._broken:
            raise OSError(errno.EIO, "an earlier write of the log failed")
        if not self._pending:
            return
        payload = encode(self._pending)
        self._pending = []
        self._chunk += 1
        if self._segment_size >= self._segment_bytes:
            self._segment += 1
            self._segment_size = 0
        data = _chunk(self._chunk, payload)
        try:
            self._disk.append(_name(self._segment), data)
        except OSError:
            self._chunk -= 1
            self._broken = not self._bugs.active("fsync-retry")
            raise
        self._segment_size += len(data)

    def restart(self, checkpoint: list[Record]) -> None:
        """Begin the log anew with a checkpoint in a segment of its own, and drop all others once
        it is durable. Raises OSError."""
        self.flush()
        self._segment += 1
        self._segment_size = 0
        self._pending = checkpoint
        self.flush()
        for name in self._disk.names():
            if name.startswith("wal-") and name != _name(self._segment):
                self._disk.remove(name)

    def _since_checkpoint(self) -> list[str]:
        """The segments from the last one on that begins with a checkpoint. Earlier ones were
        about to be dropped."""
        names = [name for name in self._disk.names() if name.startswith("wal-")]
        for i in range(len(names) - 1, -1, -1):
            data = self._disk.read(names[i])
            payload = _payload(data, 0, None)
            if payload is not None:
                first = self._decode(payload)[0]
                if isinstance(first, CheckpointRecord):
                    self._chunk = int(_HEADER.unpack_from(data, 0)[1]) - 1
                    for name in names[:i]:
                        self._disk.remove(name)
                    return names[i:]
        return names

    def _mend_footer(self, name: str, data: bytes, end: int) -> None:
        footer = _FOOTER.pack(_END, self._chunk)
        if data[end : end + _FOOTER.size] != footer:
            self._disk.truncate(name, end)
            self._disk.append(name, footer)

    def _read_segment(self, name: str, data: bytes, records: list[Any], last: bool) -> int:
        """Parse chunks; where a torn tail begins, or the end of the data."""
        position = 0
        while position < len(data):
            payload = _payload(data, position, self._chunk + 1)
            if payload is None:
                damaged = not last or _later_chunk(data, position, self._chunk + 1)
                if damaged and not self._bugs.active("corrupt-is-eof"):
                    raise CorruptLog(
                        f"{name} is corrupt at byte {position} (chunk {self._chunk + 1}),"
                        " before records that had been synced"
                    )
                return position
            records += self._decode(payload)
            self._chunk += 1
            end = position + _HEADER.size + len(payload)
            position = end + _FOOTER.size
            if position >= len(data):
                self._mend_footer(name, data, end)
        return position


def _name(segment: int) -> str:
    return f"wal-{segment:010d}"


def _chunk(number: int, payload: bytes) -> bytes:
    crc = zlib.crc32(payload, zlib.crc32(_NUMBERS.pack(number, len(payload))))
    header = _HEADER.pack(_MAGIC, number, len(payload), crc)
    return b"".join((header, payload, _FOOTER.pack(_END, number)))


def _payload(data: bytes, position: int, number: int | None) -> bytes | None:
    """The payload of the intact chunk at `position`, of this number if one is given."""
    start = position + _HEADER.size
    if start > len(data):
        return None
    magic, found, length, crc = _HEADER.unpack_from(data, position)
    end = start + length
    if magic != _MAGIC or end > len(data) or number not in (None, found):
        return None
    payload = data[start:end]
    numbers = data[position + 4 : position + 16]  # `found` and `length`, as they are packed
    if zlib.crc32(payload, zlib.crc32(numbers)) != crc:
        return None
    return payload


def _later_chunk(data: bytes, position: int, number: int) -> bool:
    """Is there proof behind `position` that chunk `number` had been synced: an intact footer, its
    own or a later chunk's, or an intact chunk? The footer may have a torn chunk behind it."""
    candidate = data.find(_END, position)
    while 0 <= candidate <= len(data) - _FOOTER.size:
        if _FOOTER.unpack_from(data, candidate)[1] >= number:
            return True
        candidate = data.find(_END, candidate + 1)
    candidate = data.find(_MAGIC, position + 1)
    while candidate >= 0:
        if _payload(data, candidate, None) is not None:
            return True
        candidate = data.find(_MAGIC, candidate + 1)
    return False
