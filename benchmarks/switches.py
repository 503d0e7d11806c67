"""What the switches of the zoo cost the server while they are all off.

    python benchmarks/switches.py [--commands 40000]

Three replicas in one process, their messages handed over in memory and their disks left out, so
that nothing but the code with the switches is measured: CPU per command as the code stands, and
of a copy in which every `bugs.active(...)` is the constant False and its branch is compiled away.
Processes take turns; the best of each counts.
"""

from __future__ import annotations

import argparse
import ast
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from parts.nodes import SERVER, machine

ROUNDS = 7
BATCH = 16  # commands under way


class Fold(ast.NodeTransformer):
    """Every question whether a bug is switched on, answered."""

    def __init__(self) -> None:
        self.folded = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "active":
            self.folded += 1
            return ast.copy_location(ast.Constant(False), node)
        return node


def folded_copy(directory: Path) -> int:
    """The server without switches; how many there were."""
    shutil.copytree(SERVER / "paxos_server", directory / "paxos_server")
    fold = Fold()
    for path in (directory / "paxos_server").rglob("*.py"):
        path.write_text(ast.unparse(fold.visit(ast.parse(path.read_text("utf-8")))), "utf-8")
    return fold.folded


def us_per_command(commands: int) -> float:
    """CPU microseconds a command, all three replicas together."""
    from paxos_server.bugs import NONE
    from paxos_server.config import Config
    from paxos_server.ports import SystemClock
    from paxos_server.recovery import Remembered
    from paxos_server.replica import Replica

    names = ("n1", "n2", "n3")
    replicas = {
        name: Replica(
            Config(name, names), Remembered(incarnation=1), SystemClock(), random.Random(1), NONE
        )
        for name in names
    }

    def settle() -> int:
        """Hand messages over until there are none; the number of replies."""
        replies, busy = 0, True
        while busy:
            busy = False
            for name, replica in replicas.items():
                out = replica.take()
                replies += len(out.replies)
                for destination, message in out.messages:
                    replicas[destination].receive(name, message)
                if out.sync:
                    replica.durable(out.lsn)
                busy = busy or out.sync or bool(out.messages)
        return replies

    leader = replicas["n1"]
    leader.stand()
    settle()
    number = answered = 0
    began_s = time.process_time()
    while answered < commands:
        for _ in range(BATCH):
            number += 1
            leader.request(number, [b"SET", b"key:%012d" % (number * 7919 % 1000), b"VXK"])
        answered += settle()
        leader.tick()
    return (time.process_time() - began_s) / answered * 1e6


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", type=int, default=40_000)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        sys.path.insert(0, str(options.measure))
        print(us_per_command(options.commands))
        return
    print(machine())
    with tempfile.TemporaryDirectory(prefix="bench-switches-") as folder:
        switches = folded_copy(Path(folder))
        best: dict[Path, float] = {}
        for _ in range(ROUNDS):
            for directory in (SERVER, Path(folder)):
                argv = [sys.executable, __file__, "--measure", str(directory),
                        "--commands", str(options.commands)]  # fmt: skip
                done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300)
                best[directory] = min(best.get(directory, 1e9), float(done.stdout))
    with_, without = best[SERVER], best[Path(folder)]
    print(
        f"{switches} switches, all off: {with_:.1f} us CPU a command on three nodes together;"
        f" compiled away: {without:.1f} us; they cost {100 * (with_ / without - 1):.1f} %"
    )


if __name__ == "__main__":
    main()
