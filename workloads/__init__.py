"""Workloads, one per file, and their registry.

Third parties add theirs by the entry point group `paxtest.workloads` or as `path.py:Name`; a
factory is called as `factory(options, seed=, nodes=, concurrency=, load_process=(i, n))`.
"""

from __future__ import annotations

from collections.abc import Callable

from paxtest.plugins import Registry
from paxtest.workload import Workload

_REGISTRY: Registry[Callable[..., Workload]] = Registry(
    "workload",
    "paxtest.workloads",
    {
        "append": "paxtest.workloads.append:Append",
        "counter": "paxtest.workloads.counter:Counter",
        "multi": "paxtest.workloads.multi:Multi",
        "queue": "paxtest.workloads.queue:Queue",
        "register": "paxtest.workloads.register:Register",
        "set": "paxtest.workloads.set:Set",
    },
)


def names() -> list[str]:
    """The names that `load` knows, sorted."""
    return _REGISTRY.names()


def load(name: str) -> Callable[..., Workload]:
    """The factory called `name`. Raises PlanError naming the known ones and the closest."""
    return _REGISTRY.load(name)
