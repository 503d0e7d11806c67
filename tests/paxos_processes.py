"""Nodes of the reference Paxos as real processes, for tests."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

import paxtest.cluster.paxos_server as package

FOLDER = Path(package.__file__).resolve().parent.parent
CLIENT_PORT, PEER_PORT = 7379, 7380


class PaxosCluster:
    """N server processes, each on its own loopback address."""

    def __init__(self, directory: Path, nodes: int, network: int, *arguments: str) -> None:
        self.names = [f"n{i + 1}" for i in range(nodes)]
        self._directory = directory
        self._network = network
        self._arguments = arguments
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: dict[str, Redis] = {}

    def host(self, name: str) -> str:
        return f"127.{self._network // 256}.{self._network % 256}.{name[1:]}"

    def argv(self, name: str, *more: str) -> list[str]:
        peers = [f"--peer={n}={self.host(n)}:{PEER_PORT}" for n in self.names if n != name]
        return [
            sys.executable, "-m", "paxos_server", "--node", name,
            "--nodes", ",".join(self.names),
            "--listen", f"{self.host(name)}:{CLIENT_PORT}",
            "--peer-listen", f"{self.host(name)}:{PEER_PORT}",
            "--data", str(self._directory / name), *peers, *self._arguments, *more,
        ]  # fmt: skip

    def start(self, *names: str) -> None:
        for name in names or self.names:
            with open(self._directory / f"{name}.log", "ab") as log:
                self.processes[name] = subprocess.Popen(self.argv(name), cwd=FOLDER, stderr=log)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        self.processes[name].send_signal(number)
        if number == signal.SIGKILL:
            self.processes.pop(name).wait()
            self._clients.pop(name, None)

    def client(self, name: str) -> Redis:
        """A client that never retries on its own."""
        if name not in self._clients:
            self._clients[name] = Redis(
                host=self.host(name), port=CLIENT_PORT, retry=Retry(NoBackoff(), 0),
                socket_timeout=5, single_connection_client=False,
            )  # fmt: skip
        return self._clients[name]

    def ask(self, name: str, *words: str) -> Any:
        return self.client(name).execute_command(*words)

    def leader(self, timeout_s: float = 10.0) -> str:
        """Wait until a leader answers for itself."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for name in self.processes:
                with contextlib.suppress(RedisError):
                    who, leads = self.ask(name, "PAXOS", "LEADER")
                    if leads:
                        return str(who.decode())
            time.sleep(0.01)  # waits for the condition of the loop
        raise AssertionError("no leader; logs:\n" + self.logs())

    def until(self, name: str, words: list[str], timeout_s: float = 10.0) -> Any:
        """Repeat a command that may be refused, until it is not."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return self.ask(name, *words)
            except RedisError as error:
                if time.monotonic() > deadline:
                    raise AssertionError(f"{words} on {name}: {error}\n{self.logs()}") from error
                time.sleep(0.01)  # waits for the condition of the loop

    def logs(self) -> str:
        return "\n".join(f"{p.name}: {p.read_text()[-500:]}" for p in self._directory.glob("*.log"))

    def close(self) -> None:
        for client in self._clients.values():
            client.close()
        for process in self.processes.values():
            process.kill()
            process.wait()
