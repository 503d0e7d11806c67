"""A shell in a container, through the Docker engine's exec."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker.errors
import requests.exceptions

from paxtest.errors import RemoteError
from paxtest.remote.shell import Shell, Sink
from paxtest.remote.standing import STDOUT, StandingShell, Wire

_IDLE_SHELLS = 4  # kept of each container
_THREADS = ThreadPoolExecutor(max_workers=32, thread_name_prefix="paxtest-docker")
"""The SDK blocks. A pool of our own, so that a slow engine cannot starve asyncio's."""


async def in_thread(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call a blocking function of the SDK beside the event loop."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_THREADS, lambda: function(*arguments, **keywords))


class DockerRemote(Shell):
    """Runs commands as root in the container `container`; `api` is docker.APIClient.

    Commands without stdin run in shells that stay (see `standing.py`), as many as run at a time.
    """

    def __init__(
        self, node: str, container: str, api: Any, *, env: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(node, env=env, is_root=True)
        self.container = container
        self._api = api
        self._idle: list[StandingShell] = []
        self._lock = threading.Lock()

    async def execute(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        deadline_s = time.monotonic() + limit_s
        try:
            if stdin is None:
                code = await in_thread(self._in_shell, argv, stdout, stderr, deadline_s)
            else:
                code = await in_thread(self._alone, argv, stdin, stdout, stderr, deadline_s)
        except (docker.errors.APIError, requests.exceptions.RequestException, OSError) as error:
            raise RemoteError(
                self.node,
                argv,
                -1,
                f"the Docker engine refused: {error}",
                f"see whether the container still runs: docker ps -a --filter id={self.container}",
            ) from error
        return None if code is None else int(code)

    async def close(self) -> None:
        """Let the shells go; the next command has a new one."""
        with self._lock:
            shells, self._idle = self._idle, []
        for shell in shells:
            shell.close()

    def _in_shell(
        self, argv: list[str], stdout: Sink, stderr: Sink, deadline_s: float
    ) -> int | None:
        shell = self._shell()
        code = None
        try:
            code = shell.run(argv, stdout, stderr, deadline_s)
        finally:
            with self._lock:
                kept = code is not None and len(self._idle) < _IDLE_SHELLS
                if kept:
                    self._idle.append(shell)
            if not kept:
                shell.close()
        return code

    def _shell(self) -> StandingShell:
        """One that nobody uses: the container may have been started anew since it was opened."""
        while True:
            with self._lock:
                shell = self._idle.pop() if self._idle else None
            if shell is None:
                return StandingShell(self._api, self.container)
            if shell.usable():
                return shell
            shell.close()

    def _alone(
        self, argv: list[str], stdin: bytes, stdout: Sink, stderr: Sink, deadline_s: float
    ) -> int | None:
        """By an exec of its own, whose input can come to an end."""
        wire = Wire(self._api, self.container, argv, stdin=True)
        try:
            threading.Thread(target=_feed, args=(wire, stdin), daemon=True).start()
            while (came := wire.receive(deadline_s)) and came[0]:
                (stdout if came[0] == STDOUT else stderr).write(came[1])
            if came is None:
                return None
        finally:
            wire.close()
        while time.monotonic() < deadline_s:
            state = self._api.exec_inspect(wire.id)
            if not state["Running"] and state["ExitCode"] is not None:
                return int(state["ExitCode"])
            time.sleep(0.005)
        return None


def _feed(wire: Wire, data: bytes) -> None:
    """Send stdin and its end; a command that does not read its stdin is no error."""
    with contextlib.suppress(OSError):
        wire.send(data)
        wire.end_input()
