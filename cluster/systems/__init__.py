"""Systems under test: the bundled ones, entry points, and `path.py:Name`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from paxtest.cluster.protocol import Cluster
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
