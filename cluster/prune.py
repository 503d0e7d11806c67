"""Removes what runs have left: containers, networks, processes and directories of ours.

Everything carries its run and its owner. What a live owner has is left alone, and so is a kept
cluster (`paxtest cluster up`), unless all is asked for.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paxtest.cluster import docker, ownership, processes
from paxtest.errors import DockerUnavailable


@dataclass
class Pruned:
    """Sentences: what was removed, what was left and why."""

    removed: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def prune(*, everything: bool = False) -> Pruned:
    """Remove what has no live owner; with `everything`, all of it. Blocks."""
    pruned = Pruned()
    _processes(pruned, everything)
    _directories(pruned, everything)
    try:
        api = docker.connect()
    except DockerUnavailable as error:
        pruned.left.append(f"containers, if there are any: {error.message}")
        return pruned
    try:
        _containers(api, pruned, everything)
    finally:
        api.close()
    return pruned


def remove(run_id: str) -> Pruned:
    """Remove all that the run `run_id` has here, whoever owns it. Blocks."""
    pruned = Pruned()
    if killed := processes.kill(run_id):
        pruned.removed.append(f"{len(killed)} processes of run {run_id}")
    for path, _, found in _local_directories():
        if found == run_id:
            shutil.rmtree(path, ignore_errors=True)
    if docker.available() is None:
        api = docker.connect()
        try:
            pruned.removed += docker.remove(api, run_id)
        finally:
            api.close()
    return pruned


def _spared(owner: str, what: str, pruned: Pruned, everything: bool) -> bool:
    if everything or not ownership.alive(owner):
        return False
    why = (
        "kept by `paxtest cluster up`: paxtest cluster down, or prune --all"
        if owner == ownership.KEPT
        else f"its paxtest runs (pid {owner.split()[0]})"
    )
    pruned.left.append(f"{what}: {why}")
    return True


def _processes(pruned: Pruned, everything: bool) -> None:
    for run_id, owner in sorted(set(processes.marked().values())):
        if _spared(owner, f"processes of run {run_id}", pruned, everything):
            continue
        killed = processes.kill(run_id)
        if killed:
            pruned.removed.append(f"{len(killed)} processes of run {run_id}")


def _directories(pruned: Pruned, everything: bool) -> None:
    for path, owner, run_id in _local_directories():
        if everything or not ownership.alive(owner):
            shutil.rmtree(path, ignore_errors=True)
            pruned.removed.append(f"directory {path} of run {run_id}")


def _local_directories() -> Iterator[tuple[Path, str, str]]:
    """(path, owner, run id) of this user's local clusters."""
    for path in Path(tempfile.gettempdir()).glob(f"paxtest-*/{ownership.OWNER_FILE}"):
        try:
            if path.stat().st_uid == os.geteuid():
                owner, run_id = path.read_text().splitlines()[:2]
                yield path.parent, owner, run_id
        except (OSError, ValueError):
            continue


def _containers(api: Any, pruned: Pruned, everything: bool) -> None:
    filters = {"label": [f"{ownership.MARK}=1"]}
    found = [*api.containers(all=True, filters=filters), *api.networks(filters=filters)]
    runs = {
        (one["Labels"].get(ownership.RUN, ""), one["Labels"].get(ownership.OWNER, ""))
        for one in found
    }
    for run_id, owner in sorted(runs):
        if not _spared(owner, f"containers of run {run_id}", pruned, everything):
            pruned.removed += docker.remove(api, run_id)
