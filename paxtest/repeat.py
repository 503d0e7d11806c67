"""The exact command that repeats a run, and what must never reach the store."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from paxtest import plan as plans
from paxtest.plan import Plan

_SECRET = re.compile(r"pass(word|phrase|wd)?|secret|token|private_key|credential", re.IGNORECASE)
REDACTED = "(redacted)"


def command_line(plan: Plan, cluster_kind: str) -> str:
    """`paxtest run ...` with seed, preset, and every setting that differs from its values."""
    words = ["paxtest", "run", "--seed", str(plan.seed)]
    given = {"preset": plan.preset, "system.name": plan.system.name, "seed": 0}
    begun = plans.load(None, [], given | {"workload.name": plan.workload.name})
    default = begun.model_dump(mode="json") | {"preset": ""}
    mine = redacted(plan.model_dump(mode="json"))
    mine["cluster"]["kind"] = cluster_kind
    flags = {
        "preset": "--preset",
        "system.name": "--system",
        "workload.name": "--workload",
        "cluster.kind": "--cluster",
        "time_limit_s": "--time-limit",
        "concurrency": "--concurrency",
    }
    always = {"system.name", "workload.name", "cluster.kind", "time_limit_s"}
    for name, value in _leaves(mine):
        if name == "seed" or (name not in always and value == _get(default, name)):
            continue
        if name == "nemesis.kinds":
            words += ["--nemesis", ",".join(value)]
        elif name == "system.options.bugs":
            for bug in value:
                words += ["--bug", bug]
        elif name in flags:
            words += [flags[name], _text(value)]
        else:
            words += ["--set", f"{name}={_text(value)}"]
    return shlex.join(words)


def redacted(data: Any) -> Any:
    """The same data with the value of everything that is named like a secret replaced."""
    if isinstance(data, dict):
        return {
            key: REDACTED if _SECRET.search(str(key)) and value else redacted(value)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [redacted(value) for value in data]
    return data


def _leaves(data: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in data.items():
        if isinstance(value, dict):
            rows += _leaves(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, value))
    return rows


def _get(data: dict[str, Any], dotted: str) -> Any:
    here: Any = data
    for part in dotted.split("."):
        if not isinstance(here, dict) or part not in here:
            return None
        here = here[part]
    return here


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
