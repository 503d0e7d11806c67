"""Links of the clusters that provision their nodes: cut, reset, slow, lossy, and whole again."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from echo_cluster import LINKS, PORT, PULSE, ask, open_links, python

from paxtest import cluster as clusters
from paxtest.cluster.protocol import Cluster, Link
from paxtest.errors import ClusterError, Unsupported
from paxtest.remote import daemon

CUTS = {
    "one way": {("n1", "n2")},
    "both ways": {("n1", "n2"), ("n2", "n1")},
    "isolate": {link for link in LINKS if "n3" in link},
    "deaf": {link for link in LINKS if link[1] == "n1"},
    "everything": set(LINKS),
}


@pytest.mark.parametrize("name", CUTS)
async def test_exactly_the_cut_directions_are_cut(cluster: Cluster, name: str) -> None:
    assert cluster.net is not None
    assert await open_links(cluster) == LINKS
    await cluster.net.cut(CUTS[name])
    assert await open_links(cluster) == LINKS - CUTS[name]
    await cluster.net.heal()
    assert await open_links(cluster) == LINKS


async def test_cuts_are_declarative(cluster: Cluster) -> None:
    assert cluster.net is not None
    for cut in (CUTS["isolate"], CUTS["one way"], CUTS["one way"], CUTS["deaf"], set()):
        await cluster.net.cut(cut)
        assert await open_links(cluster) == LINKS - cut


async def test_a_cut_link_hangs_and_others_do_not(cluster: Cluster) -> None:
    assert cluster.net is not None
    assert await ask(cluster, "n1", "n2", 5) == "hello"
    await cluster.net.cut({("n1", "n2")})
    answers = await asyncio.gather(
        ask(cluster, "n1", "n2"),
        ask(cluster, "n2", "n1"),  # the answer would have to pass the cut
        ask(cluster, "n1", "n3", 5),
        ask(cluster, "n3", "n2", 5),
    )
    assert answers == ["hangs", "hangs", "hello", "hello"]
    await cluster.net.heal()
    assert await ask(cluster, "n1", "n2", 5) == "hello"


class Pulse:
    """A connection from `source` to n2 that says something every 20 ms, and how much came back."""

    def __init__(self, cluster: Cluster, source: str) -> None:
        self._cluster, self._source = cluster, source
        self._remote, self._place = cluster.remote(source), cluster.directory(source)

    async def __aenter__(self) -> Pulse:
        await self._remote.run(["rm", "-f", f"{self._place}/pulse.log"])
        host, port = self._cluster.peer_address(self._source, "n2", PORT)
        await daemon.start(
            self._remote,
            argv=[python(self._cluster), "-c", PULSE, host, str(port)],
            directory=self._place,
            log=f"{self._place}/pulse.log",
            pidfile=self._place / "pulse.pid",
        )
        await self.beats(5)
        return self

    async def __aexit__(self, *_: object) -> None:
        await daemon.kill(self._remote, self._place / "pulse.pid")

    async def said(self) -> list[str]:
        output = await self._remote.run(["tail", "-n", "3", f"{self._place}/pulse.log"])
        return output.stdout.split()

    async def back(self) -> int:
        """How many of its bytes came back, 0 before any did."""
        said = await self.said()
        return int(said[-1]) if said else 0

    async def beats(self, since: int) -> None:
        """Until more than so many bytes came back."""
        until = time.monotonic() + 20
        while await self.back() <= since:
            assert time.monotonic() < until, "the connection does not go on"
            await asyncio.sleep(0.02)

    async def is_reset(self) -> None:
        """Until the process has died of a connection that is gone."""
        until = time.monotonic() + 20
        while not any("Reset" in word or "BrokenPipe" in word for word in await self.said()):
            assert time.monotonic() < until, f"not reset: {await self.said()}"
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("cut", [("n1", "n2"), ("n2", "n1")], ids="-".join)
async def test_a_cut_holds_established_connections_and_a_heal_frees_them(
    cluster: Cluster, cut: Link
) -> None:
    assert cluster.net is not None
    async with Pulse(cluster, "n1") as pulse:
        await cluster.net.cut({cut})
        assert not await cluster.net.reachable(*cut, PORT)
        held = await pulse.back()
        await asyncio.sleep(0.4)
        assert await pulse.back() == held, "bytes pass the cut"
        await cluster.net.heal()
        await pulse.beats(held + 5)


async def test_connections_are_reset_into_one_node_and_no_others(cluster: Cluster) -> None:
    """What a node says on a connection is lost, and then it is told that the connection is gone."""
    assert cluster.net is not None
    async with Pulse(cluster, "n1") as struck, Pulse(cluster, "n3") as spared:
        assert await cluster.net.reset({("n1", "n2")}, 0.2) >= 1
        await struck.is_reset()
        await spared.beats(await spared.back() + 5)
        assert await ask(cluster, "n1", "n2", 5) == "hello", "a reset is over when it returns"
        assert await open_links(cluster) == LINKS


async def test_a_reset_leaves_cuts_as_they_are(cluster: Cluster) -> None:
    assert cluster.net is not None
    await cluster.net.cut({("n3", "n1")})
    await cluster.net.reset({("n1", "n2"), ("n3", "n1")}, 0.0)
    assert await open_links(cluster) == LINKS - {("n3", "n1")}
    await cluster.net.heal()
    assert await open_links(cluster) == LINKS


async def test_a_lossy_link_that_loses_all_is_unreachable(cluster: Cluster) -> None:
    assert cluster.net is not None
    await cluster.net.shape({("n1", "n2")}, loss=1.0)
    assert await open_links(cluster) == LINKS - {("n1", "n2")}
    await cluster.net.shape(set())
    assert await open_links(cluster) == LINKS


async def test_a_cut_and_a_shape_do_not_undo_each_other(cluster: Cluster) -> None:
    assert cluster.net is not None
    await cluster.net.shape({("n1", "n2")}, loss=1.0)
    await cluster.net.cut({("n2", "n3")})
    assert await open_links(cluster) == LINKS - {("n1", "n2"), ("n2", "n3")}
    await cluster.net.cut(set())
    assert await open_links(cluster) == LINKS - {("n1", "n2")}
    await cluster.net.heal()
    assert await open_links(cluster) == LINKS


async def test_a_slow_link_is_slow_in_its_direction_only(cluster: Cluster) -> None:
    assert cluster.net is not None
    script = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
began = time.monotonic()
left = size = 60_000
s.sendall(b"x" * size)
while left: left -= len(s.recv(65536))
print(time.monotonic() - began)
"""

    async def seconds(source: str, destination: str) -> float:
        host, port = cluster.peer_address(source, destination, PORT)
        argv = [python(cluster), "-c", script, host, str(port)]
        return float((await cluster.remote(source).run(argv)).stdout)

    try:
        await cluster.net.shape({("n1", "n2")}, rate_bytes_s=50_000)
    except Unsupported as error:
        pytest.skip(error.message)
    slow, fast = await asyncio.gather(seconds("n1", "n2"), seconds("n3", "n2"))
    assert slow >= 0.8, f"60 kB at 50 kB/s took {slow} s"
    assert fast < slow, f"the other link is slow too: {fast} s, {slow} s"


