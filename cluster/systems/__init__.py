"""Systems under test: the bundled ones, entry points, and `path.py:Name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from paxtest.cluster.protocol import Cluster
from paxtest.plan import Plan
from paxtest.plugins import Registry
from paxtest.system import System

Factory = Callable[[Cluster, Mapping[str, Any]], System]

_registry: Registry[Factory] = Registry(
    "system",
    "paxtest.systems",
    {
        "paxos": "paxtest.cluster.systems.paxos:PaxosSystem",
    },
)


def names() -> list[str]:
    """Every system that `--system` takes, bundled or installed."""
    return _registry.names()


def load(name: str) -> Factory:
    """The factory of a system. Raises PlanError for an unknown one."""
    return _registry.load(name)


def make(plan: Plan, cluster: Cluster) -> System:
    """The plan's system on a cluster. Raises PlanError for an unknown one or a wrong option.

    The bundled clients must know which data type the workload's functions work on.
    """
    options = dict(plan.system.options)
    if plan.system.name in _registry.bundled:
        options.setdefault("data", plan.workload.name)
    return load(plan.system.name)(cluster, options)
