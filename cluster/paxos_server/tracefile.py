"""TraceFile: the trace of a node in a file, an event a line (JSON; `trace.py` says which).

What a node is about to do is written before it is done, so that a `kill -9` leaves a trace of all
that may have been seen outside: at most the last line is torn, and what it tells of never left.
The lines are handed to the operating system and not synced: they survive the process, not the
machine. They go through a pipe to a process of their own, which outlives the node's: limits and
errors of the node's own files (a full disk, RLIMIT_FSIZE) do not end the trace that is to tell of
them.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import msgspec

from .trace import Trace, TraceEvent

LIMIT_BYTES = 32 << 20
"""A trace ends here, with an event `cut`: auditors then know that more happened."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class TraceFile:
    """Opened once in a node's life; appends to what former lives wrote. Raises OSError."""

    def __init__(self, path: Path, trace: Trace, limit_bytes: int = LIMIT_BYTES) -> None:
        self._trace = trace
        self._limit_bytes = limit_bytes
        self._encoder = msgspec.json.Encoder()
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o644)
        self._size = os.fstat(file).st_size
        torn = self._size > 0 and os.pread(file, 1, self._size - 1) != b"\n"
        self._fd, self._writer = _through_writer(file)
        if torn:
            self._write(b"\n")  # the torn line of a former life stays a line of its own
        trace.add("clock", clock_id())

    def write(self) -> None:
        """Write the events since the last call, unless the trace has been cut."""
        events = self._trace.take()
        if not events:
            return
        if self._size < self._limit_bytes:
            self._write(self._encoder.encode_lines(events))
            if self._size >= self._limit_bytes:
                cut: TraceEvent = [events[-1][0], "cut", self._limit_bytes]
                self._write(self._encoder.encode(cut) + b"\n")

    def close(self) -> None:
        """Returns when all is in the file."""
        os.close(self._fd)
        if self._writer is not None:
            self._writer.wait()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self._size += written
            view = view[written:]


def _through_writer(file: int) -> tuple[int, subprocess.Popen[bytes] | None]:
    """(where to write, who copies that into the file): the file itself and None without `cat`."""
    with contextlib.suppress(FileNotFoundError):
        # A session of its own: what stops or kills the node leaves it alone. It ends with the pipe.
        writer = subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, stdout=file, stderr=subprocess.DEVNULL,
            start_new_session=True, env={"PATH": os.environ.get("PATH", os.defpath)},
        )  # fmt: skip
        assert writer.stdin is not None
        os.close(file)
        end = os.dup(writer.stdin.fileno())
        writer.stdin.close()
        return end, writer
    return file, None


def clock_id() -> str:
    """Names the clock of the events' times: that of this boot of this machine, which its
    containers share. "" where the system does not say."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""
