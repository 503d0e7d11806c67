"""The shells that stay in a container: what a command leaves behind never reaches the next one."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator

import pytest

from paxtest.cluster.docker import DockerCluster
from paxtest.errors import RemoteError
from paxtest.remote.docker import DockerRemote

pytestmark = pytest.mark.docker


@pytest.fixture
async def remote() -> AsyncIterator[DockerRemote]:
    cluster = DockerCluster(f"standing-{secrets.token_hex(4)}", 1)
    await cluster.up()
    try:
        yield cluster.remote("n1")
    finally:
        await cluster.down()


SHELLS = r"""for f in /proc/[0-9]*/cmdline; do
  [ "$(tr '\0' ' ' < "$f")" = "sh " ] && f=${f%/cmdline} && echo "${f#/proc/}"
done 2>/dev/null; true"""


async def shells(remote: DockerRemote) -> int:
    """How many `sh` without arguments there are in the container."""
    return len((await remote.run(["sh", "-c", SHELLS])).stdout.split())


async def test_commands_share_a_shell_and_have_one_each_at_a_time(remote: DockerRemote) -> None:
    for _ in range(5):
        await remote.run(["true"])
    assert await shells(remote) == 1
    await asyncio.gather(*(remote.run(["sleep", "0.2"]) for _ in range(3)))
    assert await shells(remote) == 3
    await remote.close()
    assert await shells(remote) == 1


async def test_a_command_cannot_change_the_shell(remote: DockerRemote) -> None:
    """Nor end it: cd, exit and exec are programs that are not there."""
    before = (await remote.run(["pwd"])).stdout
    for argv in (["cd", "/tmp"], ["exit", "7"], ["exec", "true"], ["A=1"], ["set", "-e"]):
        assert (await remote.run(argv, check=False)).exit_code == 127
    assert (await remote.run(["pwd"])).stdout == before
    assert await shells(remote) == 1


async def test_a_shell_that_died_unseen_is_replaced(remote: DockerRemote) -> None:
    await remote.run(["true"])
    (standing,) = remote._idle
    remote._idle = []
    await remote.run(["sh", "-c", f"kill -9 $({SHELLS})"], stdin=b"")
    for _ in range(1000):
        if not standing.usable():
            break
        await asyncio.sleep(0.01)
    remote._idle = [standing]
    assert (await remote.run(["echo", "alive"])).stdout == "alive\n"


async def test_a_shell_that_dies_under_its_command_is_an_error(remote: DockerRemote) -> None:
    """It is not known what became of the command: it is not run again by itself."""
    with pytest.raises(RemoteError, match="ended before the command did"):
        await remote.run(["sh", "-c", "kill -9 $(ps -o ppid= -p $PPID)"])
    assert (await remote.run(["echo", "alive"])).stdout == "alive\n"


async def test_an_interrupt_is_not_ignored(remote: DockerRemote) -> None:
    ignored = (
        await remote.run(["sed", "-n", "s/^SigIgn:.*\\(.\\)$/\\1/p", "/proc/self/status"])
    ).stdout
    assert int(ignored, 16) & 0b0110 == 0  # SIGINT is 2, SIGQUIT 3: bits 1 and 2


async def test_what_a_command_leaves_running_does_not_speak_in_the_next(
    remote: DockerRemote,
) -> None:
    late = "(sleep 0.3; echo late; echo late >&2) & echo now"
    assert (await remote.run(["sh", "-c", late])).stdout == "now\n"
    output = await remote.run(["sh", "-c", "sleep 0.6; echo next"])
    assert (output.stdout, output.stderr) == ("next\n", "")


async def test_every_byte_arrives_whatever_follows_it(remote: DockerRemote) -> None:
    await remote.run(["true"])
    (standing,) = remote._idle
    token = standing._token
    for text in ("", "no end of line", f"{token[:-1]}", f"a {token[:5]}\n{token[:31]}"):
        output = await remote.run(["sh", "-c", 'printf %s "$1"; printf %s "$1" >&2', "sh", text])
        assert (output.stdout, output.stderr) == (text, text)
    assert remote._idle == [standing]


async def test_shells_that_nobody_closes_go_with_their_remote(remote: DockerRemote) -> None:
    other = DockerRemote("n1", remote.container, remote._api)
    await other.run(["true"])
    assert await shells(remote) == 2
    del other
    gc.collect()
    for _ in range(100):
        if await shells(remote) == 1:
            break
        await asyncio.sleep(0.05)
    assert await shells(remote) == 1
