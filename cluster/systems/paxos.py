"""PaxosSystem: the reference Paxos (cluster/paxos_server) on any cluster."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from redis.exceptions import ResponseError

import paxtest.cluster.paxos_server as server_package
from paxtest._version import __version__
from paxtest.cluster.paxos_server.bugs import BUGS, Bugs
from paxtest.cluster.paxos_server.config import EngineName
from paxtest.cluster.protocol import Cluster
from paxtest.cluster.systems.redis_client import RedisClient, close, connection
from paxtest.errors import NodeNotReady, PaxtestError, PlanError, RemoteError, did_you_mean
from paxtest.remote import daemon
from paxtest.store import TRACE

CLIENT_PORT = 7379
PEER_PORT = 7380
QUESTION_TIMEOUT_S = 1.0
CHANGE_TIMEOUT_S = 3.0
FAKETIME_LIBRARIES = (
    "for f in /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 "
    "/opt/paxtest/libfaketime.so.1; do [ -e $f ] && echo $f && exit; done; true"
)
SERVER_OPTIONS = ("reads", "snapshot_every", "window", "batch_commands", "election_s")
"""Options that are words of the server's command line, by the same name."""
OPTIONS = (
    "bugs",
    "engine",
    *SERVER_OPTIONS,
    "client_reads",
    "voters",
    "trace",
    "data",
    "arguments",
)


