"""What a run takes from its nodes in the end: see Runner._collect."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from paxtest.plan import Plan
from paxtest.progress import Progress
from paxtest.runner import Runner
from paxtest.store import TRACE, create

NODES = ("n1", "n2", "n3")


class Deployed:
    """A cluster and its system: `told` has what was asked of them, in order."""

    def __init__(self, *logs: str) -> None:
        self.nodes = [SimpleNamespace(name=name) for name in NODES]
        self.told: list[str] = []
        self.stuck = ""
        self._logs = logs

    def log_files(self, node: str) -> list[str]:
        return [f"/far/{node}/{log}" for log in self._logs]

    async def stop(self, node: str) -> None:
        if node == self.stuck:
            raise OSError("no such process")
        await asyncio.sleep(0.01 * int(node[1:]))
        self.told.append(f"stopped {node}")

    def remote(self, node: str) -> Any:
        async def download(path: str, target: Path) -> None:
            self.told.append(f"read {path}")
            target.write_text("")

        return SimpleNamespace(download=download)


def collect(path: Path, deployed: Deployed) -> Runner:
    runner = Runner(Plan.model_validate({"cluster": {"kind": "local"}}), path, Progress())
    runner._load = object()  # type: ignore[assignment]
    asyncio.run(runner._collect(create(path, "x"), deployed, deployed))  # type: ignore[arg-type]
    return runner


def test_all_nodes_stop_before_the_first_trace_is_read(tmp_path: Path) -> None:
    deployed = Deployed("server.log", TRACE)
    runner = collect(tmp_path, deployed)
    assert deployed.told[:3] == [f"stopped {name}" for name in NODES]
    assert sorted(deployed.told[3:]) == sorted(
        f"read /far/{name}/{log}" for name in NODES for log in ("server.log", TRACE)
    )
    assert runner.limits == []


def test_nodes_without_traces_are_left_alone(tmp_path: Path) -> None:
    deployed = Deployed("server.log")
    collect(tmp_path, deployed)
    assert sorted(deployed.told) == [f"read /far/{name}/server.log" for name in NODES]


def test_a_node_that_cannot_be_stopped_is_told_and_read_all_the_same(tmp_path: Path) -> None:
    deployed = Deployed(TRACE)
    deployed.stuck = "n2"
    runner = collect(tmp_path, deployed)
    assert runner.limits == ["n2 could not be stopped before its trace was read"]
    assert f"read /far/n2/{TRACE}" in deployed.told
