"""Final reads: after healing, every node is asked for the last keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paxtest import generator as gen
from paxtest.generator import Generator, Thread
from paxtest.operation import NEMESIS

ATTEMPTS = 5
RETRY_DELAY_S = 0.2
TIME_LIMIT_S = 30.0


def on_every_node(nodes: int, operations: Callable[[], Sequence[dict[str, Any]]]) -> Generator:
    """Each of `operations()` (asked once, when the load is over) on each node until it is ok.

    Thread i talks to node i modulo n. A node does one operation at a time, in the given order, at
    most ATTEMPTS times each and for TIME_LIMIT_S in all; the nodes work beside each other.
    """

    def one_node(node: int) -> Generator:
        def mine(thread: Thread) -> bool:
            return thread != NEMESIS and int(thread) % nodes == node

        def attempts(operation: dict[str, Any]) -> Generator:
            tries = gen.limit(ATTEMPTS, gen.delay(RETRY_DELAY_S, gen.repeat(operation)))
            return gen.until_ok(tries)

        each = gen.lazy(lambda: [attempts(operation) for operation in operations()])
        return gen.on_threads(mine, gen.concurrency_limit(1, each))

    return gen.time_limit(TIME_LIMIT_S, gen.any(*(one_node(node) for node in range(nodes))))
