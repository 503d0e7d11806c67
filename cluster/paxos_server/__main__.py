"""The command line of a node: `python3 -m paxos_server --help`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path
from typing import NoReturn

from .bugs import BUGS, Bugs
from .config import Config, EngineName, Reads
from .disk import DirectoryInUse
from .identity import SEPARATOR, OtherTerms
from .membership import Membership
from .server import Address, Server, Settings, log
from .wal import CorruptLog


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        sys.stderr.write(f"paxos_server: {message}\n")
        raise SystemExit(2)


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _peer(text: str) -> tuple[str, Address]:
    node, _, address = text.partition("=")
    if not node or not address:
        raise argparse.ArgumentTypeError(f"{text!r} is not NODE=HOST:PORT")
    return node, _address(address)


def _parse(argv: list[str]) -> Settings:
    parser = _Parser(
        prog="paxos_server",
        description="One node of the reference Paxos.",
        epilog="The first start of a cluster of the engine multi needs all of --nodes at once: a"
        " new disk votes when all others have registered it. Afterwards a majority is enough. A"
        " node that waits says in its log for whom.",
    )
    add = parser.add_argument
    add("--node", required=True, help="name of this node")
    add("--nodes", required=True, help="names of all nodes, with commas")
    add("--join", action="store_true", help="this node is none of --nodes: it waits to be added"
        " (PAXOS MEMBERS ADD)")  # fmt: skip
    add("--listen", required=True, type=_address, metavar="HOST:PORT", help="for clients")
    add("--peer-listen", required=True, type=_address, metavar="HOST:PORT", help="for peers")
    add("--peer", action="append", type=_peer, default=[], metavar="NODE=HOST:PORT",
        help="where to connect to reach a peer; one for each, also of those to join")  # fmt: skip
    add("--data", required=True, type=Path, metavar="DIR", help="durable state")
    add("--engine", choices=[str(e) for e in EngineName], help="one log, or one for each key"
        " (default: multi)")  # fmt: skip
    add("--reads", choices=[str(r) for r in Reads], default="log", help="how reads are answered")
    add("--bug", action="append", default=[], metavar="NAME", help="switch on a bug of the zoo")
    add("--snapshot-every", type=int, default=10_000, metavar="N",
        help="slots between snapshots; 0: none")  # fmt: skip
    add("--request-timeout", type=float, default=1.0, metavar="S", help="longest wait of a command")
    add("--window", type=int, default=Config.window, metavar="N",
        help="slots in flight at a time")  # fmt: skip
    add("--batch-commands", type=int, default=Config.batch_commands, metavar="N",
        help="commands in a slot at most")  # fmt: skip
    add("--election", type=float, default=Config.election_s, metavar="S",
        help="how long a follower waits for a leader, up to twice that")  # fmt: skip
    add("--trace", type=Path, metavar="FILE", help="append what the node does, for auditors")
    add("--q1", type=int, help="size of a phase-1 quorum (default: majority)")
    add("--q2", type=int, help="size of a phase-2 quorum (default: majority)")
    args = parser.parse_args(argv)
    nodes = tuple(name for name in args.nodes.split(",") if name)
    peers: dict[str, Address] = dict(args.peer)
    if len(set(nodes)) != len(nodes):
        parser.error(f"argument --nodes: {args.nodes!r} names a node twice")
    for name in (args.node, *nodes):
        if SEPARATOR in name:
            parser.error(f"argument --node/--nodes: {name!r} has a {SEPARATOR!r} in it; choose"
                " another name")  # fmt: skip
    if (args.node in nodes) == args.join:
        parser.error(
            f"argument --node: {args.node!r} is {'' if args.join else 'not '}among --nodes"
            f" {args.nodes!r}"
        )
    missing = [name for name in nodes if name != args.node and name not in peers]
    if missing:
        parser.error(f"argument --peer: no address for {', '.join(missing)}")
    if args.node in peers:
        parser.error(f"argument --peer: {args.node!r} is this node itself")
    for bug in args.bug:
        if bug not in BUGS:
            parser.error(f"argument --bug: unknown bug {bug!r}; known: {', '.join(BUGS)}")
    if args.request_timeout <= 0:
        parser.error("argument --request-timeout: must be more than 0 seconds")
    if args.election <= Config.heartbeat_s:
        parser.error(f"argument --election: must be more than {Config.heartbeat_s} seconds")
    for name in ("window", "batch_commands"):
        if getattr(args, name) < 1:
            parser.error(f"argument --{name.replace('_', '-')}: must be at least 1")
    bugs = Bugs(args.bug)
    try:
        Membership(nodes, bugs, args.q1, args.q2)
    except ValueError as problem:
        parser.error(f"argument --q1/--q2: {problem}")
    engine = EngineName(args.engine) if args.engine else bugs.engine() or EngineName.MULTI
    for bug in bugs.lacking(engine):
        parser.error(f"argument --bug: {bug!r} is none of --engine {engine}")
    if engine is EngineName.PERKEY and args.reads != parser.get_default("reads"):
        parser.error("argument --reads: --engine perkey reads by comparing versions")
    config = Config(
        node=args.node,
        nodes=nodes,
        engine=engine,
        reads=Reads(args.reads),
        request_timeout_s=args.request_timeout,
        snapshot_every=args.snapshot_every,
        window=args.window,
        batch_commands=args.batch_commands,
        election_s=args.election,
        q1=args.q1,
        q2=args.q2,
    )
    return Settings(config, args.listen, args.peer_listen, peers, args.data, bugs, args.trace)


async def _serve(settings: Settings) -> int:
    gc.disable()  # what is recovered stays, however often a collection looks at it
    try:
        server = Server(settings)
    except (CorruptLog, DirectoryInUse, OtherTerms) as problem:
        log(f"refusing to start: {problem}")
        return 3
    except OSError as problem:
        log(f"cannot use {settings.data}: {problem}")
        return 3
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000, 20, 50)
    try:
        failure = await server.run(stop)
    except OSError as problem:
        log(f"cannot listen: {problem}")
        return 3
    if failure is not None:
        log(f"stopping: {failure.reason}")
        return failure.code
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run a node until SIGTERM. 0: ended as asked; 2: wrong arguments; 3: cannot start; 4: the
    disk failed; 5: the node is a member no longer, or has other settings than the others."""
    settings = _parse(sys.argv[1:] if argv is None else argv)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(_serve(settings))
    return int(uvloop.run(_serve(settings)))


if __name__ == "__main__":
    sys.exit(main())
