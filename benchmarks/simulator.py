"""How much processor time the simulator takes for a seed, from nothing to its verdict.

    python benchmarks/simulator.py [--seeds 200] [--first 0] [--engine multi]

One process; the history is checked and the traces are audited, as by `paxtest simulate`. Times are
of the processor, so that other work on the machine disturbs little.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource

from paxtest.cluster.paxos_server.config import EngineName
from paxtest.cluster.paxos_server.simulator.simulation import Options
from paxtest.simulated import run_and_judge

AIM = 500
"""Seeds a minute of one core."""


def used_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--engine", default="multi", choices=[str(e) for e in EngineName])
    arguments = parser.parse_args()
    options = Options(engine=EngineName(arguments.engine))
    run_and_judge(arguments.first, options)  # imports, caches
    began_s = used_s()
    operations = failed = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        judgement = run_and_judge(seed, options)
        operations += judgement.ok + judgement.fail + judgement.info
        failed += bool(judgement.problems)
    each_s = (used_s() - began_s) / arguments.seeds
    print(f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} CPU, "
          f"Python {platform.python_version()}, {platform.platform()}")  # fmt: skip
    print(
        f"{arguments.seeds} seeds, {operations / arguments.seeds:.0f} operations each, {failed}"
        f" not valid: {each_s * 1000:.1f} ms of processor time a seed,"
        f" {60 / each_s:.0f} seeds a minute of one core (aim {AIM})"
    )


if __name__ == "__main__":
    main()
