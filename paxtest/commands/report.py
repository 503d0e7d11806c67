"""`paxtest report RUN`: write the reports of a stored run anew."""

from __future__ import annotations

from pathlib import Path

from paxtest.reports import write_all


def report(run: Path) -> Path:
    """(Re)write report.html, junit.xml and summary.md and print the path of the first.

    Raises StoreError where `run` is no run directory.
    """
    path = write_all(run)
    print(path)
    return path
