"""WorkloadLoad: the generators of paxtest's workloads drive the clients of the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paxtest import generator as gen
from paxtest import workloads
from paxtest.generator import PENDING, Context, Generator, Invocation, lift
from paxtest.operation import Op, Type
from paxtest.workloads.many_keys import ManyKeys

MODELS = {
    "register": "cas-register",
    "append": "append-list",
    "counter": "counter",
    "multi": "multi-register",
    "set": "grow-set",
    "queue": "queue",
}
"""Workloads that the simulated client knows -> model of the core."""

IDLE_NS = 20_000_000
OPS_PER_KEY = {"append": 12, "counter": 12, "set": 12, "queue": 16, "multi": 16}
"""Of workloads in which an answer rests on all that was done to the key before: a counterexample is
as long as that, and so is the search where much is of unknown outcome. Else a key serves a whole
seed, which is short."""
NEVER_RETIRED = 100_000


class WorkloadLoad:
    """The Load port. Settings that are not named here are those of a real run."""

    def __init__(
        self, name: str, seed: int, nodes: int, threads: int, keys: int, *, operations: int
    ) -> None:
        settings: dict[str, Any] = {
            "key_prefix": name,
            "keys": 2 * keys if name == "queue" else keys,
            "ops_per_key": OPS_PER_KEY.get(name, NEVER_RETIRED),
            "final_keys": 1,  # and all that are active
        }
        if name in ("append", "counter", "set"):
            settings["reads"] = 0.45
        factory = workloads.load(name)
        workload = factory(settings, seed=seed, nodes=nodes, concurrency=threads)
        assert isinstance(workload, ManyKeys)
        self._workload = workload
        self._name, self._keys = name, settings["keys"]
        self._generator: Generator = lift(gen.limit(operations, self._workload.generator()))
        self._context = Context.start(threads, seed, nemesis=False)
        self._open: dict[int, Invocation] = {}

    def next(self, thread: int, now_ns: int) -> tuple[str, str, Any] | int | None:
        """The thread's next operation; nanoseconds to wait; or None at the end."""
        self._context = self._context.at(now_ns)
        operation, after = self._generator.op(self._context.offering(1 << thread))
        if operation is None:
            return None
        if not isinstance(operation, Invocation):
            assert operation is PENDING
            self._generator = after
            return IDLE_NS
        if operation.time_ns > now_ns:
            return operation.time_ns - now_ns
        self._context = self._context.dispatched(operation.process, now_ns)
        self._generator = after.update(self._context, operation)
        self._open[thread] = operation
        return operation.f, str(operation.key), operation.value

    def completed(self, thread: int, type_: str, value: Any, now_ns: int) -> None:
        """Tell the generator how the thread's operation ended."""
        done = self._open.pop(thread)
        kind = Type(type_)
        self._context = self._context.completed(done.process, now_ns, crashed=kind is Type.INFO)
        event = Op(0, now_ns, done.process, kind, done.f, done.key, value)
        self._generator = self._generator.update(self._context, event)

    def finish(self, threads: Sequence[int]) -> None:
        """Go on with the workload's final operations, by these threads: somebody asks about the
        keys that were retired, and every node about those that are active."""
        self._context = self._context.only(sum(1 << thread for thread in threads))
        retired = range(self._workload.keys_opened() - self._keys)
        parts = [self._workload.final_part(f"{self._name}{number}") for number in retired]
        self._generator = lift([gen.concurrency_limit(1, parts), self._workload.final_generator()])
