"""paxtest list: what there is to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

NOUNS = ("systems", "workloads", "nemeses", "models")


def list_(
    noun: Annotated[str, typer.Argument(help="systems, workloads, nemeses or models.")],
) -> None:
    """List the systems, workloads, nemeses or models that can be named elsewhere."""
    from paxtest.errors import UsageError

    if noun == "systems":
        from paxtest.cluster import systems

        names = systems.names()
    elif noun == "workloads":
        from paxtest import workloads

        names = workloads.names()
    elif noun == "nemeses":
        from paxtest import nemesis

        names = nemesis.names()
    elif noun == "models":
        from paxtest import models

        names = models.names()
    else:
        raise UsageError(f"cannot list {noun!r}", f"one of: {', '.join(NOUNS)}")
    for name in names:
        typer.echo(name)
