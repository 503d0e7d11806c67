"""Runs the real `paxtest` for tests, and looks for what it may have left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from paxtest.cluster import ownership, processes

COMMAND = [sys.executable, "-m", "paxtest"]


def paxtest(
    *words: str | Path, timeout_s: float = 110, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run to the end; stdout and stderr are captured."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True, text=True, timeout=timeout_s, check=False,
        env=os.environ | environment,
    )  # fmt: skip


def start(*words: str | Path, log: Path) -> subprocess.Popen[bytes]:
    """Start in the background; stdout and stderr go to `log`."""
    with log.open("wb") as out:
        return subprocess.Popen(
            [*COMMAND, *map(str, words)], stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip


def wait_for(
    condition: Callable[[], object], timeout_s: float, what: str, log: Path | None = None
) -> None:
    """Poll until `condition()` is true. AssertionError with the log's tail when it never is."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            tail = log.read_text("utf-8", "replace")[-3000:] if log is not None else ""
            raise AssertionError(f"not within {timeout_s} s: {what}\n{tail}")
        time.sleep(0.02)  # waits for the condition above


def completions(store: Path) -> int:
    """How many ok completions the newest run of a store has on disk."""
    path = store / "latest/history.jsonl"
    try:
        return path.read_bytes().count(b'"type":"ok"')
    except OSError:
        return 0


def stop(process: subprocess.Popen[bytes], signal_number: int = signal.SIGINT) -> int:
    """Send a signal and wait for the end; the exit code."""
    process.send_signal(signal_number)
    return process.wait(timeout=60)


def leftovers() -> list[str]:
    """Processes of local clusters whose owner is dead, in words. (Another test run may go on.)"""
    return [
        f"pid {pid} of run {run}"
        for pid, (run, owner) in processes.marked().items()
        if not ownership.alive(owner)
    ]


def containers() -> list[str]:
    """Containers and networks of ours whose owner is dead, by name; [] where is no Docker."""
    names: list[str] = []
    shown = '{{%s}} {{.Label "' + ownership.OWNER + '"}}'
    for argv, name in ((["ps", "-a"], ".Names"), (["network", "ls"], ".Name")):
        try:
            done = subprocess.run(
                ["docker", *argv, "--filter", "label=paxtest", "--format", shown % name],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            return []
        for line in done.stdout.splitlines():
            found, _, owner = line.partition(" ")
            if not ownership.alive(owner):
                names.append(found)
    return names