async def test_a_delayed_link_delays_its_direction_only(cluster: Cluster) -> None:
    assert cluster.net is not None
    net = cluster.net
    try:
        await net.shape({("n1", "n2")}, delay_s=0.25)
    except Unsupported as error:
        assert "n1" in error.message and error.hint
        assert await open_links(cluster) == LINKS, "a shape that is refused leaves nothing"
        pytest.skip(error.message)

    async def quickest_s(source: str, destination: str) -> float:
        best = float("inf")
        for _ in range(4):
            began = time.monotonic()
            assert await net.reachable(source, destination, PORT)
            best = min(best, time.monotonic() - began)
        return best

    late_s = 0.24  # timers may be early by a little
    assert await quickest_s("n1", "n2") >= late_s
    assert await quickest_s("n2", "n1") < late_s
    await net.cut({("n3", "n2")})
    assert await quickest_s("n1", "n2") >= late_s, "a cut of another link undoes the delay"
    await net.shape({("n2", "n1")}, delay_s=0.4, jitter_s=0.05)
    assert await quickest_s("n1", "n2") < late_s
    assert await quickest_s("n2", "n1") >= late_s
    await net.heal()
    assert await quickest_s("n2", "n1") < late_s
    assert await open_links(cluster) == LINKS
    await no_agent_is_left(cluster)


