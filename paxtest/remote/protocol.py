"""Remote: a shell on a node. Implementations: local, docker, ssh; one conformance suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Output:
    """What a command left: exit code, stdout and stderr (UTF-8, broken bytes replaced)."""

    exit_code: int
    stdout: str
    stderr: str


class Remote(Protocol):
    """Runs commands on one node. Commands are argv, never a string pasted into a shell."""

    node: str

    async def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout_s: float = 30.0,
        sudo: bool = False,
        check: bool = True,
    ) -> Output:
        """Raises RemoteError on a non-zero exit (when `check`) and when `timeout_s` has passed."""

    async def upload(self, local: Path, remote: str, *, mode: int = 0o644) -> None:
        """Copy a file or a directory (whole tree) onto the node; makes parent directories."""

    async def download(self, remote: str, local: Path) -> None:
        """Copy a file or a directory from the node; RemoteError where it is absent."""

    async def close(self) -> None: ...
