"""etcd under measurement: three members on loopback addresses, fsync on (its default)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from .load import Answered, etcd_put, measure
from .nodes import Processes

CLIENT_PORT, PEER_PORT = 7379, 7380
INSTALL = "etcd is not on the PATH: apt-get install etcd-server etcd-client"


def installed() -> bool:
    return shutil.which("etcd") is not None and shutil.which("etcdctl") is not None


class Etcd(Processes):
    """Members e1, e2, e3."""

    def __init__(self, directory: Path, network: str = "127.76.2") -> None:
        super().__init__(directory)
        self.hosts = {f"e{i}": f"{network}.{i}" for i in (1, 2, 3)}

    def url(self, name: str, port: int = CLIENT_PORT) -> str:
        return f"http://{self.hosts[name]}:{port}"

    def start(self) -> None:
        cluster = ",".join(f"{name}={self.url(name, PEER_PORT)}" for name in self.hosts)
        for name in self.hosts:
            self.spawn(name, [
                "etcd", "--name", name, "--data-dir", str(self.directory / name),
                "--listen-client-urls", self.url(name), "--advertise-client-urls", self.url(name),
                "--listen-peer-urls", self.url(name, PEER_PORT),
                "--initial-advertise-peer-urls", self.url(name, PEER_PORT),
                "--initial-cluster", cluster, "--initial-cluster-state", "new",
                "--logger", "zap", "--log-level", "warn",
            ])  # fmt: skip

    def leader(self, timeout_s: float = 20.0) -> str:
        """Wait until a member leads. Raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            done = self.ctl("endpoint", "status", "-w", "json")
            for row in json.loads(done.stdout) if done.returncode == 0 else []:
                status = row["Status"]
                if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                    return next(n for n in self.hosts if self.url(n) == row["Endpoint"])
            time.sleep(0.05)  # between looks at the condition of the loop
        raise TimeoutError(f"etcd has no leader within {timeout_s:g} s\n{self.logs()}")

    def ctl(self, *words: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        endpoints = ",".join(map(self.url, self.hosts))
        return subprocess.run(
            ["etcdctl", "--endpoints", endpoints, *words], check=False, capture_output=True,
            text=True, timeout=timeout_s, env=os.environ | {"ETCDCTL_API": "3"},
        )  # fmt: skip

    def gateway(self, name: str, clients: int, seconds: float) -> Answered:
        """Load on the JSON gateway of one member: one put at a time on each connection."""
        host = self.hosts[name]
        return measure((host, CLIENT_PORT), clients, seconds, etcd_put(host))

    def check_perf(self) -> tuple[float, float]:
        """`etcdctl check perf --load=l`: 500 clients, 60 s, asked for 8,000 writes a second.
        Writes a second and its slowest request in seconds."""
        done = self.ctl("check", "perf", "--load=l")
        rate = re.search(r"Throughput.* (\d+) writes/s", done.stdout)
        slowest = re.search(r"[Ss]lowest request .*?([\d.]+)s", done.stdout)
        if rate is None:
            raise ValueError(f"etcdctl check perf said {done.stdout[-200:]!r} {done.stderr!r}")
        return float(rate[1]), float(slowest[1]) if slowest else float("nan")
