"""Processes of local clusters: found by the marks in their environment, and killed."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from paxtest.cluster.ownership import OWNER_VARIABLE, RUN_VARIABLE
from paxtest.errors import ClusterError


def marked() -> dict[int, tuple[str, str]]:
    """pid: (run id, owner) of every process that carries the marks. Processes whose environment
    this user may not read are somebody else's."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            marks = {}
            for pair in (entry / "environ").read_bytes().split(b"\0"):
                name, _, value = pair.decode("utf-8", "replace").partition("=")
                marks[name] = value
            if RUN_VARIABLE in marks:
                found[int(entry.name)] = (marks[RUN_VARIABLE], marks.get(OWNER_VARIABLE, ""))
    return found


def kill(run_id: str, timeout_s: float = 5.0) -> list[int]:
    """SIGKILL all processes of a run (never this one) and wait until they are gone."""
    killed: set[int] = set()
    deadline_s = time.monotonic() + timeout_s
    while True:
        left = {pid for pid, (run, _) in marked().items() if run == run_id} - {os.getpid()}
        if not left:
            return sorted(killed)
        if time.monotonic() >= deadline_s:
            raise ClusterError(f"processes of run {run_id} outlived SIGKILL: {sorted(left)}")
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed |= left
        time.sleep(0.01)
