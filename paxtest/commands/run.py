"""paxtest run: provision, drive, break, check, report."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer


def run(
    plan: Annotated[
        Path | None, typer.Argument(help="A plan file (YAML); flags override it.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="Begin from quick, nightly or hunt; the rest overrides it.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="System under test: a name or path.py:Name.")
    ] = None,
    workload: Annotated[str | None, typer.Option(help="What the clients do.")] = None,
    nemesis: Annotated[
        str | None, typer.Option(help="Fault families, comma-separated; all, none.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="auto, docker, local, ssh or existing.")
    ] = None,
    nodes: Annotated[int | None, typer.Option(help="Number of nodes.")] = None,
    concurrency: Annotated[
        str | None, typer.Option(help="Clients: a count, or per node as in 4n.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Operations a second over all clients.")
    ] = None,
    time_limit: Annotated[float | None, typer.Option(help="Seconds of load.")] = None,
    ops: Annotated[int | None, typer.Option(help="Stop after so many operations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed: same load and faults.")] = None,
    bug: Annotated[
        list[str] | None, typer.Option(help="Switch a bug of the bundled Paxos on (repeatable).")
    ] = None,
    load_processes: Annotated[
        int | None, typer.Option(help="Drive the load from so many OS processes.")
    ] = None,
    stop_on_invalid: Annotated[
        bool, typer.Option("--stop-on-invalid", help="End the load at the first violation.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any value of the plan: workload.keys=20.")
    ] = None,
    store: Annotated[Path, typer.Option(help="Where run directories go.")] = Path("store"),
) -> int:
    """Test a system: provision a cluster, drive load, inject faults, check, report.

    Exit codes: 0 valid, 1 invalid, 2 unknown or vacuous, 254 plan error, 255 failure.
    """
    from paxtest import plan as plans
    from paxtest.progress import Progress
    from paxtest.runner import Runner
    from paxtest.verdict import Verdict

    flags: dict[str, Any] = {
        "preset": preset,
        "system.name": system,
        "workload.name": workload,
        "nemesis.kinds": nemesis,
        "cluster.kind": cluster,
        "cluster.nodes": nodes,
        "concurrency": concurrency,
        "rate": rate,
        "time_limit_s": time_limit,
        "ops": ops,
        "seed": seed,
        "system.options.bugs": bug or None,
        "load_processes": load_processes,
        "checker.stop_on_invalid": True if stop_on_invalid else None,
    }
    resolved = plans.load(plan, set_ or [], flags)
    progress = Progress()

    async def go() -> int:
        runner = Runner(resolved, store, progress)
        directory, result = await runner.run()
        progress.note("")
        _tell(directory.path, result)
        typer.echo(f"report: {directory.report}")
        if result.verdict is not Verdict.VALID:
            typer.echo(f"again:  {_again(directory)}")
        return result.exit_code

    return _loop(go)


def _loop(main: Any) -> int:
    try:
        import uvloop
    except ImportError:
        return int(asyncio.run(main()))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return int(runner.run(main()))


def _again(directory: Any) -> str:
    return str(directory.load_plan().get("repeat", ""))


def _tell(path: Path, result: Any) -> None:
    """The verdict, why, and what it rests on."""
    from paxtest.verdict import Verdict

    counts, faults = result.operations, result.faults
    typer.echo(f"verdict: {str(result.verdict).upper()}")
    if result.verdict is not Verdict.VALID and result.reason:
        typer.echo(f"why:     {result.reason}")
    if result.first_violation_s is not None:
        typer.echo(f"first:   the history became impossible at {result.first_violation_s:.3f} s")
    typer.echo(
        f"rests on: {counts.invoked:,} operations ({counts.ok:,} ok, {counts.fail:,} fail, "
        f"{counts.info:,} unknown)"
    )
    for check in result.checks:
        if check.name == "audit":
            _tell_audit(check.details)
        if check.name == "agreement":
            holds = "the nodes hold the same" if check.verdict is Verdict.VALID else "broken"
            compared = f"{check.operations:,} compared"
            typer.echo(f"         {check.name}: {holds} where they are as far ({compared})")
        if not check.algorithm:
            continue
        certified = ", re-checked by the independent verifier" if check.certified else ""
        typer.echo(
            f"         {check.name}: {check.keys:,} keys, {check.operations:,} operations, "
            f"{check.algorithm}, {check.seconds:.3f} s{certified}"
        )
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.kinds.items()))
    typer.echo(
        f"         faults: {faults.injected} injected, {faults.effective} proven effective"
        + (f" ({kinds})" if kinds else "")
    )
    for limit in result.limits:
        typer.echo(f"note:    {limit}")


def _tell_audit(details: dict[str, Any]) -> None:
    if not details.get("crashed"):
        lemma, events = details["lemma"], details["events"]
        found = f"{lemma} is the earliest lemma to fail" if lemma else "no lemma fails"
        typer.echo(f"         audit: {found}, {events:,} events; `paxtest audit` tells all")
