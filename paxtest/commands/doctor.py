"""paxtest doctor: what this machine has, what is missing and how to get it."""

from __future__ import annotations

import glob
import os
import shutil
import sys

import typer


def doctor() -> None:
    """Look at this machine: what works, what is missing, and the command that mends it."""
    from paxtest import _core
    from paxtest import cluster as clusters
    from paxtest._version import __version__

    good = True

    def line(ok: bool, what: str, mend: str = "", *, needed: bool = False) -> None:
        nonlocal good
        good = good and (ok or not needed)
        mark = "ok     " if ok else ("MISSING" if needed else "absent ")
        typer.echo(f"{mark} {what}" + (f"\n        to mend: {mend}" if not ok and mend else ""))

    python = ".".join(map(str, sys.version_info[:3]))
    line(sys.version_info >= (3, 11), f"Python {python}", "install Python 3.11", needed=True)
    line(True, f"paxtest {__version__}, native core {_core.__version__}")
    line(
        sys.platform == "linux",
        f"platform {sys.platform}",
        "containers and the local cluster need Linux",
        needed=True,
    )
    reason = clusters.docker_available()
    line(
        reason is None,
        "Docker engine" + (f": {reason}" if reason else ""),
        "apt-get install docker.io && systemctl start docker; without it `--cluster local` is used",
    )
    line(
        shutil.which("mmdebstrap") is not None,
        "mmdebstrap (base image where none can be pulled)",
        "apt-get install mmdebstrap",
    )
    line(
        bool(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")),
        "libfaketime (clock faults on the local cluster)",
        "apt-get install faketime",
    )
    line(
        shutil.which("redis-cli") is not None,
        "redis-cli (to talk to a cluster by hand)",
        "apt-get install redis-tools",
    )
    line(
        any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")),
        "Chromium (browser tests only)",
        "apt-get install chromium",
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    line((cores or 1) >= 2, f"{cores} CPU cores", "two or more make a run livelier")
    if not good:
        raise typer.Exit(255)
