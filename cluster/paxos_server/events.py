"""Events: what goes into a replica, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from .config import Reads
from .messages import Message, Record


@dataclass(frozen=True, slots=True)
class Receive:
    """A message arrived."""

    source: str
    message: Message


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class Durable:
    """All records up to number `lsn` (they count from 1) are on disk."""

    lsn: int


@dataclass(frozen=True, slots=True)
class Request:
    """A client's command, checked (`validation.check`); `number` names it in the reply. `reads`:
    how to answer a read, None for the server's own way. `connection`: commands of one connection
    happen in the order in which they came; 0 for a connection of its own."""

    number: int
    args: list[bytes]
    reads: Reads | None = None
    connection: int = 0


Event = Receive | Tick | Durable | Request


class Output(msgspec.Struct, gc=False):
    """What an event led to. Records go to the log in this order; when `sync` is set, they must be
    made durable and `Durable(lsn)` be reported. Messages and replies may leave at once. `save`: a
    memory to be stored after the records, as the engine's storage takes it, so that the log can
    begin anew; None when there is none."""

    records: list[Record] = []
    messages: list[tuple[str, Message]] = []
    replies: list[tuple[int, bytes]] = []
    sync: bool = False
    lsn: int = 0
    save: Any = None
