"""What a generator costs the runner's loop: microseconds for op, update at dispatch, update at
completion and the context's steps, together, per operation.

    python benchmarks/generator.py [operations]
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

from paxtest import generator as gen
from paxtest import workloads
from paxtest.generator import PENDING, Context
from paxtest.operation import Op, Type

BUDGET_US = 60.0


def keyed(key: Any) -> Any:
    return gen.limit(500, gen.mix([gen.repeat({"f": "read"}), lambda: {"f": "write", "value": 1}]))


def stacks() -> dict[str, Callable[[int], Any]]:
    """Name -> concurrency -> generator; all are bounded as the runner bounds them."""
    return {
        "one dict": lambda n: gen.repeat({"f": "read"}),
        "mix of 3": lambda n: gen.mix([gen.repeat({"f": f}) for f in ("a", "b", "c")]),
        "concurrent keys, 5 groups": lambda n: gen.concurrent_generator(
            n // 5, range(10**9), keyed
        ),
        "each_thread": lambda n: gen.each_thread(gen.cycle(keyed(0))),
        "register": lambda n: workloads.load("register")(
            {}, seed=1, nodes=5, concurrency=n
        ).generator(),
    }


def measure(generator: Any, concurrency: int, operations: int) -> float:
    """Microseconds per operation. A completion is delivered `concurrency` / 2 dispatches later,
    so that about half of the threads are busy, as in a run."""
    bounded = gen.clients(gen.time_limit(1e9, gen.stagger(1e-6, generator)))
    ctx = Context.start(concurrency, 7, nemesis=False)
    open_: list[gen.Invocation] = []
    at = time.process_time  # CPU time: other work on the machine does not count
    began = at()
    done = now = 0
    while done < operations:
        now += 2000
        ctx = ctx.at(now)
        op, after = bounded.op(ctx)
        if op is not None and op is not PENDING:
            if op.time_ns > now:
                continue
            ctx = ctx.dispatched(op.process, now)
            bounded = after.update(ctx, op)
            open_.append(op)
        if op is PENDING or len(open_) > concurrency // 2:
            ended = open_.pop(0)
            event = Op(0, now, ended.process, Type.OK, ended.f, ended.key, ended.value)
            ctx = ctx.completed(ended.process, now)
            bounded = bounded.update(ctx, event)
            done += 1
    return (at() - began) / operations * 1e6


def main() -> None:
    operations = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(
        f"{platform.machine()}, {os.cpu_count()} CPUs, {platform.python_implementation()} "
        f"{platform.python_version()}; best of 5; {operations} operations each"
    )
    print(f"{'generator':<28}{'10 threads':>12}{'100 threads':>12}   us per operation")
    for name, make in stacks().items():
        best = [min(measure(make(n), n, operations) for _ in range(5)) for n in (10, 100)]
        mark = "" if max(best) < BUDGET_US else f"   over the budget of {BUDGET_US:g}"
        print(f"{name:<28}{best[0]:>12.1f}{best[1]:>12.1f}{mark}")


if __name__ == "__main__":
    main()
