"""How often, and how fast, the tester finds each bug; and that it never cries wolf.

    python benchmarks/detection.py --bugs local-read,none --seeds 10 [--cluster docker] [--jobs 1]

Each run is a whole `paxtest run` of at most --time-limit seconds under partition, kill, pause and
clock faults. With a bug it stops at the first violation. Prints one line a run and a table.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def one(bug: str, seed: int, options: argparse.Namespace, store: Path) -> dict[str, object]:
    argv = [
        sys.executable, "-m", "paxtest", "run", "--nemesis", options.nemesis,
        "--time-limit", str(options.time_limit), "--seed", str(seed),
        "--cluster", options.cluster, "--store", str(store),
        "--set", "system.options.trace=false",  # what clients see is to find it, not the audit
    ]  # fmt: skip
    if bug != "none":
        argv += ["--bug", bug, "--stop-on-invalid"]
    began = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    row: dict[str, object] = {
        "bug": bug, "seed": seed, "exit": done.returncode, "wall_s": time.monotonic() - began,
    }  # fmt: skip
    try:
        results = json.loads((store / "latest/results.json").read_text())
        row |= {
            "first_s": results["first_violation_s"],
            "operations": results["operations"]["invoked"],
            "effective": results["faults"]["effective"],
            "kinds": results["faults"]["kinds"],
        }
        checks = results["checks"]
        row["by"] = ",".join(c["name"] for c in checks if c["verdict"] == "invalid")
        row["certified"] = all(c["certified"] for c in checks if c["algorithm"])
        row["counterexample"] = max((len(c["counterexample"]) for c in checks), default=0)
    except (OSError, KeyError, ValueError) as error:
        row["error"] = f"{error}: {done.stderr[-500:]}"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bugs", default="local-read,ignore-accepted,volatile-accept,lease-wallclock"
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cluster", default="docker")
    parser.add_argument("--nemesis", default="partition,kill,pause,clock")
    parser.add_argument("--time-limit", type=float, default=60)
    parser.add_argument("--keep", type=Path, help="keep the run directories here")
    options = parser.parse_args()
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} CPU, "
          f"Python {platform.python_version()}, {platform.platform()}")  # fmt: skip
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = options.keep or Path(folder)
        for bug in options.bugs.split(","):
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                row = one(bug, seed, options, store)
                rows.append(row)
                print(json.dumps(row), flush=True)
    print(f"\n{'bug':24} {'exit 0':>6} {'exit 1':>6} {'other':>6} {'median s':>18} {'ops':>8}")
    for bug in options.bugs.split(","):
        mine = [row for row in rows if row["bug"] == bug]
        codes = [row["exit"] for row in mine]
        first = [float(str(row["first_s"])) for row in mine if row.get("first_s") is not None]
        operations = [int(str(row["operations"])) for row in mine if "operations" in row]
        print(f"{bug:24} {codes.count(0):6} {codes.count(1):6} "
              f"{sum(code not in (0, 1) for code in codes):6} "
              f"{statistics.median(first) if first else float('nan'):18.1f} "
              f"{statistics.median(operations) if operations else 0:8.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
