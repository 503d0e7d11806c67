"""One suite over the three remotes: local, a container, a real sshd."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sshd import Sshd, sshd

from paxtest.cluster.docker import DockerCluster
from paxtest.errors import RemoteError, UsageError
from paxtest.remote import daemon
from paxtest.remote.docker import DockerRemote
from paxtest.remote.local import LocalRemote
from paxtest.remote.protocol import Remote
from paxtest.remote.ssh import SshAddress, SshRemote

AWKWARD = [
    "plain",
    "two words",
    "'single' \"double\" `tick` $HOME $(id) ; & | > * ? ~ \\",
    "line\nbreak\r\ttab",
    "Größe, λ, 日本, 🙂",
    "",
    "-n",
    "a=b",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture(scope="module")
def container() -> Iterator[tuple[str, Any]]:
    cluster = DockerCluster(f"remote-{secrets.token_hex(4)}", 1)
    with ThreadPoolExecutor(1) as thread:  # this one's loop may run already
        thread.submit(asyncio.run, cluster.up()).result()
        remote = cluster.remote("n1")
        try:
            yield remote.container, remote._api
        finally:
            thread.submit(asyncio.run, cluster.down()).result()


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.docker), "ssh"])
async def remote(request: pytest.FixtureRequest) -> AsyncIterator[Remote]:
    made: Remote
    if request.param == "local":
        made = LocalRemote("n1")
    elif request.param == "docker":
        made = DockerRemote("n1", *request.getfixturevalue("container"))
    else:
        running = request.getfixturevalue("server")
        made = SshRemote("n1", SshAddress(running.host, running.port, **running.login))
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def place(remote: Remote) -> AsyncIterator[str]:
    """A directory on the node, gone afterwards."""
    path = (await remote.run(["mktemp", "-d"])).stdout.strip()
    yield path
    await remote.run(["rm", "-rf", path])


async def test_arguments_arrive_as_they_are(remote: Remote) -> None:
    script = 'for a in "$@"; do printf "%s\\0" "$a"; done'
    output = await remote.run(["sh", "-c", script, "sh", *AWKWARD])
    assert output.exit_code == 0
    assert output.stdout.split("\0")[:-1] == AWKWARD


async def test_environment_arrives_as_it_is(remote: Remote) -> None:
    env = {f"PAXTEST_{number}": text for number, text in enumerate(AWKWARD)}
    output = await remote.run(["env", "-0"], env=env)
    seen = dict(pair.partition("=")[::2] for pair in output.stdout.split("\0"))
    assert {name: seen[name] for name in env} == env


@pytest.mark.parametrize("data", [b"", b"\0\1\xff two\nlines", b"x" * 3_000_000])
async def test_stdin_arrives_as_it_is(remote: Remote, data: bytes) -> None:
    output = await remote.run(["sh", "-c", "wc -c; true"], stdin=data)
    assert int(output.stdout) == len(data)
    echoed = await remote.run(["cat"], stdin=data)
    assert echoed.stdout == data.decode("utf-8", "replace")


async def test_without_stdin_the_command_sees_its_end(remote: Remote) -> None:
    assert (await remote.run(["cat"], timeout_s=5)).stdout == ""


async def test_a_command_that_ignores_its_stdin_is_no_error(remote: Remote) -> None:
    assert (await remote.run(["true"], stdin=b"x" * 3_000_000)).exit_code == 0


async def test_streams_are_kept_apart(remote: Remote) -> None:
    output = await remote.run(["sh", "-c", "echo out; echo err >&2; echo more"])
    assert (output.stdout, output.stderr) == ("out\nmore\n", "err\n")


async def test_broken_utf8_is_replaced(remote: Remote) -> None:
    output = await remote.run(["printf", r"a\377b"])
    assert output.stdout == "a\ufffdb"


async def test_failure_names_node_command_and_stderr(remote: Remote) -> None:
    with pytest.raises(RemoteError) as caught:
        await remote.run(["sh", "-c", "echo bad luck >&2; exit 7"])
    error = caught.value
    assert (error.node, error.command_exit_code, error.stderr) == ("n1", 7, "bad luck\n")
    assert error.argv == ("sh", "-c", "echo bad luck >&2; exit 7")
    assert "n1" in str(error) and "bad luck" in str(error) and "7" in str(error)


async def test_failure_can_be_asked_for(remote: Remote) -> None:
    assert (await remote.run(["sh", "-c", "exit 7"], check=False)).exit_code == 7
    assert (await remote.run(["no-such-program"], check=False)).exit_code == 127
    assert (await remote.run(["sh", "-c", "kill -TERM $$"], check=False)).exit_code == 143


@pytest.mark.parametrize("argv", [[], [""], ["echo", "a\0b"]])
async def test_what_is_no_command_is_refused(remote: Remote, argv: list[str]) -> None:
    with pytest.raises(UsageError):
        await remote.run(argv)


async def test_timeout_kills_the_command_on_the_node(remote: Remote, place: str) -> None:
    script = 'echo $$ > "$1/parent"; sleep 600 & echo $! > "$1/child"; wait'
    began = time.monotonic()
    with pytest.raises(RemoteError) as caught:
        await remote.run(["sh", "-c", script, "sh", place], timeout_s=0.6)
    assert time.monotonic() - began < 10
    assert caught.value.command_exit_code is None and "timed out" in str(caught.value)
    for name in ("parent", "child"):
        pid = (await remote.run(["cat", f"{place}/{name}"])).stdout.strip()
        await _gone(remote, pid)


async def _gone(remote: Remote, pid: str) -> None:
    """The process is no more, or a zombie that nobody has reaped yet."""
    script = '[ ! -e "/proc/$1" ] || grep -q "^State:.Z" "/proc/$1/status"'
    deadline = time.monotonic() + 5
    while (await remote.run(["sh", "-c", script, "sh", pid], check=False)).exit_code:
        assert time.monotonic() < deadline, f"pid {pid} lives"


async def test_output_beyond_the_limit_is_dropped_and_said(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paxtest.remote.shell.OUTPUT_LIMIT_BYTES", 1000)
    output = await remote.run(["sh", "-c", "head -c 2500 /dev/zero | tr '\\0' x"])
    assert output.stdout == "x" * 1000
    assert "1500 of stdout" in output.stderr


async def test_sudo_runs_as_root(remote: Remote) -> None:
    if isinstance(remote, LocalRemote | SshRemote) and os.geteuid() != 0:
        pytest.skip("needs root, or a sudo that asks no password")
    assert (await remote.run(["id", "-u"], sudo=True)).stdout == "0\n"


async def test_commands_run_side_by_side(remote: Remote) -> None:
    outputs = await asyncio.gather(*(remote.run(["echo", str(n)]) for n in range(12)))
    assert [output.stdout for output in outputs] == [f"{n}\n" for n in range(12)]


async def test_files_travel_both_ways(remote: Remote, place: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    (tmp_path / "up").write_bytes(data)
    target = f"{place}/new dir/it's"
    await remote.upload(tmp_path / "up", target, mode=0o750)
    assert (await remote.run(["stat", "-c", "%a %s", target])).stdout == f"750 {len(data)}\n"
    await remote.download(target, tmp_path / "deep" / "down")
    assert (tmp_path / "deep" / "down").read_bytes() == data


async def test_a_file_is_replaced(remote: Remote, place: str, tmp_path: Path) -> None:
    for text in ("long first text", "second"):
        (tmp_path / "file").write_text(text)
        await remote.upload(tmp_path / "file", f"{place}/file")
        assert (await remote.run(["cat", f"{place}/file"])).stdout == text


async def test_trees_travel_both_ways(remote: Remote, place: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a" / "empty").mkdir(parents=True)
    (tree / "a" / "ünï").write_text("unicode")
    (tree / "run").write_text("#!/bin/sh\necho ran\n")
    (tree / "run").chmod(0o755)
    await remote.upload(tree, f"{place}/copy")
    assert (await remote.run([f"{place}/copy/run"])).stdout == "ran\n"
    await remote.download(f"{place}/copy", tmp_path / "back")
    found = sorted(str(p.relative_to(tmp_path / "back")) for p in (tmp_path / "back").rglob("*"))
    assert found == ["a", "a/empty", "a/ünï", "run"]
    assert (tmp_path / "back" / "a" / "ünï").read_text() == "unicode"


async def test_links_and_devices_of_a_node_are_left_out(
    remote: Remote, place: str, tmp_path: Path
) -> None:
    script = 'mkdir "$1/t" && ln -s /etc/passwd "$1/t/link" && mkfifo "$1/t/fifo" && : > "$1/t/f"'
    await remote.run(["sh", "-c", script, "sh", place])
    await remote.download(f"{place}/t", tmp_path / "back")
    assert [p.name for p in (tmp_path / "back").iterdir()] == ["f"]


async def test_what_is_absent_cannot_be_downloaded(remote: Remote, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="no such file"):
        await remote.download("/no/such/file", tmp_path / "file")


async def _start(remote: Remote, place: str, *argv: str, **env: str) -> int:
    return await daemon.start(
        remote,
        argv=argv,
        directory=f"{place}/home",
        env=env,
        log=f"{place}/log/out.log",
        pidfile=f"{place}/run/it.pid",
    )


async def test_daemon_lives_until_it_is_killed(remote: Remote, place: str) -> None:
    pidfile = f"{place}/run/it.pid"
    assert await daemon.state(remote, pidfile) == (None, "")
    script = (
        'echo "$(pwd) $WORD"; echo err >&2; read -r line || echo eof; while :; do sleep 1; done'
    )
    pid = await _start(remote, place, "sh", "-c", script, WORD="two words")
    try:
        assert (await daemon.state(remote, pidfile))[0] == pid
        assert await _start(remote, place, "sleep", "600") == pid, "it runs: it is left as it is"
        log = f"{place}/log/out.log"
        deadline = time.monotonic() + 5
        while "eof" not in (text := (await remote.run(["cat", log])).stdout):
            assert time.monotonic() < deadline, text
        assert sorted(text.splitlines()) == sorted([f"{place}/home two words", "err", "eof"])
        session = await remote.run(["sh", "-c", 'cut -d" " -f6 "/proc/$1/stat"', "sh", str(pid)])
        assert int(session.stdout) == pid, "a daemon leads its own session"
    finally:
        await daemon.kill(remote, pidfile)
    assert await daemon.state(remote, pidfile) == (None, "")
    await daemon.kill(remote, pidfile)
    assert await daemon.send(remote, pidfile, "STOP") is False
    again = await _start(remote, place, "sleep", "600")
    assert again != pid and (await daemon.state(remote, pidfile))[0] == again
    await daemon.kill(remote, pidfile)


async def test_daemon_stops_and_goes_on(remote: Remote, place: str) -> None:
    pidfile = f"{place}/run/it.pid"
    pid = await _start(remote, place, "sh", "-c", "while :; do sleep 0.1; done")
    try:
        assert await daemon.send(remote, pidfile, "SIGSTOP") is True
        assert await daemon.state(remote, pidfile) == (pid, "T")
        assert await daemon.send(remote, pidfile, "CONT") is True
        assert (await daemon.state(remote, pidfile))[1] in ("S", "R", "D")
        await daemon.send(remote, pidfile, "STOP")
    finally:
        await daemon.kill(remote, pidfile)
    assert await daemon.state(remote, pidfile) == (None, ""), "a stopped one dies too"


async def test_children_share_the_daemons_fate(remote: Remote, place: str) -> None:
    pidfile = f"{place}/run/it.pid"
    await _start(remote, place, "sh", "-c", f"sleep 600 & echo $! > {place}/child; wait")
    deadline = time.monotonic() + 5
    child = ""
    while not child:
        assert time.monotonic() < deadline
        child = (await remote.run(["cat", f"{place}/child"], check=False)).stdout.strip()
    await daemon.kill(remote, pidfile)
    await _gone(remote, child)


async def test_a_pid_that_was_reused_is_not_ours(remote: Remote, place: str) -> None:
    pidfile = f"{place}/run/it.pid"
    pid = await _start(remote, place, "sleep", "600")
    saved = (await remote.run(["cat", pidfile])).stdout
    try:
        script = 'echo "$2 12345" > "$1"'
        await remote.run(["sh", "-c", script, "sh", pidfile, str(pid)])
        assert await daemon.state(remote, pidfile) == (None, "")
        assert await daemon.send(remote, pidfile, "KILL") is False
        await daemon.kill(remote, pidfile)
    finally:
        await remote.run(["sh", "-c", 'printf "%s" "$2" > "$1"', "sh", pidfile, saved])
    assert (await daemon.state(remote, pidfile))[0] == pid, "it was not touched"
    await daemon.kill(remote, pidfile)


@pytest.mark.parametrize("text", ["", "\n", "nonsense\n", "12\n", "99999999 1\n", "a b c\n"])
async def test_a_damaged_pid_file_is_no_process(remote: Remote, place: str, text: str) -> None:
    await remote.run(["sh", "-c", 'printf "%s" "$2" > "$1"', "sh", f"{place}/pid", text])
    assert await daemon.state(remote, f"{place}/pid") == (None, "")
    assert await daemon.send(remote, f"{place}/pid", "TERM") is False
    await daemon.kill(remote, f"{place}/pid")


async def test_a_program_that_is_absent_is_said_at_once(remote: Remote, place: str) -> None:
    with pytest.raises(RemoteError, match="no such program: no-such-program"):
        await _start(remote, place, "no-such-program")


async def test_cancelling_a_local_command_kills_it(tmp_path: Path) -> None:
    script = 'echo $$ > "$1/new"; mv "$1/new" "$1/pid"; sleep 600'
    task = asyncio.ensure_future(LocalRemote("n1").run(["sh", "-c", script, "sh", str(tmp_path)]))
    deadline = time.monotonic() + 5
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _gone(LocalRemote("n1"), (tmp_path / "pid").read_text().strip())
