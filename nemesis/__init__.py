"""Fault families, one per file, and the front door: `parse`, `check_supported`, `build`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paxtest.cluster.protocol import Cluster
from paxtest.errors import PlanError, Unsupported, did_you_mean
from paxtest.nemesis.clock import ClockFamily
from paxtest.nemesis.delay import DelayFamily
from paxtest.nemesis.disk import DiskFamily
from paxtest.nemesis.fault import Clock, Family, PlannedFault
from paxtest.nemesis.kill import KillFamily
from paxtest.nemesis.member import MemberFamily
from paxtest.nemesis.nemesis import Nemesis, Record
from paxtest.nemesis.partition import PartitionFamily
from paxtest.nemesis.pause import PauseFamily
from paxtest.nemesis.quorum import QuorumFamily
from paxtest.nemesis.schedule import build_schedule
from paxtest.system import System

FAMILIES: dict[str, Family] = {
    family.kind: family
    for family in (
        PartitionFamily(),
        KillFamily(),
        PauseFamily(),
        ClockFamily(),
        DelayFamily(),
        DiskFamily(),
        QuorumFamily(),
        MemberFamily(),
    )
}


def names() -> list[str]:
    """The kinds of faults that `--nemesis` knows."""
    return list(FAMILIES)


def fault_names(kind: str) -> list[str]:
    """The faults of one kind."""
    return list(FAMILIES[kind].mix.weights)


def parse(text: str) -> list[str]:
    """'partition,kill' -> ['partition', 'kill']; 'all' is every kind, '' and 'none' are none."""
    wanted = [part.strip() for part in text.split(",") if part.strip()]
    if wanted in ([], ["none"]):
        return []
    if wanted == ["all"]:
        return names()
    for kind in wanted:
        if kind not in FAMILIES:
            raise PlanError(
                f"no nemesis is named {kind!r}",
                f"{did_you_mean(kind, names())}Known are {', '.join(names())}, 'all' and 'none'",
            )
    return list(dict.fromkeys(wanted))


def lacking(kinds: Sequence[str], cluster: Cluster, system: System) -> dict[str, str]:
    """The kinds that cannot work here, and why: what a run that asks for `all` leaves out.

    Ask after `system.install`: a system learns there whether its nodes have libfaketime.
    """
    gaps = {kind: FAMILIES[kind].missing(cluster, system) for kind in kinds}
    return {kind: gap[0] for kind, gap in gaps.items() if gap is not None}


async def unavailable(kinds: Sequence[str], cluster: Cluster, system: System) -> dict[str, str]:
    """Single faults that cannot be had here though their kind can, and why. Asks the nodes: call
    it after `check_supported`, when no load runs.
    """
    found: dict[str, str] = {}
    for kind in kinds:
        ask = getattr(FAMILIES[kind], "unavailable", None)
        if ask is not None:
            found |= await ask(cluster, system)
    return found


async def check_supported(kinds: Sequence[str], cluster: Cluster, system: System) -> None:
    """Raises Unsupported, naming all that is missing and how to get it, before a run begins.

    Ask after `system.install`, as `lacking`.
    """
    gaps = [(kind, FAMILIES[kind].missing(cluster, system)) for kind in kinds]
    missing = [(kind, *gap) for kind, gap in gaps if gap is not None]
    if missing:
        raise Unsupported(
            "; ".join(f"nemesis {kind!r} cannot work here: {what}" for kind, what, _ in missing),
            "; ".join(dict.fromkeys(how for _, _, how in missing)),
        )


def build(
    kinds: Sequence[str],
    *,
    cluster: Cluster,
    system: System,
    seed: int,
    time_limit_s: float,
    journal_path: Path,
    in_flight: Callable[[], int],
    record: Record,
    clock: Clock,
    interval_s: float | None = None,
    quiet_tail_s: float | None = None,
    weights: Mapping[str, float] | None = None,
) -> Nemesis:
    """The nemesis of a run, its schedule drawn from `seed`. `check_supported` comes first."""
    schedule = build_schedule(
        kinds,
        seed=seed,
        time_limit_s=time_limit_s,
        nodes=len(cluster.nodes),
        interval_s=interval_s,
        quiet_tail_s=quiet_tail_s,
        weights=weights,
    )
    return Nemesis(schedule, FAMILIES, cluster, system, journal_path, in_flight, record, clock)


__all__ = [
    "FAMILIES",
    "Nemesis",
    "PlannedFault",
    "build",
    "build_schedule",
    "check_supported",
    "fault_names",
    "names",
    "lacking",
    "parse",
    "unavailable",
]
