"""Run directories: store/<test>/<UTC time>/ (DESIGN 4)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import yaml

from paxtest import history
from paxtest.errors import StoreError
from paxtest.verdict import RunResult

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

TRACE = "trace.jsonl"
"""What a node of the bundled Paxos did, among its collected logs."""


class _Clock(msgspec.Struct):
    boot_id: str
    start_ns: int


@dataclass(frozen=True)
class Run:
    """One run directory. Parts may be missing when the control node died."""

    path: Path

    @property
    def plan(self) -> Path:
        return self.path / "plan.yaml"

    @property
    def history(self) -> Path:
        return self.path / "history.jsonl"

    @property
    def faults(self) -> Path:
        return self.path / "faults.jsonl"

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def log(self) -> Path:
        return self.path / "paxtest.log"

    @property
    def cluster(self) -> Path:
        return self.path / "cluster.json"

    @property
    def agreements(self) -> Path:
        return self.path / "agreements.json"

    @property
    def clock(self) -> Path:
        return self.path / "clock.json"

    @property
    def nodes(self) -> Path:
        return self.path / "nodes"

    def segment(self, number: int) -> Path:
        """The journal of load process `number`, until it is merged into `history`."""
        return self.path / f"history.{number}.jsonl"

    def segments(self) -> list[Path]:
        return sorted(self.path.glob("history.[0-9]*.jsonl"))

    def merge_history(self) -> None:
        """Bring the journals of several load processes together; nothing to do for one."""
        segments = self.segments()
        if not segments:
            return
        parts = ([self.history] if self.history.exists() else []) + segments
        history.merge(parts, self.history)
        for segment in segments:
            segment.unlink()

    def logs(self) -> dict[str, list[Path]]:
        """node -> its collected log files, but for its trace."""
        return {
            node.name: sorted(p for p in node.rglob("*") if p.is_file() and p.name != TRACE)
            for node in sorted(self.nodes.glob("*"))
            if node.is_dir()
        }

    def traces(self) -> dict[str, Path]:
        """node -> its trace, which need not exist; empty where no node left one."""
        nodes = sorted(node for node in self.nodes.glob("*") if node.is_dir())
        found = {node.name: node / TRACE for node in nodes}
        return found if any(path.exists() for path in found.values()) else {}

    def save_plan(self, plan: dict[str, Any]) -> None:
        write_atomically(self.plan, yaml.safe_dump(plan, sort_keys=False, allow_unicode=True))

    def load_plan(self) -> dict[str, Any]:
        """Raises StoreError where plan.yaml is absent or not a mapping."""
        try:
            plan = yaml.safe_load(self.plan.read_text("utf-8"))
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self.plan} cannot be read: {error}", "is this a run directory?"
            ) from None
        if not isinstance(plan, dict):
            raise StoreError(f"{self.plan} is not a mapping", "is this a run directory?")
        return plan

    def save_clock(self, start_ns: int) -> None:
        """Note when the run began by CLOCK_MONOTONIC: nodes on this machine share that clock."""
        told = {"boot_id": _BOOT_ID.read_text("ascii").strip(), "start_ns": start_ns}
        write_atomically(self.clock, msgspec.json.encode(told).decode() + "\n")

    def load_clock(self) -> tuple[str, int]:
        """(boot of the control node's machine, when the run began); ("", 0) where it was not
        noted. Raises StoreError for a file that says something else."""
        if not self.clock.exists():
            return "", 0
        try:
            told = msgspec.json.decode(self.clock.read_bytes(), type=_Clock)
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(
                f"{self.clock} cannot be read: {error}",
                "remove it: times then count from the first event",
            ) from None
        return told.boot_id, told.start_ns

    def save_results(self, results: RunResult) -> None:
        encoded = msgspec.json.format(msgspec.json.encode(results), indent=1)
        write_atomically(self.results, encoded.decode() + "\n")

    def load_results(self) -> RunResult:
        """Raises StoreError where the run has no results (it crashed, or goes on)."""
        try:
            return msgspec.json.decode(self.results.read_bytes(), type=RunResult)
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(
                f"{self.results} cannot be read: {error}",
                f"`paxtest check {self.path}` redoes the analysis from the history",
            ) from None


def write_atomically(path: Path, text: str) -> None:
    """Write beside, fsync, rename: a reader sees the old text or the new one, never half."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def create(store: Path, test: str) -> Run:
    """A new run directory, with `latest` links per test and for the store pointing at it."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", test).strip("-.") or "test"
    while True:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
        path = store / name / stamp
        try:
            path.mkdir(parents=True)
            break
        except FileExistsError:
            continue  # another run began in this very millisecond
        except OSError as error:
            raise StoreError(
                f"cannot create the run directory {path}: {error.strerror}",
                "choose a writable folder with --store",
            ) from None
    _link(store / name / "latest", stamp)
    _link(store / "latest", f"{name}/{stamp}")
    return Run(path)


def _link(link: Path, target: str) -> None:
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)


def find(path: Path) -> Run:
    """The run at `path`: a run directory, a `latest` link, or any file inside a run.

    Raises StoreError with what to do when there is none.
    """
    if not path.exists():
        raise StoreError(
            f"no run at {path}", "`paxtest serve` lists the runs of a store; so does `ls store/*/`"
        )
    real = path.resolve()
    if real.is_file():
        real = real.parent
    run = Run(real)
    if not any(p.exists() for p in (run.plan, run.history, run.results)) and not run.segments():
        raise StoreError(
            f"{path} is not a run directory: it has no plan.yaml, history.jsonl or results.json",
            "give the directory of one run, e.g. store/latest",
        )
    return run
