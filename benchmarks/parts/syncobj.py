"""PySyncObj (Raft in Python) under measurement: three processes, journals on files.

It never syncs its journal: no setting makes it. Its figures are therefore those of a system
that may lose acknowledged writes when the power fails.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from .nodes import Processes

VERSION = "0.3.17"
NODE = Path(__file__).parent / "syncobj_node.py"


def install(directory: Path) -> Path | None:
    """Python of a new venv that has PySyncObj; None where it cannot be had."""
    python = directory / "venv" / "bin" / "python"
    for argv in (
        [sys.executable, "-m", "venv", str(directory / "venv")],
        [str(python), "-m", "pip", "install", "--quiet", f"pysyncobj=={VERSION}"],
    ):
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=180)
        if done.returncode != 0:
            print(f"no PySyncObj: {done.stderr.strip()[-300:]}", file=sys.stderr)
            return None
    return python


class PySyncObj(Processes):
    """Nodes p1, p2, p3."""

    def __init__(
        self, directory: Path, python: Path, ports: tuple[int, ...] = (27381, 27382, 27383)
    ) -> None:
        super().__init__(directory)
        self._python = python
        self._addresses = {f"p{i}": f"127.0.0.1:{port}" for i, port in enumerate(ports, 1)}

    def start(self) -> None:
        for name, own in self._addresses.items():
            peers = [address for other, address in self._addresses.items() if other != name]
            with open(self.directory / f"{name}.log", "ab") as log:
                self.alive[name] = subprocess.Popen(
                    [str(self._python), str(NODE), own, str(self.directory / name), *peers],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                )  # fmt: skip

    def _ask(self, name: str, line: str) -> str:
        process = self.alive[name]
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        return process.stdout.readline().decode()

    def leader(self, timeout_s: float = 20.0) -> str:
        """Wait until a node leads. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for name in self.alive:
                if self._ask(name, "leads").strip() == "1":
                    return name
            time.sleep(0.05)  # between looks at the condition of the loop
        raise TimeoutError(f"PySyncObj has no leader within {timeout_s:g} s\n{self.logs()}")

    def writes_per_s(self, name: str, callers: int, seconds: float) -> float:
        """Callers inside the node `name`, each with one write under way."""
        return float(self._ask(name, f"load {callers} {seconds}"))
