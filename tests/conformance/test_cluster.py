"""One suite over the clusters that provision their own nodes: docker and local."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from echo_cluster import KINDS, LINKS, NODES, PORT, make, open_links, run_id, start_server

from paxtest import cluster as clusters
from paxtest.cluster import docker, processes
from paxtest.cluster.protocol import Cluster
from paxtest.errors import ClusterError, PaxtestError, PlanError, Unsupported


async def test_nodes_have_names_places_and_shells(cluster: Cluster) -> None:
    assert [node.name for node in cluster.nodes] == list(NODES)
    assert [node.index for node in cluster.nodes] == [0, 1, 2]
    assert len({node.host for node in cluster.nodes}) == len(NODES)
    for node in NODES:
        place = str(cluster.directory(node))
        await cluster.remote(node).run(["touch", f"{place}/file"])
    with pytest.raises(ClusterError, match="no such node: 'n9'"):
        cluster.remote("n9")
    assert {"cluster", "address_n1"} <= cluster.describe().keys()


async def test_another_process_can_attach_and_heal(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.net is not None
    cluster.save(tmp_path / "cluster.json")
    await cluster.net.cut({("n1", "n2")})
    other = await clusters.attach(tmp_path / "cluster.json")
    assert other.net is not None
    assert other.nodes == cluster.nodes and other.run_id == cluster.run_id
    assert (await other.remote("n2").run(["echo", "hi"])).stdout == "hi\n"
    assert not await other.net.reachable("n1", "n2", PORT)
    await other.net.heal()
    assert await open_links(cluster) == LINKS
    await cluster.net.cut({("n2", "n1")})
    assert await open_links(cluster) == LINKS - {("n2", "n1")}


@pytest.mark.parametrize("kind", KINDS)
async def test_down_leaves_nothing_and_may_come_twice(kind: str, tmp_path: Path) -> None:
    cluster = make(kind)
    await cluster.down()
    await cluster.up()
    cluster.save(tmp_path / "cluster.json")
    place = cluster.directory("n1")
    await start_server(cluster, "n1")
    with pytest.raises(ClusterError, match="up already"):
        await cluster.up()
    await cluster.down()
    await cluster.down()
    assert not left(cluster.run_id)
    assert kind == "docker" or not place.exists()
    with pytest.raises(ClusterError):
        await clusters.attach(tmp_path / "cluster.json")


def left(run: str) -> list[str]:
    """What a run has left: processes, containers, networks."""
    found = [f"pid {pid}" for pid, (owner, _) in processes.marked().items() if owner == run]
    if clusters.docker_available() is None:
        for noun in ("ps -a", "network ls"):
            argv = ["docker", *noun.split(), "-q", "--filter", f"label=paxtest.run={run}"]
            output = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True)
            found += output.stdout.split()
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_two_clusters_do_not_see_each_other(kind: str) -> None:
    first, second = make(kind), make(kind)
    try:
        await asyncio.gather(first.up(), second.up())
        assert not {n.host for n in first.nodes} & {n.host for n in second.nodes}
        assert first.net is not None and second.net is not None
        await first.net.cut(LINKS)
        assert await open_links(second) == LINKS
        await first.down()
        assert await open_links(second) == LINKS
    finally:
        await asyncio.gather(first.down(), second.down())


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancelled_up_leaves_nothing(kind: str) -> None:
    for delay_s in (0.0, 0.05, 0.2):
        cluster = make(kind)
        rising = asyncio.ensure_future(cluster.up())
        await asyncio.wait([rising], timeout=delay_s)
        if rising.cancel():
            with pytest.raises(asyncio.CancelledError):
                await rising
        else:  # this machine is quicker than that
            await cluster.down()
        assert not left(cluster.run_id), f"cancelled after {delay_s} s"


DIES = """
import asyncio, sys, time
from paxtest import cluster as clusters
async def main():
    cluster = clusters.make(sys.argv[1], run_id=sys.argv[2], nodes=2)
    await cluster.up()
    print(*[node.host for node in cluster.nodes], flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def _killed_owner(kind: str, check: Callable[[str], None]) -> None:
    """Bring a cluster up in another process, `check` it, and SIGKILL that process."""
    run = run_id()
    argv = [sys.executable, "-c", DIES, kind, run]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline()
            check(run)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(10)


def test_processes_of_a_killed_run_die_by_themselves() -> None:
    runs = []
    _killed_owner("local", runs.append)
    until = time.monotonic() + 20
    while left(runs[0]):
        assert time.monotonic() < until, f"they live: {left(runs[0])}"
        time.sleep(0.05)  # waits for the condition of the loop


@pytest.mark.docker
def test_prune_spares_a_live_run_and_removes_a_dead_one() -> None:
    def prune() -> str:
        argv = [sys.executable, "-c", "from paxtest.commands.cluster import app; app()", "prune"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout

    def check(run: str) -> None:
        runs.append(run)
        said = prune()
        assert f"left containers of run {run}: its paxtest runs" in said
        assert left(run)

    runs: list[str] = []
    _killed_owner("docker", check)
    assert left(runs[0])
    assert f"removed paxtest-{runs[0]}-n1" in prune()
    assert not left(runs[0])
    assert runs[0] not in prune()


@pytest.mark.parametrize(
    ("kind", "nodes", "options"),
    [
        ("dokcer", 3, {}),
        ("docker", 0, {}),
        ("local", 15, {}),
        ("local", 3, {"kepe": True}),
        ("docker", 3, {"ipv9": True}),
        ("ssh", 3, {}),
        ("ssh", 3, {"hosts": "n1"}),
        ("ssh", 3, {"hosts": ["a", "b"]}),
        ("ssh", 1, {"hosts": ["a b"]}),
        ("existing", 1, {"hosts": ["a:port"]}),
    ],
)
def test_clusters_that_cannot_be_are_refused(
    kind: str, nodes: int, options: dict[str, Any]
) -> None:
    with pytest.raises(PaxtestError) as caught:
        clusters.make(kind, run_id="x", nodes=nodes, options=options)
    assert isinstance(caught.value, PlanError) or caught.value.exit_code == 254


@pytest.mark.parametrize("run", ["", "a/b", "../x", "-x", "x" * 50, "a b"])
def test_run_ids_that_cannot_be_are_refused(run: str) -> None:
    for kind in ("docker", "local"):
        with pytest.raises(PaxtestError, match="not a run id"):
            clusters.make(kind, run_id=run, nodes=3)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "x", "schema": 1}', "{"])
async def test_what_is_no_saved_cluster_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    with pytest.raises(ClusterError, match="not a saved cluster"):
        await clusters.attach(tmp_path / "cluster.json")


async def test_an_existing_cluster_has_nodes_but_no_shells(tmp_path: Path) -> None:
    options = {"hosts": ["10.0.0.1:7000", "db.example", "[fd00::1]:7000"]}
    cluster = clusters.make("existing", run_id="x", nodes=3, options=options)
    await cluster.up()
    assert [node.host for node in cluster.nodes] == ["10.0.0.1", "db.example", "fd00::1"]
    assert cluster.net is None
    with pytest.raises(Unsupported, match="no shell"):
        cluster.remote("n1")
    cluster.save(tmp_path / "cluster.json")
    assert (await clusters.attach(tmp_path / "cluster.json")).nodes == cluster.nodes
    await cluster.down()


def test_an_engine_that_is_not_there_is_said_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    began = time.monotonic()
    reason = clusters.docker_available()
    assert reason is not None and "no Docker engine answers" in reason
    assert time.monotonic() - began < 5
    with pytest.raises(PaxtestError, match="no Docker engine answers"):
        asyncio.run(make("docker").up())


def test_an_engine_that_is_silent_is_given_up_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(docker, "PING_TIMEOUT_S", 0.5)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path / 's'}")
        reason = clusters.docker_available()
    assert reason is not None and "did not answer within" in reason
