"""Runs on real nodes: each a whole `paxtest run` in a process of its own."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from paxtest.cluster.paxos_server.bugs import BUGS
from paxtest.errors import StoreError
from paxtest.store import Run
from paxtest.verdict import RunResult, Verdict
from paxtest.zoo.row import CONTROL, Mode, Row

GRACE_S = 180.0  # provisioning, healing, final reads and checking, beyond the load
SECOND = 7_000_001  # seeds of second runs lie this far away: handovers go on one slot further
STOP_S = 60.0  # an interrupted run heals and tears down


@dataclass(frozen=True)
class Setting:
    """What all runs of a scoreboard share. `nemeses`: fault families, or "" for the preset's."""

    budget_s: float
    nemeses: str
    cluster: str
    preset: str
    folder: Path
    keep: bool = False


def command(bug: str, seed: int, load_s: float, setting: Setting) -> list[str]:
    """The run's arguments, from `run` on."""
    words = ["run", *(["--preset", setting.preset] if setting.preset else [])]
    words += ["--seed", str(seed)]
    words += ["--time-limit", f"{load_s:g}", "--cluster", setting.cluster]
    if setting.nemeses:
        words += ["--nemesis", setting.nemeses]
    if bug != CONTROL:
        row = BUGS[bug]
        words += ["--workload", row.workload, "--nodes", str(row.nodes)]
        words += ["--bug", bug, "--stop-on-invalid"]
    return words


def one(bug: str, seed: int, label: str, setting: Setting) -> Row:
    """Spend the budget on one bug: a short run first, and where that finds nothing a long one
    with what is left. Most of what is found is found early, and some checks (final reads, the
    auditor) speak only when a run is over. The correct server gets the whole budget at once."""
    budget_s = setting.budget_s
    if bug == CONTROL:
        return _carry_out(bug, seed, label, budget_s, setting)
    row = _carry_out(bug, seed, label, budget_s / 4, setting)
    if row.found or row.error:
        return row
    operations, seconds = row.operations, row.seconds
    row = _carry_out(bug, seed + SECOND, label, budget_s * 3 / 4, setting)
    operations, seconds = operations + row.operations, seconds + row.seconds
    return msgspec.structs.replace(row, seed=seed, operations=operations, seconds=seconds)


def _carry_out(bug: str, seed: int, label: str, load_s: float, setting: Setting) -> Row:
    """One run. The run directory is removed unless it is to be kept."""
    store = setting.folder / "runs" / f"{bug}-{seed}"
    shutil.rmtree(store, ignore_errors=True)
    words = command(bug, seed, load_s, setting)
    said = shlex.join(["paxtest", *words])
    row = Row(Mode.CLUSTER, label, bug, seed, found=False, command=said)
    argv = [sys.executable, "-m", "paxtest", *words, "--store", str(store)]
    # In a session of its own: Ctrl-C in a terminal would reach the run too, and told to end a
    # second time, by us, it would leave its nodes behind.
    with subprocess.Popen(
        argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            _, errors = process.communicate(timeout=load_s + GRACE_S)
        except BaseException as error:
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return _failed(row, f"did not end within {load_s + GRACE_S:g} s")
    try:
        result = Run((store / "latest").resolve()).load_results()
    except StoreError:
        return _failed(row, errors.strip()[-600:] or f"exit code {process.returncode}")
    judged = _row(row, result)
    if not (setting.keep or judged.error):
        shutil.rmtree(store, ignore_errors=True)
    return judged


def _row(row: Row, result: RunResult) -> Row:
    invalid = [check for check in result.checks if check.verdict is Verdict.INVALID]
    sizes = [len(check.counterexample) for check in invalid if check.counterexample]
    lemmas = [str(c.details["lemma"]) for c in result.checks if c.details.get("lemma")]
    first_s = result.first_violation_s
    load_s = sum(phase.seconds for phase in result.phases if phase.name == "drive")
    if result.verdict not in (Verdict.VALID, Verdict.INVALID):
        return _failed(row, f"verdict {result.verdict}: {result.reason}")
    return Row(
        mode=row.mode,
        nemeses=row.nemeses,
        bug=row.bug,
        seed=row.seed,
        found=result.verdict is Verdict.INVALID,
        by=tuple(check.name for check in invalid),
        operations=result.operations.invoked,
        seconds=round(load_s if first_s is None else first_s, 3),
        counterexample=min(sizes, default=0),
        lemma=lemmas[0] if lemmas else "",
        command=row.command,
    )


def _failed(row: Row, why: str) -> Row:
    return Row(row.mode, row.nemeses, row.bug, row.seed, False, command=row.command, error=why)
