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
        from paxtest import _core

        width = max(len(name) for name, *_ in _core.models())
        names = [f"{name:{width}}  {what}" for name, what, *_ in sorted(_core.models())]
    else:
        raise UsageError(f"cannot list {noun!r}", f"one of: {', '.join(NOUNS)}")
    for name in names:
        typer.echo(name)
