"""Values of keys, and how they are written into snapshots."""

from __future__ import annotations

from collections import deque

Value = bytes | deque[bytes] | set[bytes]


def freeze(value: Value) -> tuple[str, list[bytes]]:
    """Kind and items of a value, equal iff the values are."""
    if isinstance(value, bytes):
        return "s", [value]
    if isinstance(value, deque):
        return "l", list(value)
    return "z", sorted(value)


def thaw(kind: str, items: list[bytes]) -> Value:
    """The inverse of `freeze`."""
    if kind == "s":
        return items[0]
    return deque(items) if kind == "l" else set(items)
