"""Logging in to a real sshd: host keys, keys, jump hosts, lost connections."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sshd import Sshd, make_key, sshd

from paxtest import cluster as clusters
from paxtest.cluster.ssh import SshCluster
from paxtest.errors import ClusterError, RemoteError, UsageError
from paxtest.remote.ssh import SshAddress, SshRemote, parse_address


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def address(server: Sshd, **changes: Any) -> SshAddress:
    return SshAddress(server.host, server.port, **{**server.login, **changes})


async def refusal(where: SshAddress) -> ClusterError:
    remote = SshRemote("n1", where)
    try:
        with pytest.raises(ClusterError) as caught:
            await remote.run(["true"])
    finally:
        await remote.close()
    return caught.value


async def test_an_unknown_host_is_refused(server: Sshd, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    error = await refusal(address(server, known_hosts=str(tmp_path / "known_hosts")))
    assert "host key is not known" in error.message and "SHA256:" in error.message
    assert f"ssh-keyscan -p {server.port} {server.host}" in error.hint


async def test_a_host_with_another_key_is_refused(server: Sshd, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    known = f"[{server.host}]:{server.port} {' '.join(other.split()[:2])}\n"
    (tmp_path / "known_hosts").write_text(known)
    error = await refusal(address(server, known_hosts=str(tmp_path / "known_hosts")))
    assert "not the one in known_hosts" in error.message


async def test_a_key_that_is_not_welcome_is_refused(server: Sshd, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    error = await refusal(address(server, key_file=str(tmp_path / "stranger")))
    assert "cannot log in" in error.message and "key" in error.hint


async def test_nobody_at_home_is_said(server: Sshd) -> None:
    error = await refusal(SshAddress(server.host, 1, **server.login))
    assert f"{server.user}@{server.host}:1" in error.message


@pytest.fixture
def agent(server: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An ssh-agent that holds the key."""
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    words = dict(part.split("=") for part in re.findall(r"SSH_\w+=[^;]+", said))
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", words["SSH_AUTH_SOCK"])
        subprocess.run(["ssh-add", "-q", server.key_file], check=True, stderr=subprocess.DEVNULL)
        yield
    finally:
        os.kill(int(words["SSH_AGENT_PID"]), signal.SIGTERM)


@pytest.mark.usefixtures("agent")
async def test_an_agent_can_hold_the_key(server: Sshd) -> None:
    remote = SshRemote("n1", address(server, key_file=None))
    try:
        assert (await remote.run(["echo", "in"])).stdout == "in\n"
    finally:
        await remote.close()


async def test_a_jump_host_is_gone_through(server: Sshd, tmp_path: Path) -> None:
    with sshd(tmp_path / "inner") as inner:
        where = SshAddress(inner.host, inner.port, **inner.login, jump=address(server))
        remote = SshRemote("n1", where)
        try:
            output = await remote.run(["sh", "-c", "echo $SSH_CONNECTION"])
            assert output.stdout.split()[3] == str(inner.port)
            data = b"x" * 1_000_000
            assert len((await remote.run(["cat"], stdin=data)).stdout) == len(data)
        finally:
            await remote.close()


async def test_a_lost_connection_is_made_anew(server: Sshd) -> None:
    remote = SshRemote("n1", address(server))
    try:
        with pytest.raises(RemoteError):
            await remote.run(
                ["sh", "-c", 'kill -KILL "$PPID"; kill -KILL "$(ps -o ppid= "$PPID")"; sleep 9'],
                timeout_s=3,
            )
        until = time.monotonic() + 20
        while True:
            try:
                assert (await remote.run(["echo", "again"])).stdout == "again\n"
                break
            except RemoteError:
                assert time.monotonic() < until
    finally:
        await remote.close()


async def test_more_commands_than_sessions_wait_their_turn(server: Sshd) -> None:
    remote = SshRemote("n1", address(server))
    try:
        outputs = await asyncio.gather(*(remote.run(["echo", str(n)]) for n in range(30)))
        assert [int(output.stdout) for output in outputs] == list(range(30))
    finally:
        await remote.close()


