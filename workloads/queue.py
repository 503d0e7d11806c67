"""Workload `queue`: unique elements through many FIFO queues, which are drained in the end.

The drain takes the place of final reads: an element that was acknowledged and never comes out is
lost only if somebody finds the queue empty.
"""

from __future__ import annotations

from typing import Any

import msgspec

from paxtest.generator import Event, Generator
from paxtest.workloads import many_keys
from paxtest.workloads.final_reads import ATTEMPTS, until_empty
from paxtest.workloads.keyed import Functions
from paxtest.workloads.many_keys import ManyKeys, Positive, Share


class Options(many_keys.Options, frozen=True):
    """`reads` is the share of dequeues."""

    ops_per_key: Positive = 40
    reads: Share = 0.5


class QueueFunctions(msgspec.Struct, frozen=True):
    """enqueue and dequeue."""

    dequeues: float

    def choose(self, memory: Any, value: int, draw: float) -> tuple[str, Any, bool]:
        return ("dequeue", None, False) if draw < self.dequeues else ("enqueue", value, True)

    def remember(self, memory: Any, event: Event) -> Any:
        return memory


class Queue(ManyKeys):
    name = "queue"
    model = "queue"
    functions = frozenset({"enqueue", "dequeue"})
    schema = Options
    clients_per_key = 1  # overlapping enqueues and unknown dequeues make the search exponential

    def key_functions(self) -> Functions:
        return QueueFunctions(self.options.reads)

    def final_part(self, key: int | str) -> Generator:
        most = self.options.ops_per_key * self._load_process[1] + ATTEMPTS
        return until_empty({"f": "dequeue", "key": key}, most)
