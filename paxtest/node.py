"""Node: a place where a replica of the system under test runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """A node: `name` (n1, n2, ...), `index` from 0, `host` where the control node reaches it."""

    name: str
    index: int
    host: str
