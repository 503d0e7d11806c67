"""FaultEvent: one line of faults.jsonl, and the journal that writes it before the act."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Any, Literal

import msgspec

from paxtest.errors import StoreError

Happening = Literal["inject", "injected", "probe", "heal", "healed", "failed"]


class FaultEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Events of one fault share `id`, in this order: inject (written and fsynced before the
    fault), injected, probe (one or more; `effective` says whether the fault was seen to hold,
    `evidence` how), heal (before), healed; `failed` where one of them raised (`text` says what).

    `kind` is the family (partition, kill, pause, clock), `name` the fault (isolate-leader).
    `in_flight`: client operations open at that moment. `undo`: all that is needed to heal the
    fault when the control node is gone.
    """

    id: int
    time_ns: int
    event: Happening
    kind: str
    name: str
    nodes: list[str] = []
    text: str = ""
    effective: bool | None = None
    evidence: str = ""
    in_flight: int = 0
    undo: dict[str, Any] = {}


class FaultJournal:
    """Appends to faults.jsonl. Every line is with the kernel when `append` returns; with `sync`
    it is on the disk as well, so that a fault is never in force without a line that names it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._encoder = msgspec.json.Encoder()
        self._lock = threading.Lock()
        self._fd = -1
        _mend(path)
        self._open()

    def _open(self) -> None:
        # O_APPEND: one write per line, whole lines even if a healer appends beside us.
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def append(self, event: FaultEvent, *, sync: bool = False) -> None:
        """Blocks (for milliseconds when `sync`): call it from a thread. Opens a closed journal."""
        with self._lock:
            if self._fd < 0:
                self._open()
            line = self._encoder.encode(event) + b"\n"
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(f"{self.path}: {written} of {len(line)} bytes written: disk full?")
            if sync:
                os.fdatasync(self._fd)

    def close(self) -> None:
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


def _mend(path: Path) -> None:
    """Cut a torn last line off, or end a whole one, before anything is appended to it."""
    if not path.exists():
        return
    content = path.read_bytes()
    keep = content.rfind(b"\n") + 1
    if keep == len(content):
        return
    try:
        msgspec.json.decode(content[keep:], type=FaultEvent)
    except msgspec.DecodeError:
        os.truncate(path, keep)
    else:
        with path.open("ab") as file:
            file.write(b"\n")


def read_journal(path: Path) -> list[FaultEvent]:
    """The events of a faults.jsonl. A torn last line is normal after a crash and left out;
    a broken line before the last is a StoreError naming it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        raise StoreError(
            f"{path} does not exist", "name the directory of a run that had a nemesis"
        ) from None
    decoder = msgspec.json.Decoder(FaultEvent)
    torn = lines.pop()  # what follows the last newline: nothing, or a torn line
    events: list[FaultEvent] = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(decoder.decode(line))
        except msgspec.DecodeError as error:
            raise StoreError(
                f"{path} line {number} is not a fault event: {error}",
                "faults.jsonl is written by paxtest alone; restore it, or use "
                "'paxtest cluster prune' to remove the cluster as a whole",
            ) from None
    if torn:
        with contextlib.suppress(msgspec.DecodeError):  # whole, only its newline is missing
            events.append(decoder.decode(torn))
    return events


def unhealed(events: list[FaultEvent]) -> list[FaultEvent]:
    """The `inject` events of the faults that may still be in force, oldest first.

    A fault whose injection failed half-way may be in force too: only `healed` clears it.
    """
    healed = {event.id for event in events if event.event == "healed"}
    return [event for event in events if event.event == "inject" and event.id not in healed]