@pytest.mark.parametrize(
    ("text", "host", "port", "user"),
    [
        ("db1", "db1", 22, "root"),
        ("me@db1", "db1", 22, "me"),
        ("me@db1:2222", "db1", 2222, "me"),
        ("[fd00::1]:2222", "fd00::1", 2222, "root"),
        ("fd00::1", "fd00::1", 22, "root"),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int, user: str) -> None:
    read = parse_address(text)
    assert (read.host, read.port, read.user) == (host, port, user)


@pytest.mark.parametrize("text", ["", "@h", "h:x", "h:0", "h:70000", "-oProxyCommand=x", "a b"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a host"):
        parse_address(text)


NAMES = ("a", "b")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Two hosts that are network namespaces with an sshd each: firewalls of their own."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    tag = f"px{os.getpid() % 10000}"
    net = f"10.{199 + os.getpid() % 50}.{os.getpid() % 250}"

    def ip(*words: str, check: bool = True) -> None:
        subprocess.run(["ip", *words], check=check, timeout=20, capture_output=not check)

    servers = []
    try:
        for name in NAMES:
            ip("netns", "add", f"{tag}{name}")
        # The hosts reach each other directly, not over this machine, whose firewall is not ours.
        peer = ["type", "veth", "peer", "name", "eth1", "netns", f"{tag}{NAMES[1]}"]
        ip("link", "add", "eth1", "netns", f"{tag}{NAMES[0]}", *peer)
        for number, name in enumerate(NAMES, start=2):
            space = f"{tag}{name}"
            ip("link", "add", space, "type", "veth", "peer", "name", "eth0", "netns", space)
            ip("addr", "add", f"{net}.1/32", "dev", space)
            ip("link", "set", space, "up")
            ip("route", "add", f"{net}.{number}", "dev", space, "src", f"{net}.1")
            for device in ("lo", "eth0", "eth1"):
                ip("-n", space, "link", "set", device, "up")
            ip("-n", space, "addr", "add", f"{net}.{number}/32", "dev", "eth0")
            ip("-n", space, "route", "add", f"{net}.1", "dev", "eth0")
            ip("-n", space, "route", "add", f"{net}.{5 - number}", "dev", "eth1")
            prefix = ["ip", "netns", "exec", space]
            context = sshd(tmp_path / name, host=f"{net}.{number}", port=2222, prefix=prefix)
            servers.append((context, context.__enter__()))
            # Somebody else's rule, which must stay.
            rule = ["iptables", "-A", "INPUT", "-p", "tcp", "--dport", "9", "-j", "DROP"]
            subprocess.run([*prefix, *rule], check=True, timeout=20)
        both = tmp_path / "known_hosts"
        both.write_text("".join(one.known_hosts.read_text() for _, one in servers))
        key = tmp_path / "key"
        key.write_bytes(servers[0][1].key_file.read_bytes())
        key.chmod(0o600)
        public = (tmp_path / "a" / "user_key.pub").read_text()
        (tmp_path / "b" / "authorized_keys").write_text(public)
        yield {
            "hosts": [f"{one.user}@{one.host}:{one.port}" for _, one in servers],
            "key_file": str(key),
            "known_hosts": str(both),
            "spaces": [f"{tag}{name}" for name in NAMES],
        }
    finally:
        for context, _ in servers:
            context.__exit__(None, None, None)
        for name in NAMES:
            ip("netns", "del", f"{tag}{name}", check=False)


async def test_hosts_are_a_cluster_whose_links_can_be_cut(
    hosts: dict[str, Any], tmp_path: Path
) -> None:
    spaces = hosts.pop("spaces")

    def rules(space: str) -> str:
        argv = ["ip", "netns", "exec", space, "iptables", "-S"]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    before = [rules(space) for space in spaces]
    hosts["directory"] = str(tmp_path)
    cluster = clusters.make("ssh", run_id="netns", nodes=2, options=hosts)
    assert isinstance(cluster, SshCluster)
    try:
        await cluster.up()
        assert cluster.net is not None
        assert await cluster.net.reachable("n1", "n2", 1)
        await cluster.net.cut({("n1", "n2")})
        assert not await cluster.net.reachable("n1", "n2", 1)
        assert await cluster.net.reachable("n2", "n1", 1)
        assert [rules(space) != was for space, was in zip(spaces, before, strict=True)] == [
            False,
            True,
        ]
        cluster.save(tmp_path / "cluster.json")
        assert str(hosts["key_file"]) in (tmp_path / "cluster.json").read_text()
        other = await clusters.attach(tmp_path / "cluster.json")
        assert isinstance(other, SshCluster) and other.net is not None
        await other.net.heal()
        assert await other.net.reachable("n1", "n2", 1)
        await asyncio.gather(*(other.remote(node.name).close() for node in other.nodes))
        assert [rules(space) for space in spaces] == before
        await cluster.net.cut({("n2", "n1")})
    finally:
        await cluster.down()
    assert [rules(space) for space in spaces] == before
    assert not (tmp_path / "paxtest-netns").exists()
