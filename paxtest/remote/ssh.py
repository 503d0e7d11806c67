"""A shell on a host, by SSH (paramiko).

Host keys are checked: a host that is not in known_hosts, or whose key differs, is refused.
Authentication is by key or agent; nothing asks for a password, so none can leak.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import paramiko

from paxtest.errors import ClusterError, RemoteError, UsageError
from paxtest.remote.shell import Shell, Sink

CONNECT_TIMEOUT_S = 10.0
KEEPALIVE_S = 15
SESSIONS = 8
"""Commands at a time over one connection; sshd allows ten (MaxSessions)."""

_CHUNK_BYTES = 1 << 15
_THREADS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="paxtest-ssh")
"""paramiko blocks. A pool of our own, so that a slow host cannot starve asyncio's."""


@dataclass(frozen=True)
class SshAddress:
    """Where and as whom to log in. `known_hosts` None: the user's own; `key_file` None: the
    agent's keys and the user's own."""

    host: str
    port: int = 22
    user: str = "root"
    key_file: str | None = None
    known_hosts: str | None = None
    jump: SshAddress | None = None

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def parse_address(text: str, **defaults: Any) -> SshAddress:
    """`[user@]host[:port]`; IPv6 addresses in brackets when a port follows."""
    user, at, place = text.rpartition("@")
    given = dict(defaults)
    if at:
        given["user"] = user
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":") if place.count(":") == 1 else (place, "", "")
    if port:
        if not port.isdigit() or not 0 < int(port) < 65536:
            raise UsageError(f"not a host to log in to: {text!r}", "write [user@]host[:port]")
        given["port"] = int(port)
    if not host or (at and not user) or host.startswith("-") or any(c.isspace() for c in text):
        raise UsageError(f"not a host to log in to: {text!r}", "write [user@]host[:port]")
    return SshAddress(host, **given)


class SshRemote(Shell):
    """Runs commands over one connection, made when first needed and made again when lost."""

    def __init__(
        self, node: str, address: SshAddress, *, env: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(node, env=env, is_root=address.user == "root")
        self.address = address
        self._lock = threading.Lock()
        self._clients: list[paramiko.SSHClient] = []  # the last one leads to the host
        self._sessions = asyncio.Semaphore(SESSIONS)

    async def execute(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        async with self._sessions:
            loop = asyncio.get_running_loop()
            try:
                return await loop.run_in_executor(
                    _THREADS, self._blocking, argv, stdin, stdout, stderr, limit_s
                )
            except (paramiko.SSHException, EOFError, OSError) as error:
                raise RemoteError(
                    self.node, argv, -1, f"the connection to {self.address} broke: {error}"
                ) from error

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(_THREADS, self._disconnect)

    def shell_argv(self) -> list[str]:
        """The ssh command for an interactive shell there."""
        address = self.address
        argv = ["ssh", "-t", "-p", str(address.port)]
        if address.key_file:
            argv += ["-i", address.key_file]
        if address.known_hosts:
            argv += ["-o", f"UserKnownHostsFile={address.known_hosts}"]
        if address.jump:
            argv += ["-J", str(address.jump)]
        return [*argv, f"{address.user}@{address.host}"]

    def _blocking(
        self, argv: list[str], stdin: bytes | None, stdout: Sink, stderr: Sink, limit_s: float
    ) -> int | None:
        transport = self._connect()
        deadline_s = time.monotonic() + limit_s
        channel = transport.open_session(timeout=CONNECT_TIMEOUT_S)
        try:
            channel.settimeout(limit_s)
            # Any login shell understands this; sh turns deaths by signal into exit codes.
            channel.exec_command(f"exec sh -c {shlex.quote(shlex.join(argv) + '; exit $?')}")
            feeder = threading.Thread(target=_feed, args=(channel, stdin or b""), daemon=True)
            errors = threading.Thread(
                target=_drain, args=(channel.recv_stderr, stderr), daemon=True
            )
            feeder.start()
            errors.start()
            whole = _drain(channel.recv, stdout)
            errors.join(max(0.0, deadline_s - time.monotonic()))
            left_s = max(0.0, deadline_s - time.monotonic())
            if not whole or not channel.status_event.wait(left_s):
                return None
            return channel.recv_exit_status()
        finally:
            channel.close()

    def _connect(self) -> paramiko.Transport:
        with self._lock:
            if self._clients:
                transport = self._clients[-1].get_transport()
                if transport is not None and transport.is_active():
                    return transport
            self._forget()
            hops = [self.address]
            while hops[0].jump:
                hops.insert(0, hops[0].jump)
            transport = None
            for hop in hops:
                channel = None
                if transport is not None:
                    channel = transport.open_channel(
                        "direct-tcpip",
                        (hop.host, hop.port),
                        ("127.0.0.1", 0),
                        timeout=CONNECT_TIMEOUT_S,
                    )
                client = _login(self.node, hop, channel)
                self._clients.append(client)
                transport = client.get_transport()
                assert transport is not None
                transport.set_keepalive(KEEPALIVE_S)
            assert transport is not None
            return transport

    def _disconnect(self) -> None:
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        while self._clients:
            self._clients.pop().close()


def _login(node: str, address: SshAddress, channel: Any) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    where = f"node {node}: cannot log in to {address}"
    try:
        client.load_system_host_keys(address.known_hosts)
        client.set_missing_host_key_policy(_Refuse())
        client.connect(
            address.host,
            address.port,
            address.user,
            key_filename=address.key_file,
            sock=channel,
            timeout=CONNECT_TIMEOUT_S,
            banner_timeout=CONNECT_TIMEOUT_S,
            auth_timeout=CONNECT_TIMEOUT_S,
            look_for_keys=address.key_file is None,
        )
    except BaseException as error:
        client.close()
        if isinstance(error, _UnknownHost):
            raise ClusterError(
                f"{where}: its host key is not known ({error})",
                f"look at it and add it: ssh-keyscan -p {address.port} {address.host}"
                f" >> {address.known_hosts or '~/.ssh/known_hosts'}",
            ) from error
        if isinstance(error, paramiko.BadHostKeyException):
            raise ClusterError(
                f"{where}: its host key is not the one in known_hosts",
                "the host was set up anew, or another answers in its place; if you know why,"
                f" ssh-keygen -R '[{address.host}]:{address.port}' and add the new key",
            ) from error
        if isinstance(error, paramiko.AuthenticationException):
            raise ClusterError(
                f"{where}: {error}",
                "it takes a key: name a key_file, or ssh-add the key to the agent; passwords are"
                " not used",
            ) from error
        if isinstance(error, paramiko.SSHException | OSError | EOFError):
            raise ClusterError(
                f"{where}: {error}", f"try: ssh -p {address.port} {address.user}@{address.host}"
            ) from error
        raise
    return client


class _UnknownHost(paramiko.SSHException):
    pass


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(self, client: object, hostname: str, key: paramiko.PKey) -> None:
        raise _UnknownHost(f"{key.get_name()} {key.fingerprint}")


def _feed(channel: paramiko.Channel, data: bytes) -> None:
    """Send stdin and its end; a command that does not read its stdin is no error."""
    with contextlib.suppress(OSError, paramiko.SSHException):
        channel.sendall(data)
        channel.shutdown_write()


def _drain(receive: Any, sink: Sink) -> bool:
    """Read a stream to its end; False when the channel's time ran out first."""
    try:
        while data := receive(_CHUNK_BYTES):
            sink.write(data)
    except TimeoutError:
        return False
    return True
