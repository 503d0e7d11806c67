"""paxtest cluster: a cluster to play with by hand, and tidying up after dead runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from paxtest.cluster.protocol import Cluster
from paxtest.errors import ClusterError, NodeNotReady, UsageError
from paxtest.system import System

READY_TIMEOUT_S = 30.0

app = typer.Typer(
    name="cluster",
    help="A cluster to use by hand, and tidying up after dead runs.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Option("--name", help="Which cluster, where you keep several.")]


def _folder(name: str) -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "paxtest" / "clusters" / name


def _system(cluster: Cluster, name: str) -> System:
    from paxtest.cluster import systems

    return systems.load(name)(cluster, {})


async def _attach(name: str) -> tuple[Cluster, System]:
    from paxtest import cluster as clusters

    folder = _folder(name)
    if not (folder / "cluster.json").exists():
        raise UsageError(f"no cluster named {name!r} is up", "bring one up: paxtest cluster up")
    cluster = await clusters.attach(folder / "cluster.json")
    saved = json.loads((folder / "system.json").read_text())
    return cluster, _system(cluster, saved["system"])


@app.command()
def up(
    cluster: Annotated[str, typer.Option(help="docker, local, or auto.")] = "auto",
    nodes: Annotated[int, typer.Option(help="Number of nodes.")] = 5,
    system: Annotated[str, typer.Option(help="A name, or path.py:Name.")] = "paxos",
    name: Name = "dev",
) -> None:
    """Start a cluster that stays until `paxtest cluster down`, and a system on it."""
    asyncio.run(_up(cluster, nodes, system, name))


async def _up(kind: str, count: int, system_name: str, name: str) -> None:
    from paxtest import cluster as clusters

    if kind == "auto":
        kind = "local" if clusters.docker_available() else "docker"
    folder = _folder(name)
    if (folder / "cluster.json").exists():
        raise UsageError(
            f"a cluster named {name!r} is up already",
            f"paxtest cluster down --name {name} first, or choose another --name",
        )
    options = {"keep": True} if kind in ("docker", "local") else {}
    made = clusters.make(kind, run_id=name, nodes=count, options=options)
    system = _system(made, system_name)
    await made.up()
    try:
        names = [node.name for node in made.nodes]
        await _all(system.install(node) for node in names)
        await _all(system.start(node) for node in names)
        await _all(_ready(system, node) for node in names)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "system.json").write_text(json.dumps({"system": system_name}))
        made.save(folder / "cluster.json")
    except BaseException:
        await made.down()
        raise
    port = getattr(system, "client_port", None)
    typer.echo(f"{count} {kind} nodes run {system_name}:")
    for node in made.nodes:
        typer.echo(f"  {node.name}  {node.host}" + (f":{port}" if port else ""))
    if port and system_name == "paxos":
        typer.echo(f"try:  redis-cli -h {made.nodes[0].host} -p {port} set x 1")
    typer.echo(f"stop: paxtest cluster down{'' if name == 'dev' else f' --name {name}'}")


async def _ready(system: System, node: str) -> None:
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + READY_TIMEOUT_S
    while not await system.is_ready(node):
        if loop.time() >= deadline_s:
            raise NodeNotReady(
                f"node {node} is not ready after {READY_TIMEOUT_S:g} s",
                f"its log is at {', '.join(system.log_files(node))} on the node",
            )
        await asyncio.sleep(0.1)


async def _all(work: Any) -> None:
    coroutines: list[Coroutine[Any, Any, None]] = list(work)
    await asyncio.gather(*coroutines)


@app.command()
def status(name: Name = "dev") -> None:
    """Which nodes run, serve, and lead."""
    asyncio.run(_status(name))


async def _status(name: str) -> None:
    cluster, system = await _attach(name)
    names = [node.name for node in cluster.nodes]
    states = await asyncio.gather(*(system.process_state(node) for node in names))
    ready = await asyncio.gather(*(system.is_ready(node) for node in names))
    leaders = await system.primaries()
    typer.echo(f"{name}: {len(names)} {cluster.name} nodes, system {system.name}")
    for node, (pid, letter), serves in zip(cluster.nodes, states, ready, strict=True):
        process = f"pid {pid}, state {letter}" if pid else "no process"
        serving = "serves clients" if serves else "does not serve clients"
        leading = ", leads" if node.name in leaders else ""
        typer.echo(f"  {node.name}  {node.host}  {process}, {serving}{leading}")


@app.command()
def logs(
    node: Annotated[str, typer.Argument(help="A node: n1, n2, ...")],
    name: Name = "dev",
    lines: Annotated[int, typer.Option("--lines", "-n", help="Only the last ones.")] = 100,
) -> None:
    """Print the end of a node's logs."""

    async def show() -> None:
        cluster, system = await _attach(name)
        remote = cluster.remote(node)
        for path in system.log_files(node):
            typer.echo(f"==> {path}", err=True)
            typer.echo((await remote.run(["tail", "-n", str(lines), path])).stdout, nl=False)

    asyncio.run(show())


@app.command()
def shell(
    node: Annotated[str, typer.Argument(help="A node: n1, n2, ...")], name: Name = "dev"
) -> None:
    """An interactive shell on a node."""

    async def find() -> tuple[list[str], Path | None]:
        cluster, _ = await _attach(name)
        remote: Any = cluster.remote(node)
        if cluster.name == "docker":
            directory = str(cluster.directory(node))
            return ["docker", "exec", "-it", "-w", directory, remote.container, "bash"], None
        if cluster.name == "local":
            return [os.environ.get("SHELL") or "sh"], cluster.directory(node)
        return remote.shell_argv(), None

    argv, directory = asyncio.run(find())
    program = shutil.which(argv[0])
    if program is None:
        raise ClusterError(f"no such program: {argv[0]}", f"install it, then: {' '.join(argv)}")
    if directory:
        os.chdir(directory)
    os.execv(program, argv)


@app.command()
def down(name: Name = "dev") -> None:
    """Take a cluster down, with all its data."""
    asyncio.run(_down(name))
    typer.echo(f"cluster {name} is down")


async def _down(name: str) -> None:
    from paxtest.cluster import prune

    try:
        cluster, _ = await _attach(name)
    except ClusterError:  # it does not answer any more: what is left of it goes all the same
        await asyncio.to_thread(prune.remove, name)
    else:
        await cluster.down()
    shutil.rmtree(_folder(name), ignore_errors=True)


@app.command()
def prune(
    everything: Annotated[
        bool, typer.Option("--all", help="Also what live runs and kept clusters have.")
    ] = False,
) -> None:
    """Remove containers, networks and processes of dead runs."""
    from paxtest.cluster import prune as pruning

    pruned = pruning.prune(everything=everything)
    for what in pruned.removed:
        typer.echo(f"removed {what}")
    for what in pruned.left:
        typer.echo(f"left {what}")
    if not pruned.removed:
        typer.echo("nothing to remove")
    if everything:
        shutil.rmtree(_folder("x").parent, ignore_errors=True)
