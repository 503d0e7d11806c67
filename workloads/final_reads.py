"""Final operations: after healing and quiescence, every node is asked about the last keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paxtest import generator as gen
from paxtest.generator import Context, Event, Generator, OnUpdate, Thread
from paxtest.operation import NEMESIS, Type

ATTEMPTS = 5
RETRY_DELAY_S = 0.2
TIME_LIMIT_S = 30.0


def until_answered(operation: dict[str, Any]) -> Generator:
    """`operation` again and again until it is ok, at most ATTEMPTS times."""
    return gen.until_ok(gen.limit(ATTEMPTS, gen.delay(RETRY_DELAY_S, gen.repeat(operation))))


def until_empty(operation: dict[str, Any], limit: int) -> Generator:
    """`operation` (a dequeue) until it finds nothing, at most `limit` times."""

    def react(this: OnUpdate, ctx: Context, event: Event) -> Any:
        if event.type == Type.OK and event.value is None:
            return None
        return this

    return gen.on_update(react, gen.limit(limit, gen.repeat(operation)))


def on_every_node(nodes: int, parts: Callable[[], Sequence[Any]]) -> Generator:
    """All of `parts()` (generators; asked for once, when the load is over) on each node.

    Thread i talks to node i modulo n. A node does one operation at a time, for TIME_LIMIT_S in
    all; the nodes work beside each other, each beginning with another part.
    """

    def one_node(node: int) -> Generator:
        def mine(thread: Thread) -> bool:
            return thread != NEMESIS and int(thread) % nodes == node

        def rotated() -> list[Any]:
            made = list(parts())
            start = node * len(made) // nodes
            return made[start:] + made[:start]

        return gen.on_threads(mine, gen.concurrency_limit(1, gen.lazy(rotated)))

    return gen.time_limit(TIME_LIMIT_S, gen.any(*(one_node(node) for node in range(nodes))))
