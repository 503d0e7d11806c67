"""A real sshd for tests: own host key, own port on 127.0.0.1, keys of its own, current user."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Sshd:
    """Where it listens, and the files that a client needs."""

    host: str
    port: int
    user: str
    key_file: Path
    known_hosts: Path
    host_key: str

    @property
    def login(self) -> dict[str, str]:
        return {
            "user": self.user,
            "key_file": str(self.key_file),
            "known_hosts": str(self.known_hosts),
        }


def make_key(path: Path) -> str:
    """A new key pair; the public half."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "paxtest", "-f", str(path)],
        check=True,
        timeout=20,
    )
    return path.with_suffix(".pub").read_text().strip()


@contextmanager
def sshd(
    folder: Path, *, host: str = "127.0.0.1", port: int = 0, prefix: Sequence[str] = ()
) -> Iterator[Sshd]:
    """Run one as long as the block runs. `prefix` goes before its command: a namespace, say."""
    if SSHD is None:
        pytest.skip("no sshd here: apt-get install openssh-server")
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host_key = make_key(folder / "host_key")
    user_key = make_key(folder / "user_key")
    (folder / "authorized_keys").write_text(user_key + "\n")
    for _ in range(5):
        chosen = port or _free_port(host)
        known = f"[{host}]:{chosen}" if chosen != 22 else host
        (folder / "known_hosts").write_text(f"{known} {' '.join(host_key.split()[:2])}\n")
        (folder / "sshd_config").write_text(
            f"ListenAddress {host}\nPort {chosen}\nHostKey {folder}/host_key\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
            "PermitRootLogin yes\nMaxStartups 100\n"
        )
        process = subprocess.Popen(
            [*prefix, SSHD, "-D", "-E", folder / "sshd.log", "-f", folder / "sshd_config"],
            stdin=subprocess.DEVNULL,
        )
        if _listens(process, host, chosen):
            break
        process.kill()
        process.wait(5)
    else:
        pytest.fail(f"sshd does not start: {(folder / 'sshd.log').read_text()[-2000:]}")
    try:
        yield Sshd(
            host,
            chosen,
            getpass.getuser(),
            folder / "user_key",
            folder / "known_hosts",
            host_key,
        )
    finally:
        process.terminate()
        process.wait(5)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _listens(process: subprocess.Popen[bytes], host: str, port: int) -> bool:
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.02)  # waits for the condition of the loop
    return False