class PaxosSystem:
    """Options: `bugs` (names for --bug), `engine` (multi, perkey), `reads` (log, ...),
    `snapshot_every` (slots), `window` (slots in flight), `batch_commands`, `election_s`,
    `voters` (how many of the nodes are members at first; others wait to be added), `client_reads`
    (the way of reading that clients ask for: log, readindex, quorum, local), `data`
    (what the workload stores: register, append, set, counter, queue, multi), `trace` (false: nodes
    leave no trace for `paxtest audit`), `arguments` (further words for the server's command line).
    """

    name = "paxos"
    client_port = CLIENT_PORT
    peer_port = PEER_PORT

    def __init__(self, cluster: Cluster, options: Mapping[str, Any]) -> None:
        for option in options:
            if option not in OPTIONS:
                raise PlanError(
                    f"system paxos has no option {option!r}", f"known: {', '.join(OPTIONS)}"
                )
        self.cluster = cluster
        self.options = dict(options)
        self.bugs: list[str] = list(options.get("bugs") or [])
        for bug in self.bugs:
            if bug not in BUGS:
                raise PlanError(
                    f"unknown bug {bug!r}",
                    f"{did_you_mean(bug, BUGS)}known: {', '.join(sorted(BUGS))}",
                )
        self.engine = self._engine()
        self._traces = self._leaves_traces()
        self._faketime: dict[str, str] = {}
        self._python = sys.executable if cluster.name == "local" else "python3"

    def _engine(self) -> EngineName:
        """The engine asked for, or that of the bugs. Raises PlanError."""
        active, named = Bugs(self.bugs), self.options.get("engine")
        known = ", ".join(EngineName)
        if named is not None and named not in list(EngineName):
            raise PlanError(f"system.options.engine: unknown engine {named!r}", f"known: {known}")
        engine = EngineName(named) if named else active.engine() or EngineName.MULTI
        for bug in active.lacking(engine):
            has = ", ".join(BUGS[bug].engines)
            raise PlanError(
                f"the engine {engine} has no bug {bug!r}", f"engines that have it: {has}"
            )
        if engine is EngineName.PERKEY and self.options.get("reads"):
            raise PlanError(
                f"system.options.reads: {self.options['reads']!r} is nothing for the engine perkey",
                "it reads by comparing versions; leave system.options.reads out",
            )
        if engine is EngineName.PERKEY and self.options.get("data") == "multi":
            raise PlanError(
                "the workload multi needs transactions over several keys, and the engine perkey"
                " has none",
                "choose another workload, or leave system.options.engine out",
            )
        return engine

    def _leaves_traces(self) -> bool:
        """Raises PlanError."""
        asked = self.options.get("trace")
        if asked not in (None, True, False):
            raise PlanError(f"system.options.trace: {asked!r} will not do", "write true or false")
        return asked is not False

    def _host(self, node: str) -> str:
        # Asked for anew each time: addresses are given out when the cluster comes up.
        return next(n.host for n in self.cluster.nodes if n.name == node)

    def _path(self, node: str, *parts: str) -> str:
        return str(self.cluster.directory(node).joinpath(*parts))

    async def install(self, node: str) -> None:
        remote = self.cluster.remote(node)
        package = Path(server_package.__file__).resolve().parent
        await remote.upload(package, self._path(node, "paxos_server"))
        found = await remote.run(["sh", "-c", FAKETIME_LIBRARIES])
        if found.stdout.strip():
            self._faketime[node] = found.stdout.strip()
            await remote.run(["sh", "-c", 'echo "+0" > "$1"', "sh", self._path(node, "faketime")])

    def _arguments(self, node: str) -> list[str]:
        names = [n.name for n in self.cluster.nodes]
        voters = self._members_at_first()
        words = [
            self._python, "-m", "paxos_server",
            "--node", node,
            "--nodes", ",".join(voters),
            "--listen", f"{self._host(node)}:{CLIENT_PORT}",
            "--peer-listen", f"{self._host(node)}:{PEER_PORT}",
            "--data", self._path(node, "data"),
        ]  # fmt: skip
        for peer in names:
            if peer != node:
                host, port = self.cluster.peer_address(node, peer, PEER_PORT)
                words += ["--peer", f"{peer}={host}:{port}"]
        if node not in voters:
            words += ["--join"]
        words += ["--engine", self.engine]
        for option in SERVER_OPTIONS:
            if self.options.get(option) is not None:
                flag = option.removesuffix("_s").replace("_", "-")
                words += [f"--{flag}", str(self.options[option])]
        if self._traces:
            words += ["--trace", self._path(node, TRACE)]
        for bug in self.bugs:
            words += ["--bug", bug]
        return words + [str(word) for word in self.options.get("arguments") or []]

    def _members_at_first(self) -> list[str]:
        """The nodes that are members from the start. Raises PlanError."""
        names = [n.name for n in self.cluster.nodes]
        voters = self.options.get("voters", len(names))
        if not isinstance(voters, int) or not 1 <= voters <= len(names):
            raise PlanError(
                f"system.options.voters: {voters!r} is not among 1 to {len(names)}",
                "it is how many of the nodes are members at first",
            )
        return names[:voters]

    async def start(self, node: str) -> None:
        env = {"PYTHONPATH": self._path(node), "PYTHONUNBUFFERED": "1"}
        if node in self._faketime:
            # Only the wall clock of this one process is skewed: the host's is never touched, and
            # timers, which use the monotonic clock, go on as they should.
            env |= {
                "LD_PRELOAD": self._faketime[node],
                "FAKETIME_TIMESTAMP_FILE": self._path(node, "faketime"),
                "FAKETIME_NO_CACHE": "1",
                "DONT_FAKE_MONOTONIC": "1",
                "FAKETIME_DONT_RESET": "1",
            }
        await daemon.start(
            self.cluster.remote(node),
            argv=self._arguments(node),
            directory=self.cluster.directory(node),
            env=env,
            log=self._path(node, "server.log"),
            pidfile=self._path(node, "server.pid"),
        )

    def _pidfile(self, node: str) -> str:
        return self._path(node, "server.pid")

    async def stop(self, node: str) -> None:
        await daemon.kill(self.cluster.remote(node), self._pidfile(node))

    async def kill(self, node: str) -> None:
        await daemon.kill(self.cluster.remote(node), self._pidfile(node))

    async def pause(self, node: str) -> None:
        await daemon.send(self.cluster.remote(node), self._pidfile(node), "STOP")

    async def resume(self, node: str) -> None:
        await daemon.send(self.cluster.remote(node), self._pidfile(node), "CONT")

    async def wipe(self, node: str) -> None:
        await self.cluster.remote(node).run(["rm", "-rf", self._path(node, "data")])

    @property
    def rejoins_empty(self) -> bool:
        """The engine multi takes an empty disk for what it is, a new one; with the engine perkey
        members are members for ever, and what they forget is lost."""
        return self.engine is EngineName.MULTI

    async def data_files(self, node: str) -> list[str]:
        """Snapshot and log segments; neither the lock nor what was about to be renamed."""
        script = 'cd "$1" 2>/dev/null && ls -1tr | grep -v -e "^lock$" -e "[.]tmp$"; true'
        output = await self.cluster.remote(node).run(
            ["sh", "-c", script, "files", self._path(node, "data")]
        )
        return [self._path(node, "data", name) for name in output.stdout.split()]

    async def process_state(self, node: str) -> tuple[int | None, str]:
        return await daemon.state(self.cluster.remote(node), self._pidfile(node))

    async def is_ready(self, node: str) -> bool:
        """A node serves when it knows a leader; one that waits to be added, or with the engine
        perkey, which has no leader, at once. A server that died at once raises NodeNotReady."""
        answer = await self._ask(node, "PAXOS", "LEADER")
        if answer is not None:
            waits = node not in self._members_at_first()
            return bool(answer[0]) or waits or self.engine is EngineName.PERKEY
        pid, _ = await self.process_state(node)
        if pid is None:
            log = await self._log_tail(node)
            raise NodeNotReady(
                f"the server on {node} has exited: {log or 'its log is empty'}",
                f"its whole log is {self._path(node, 'server.log')}",
            )
        return False

    async def _log_tail(self, node: str) -> str:
        try:
            tail = await self.cluster.remote(node).run(
                ["tail", "-n", "3", self._path(node, "server.log")], check=False
            )
        except RemoteError as error:
            return str(error)
        return tail.stdout.strip()

    async def primaries(self) -> list[str]:
        nodes = [n.name for n in self.cluster.nodes]
        answers = await asyncio.gather(*(self._ask(node, "PAXOS", "LEADER") for node in nodes))
        return [
            node
            for node, answer in zip(nodes, answers, strict=True)
            if answer is not None and answer[0] == node.encode()
        ]

    async def agreements(self, node: str) -> dict[str, str]:
        rows = await self._ask(node, "PAXOS", "AGREEMENTS") or []
        return {name.decode(): digest.decode() for name, digest in rows}

    def fixed_members(self) -> str:
        if self.engine is EngineName.PERKEY:
            return "the engine perkey has the same members for ever"
        words = [str(word).partition("=")[0] for word in self.options.get("arguments") or []]
        if {"--q1", "--q2"} & set(words):
            return "sizes of quorums given by --q1 or --q2 fit one number of members only"
        return ""

    async def members(self) -> list[str]:
        """As a leader tells; of several, one that counts itself among them."""
        nodes = [n.name for n in self.cluster.nodes]
        for leader in await self.primaries():
            rows = await self._ask(leader, "PAXOS", "MEMBERS") or []
            roles = {name.decode(): role for name, _, role in rows}
            voters = [n for n in nodes if roles.get(n) in (b"voter", b"joining", b"learner")]
            if leader in voters:
                return voters
        return []

    async def votes(self, node: str) -> bool:
        told = await self._ask(node, "PAXOS", "STATUS")
        if told is None:
            return False
        if self.engine is EngineName.PERKEY:  # members are members for ever
            return True
        status = dict(zip(told[::2], told[1::2], strict=True))
        # A node that is being enrolled has neither yet.
        return status.get(b"identity") in status.get(b"voters", b"").split(b",")

    async def remove_member(self, node: str) -> None:
        await self._change_members("REMOVE", node)

    async def add_member(self, node: str) -> None:
        # Its peers know where it is: this address is for those that do not.
        host, port = self._host(node), PEER_PORT
        await self._change_members("ADD", node, f"{host}:{port}")

    async def _change_members(self, verb: str, node: str, *more: str) -> None:
        """Ask those that lead, then the others, again and again. Raises PaxtestError."""
        over = time.monotonic() + CHANGE_TIMEOUT_S
        said = "nobody answers"
        while time.monotonic() < over:
            leaders = await self.primaries()
            others = [n.name for n in self.cluster.nodes if n.name not in leaders]
            for asked in [*leaders, *others]:
                answer = await self._ask(
                    asked, "PAXOS", "MEMBERS", verb, node, *more, refusals=True
                )
                text = str(answer or "")
                if answer == b"OK" or "member already" in text or "is no member" in text:
                    return
                said = text or said
                if time.monotonic() >= over:
                    break
            await asyncio.sleep(0.05)
        raise PaxtestError(
            f"{verb} of member {node} was not agreed on within {CHANGE_TIMEOUT_S:g} s: {said}",
            "a majority of the members must serve, and no other change be in flight",
        )

    async def clock_offset_s(self, node: str) -> float | None:
        before = time.time_ns()
        answer = await self._ask(node, "PAXOS", "CLOCK")
        after = time.time_ns()
        if answer is None:
            return None
        return (int(answer) - (before + after) // 2) / 1e9

    async def _ask(self, node: str, *words: str, refusals: bool = False) -> Any:
        """One question to a node, None where it does not answer within a second. A refusal is
        None too, or its text where `refusals` are wanted."""
        redis = connection(self._host(node), CLIENT_PORT)
        try:
            async with asyncio.timeout(QUESTION_TIMEOUT_S):
                await redis.initialize()
                return await cast(Any, redis).execute_command(*words)
        except ResponseError as refusal:
            return str(refusal) if refusals else None
        except Exception:
            return None  # any failure to answer is the answer: this node is not there
        finally:
            await close(redis)

    def faketime_file(self, node: str) -> str | None:
        return self._path(node, "faketime") if node in self._faketime else None

    def log_files(self, node: str) -> list[str]:
        logs = [self._path(node, "server.log")]
        return [*logs, self._path(node, TRACE)] if self._traces else logs

    def client(self) -> RedisClient:
        data, way = self.options.get("data"), self.options.get("client_reads")
        opening = [("PAXOS", "READS", str(way))] if way else []
        return RedisClient(CLIENT_PORT, data=str(data or "register"), opening=opening)

    def describe(self) -> dict[str, Any]:
        perkey = self.engine is EngineName.PERKEY
        return {
            "version": __version__,
            "bugs": self.bugs,
            "engine": str(self.engine),
            "reads": "versions" if perkey else self.options.get("reads", "log"),
        }
