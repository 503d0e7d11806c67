"""paxtest simulate: the reference Paxos under the deterministic simulator."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paxtest.errors import UsageError
from paxtest.verdict import EXIT_CODES, worst

if TYPE_CHECKING:
    from paxtest.cluster.paxos_server.simulator.simulation import Options
    from paxtest.simulated import Judgement

PROGRESS_EVERY_S = 5.0
FAILURES_TOLD = 5


def simulate(
    seeds: Annotated[int, typer.Option(help="How many seeds to run.", min=1)] = 1000,
    seed: Annotated[int | None, typer.Option(help="Run this one seed and tell all of it.")] = None,
    first: Annotated[int, typer.Option(help="The first of the seeds.")] = 0,
    bug: Annotated[list[str] | None, typer.Option(help="Switch on a bug of the zoo.")] = None,
    engine: Annotated[str, typer.Option(help="multi or perkey.")] = "multi",
    workload: Annotated[
        str | None,
        typer.Option(help="register, append, counter, set, queue or multi; else each seed draws."),
    ] = None,
    reads: Annotated[
        str | None, typer.Option(help="How the server answers reads; else each seed draws.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(help="Nodes of the cluster; else each seed draws.", min=1, max=9)
    ] = None,
    operations: Annotated[int, typer.Option(help="Operations a seed.", min=1)] = 300,
    fault: Annotated[
        list[str] | None, typer.Option(help="Only faults of this family; may be repeated.")
    ] = None,
    snapshot_every: Annotated[
        int | None, typer.Option(help="Slots between snapshots, 0: none; else each seed draws.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes; 0: one for each processor.", min=0)] = 0,
    stop: Annotated[bool, typer.Option("--stop-on-invalid", help="End at the first.")] = False,
    save: Annotated[
        Path | None, typer.Option(help="Keep histories and traces of seeds that failed, below it.")
    ] = None,
) -> None:
    """Run the reference Paxos under virtual time, with a network, disks and clocks that fail as
    a seed says, and check what its clients saw. The same seed gives the same history, everywhere.

    Exit codes: 0 all seeds valid, 1 one is invalid, 2 one is unknown (and none invalid).
    """
    from paxtest.simulated import judgements

    options = _options(
        tuple(bug or ()), engine, workload, reads, nodes, operations, fault, snapshot_every
    )
    if seed is not None:
        raise typer.Exit(_tell_one(seed, options, save))
    started = last = time.monotonic()
    failed: list[Judgement] = []
    done = 0
    for judgement in judgements(range(first, first + seeds), options, jobs or os.cpu_count() or 1):
        done += 1
        if judgement.problems:
            failed.append(judgement)
            _tell_failure(judgement, len(failed), options, save)
        if time.monotonic() - last > PROGRESS_EVERY_S:
            last = time.monotonic()
            typer.echo(f"  {done} of {seeds} seeds, {len(failed)} failed", err=True)
        if failed and stop:
            break
    elapsed_s = time.monotonic() - started
    typer.echo(
        f"{done} seeds, {len(failed)} not valid, {elapsed_s:.1f} s"
        f" ({done / elapsed_s * 60:.0f} seeds a minute)"
        + (f"; the first that failed is {failed[0].seed}" if failed else "")
    )
    raise typer.Exit(EXIT_CODES[worst(j.verdict for j in failed)])


def _options(
    bugs: tuple[str, ...],
    engine: str,
    workload: str | None,
    reads: str | None,
    nodes: int | None,
    operations: int,
    families: list[str] | None,
    snapshot_every: int | None,
) -> Options:
    from paxtest.cluster.paxos_server.bugs import BUGS, Bugs
    from paxtest.cluster.paxos_server.config import EngineName, Reads
    from paxtest.cluster.paxos_server.simulator.faults import FAMILIES
    from paxtest.cluster.paxos_server.simulator.simulation import Options
    from paxtest.simulated_load import MODELS

    for kind, names, known in (
        ("bug", bugs, BUGS),
        ("engine", (engine,), [str(e) for e in EngineName]),
        ("workload", (workload,) if workload else (), MODELS),
        ("kind of reads", (reads,) if reads else (), [str(r) for r in Reads]),
        ("fault family", tuple(families or ()), FAMILIES),
    ):
        for name in names:
            if name not in known:
                raise UsageError(f"unknown {kind} {name!r}", f"known: {', '.join(sorted(known))}")
    active = Bugs(bugs)
    chosen = active.engine() or EngineName(engine)
    for name in active.lacking(chosen):
        raise UsageError(
            f"the engine {chosen} has no bug {name!r}",
            f"it is one of {', '.join(BUGS[name].engines)}",
        )
    if reads and chosen is EngineName.PERKEY:
        raise UsageError(
            f"the engine perkey does not know reads {reads!r}",
            "it reads by comparing versions; leave --reads out",
        )
    if workload == "multi" and chosen is EngineName.PERKEY:
        raise UsageError(
            "the engine perkey does not know transactions over several keys",
            "leave --workload multi out, or choose another",
        )
    return Options(
        bugs=bugs,
        engine=EngineName(engine),
        workload=workload,
        reads=Reads(reads) if reads else None,
        nodes=nodes,
        operations=operations,
        families=tuple(families) if families else FAMILIES,
        snapshot_every=snapshot_every,
    )


def replay_command(seed: int, options: Options) -> str:
    """What to type to run exactly this seed again."""
    from paxtest.cluster.paxos_server.simulator.simulation import Options

    plain = Options()
    words = ["paxtest", "simulate", "--seed", str(seed)]
    for name in ("engine", "workload", "reads", "nodes", "operations", "snapshot_every"):
        value = getattr(options, name)
        if value != getattr(plain, name):
            words += ["--" + name.replace("_", "-"), str(value)]
    for bug in options.bugs:
        words += ["--bug", bug]
    if options.families != plain.families:
        for family in options.families:
            words += ["--fault", family]
    return shlex.join(words)


def _tell_failure(judgement: Judgement, number: int, options: Options, save: Path | None) -> None:
    if number <= FAILURES_TOLD:
        typer.echo(f"seed {judgement.seed} is {judgement.verdict}:")
        for problem in judgement.problems:
            typer.echo("  " + problem.strip().replace("\n", "\n  "))
        typer.echo(f"  replay: {replay_command(judgement.seed, options)}")
    elif number == FAILURES_TOLD + 1:
        typer.echo("further failures are counted only")
    if save is not None and number <= FAILURES_TOLD:
        from paxtest.simulated import keep, run

        path = save / f"seed-{judgement.seed}"
        keep(run(judgement.seed, options), path)
        typer.echo(f"  history and traces: {path}")


def _tell_one(seed: int, options: Options, save: Path | None) -> int:
    """Run one seed and tell what happened in it."""
    from paxtest.simulated import judge, keep, run

    result = run(seed, options)
    for line in result.faults:
        typer.echo(line)
    judgement = judge(result)
    typer.echo(
        f"seed {seed}: {judgement.verdict}; {result.ok} ok, {result.fail} fail,"
        f" {result.info} unknown in {result.virtual_s:.1f} virtual seconds"
    )
    for problem in judgement.problems:
        typer.echo("  " + problem.strip().replace("\n", "\n  "))
    if save is not None:
        keep(result, save / f"seed-{seed}")
        typer.echo(f"history and traces: {save / f'seed-{seed}'}")
    return EXIT_CODES[judgement.verdict]
