"""Whose a cluster is: labels on everything that a run makes, and whether the maker still lives."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path

from paxtest.errors import UsageError

MARK = "paxtest"
RUN = "paxtest.run"
NODE = "paxtest.node"
OWNER = "paxtest.owner"

RUN_VARIABLE = "PAXTEST_RUN"
OWNER_VARIABLE = "PAXTEST_OWNER"
"""The environment variables that mark the processes of a local cluster."""

OWNER_FILE = "owner"
"""In the directory of a local cluster: the owner, then the run id, on a line each."""

KEPT = "kept"
"""The owner of a cluster that is to outlive the command that made it."""

_RUN_ID = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,39}")


def check_run_id(run_id: str) -> str:
    """A run id goes into names of containers, networks and directories."""
    if not _RUN_ID.fullmatch(run_id):
        raise UsageError(
            f"not a run id: {run_id!r}",
            "use 1 to 40 letters, digits, '.', '_' or '-', beginning with a letter or a digit",
        )
    return run_id


def owner(*, keep: bool = False) -> str:
    """This process, as `alive` knows it again: pid, start time, boot."""
    if keep:
        return KEPT
    pid = os.getpid()
    return f"{pid} {start_time(pid)} {boot_id()}"


def alive(recorded: str) -> bool:
    """Does the owner still run? A kept cluster counts as owned. Pids are reused: start times of
    one boot are not."""
    if recorded == KEPT:
        return True
    words = recorded.split()
    if len(words) != 3 or not words[0].isdigit():
        return False
    pid, started, boot = words
    return boot == boot_id() and started == start_time(int(pid))


def start_time(pid: int) -> str:
    """Field 22 of /proc/PID/stat, in clock ticks since boot; "" where no such process lives."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


@cache
def boot_id() -> str:
    """Names the time since this machine was started last."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def digest(text: str, hex_digits: int) -> str:
    """A short, stable fingerprint, for addresses that runs must not share."""
    return hashlib.sha256(text.encode()).hexdigest()[:hex_digits]
