"""Slots: the places of a log; with the engine perkey, of the log that each key has."""

from __future__ import annotations

from typing import Any

SlotId = int | tuple[str, int]
"""A number; or (key, version) where every key has a log of its own."""


def per_key(events: list[list[Any]]) -> bool:
    """Is this the trace of a node of the engine perkey?"""
    start = next((event for event in events if event[1] == "start"), None)
    return start is not None and start[9] == "versions"


def place(slot: SlotId) -> str:
    """What people call it."""
    return f"slot {slot}" if isinstance(slot, int) else f"version {slot[1]} of key {slot[0]}"


def log_of(slot: SlotId) -> str:
    """The key whose log it is in; "" where there is one log for all."""
    return "" if isinstance(slot, int) else slot[0]


def hashable(event: list[Any]) -> list[Any]:
    """The event with tuples for what JSON has as lists, as a key of a dictionary must be."""
    return [_tuple(item) for item in event]


def _tuple(item: Any) -> Any:
    return tuple(map(_tuple, item)) if isinstance(item, list) else item
