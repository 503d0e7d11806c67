"""Op: one event of a history, as the journal holds it (DESIGN 4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

NEMESIS = "nemesis"
"""The process name under which faults appear in a history."""


class Type(StrEnum):
    """What an event says: the operation began, happened, certainly did not, or nobody knows."""

    INVOKE = "invoke"
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Op(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One event. An operation is an `invoke` and, of the same process, the next completion.

    `time_ns` is CLOCK_MONOTONIC since the run began. `process` is a number, or "nemesis".
    `value` holds what the function `f` works on: for `read` None at the invocation and what
    was read at the completion, for `write` the value, for `cas` a list [from, to].
    `error` is [class, text]: a short class to count by, and the words of the system.
    """

    index: int
    time_ns: int
    process: int | str
    type: Type
    f: str
    key: Any = None
    value: Any = None
    error: tuple[str, str] | None = None
    node: str | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Op)


def encode(op: Op) -> bytes:
    """One journal line, without the newline."""
    return _encoder.encode(op)


def decode(line: bytes | str) -> Op:
    """The inverse of `encode`. Raises msgspec.DecodeError / ValidationError."""
    return _decoder.decode(line)
