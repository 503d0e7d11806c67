"""The journal of a run: appended as it happens, readable after any crash (DESIGN 4)."""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from paxtest.errors import HistoryError
from paxtest.operation import NEMESIS, Op, Type, decode, encode
from paxtest.verdict import Operation

FLUSH_S = 0.05  # at most this long in user space (the contract says 100 ms)
FSYNC_S = 0.5  # at most this long out of the disk (the contract says 1 s)
MAX_LINE_BYTES = 16 << 20


class Journal:
    """Appends events to a JSONL file.

    `append` only buffers; a thread writes the buffer every 50 ms and fsyncs every half second, so
    that a slow disk never delays a stamp. Killing this process with SIGKILL loses at most what is
    in the buffer. Times are CLOCK_MONOTONIC nanoseconds since `start_ns`.
    """

    def __init__(self, path: Path, *, start_ns: int | None = None, first_index: int = 0) -> None:
        self.path = path
        self.start_ns = time.monotonic_ns() if start_ns is None else start_ns
        self.next_index = first_index
        self._buffer: list[bytes] = []
        self._lock = threading.Lock()  # an append between two halves of a swap would be lost
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._listeners: list[Callable[[Op], None]] = []
        self._error: OSError | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._flush_loop, name="journal", daemon=True)
        self._thread.start()

    def now_ns(self) -> int:
        """Nanoseconds since the run began."""
        return time.monotonic_ns() - self.start_ns

    def listen(self, listener: Callable[[Op], None]) -> None:
        """`listener` sees every event, in order, in the appending thread."""
        self._listeners.append(listener)

    def append(
        self,
        process: int | str,
        type_: Type,
        f: str,
        key: Any = None,
        value: Any = None,
        error: tuple[str, str] | None = None,
        node: str | None = None,
    ) -> Op:
        """Stamp an event now and append it. Raises OSError if an earlier write has failed."""
        if self._error is not None:
            raise self._error
        op = Op(self.next_index, self.now_ns(), process, type_, f, key, value, error, node)
        self.next_index += 1
        line = encode(op)
        with self._lock:
            self._buffer.append(line)
        for listener in self._listeners:
            listener(op)
        return op

    def _flush_loop(self) -> None:
        synced = time.monotonic()
        dirty = False
        try:
            while True:
                closing = self._closing.wait(FLUSH_S)
                dirty = self._write() or dirty
                if dirty and (closing or time.monotonic() - synced >= FSYNC_S):
                    os.fsync(self._fd)
                    synced, dirty = time.monotonic(), False
                if closing:
                    return
        except OSError as error:  # disk full, say: the next append raises it in the run itself
            self._error = error

    def _write(self) -> bool:
        with self._lock:
            lines, self._buffer = self._buffer, []
        if not lines:
            return False
        data = b"\n".join(lines) + b"\n"
        while data:
            data = data[os.write(self._fd, data) :]
        return True

    def close(self) -> None:
        """Write and fsync everything. Raises OSError if that is not possible; idempotent."""
        if self._fd < 0:
            return
        self._closing.set()
        self._thread.join()
        os.close(self._fd)
        self._fd = -1
        if self._error is not None:
            raise self._error


def read(path: Path) -> Iterator[Op]:
    """The events of a journal, in order. A torn last line is normal and left out.

    Raises HistoryError for a line elsewhere that is not an event.
    """
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            torn = not line.endswith(b"\n")
            if torn and len(line) == MAX_LINE_BYTES:
                raise HistoryError(
                    f"{path}, line {number}: longer than {MAX_LINE_BYTES} bytes",
                    "a history has one JSON object a line; is this file one?",
                )
            try:
                yield decode(line)
            except msgspec.DecodeError as error:
                if torn:
                    return
                raise HistoryError(
                    f"{path}, line {number}: {line[:80].decode('utf-8', 'replace').strip()!r} "
                    f"is not an event ({error})",
                    "expected e.g. "
                    '{"index":0,"time_ns":1,"process":0,"type":"invoke","f":"read"}; '
                    "docs/reference/history-format.md describes the format",
                ) from None


def merge(segments: Iterable[Path], destination: Path) -> int:
    """Merge journals of several load processes by time into one; returns the number of events.

    In ties invocations come first, which makes operations concurrent rather than ordered: the
    reading that can never accuse wrongly. Written beside and renamed, so a crash loses nothing.
    """

    def stamped(path: Path) -> Iterator[tuple[int, bool, int, Op]]:
        for op in read(path):
            yield op.time_ns, op.type is not Type.INVOKE, op.index, op

    temporary = destination.with_suffix(".merging")
    count = 0
    with temporary.open("wb") as out:
        merged = heapq.merge(*(stamped(p) for p in segments), key=lambda row: row[:2])
        for count, (_, _, _, op) in enumerate(merged, start=1):
            out.write(encode(msgspec.structs.replace(op, index=count - 1)) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(destination)
    return count


@dataclass(frozen=True)
class Tally:
    """How many client operations were invoked and how they ended; open ones count as info."""

    invoked: int
    ok: int
    fail: int
    info: int


def pair(ops: Iterable[Op]) -> Iterator[Operation]:
    """Client operations in order of completion; then those still open, as `info`."""
    open_: dict[int | str, Op] = {}
    for op in ops:
        if op.process == NEMESIS:
            continue
        if op.type is Type.INVOKE:
            open_[op.process] = op
            continue
        invocation = open_.pop(op.process, None)
        if invocation is not None:
            yield _operation(invocation, op)
    for invocation in open_.values():
        yield _operation(invocation, None)


def _operation(invocation: Op, completion: Op | None) -> Operation:
    known = completion is not None and completion.type is not Type.INFO
    value = completion.value if completion is not None else None
    return Operation(
        index=invocation.index,
        process=invocation.process,
        f=invocation.f,
        type=str(completion.type if completion is not None else Type.INFO),
        invoked_ns=invocation.time_ns,
        completed_ns=completion.time_ns if known and completion is not None else None,
        key=invocation.key,
        value=invocation.value if value is None else value,
        node=invocation.node,
        error=completion.error if completion is not None else None,
    )


def tally(path: Path) -> Tally:
    """Count the operations of a journal."""
    counts = {Type.INVOKE: 0, Type.OK: 0, Type.FAIL: 0, Type.INFO: 0}
    for op in read(path):
        if op.process != NEMESIS:
            counts[op.type] += 1
    open_ = counts[Type.INVOKE] - counts[Type.OK] - counts[Type.FAIL] - counts[Type.INFO]
    return Tally(
        counts[Type.INVOKE], counts[Type.OK], counts[Type.FAIL], counts[Type.INFO] + max(0, open_)
    )
