"""One suite over the clusters that provision their own nodes: docker and local."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from paxtest import cluster as clusters
from paxtest.cluster import docker, processes
from paxtest.cluster.protocol import Cluster, Link
from paxtest.errors import ClusterError, PaxtestError, PlanError, Unsupported
from paxtest.remote import daemon

NODES = ("n1", "n2", "n3")
LINKS = frozenset(itertools.permutations(NODES, 2))
PORT = 9042
KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]

SERVER = """
import socketserver, sys
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(4096):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 50
Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""

# Says every 20 ms, on one connection, how many of its bytes came back.
PULSE = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.setblocking(False)
back = 0
while True:
    try: s.send(b"x")
    except BlockingIOError: pass
    time.sleep(0.02)  # waits for the condition of the loop
    try: back += len(s.recv(4096))
    except BlockingIOError: pass
    print(back, flush=True)
"""

ASK = """
import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))
    s.sendall(b"hello")
    print(s.recv(5).decode() or "closed")
except TimeoutError: print("hangs")
except OSError as error: print(type(error).__name__)
"""


def run_id() -> str:
    return f"conf-{secrets.token_hex(4)}"


def make(kind: str, **options: Any) -> Cluster:
    return clusters.make(kind, run_id=run_id(), nodes=len(NODES), options=options)


def python(cluster: Cluster) -> str:
    return sys.executable if cluster.name == "local" else "python3"


async def ask(cluster: Cluster, source: str, destination: str, timeout_s: float = 0.4) -> str:
    """What a TCP client on `source` gets from the echo server on `destination`."""
    host, port = cluster.peer_address(source, destination, PORT)
    argv = [python(cluster), "-c", ASK, host, str(port), str(timeout_s)]
    return (await cluster.remote(source).run(argv)).stdout.strip()


async def start_server(cluster: Cluster, node: str) -> None:
    host = next(n.host for n in cluster.nodes if n.name == node)
    place = cluster.directory(node)
    await daemon.start(
        cluster.remote(node),
        argv=[python(cluster), "-c", SERVER, host, str(PORT)],
        directory=place,
        log=place / "echo.log",
        pidfile=place / "echo.pid",
    )
    until = time.monotonic() + 20
    script = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"
    argv = [python(cluster), "-c", script, host, str(PORT)]
    while (await cluster.remote(node).run(argv, check=False)).exit_code:
        assert time.monotonic() < until, "the echo server does not listen"


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster for many tests, an echo server on each node."""
    cluster = make(request.param)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _bring_up(cluster)).result()
        try:
            yield cluster
        finally:
            thread.submit(asyncio.run, cluster.down()).result()


async def _bring_up(cluster: Cluster) -> None:
    await cluster.up()
    await asyncio.gather(*(start_server(cluster, node) for node in NODES))


@pytest.fixture
async def cluster(shared: Cluster) -> AsyncIterator[Cluster]:
    """The shared one, whole before and after."""
    assert shared.net is not None
    yield shared
    await shared.net.heal()


async def open_links(cluster: Cluster) -> set[Link]:
    assert cluster.net is not None
    net = cluster.net
    links = sorted(LINKS)
    found = await asyncio.gather(*(net.reachable(*link, PORT) for link in links))
    return {link for link, passes in zip(links, found, strict=True) if passes}


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


@pytest.mark.parametrize("cut", [("n1", "n2"), ("n2", "n1")], ids="-".join)
async def test_a_cut_holds_established_connections_and_a_heal_frees_them(
    cluster: Cluster, cut: Link
) -> None:
    assert cluster.net is not None
    remote, place = cluster.remote("n1"), cluster.directory("n1")
    log = f"{place}/pulse.log"
    await remote.run(["rm", "-f", log])
    host, port = cluster.peer_address("n1", "n2", PORT)
    await daemon.start(
        remote,
        argv=[python(cluster), "-c", PULSE, host, str(port)],
        directory=place,
        log=log,
        pidfile=place / "pulse.pid",
    )

    async def pulse() -> int:
        lines = (await remote.run(["tail", "-n", "2", log])).stdout.split("\n")
        return int(lines[-2] or 0) if len(lines) > 1 else 0

    async def beats(since: int) -> None:
        until = time.monotonic() + 20
        while await pulse() <= since:
            assert time.monotonic() < until, "the connection does not go on"
            await asyncio.sleep(0.02)

    try:
        await beats(5)
        await cluster.net.cut({cut})
        assert not await cluster.net.reachable(*cut, PORT)
        held = await pulse()
        await asyncio.sleep(0.4)
        assert await pulse() == held, "bytes pass the cut"
        await cluster.net.heal()
        await beats(held + 5)
    finally:
        await daemon.kill(remote, place / "pulse.pid")


async def test_connections_are_reset_into_one_node_and_no_others(cluster: Cluster) -> None:
    """What a node says on a connection is lost, and then it is told that the connection is gone."""
    assert cluster.net is not None
    said = {source: f"{cluster.directory(source)}/stay.log" for source in ("n1", "n3")}
    for source, log in said.items():
        remote, place = cluster.remote(source), cluster.directory(source)
        await remote.run(["rm", "-f", log])
        host, port = cluster.peer_address(source, "n2", PORT)
        await daemon.start(
            remote,
            argv=[python(cluster), "-c", PULSE, host, str(port)],
            directory=place,
            log=log,
            pidfile=place / "stay.pid",
        )

    async def tail(source: str) -> str:
        return (await cluster.remote(source).run(["tail", "-n", "3", said[source]])).stdout

    async def until(source: str, holds: Callable[[str], bool], what: str) -> None:
        limit = time.monotonic() + 20
        while not holds(await tail(source)):
            assert time.monotonic() < limit, f"{source}: {what}; {await tail(source)}"
            await asyncio.sleep(0.02)

    def beats(text: str) -> bool:
        lines = text.split()
        return bool(lines) and lines[-1].isdigit() and int(lines[-1]) > 5

    try:
        for source in said:
            await until(source, beats, "the connection does not begin")
        number = await cluster.net.reset({("n1", "n2")}, 0.2)
        assert number >= 1
        await until("n1", lambda text: "Reset" in text or "BrokenPipe" in text, "not reset")
        mark = int((await tail("n3")).split()[-1])
        await until("n3", lambda text: int(text.split()[-1]) > mark + 5, "was reset too")
        assert await ask(cluster, "n1", "n2", 5) == "hello", "a reset is over when it returns"
        assert await open_links(cluster) == LINKS
    finally:
        for source in said:
            await daemon.kill(cluster.remote(source), cluster.directory(source) / "stay.pid")


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
