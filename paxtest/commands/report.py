"""`paxtest report RUN`: write the reports of a stored run anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    run: Annotated[Path, typer.Argument(help="A run directory, such as store/latest.")] = Path(
        "store/latest"
    ),
) -> None:
    """Write report.html, junit.xml and summary.md of a run anew, and print the first's path."""
    from paxtest import store
    from paxtest.reports import write_all

    print(write_all(store.find(run).path))
