"""Healing without the control node that did the damage: from faults.jsonl and cluster.json."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from paxtest.cluster.protocol import Cluster
from paxtest.errors import ClusterGone, PaxtestError, StoreError, Unsupported
from paxtest.nemesis import damage
from paxtest.nemesis.clock import restore_true_time
from paxtest.nemesis.member import joined
from paxtest.nemesis.record import FaultEvent, FaultJournal, Happening, read_journal, unhealed
from paxtest.system import ChangesMembers, System

Restart = Callable[[str], Awaitable[str]]
"""Start the system's process on a node if it does not run; returns what was done."""

_LIMIT_S = 60.0
# $1 pid. Only a stopped process is signalled: a number that the kernel has given to somebody
# else since is (almost surely) not stopped. Daemons lead a process group of their own.
_CONTINUE = r"""{ read -r line < "/proc/$1/stat"; } 2>/dev/null || { echo 'is gone'; exit 0; }
case ${line##*) } in
T*) kill -s CONT -- "-$1" 2>/dev/null || kill -s CONT "$1"; echo 'goes on' ;;
*) echo 'was not stopped' ;;
esac"""


async def heal_run(run_dir: Path) -> list[str]:
    """Undo whatever a dead run has left in force; what was done, one sentence each.

    [] where nothing is left. Healed faults are marked in faults.jsonl, so that a second call
    finds nothing to do. Raises StoreError where `run_dir` is no run, and PaxtestError naming
    what could not be undone, after the rest has been.
    """
    journal_path = run_dir / "faults.jsonl"
    left = _left_in_force(run_dir, journal_path)
    if not left:
        return []
    try:
        cluster, restart, system = await _attach(run_dir)
    except ClusterGone as gone:
        return _ended(left, gone.message, journal_path)
    async with asyncio.timeout(_LIMIT_S):
        return await undo_all(left, cluster, restart, journal_path, system)


def _left_in_force(run_dir: Path, journal_path: Path) -> list[FaultEvent]:
    if not run_dir.is_dir():
        raise StoreError(f"there is no run {run_dir}", "'paxtest serve' lists the runs of a store")
    if not journal_path.exists():
        raise StoreError(
            f"run {run_dir} has no faults.jsonl: it had no nemesis", "there is nothing to heal"
        )
    return unhealed(read_journal(journal_path))


def _ended(left: Sequence[FaultEvent], gone: str, journal_path: Path) -> list[str]:
    """Mark the faults of a cluster of which nothing is left."""
    journal = FaultJournal(journal_path)
    try:
        for fault in left:
            journal.append(_mark(fault, "healed", evidence=f"offline: {gone}"))
    finally:
        journal.close()
    return [f"{gone}. What the run had left in force ended with it."]


async def undo_all(
    left: Sequence[FaultEvent],
    cluster: Cluster,
    restart: Restart | None,
    journal_path: Path,
    system: System | None = None,
) -> list[str]:
    """Undo these `inject` events, newest first, and mark each as healed. Members are added when
    all else is undone: a majority has to agree.
    """
    done: list[str] = []
    problems: list[str] = []
    journal = FaultJournal(journal_path)
    try:
        newest_first = left[::-1]
        for fault in sorted(newest_first, key=lambda fault: "members" in fault.undo):
            title = f"fault {fault.id} ({fault.name}: {fault.text})"
            try:
                said = await _undo(fault.undo, cluster, restart, system)
            except Exception as error:
                words = getattr(error, "message", "") or f"{type(error).__name__}: {error}"
                problems.append(f"{title}: {words}")
                journal.append(_mark(fault, "failed", text=f"offline heal: {words}"))
            else:
                done += [f"{title}: {what}" for what in said]
                journal.append(_mark(fault, "healed", evidence=f"offline: {'; '.join(said)}"))
    finally:
        journal.close()
    if problems:
        raise PaxtestError(
            "not everything could be healed: " + "; ".join(problems),
            "'paxtest cluster prune' removes the cluster as a whole",
        )
    return done


async def _undo(
    undo: dict[str, Any], cluster: Cluster, restart: Restart | None, system: System | None
) -> list[str]:
    """`undo` is what each family's action wrote: net, clock, resume, mend, restart, members."""
    said: list[str] = []
    if undo.get("net"):
        if cluster.net is None:
            raise Unsupported("the cluster has no network to heal", "open the links by hand")
        await cluster.net.heal()
        said.append("all links open")
    for node, file in undo.get("clock", {}).items():
        await restore_true_time(cluster.remote(node), file)
        said.append(f"{node} has its true time")
    for node, pid in undo.get("resume", {}).items():
        output = await cluster.remote(node).run(["sh", "-c", _CONTINUE, "sh", str(pid)])
        said.append(f"{node} pid {pid} {output.stdout.strip()}")
    for node, note in undo.get("mend", {}).items():
        said.append(f"{node}'s files: {await damage.mend(cluster.remote(node), note)}")
    for node in undo.get("restart", []):
        if restart is None:
            raise Unsupported(
                f"{node} was killed, and the run's plan does not say how to start it",
                "start it by hand, or use 'paxtest cluster prune'",
            )
        said.append(await restart(node))
    if nodes := undo.get("members"):
        if not isinstance(system, ChangesMembers):
            raise Unsupported(
                f"{' '.join(nodes)} left the cluster, and nothing says how members are added",
                "add them by hand, or use 'paxtest cluster prune'",
            )
        said.append(await joined(nodes, system))
    return said


def _mark(fault: FaultEvent, event: Happening, **more: Any) -> FaultEvent:
    """Carries the time of its injection: the run's own clock has died with the run."""
    return msgspec.structs.replace(fault, event=event, undo={}, **more)


async def _attach(run_dir: Path) -> tuple[Cluster, Restart | None, System | None]:
    """The cluster as it stands, how to start the run's system on it, and that (None: no plan)."""
    from paxtest import plan as plans
    from paxtest.cluster import attach, systems

    described = run_dir / "cluster.json"
    if not described.exists():
        raise StoreError(
            f"run {run_dir} has no cluster.json: its cluster cannot be reached",
            "'paxtest cluster prune' removes what is left of dead runs",
        )
    cluster = await attach(described)
    if not (run_dir / "plan.yaml").exists():
        return cluster, None, None
    system = systems.make(plans.load(run_dir / "plan.yaml", [], {}), cluster)

    async def restart(node: str) -> str:
        pid, _ = await system.process_state(node)
        if pid is not None:
            return f"{node} runs already (pid {pid})"
        await system.install(node)  # a system may have to learn again what the node has
        await system.start(node)
        pid, _ = await system.process_state(node)
        if pid is None:
            raise PaxtestError(f"{node} does not run after its restart", f"read {node}'s logs")
        return f"{node} started (pid {pid})"

    return cluster, restart, system