async def no_agent_is_left(cluster: Cluster) -> None:
    """What holds packets back where the kernel cannot ends when it holds none any more. (The nodes
    of the local cluster have none; they would see those of everybody else's containers.)"""
    for node in () if cluster.name == "local" else cluster.nodes:
        argv = ["sh", "-c", "ls /run/paxtest-delay-* 2>/dev/null; pgrep -f [N]FQA_CFG; true"]
        deadline = time.monotonic() + 10
        said = "not asked"
        while said and time.monotonic() < deadline:
            said = (await cluster.remote(node.name).run(argv)).stdout
        assert not said, f"{node.name}: {said}"


async def test_another_process_ends_delays(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.net is not None
    try:
        await cluster.net.shape({("n1", "n2"), ("n2", "n3")}, delay_s=0.25)
    except Unsupported as error:
        pytest.skip(error.message)
    cluster.save(tmp_path / "cluster.json")
    other = await clusters.attach(tmp_path / "cluster.json")
    assert other.net is not None
    await other.net.heal()
    assert await open_links(cluster) == LINKS
    await no_agent_is_left(cluster)


async def test_a_cut_stops_what_a_delay_still_holds_back(cluster: Cluster) -> None:
    """A cut is at the destination: what has not arrived by then does not."""
    assert cluster.net is not None
    try:
        await cluster.net.shape({("n1", "n2")}, delay_s=1.0)
    except Unsupported as error:
        pytest.skip(error.message)
    before = asyncio.create_task(cluster.net.reachable("n1", "n2", PORT))
    await asyncio.sleep(0.3)  # the probe is under way by then
    await cluster.net.cut({("n1", "n2")})
    assert not await before


@pytest.mark.parametrize("link", [("n1", "n1"), ("n1", "n9"), ("", "n1")], ids=str)
async def test_links_that_are_none_are_refused(cluster: Cluster, link: Link) -> None:
    assert cluster.net is not None
    net = cluster.net
    for attempt in (net.cut({link}), net.shape({link}, loss=0.5), net.reset({link}, 0.0)):
        with pytest.raises(ClusterError, match="no such link"):
            await attempt
    assert await open_links(cluster) == LINKS


@pytest.mark.parametrize("shape", [{"loss": 1.5}, {"delay_s": -1}, {"jitter_s": 1}], ids=str)
async def test_shapes_that_are_none_are_refused(cluster: Cluster, shape: dict[str, Any]) -> None:
    assert cluster.net is not None
    with pytest.raises(ClusterError, match="not a shape"):
        await cluster.net.shape(LINKS, **shape)


def test_an_answer_takes_no_time_to_speak_of(shared: Cluster) -> None:
    async def times() -> tuple[float, float]:
        net = shared.net
        assert net is not None
        began = time.monotonic()
        await net.reachable("n1", "n2", PORT)
        there = time.monotonic() - began
        await net.cut({("n1", "n2")})
        began = time.monotonic()
        await net.reachable("n1", "n2", PORT)
        away = time.monotonic() - began
        await net.heal()
        return there, away

    there, away = zip(*(asyncio.run(times()) for _ in range(5)), strict=True)
    assert min(there) < 0.1 and min(away) < 0.3, (there, away)
