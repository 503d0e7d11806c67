"""paxtest heal RUN: undo the faults that a dead run has left in force."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from paxtest.nemesis.heal import heal_run


def heal(
    run: Annotated[Path, typer.Argument(help="A run's directory, such as store/latest.")],
) -> None:
    """Undo what a run whose control node died has left in force: cuts, stopped and killed
    processes, skewed clocks.
    """
    done = asyncio.run(heal_run(run))
    for sentence in done:
        typer.echo(sentence)
    typer.echo(f"healed {run}" if done else f"nothing to heal: every fault of {run} was healed")
