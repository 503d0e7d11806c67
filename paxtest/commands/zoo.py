"""paxtest zoo: what the tester finds of the bugs of the bundled Paxos."""

from __future__ import annotations

import os
import re
import signal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paxtest.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from paxtest.progress import Progress
    from paxtest.zoo.board import Board

CHUNK = 50  # seeds of the simulator between two writes
ALL = "all"


def zoo(
    bugs: Annotated[
        str, typer.Option(help="Bugs, comma-separated; 'none' is the correct server.")
    ] = ALL,
    seeds: Annotated[
        int | None, typer.Option(help="Runs of each bug: 4, simulated 500.", min=1)
    ] = None,
    first: Annotated[int, typer.Option(help="The first seed.", min=0)] = 0,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="In the deterministic simulator.")
    ] = False,
    budget: Annotated[str, typer.Option(help="Load of each run at most, e.g. 60s.")] = "60s",
    nemesis: Annotated[
        str,
        typer.Option(help="Fault families, comma-separated; 'all', or 'listed' for each bug's."),
    ] = ALL,
    preset: Annotated[str, typer.Option(help="Preset of the runs on real nodes.")] = "hunt",
    cluster: Annotated[str, typer.Option(help="auto, docker or local.")] = "auto",
    jobs: Annotated[int, typer.Option(help="Simulator processes; 0: one a processor.", min=0)] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep each run's directory.")] = False,
    store: Annotated[Path, typer.Option(help="The scoreboard goes to STORE/zoo.")] = Path("store"),
) -> None:
    """Switch on one bug after the other and count how often, how fast and by which check it is
    found. A bug's run ends at its first violation. Interrupted, it goes on where it stopped when
    the same command is given again. Writes rows.jsonl, zoo.json and zoo.html into STORE/zoo.

    Exit codes: 0 done, 1 a false alarm (a violation without a harmful bug), 2 a run
    without a verdict.
    """
    from paxtest.cluster.paxos_server.bugs import BUGS
    from paxtest.progress import Progress
    from paxtest.zoo.board import Board, summary
    from paxtest.zoo.row import CONTROL, Mode

    known = [CONTROL, *sorted(BUGS, key=lambda name: BUGS[name].number)]
    chosen = known if bugs == ALL else [name.strip() for name in bugs.split(",")]
    for name in chosen:
        if name not in known:
            raise UsageError(
                f"unknown bug {name!r}", f"{did_you_mean(name, known)}known: {', '.join(known)}"
            )
    # However it is told to end, it must not leave the run behind that it has begun.
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, signal.default_int_handler)
    budget_s = _seconds(budget)
    mode = Mode.SIMULATE if simulate else Mode.CLUSTER
    count = seeds or (500 if simulate else 4)
    board = Board(store / "zoo")
    progress = Progress()
    try:
        for name in chosen:
            missing = [
                s for s in range(first, first + count) if not board.has(mode, nemesis, name, s)
            ]
            families = _families(name, nemesis)
            if simulate:
                _simulated(board, name, missing, nemesis, families, jobs, progress)
            else:
                _on_nodes(
                    board, name, missing, nemesis, families, progress,
                    budget_s=budget_s, preset=preset, cluster=cluster, keep=keep,
                )  # fmt: skip
    finally:
        _write(board)
    scores = board.scores()
    for sentence in summary(scores, mode, nemesis):
        typer.echo(sentence)
    typer.echo(f"scoreboard: {store / 'zoo' / 'zoo.html'}")
    mine = [s for s in scores if s.mode is mode and s.nemeses == nemesis and s.bug in chosen]
    if any(s.found for s in mine if not s.harmful):
        raise typer.Exit(1)
    raise typer.Exit(2 if any(s.failed for s in mine) else 0)


def _simulated(
    board: Board,
    bug: str,
    seeds: list[int],
    label: str,
    families: tuple[str, ...],
    jobs: int,
    progress: Progress,
) -> None:
    from paxtest.zoo.simulator import rows

    found = done = 0
    source = rows(bug, seeds, label, families, jobs or os.cpu_count() or 1)
    try:
        while chunk := list(islice(source, CHUNK)):
            board.add(chunk)
            done += len(chunk)
            found += sum(row.found for row in chunk)
            progress.update(f"{bug}: found by {found} of {done} seeds")
    finally:
        source.close()
    if seeds:
        progress.note(f"{bug}: found by {found} of {done} seeds")


def _on_nodes(
    board: Board,
    bug: str,
    seeds: list[int],
    label: str,
    families: tuple[str, ...],
    progress: Progress,
    *,
    budget_s: float,
    preset: str,
    cluster: str,
    keep: bool,
) -> None:
    from paxtest.zoo.cluster import Setting, one

    setting = Setting(budget_s, ",".join(families), cluster, preset, board.folder, keep)
    for seed in seeds:
        progress.update(f"{bug}, seed {seed} ...")
        row = one(bug, seed, label, setting)
        board.add([row])
        if row.error:
            progress.note(f"{bug}, seed {seed}: no verdict: {row.error}")
        elif row.found:
            size = f", {row.counterexample} operations" if row.counterexample else ""
            lemma = f", {row.lemma}" if row.lemma else ""
            progress.note(
                f"{bug}, seed {seed}: found after {row.seconds:.1f} s by {', '.join(row.by)}"
                f"{size}{lemma}"
            )
        else:
            progress.note(f"{bug}, seed {seed}: nothing found, {row.operations:,} operations")


def _write(board: Board) -> None:
    from paxtest.store import write_atomically
    from paxtest.zoo.board import to_json
    from paxtest.zoo.page import render

    if not board.rows:
        return
    scores = board.scores()
    write_atomically(board.folder / "zoo.json", to_json(scores).decode() + "\n")
    write_atomically(board.folder / "zoo.html", render(scores))


def _families(bug: str, nemesis: str) -> tuple[str, ...]:
    from paxtest.cluster.paxos_server.bugs import BUGS

    if nemesis == ALL:
        return ()
    if nemesis == "listed":
        return BUGS[bug].nemeses if bug in BUGS else ()
    return tuple(name.strip() for name in nemesis.split(",") if name.strip())


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min)?", text.strip())
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"--budget {text!r} is not a duration", "write e.g. 60s or 2m")
    return float(match[1]) * (60 if match[2] in ("m", "min") else 1)
