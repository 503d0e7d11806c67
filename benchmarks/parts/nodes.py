"""Nodes under measurement: processes on loopback addresses that end with the benchmark."""

from __future__ import annotations

import os
import platform
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVER = Path(__file__).resolve().parents[2] / "cluster"
CLIENT_PORT, PEER_PORT = 7379, 7380
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """One line about this machine, for the head of a benchmark's output."""
    model = platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    return (
        f"machine: {model}, {os.cpu_count()} CPUs, {platform.platform()}, Python"
        f" {platform.python_version()}; load {os.getloadavg()[0]:.1f} at the start"
    )


class Processes:
    """Named child processes. Leaving the `with` block kills what is left of them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.alive: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *exc: object) -> None:
        for name in list(self.alive):
            self.kill(name)

    def spawn(self, name: str, argv: list[str], cwd: Path | None = None) -> None:
        with open(self.directory / f"{name}.log", "ab") as log:
            self.alive[name] = subprocess.Popen(argv, cwd=cwd, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for the end."""
        process = self.alive.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def cpu_s(self) -> float:
        """CPU seconds, user and system, that the living nodes have used so far."""
        total = 0
        for process in self.alive.values():
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / CLOCK_TICKS

    def rss_bytes(self, name: str) -> int:
        pages = Path(f"/proc/{self.alive[name].pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def logs(self) -> str:
        files = sorted(self.directory.glob("*.log"))
        return "\n".join(f"--- {f.name}\n{f.read_text(errors='replace')[-800:]}" for f in files)


class Paxos(Processes):
    """Nodes n1, n2, ... of the reference server, each on an address of its own."""

    def __init__(
        self, directory: Path, *arguments: str, nodes: int = 3, network: str = "127.76.1"
    ) -> None:
        super().__init__(directory)
        self.names = [f"n{i + 1}" for i in range(nodes)]
        self._network = network
        self._arguments = arguments

    def host(self, name: str) -> str:
        return f"{self._network}.{name[1:]}"

    def start(self, *names: str) -> None:
        for name in names or self.names:
            peers = [f"--peer={n}={self.host(n)}:{PEER_PORT}" for n in self.names if n != name]
            argv = [
                sys.executable, "-m", "paxos_server", "--node", name,
                "--nodes", ",".join(self.names),
                "--listen", f"{self.host(name)}:{CLIENT_PORT}",
                "--peer-listen", f"{self.host(name)}:{PEER_PORT}",
                "--data", str(self.directory / name), *peers, *self._arguments,
            ]  # fmt: skip
            self.spawn(name, argv, SERVER)

    def ask(self, name: str, *words: str, timeout_s: float = 2.0) -> bytes:
        """One command on a connection of its own; the first bytes of the reply. Raises OSError."""
        line = b"*%d\r\n" % len(words) + b"".join(
            b"$%d\r\n%b\r\n" % (len(word), word.encode()) for word in words
        )
        address = (self.host(name), CLIENT_PORT)
        with socket.create_connection(address, timeout=timeout_s) as connection:
            connection.sendall(line)
            return connection.recv(65536)

    def leader(self, timeout_s: float = 20.0) -> str:
        """Wait until a node leads and has answered a write. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for name in self.alive:
                try:
                    leads = self.ask(name, "PAXOS", "LEADER").endswith(b":1\r\n")
                    if leads and self.ask(name, "SET", "leader", name) == b"+OK\r\n":
                        return name
                except OSError:
                    continue  # not listening yet
            time.sleep(0.01)  # between looks at the condition of the loop
        raise TimeoutError(f"no leader within {timeout_s:g} s\n{self.logs()}")
