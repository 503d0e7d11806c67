"""Reports of a run: an HTML page, JUnit XML for machines, a summary for job pages."""

from __future__ import annotations

from pathlib import Path


def write_all(run_dir: Path) -> Path:
    """(Re)write report.html, junit.xml and summary.md of a run; the path of the HTML report.

    Raises StoreError where `run_dir` is no directory. Missing and torn parts are said in the
    reports.
    """
    # Bokeh and numpy take a while to import: only those who write a report should wait.
    from paxtest.reports import html, junit, summary

    summary.write(run_dir)
    junit.write(run_dir)
    return html.write(run_dir)
