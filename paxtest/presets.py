"""Presets: named plans to begin from. A file, `--set` and flags override each of their values."""

from __future__ import annotations

from typing import Any

from paxtest.errors import PlanError, did_you_mean

PRESETS: dict[str, dict[str, Any]] = {
    # Before a commit: does it work at all?
    "quick": {
        "cluster.nodes": 3,
        "nemesis.kinds": ["partition", "kill"],
        "concurrency": "2n",
        "time_limit_s": 15,
    },
    # Every night: long, with every kind of fault, on a system set up as its users set it up.
    "nightly": {
        "nemesis.kinds": ["all"],
        "time_limit_s": 600,
        "checker.time_budget_s": 300,
    },
    # Looking for trouble: every kind of fault on few keys, on a system whose windows are small,
    # so that snapshots, elections and split batches come in seconds instead of hours. Not that of
    # the slots in flight: a leader that finds it full of what others left proposes nothing of its
    # own, and two leaders never leave different values in one slot.
    # So many operations that each fault meets some, and so few that the machine has time left for
    # what strikes in the middle of an election; many clients, for those of a leader that is cut off
    # all wait before long, and then it has nothing to propose (decision 179).
    "hunt": {
        "nemesis.kinds": ["all"],
        "time_limit_s": 60,
        "rate": 300,
        "concurrency": "8n",
    },
}

SYSTEM_OPTIONS: dict[tuple[str, str], dict[str, Any]] = {
    ("hunt", "paxos"): {
        "snapshot_every": 10,
        "batch_commands": 4,
        "election_s": 0.4,
    },
}
"""What a preset sets of a bundled system's options: those of others are not ours to know."""

WORKLOAD_OPTIONS: dict[str, dict[str, Any]] = {"hunt": {"keys": 4, "readers": 0.25}}
"""Few keys: contention. Clients that only read go on asking a node that was left behind, where all
others soon wait for a write that it cannot carry out."""

FEW_KEYS = frozenset({"append", "counter", "register", "set"})
"""The bundled workloads that take `keys` and whose checks bear many clients on a key."""


def names() -> list[str]:
    return list(PRESETS)


def values(preset: str, system: str, workload: str) -> dict[str, Any]:
    """Dotted names and their values. Raises PlanError for an unknown preset."""
    if preset not in PRESETS:
        meant = did_you_mean(preset, names())
        raise PlanError(f"no preset is named {preset!r}", f"{meant}Known are {', '.join(names())}")
    found = dict(PRESETS[preset])
    for name, value in SYSTEM_OPTIONS.get((preset, system), {}).items():
        found[f"system.options.{name}"] = value
    if workload in FEW_KEYS:
        for name, value in WORKLOAD_OPTIONS.get(preset, {}).items():
            found[f"workload.{name}"] = value
    return found
