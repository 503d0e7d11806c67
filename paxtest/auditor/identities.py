"""Identities: a node that lost its disk goes on under another name, as another acceptor."""

from __future__ import annotations

from typing import Any

Traces = dict[str, list[list[Any]]]


def by_identity(traces: Traces) -> Traces:
    """The traces of nodes, as traces of what they were called in the protocol: `n1`, and `n1~7d0`
    from the start on in which a new disk of n1 was so called. What one promised does not bind the
    other: who votes is told by the members, and no quorum counts both. The very same traces where
    every node has the one name."""
    if all(
        event[_NODE] == name
        for name, events in traces.items()
        for event in events
        if event[1] == "start" and len(event) > _NODE
    ):
        return traces
    told: Traces = {}
    for name, events in traces.items():
        current = name
        told.setdefault(name, [])
        for event in events:
            if event[1] == "start" and len(event) > _NODE:
                current = event[_NODE]
            told.setdefault(current, []).append(event)
    return told


_NODE = 11  # where an event `start` has what the node is called
