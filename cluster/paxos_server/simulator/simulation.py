"""Simulation: one seed from start to verdict-ready history."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

from ..bugs import Bugs
from ..config import Config, EngineName, Reads
from ..engine import settled
from ..identity import name_of
from ..messages import Message
from ..trace import TraceEvent
from .clients import Client, Recorder
from .faults import FAMILIES, Faults
from .load import Load, MakeLoad
from .network import SimulatedNetwork, Weather
from .node import SimulatedNode
from .world import Runaway, World

QUIET_S = 1.0
LOAD_LIMIT_S = 60.0
NODES = (3, 4, 5, 5, 5)
WORKLOADS = ("register", "register", "append", "counter", "set", "queue")
HARD = ("counter", "queue", "multi")
"""Workloads whose histories are hard to check when much is open at once."""
READS = (Reads.LOG, Reads.LOG, Reads.READINDEX, Reads.LEASE)
WAYS = (Reads.LOG, Reads.READINDEX, Reads.QUORUM)
"""Of reading that any node has, and that may be mixed."""


@dataclass(frozen=True)
class Options:
    """What a seed is not to decide: None leaves it to the seed. `families`: faults to choose
    from; a seed uses some of them. `snapshot_every`: slots, 0 for no snapshots."""

    bugs: tuple[str, ...] = ()
    engine: EngineName = EngineName.MULTI
    nodes: int | None = None
    operations: int = 300
    workload: str | None = None
    reads: Reads | None = None
    families: tuple[str, ...] = FAMILIES
    snapshot_every: int | None = None


@dataclass
class Result:
    """A run of one seed. `history`: lines of JSON. `divergence`: what the nodes' states disagree
    about after everything healed and went quiet; empty when nothing. `crashes`: nodes that ended
    by an exception. `traces`: what each node did (`trace.py`)."""

    seed: int
    options: Options
    workload: str
    history: list[bytes]
    faults: list[str]
    ok: int
    fail: int
    info: int
    divergence: str = ""
    virtual_s: float = 0.0
    crashes: list[str] = field(default_factory=list)
    traces: dict[str, list[TraceEvent]] = field(default_factory=dict)


class Simulation:
    """A cluster, its clients and its faults, as a seed makes them. `make_load` says what the
    clients do; without it nothing is done but what the caller does."""

    def __init__(self, seed: int, options: Options, make_load: MakeLoad | None = None) -> None:
        self.seed = seed
        self.options = options
        self.world = World(seed)
        bugs = Bugs(options.bugs)
        per_key = EngineName.PERKEY in (options.engine, bugs.engine())
        rng = self.world.rng
        # Drawn whether they are wanted or not, so that what is pinned changes nothing else.
        nodes, workload = rng.choice(NODES), rng.choice(WORKLOADS)
        reads, snapshot_every = rng.choice(READS), rng.choice((0, 10, 40))
        draw = random.Random(f"reads of seed {seed}").random()
        reads, mixed = Reads.QUORUM if draw < 0.2 else reads, draw > 0.8
        if random.Random(f"transactions of seed {seed}").random() < 0.1 and not per_key:
            workload = "multi"
        nodes = nodes if options.nodes is None else options.nodes
        self.workload = workload if options.workload is None else options.workload
        self.network = SimulatedNetwork(self.world, Weather(), self._deliver)
        names = tuple(f"n{i + 1}" for i in range(nodes))
        # Small batches put more of the protocol between two operations. What a new leader takes
        # over fills a small window, so that leaders with nothing of their own to say need larger.
        window = rng.choice((2, 16, 64))
        batch = rng.choice((1, 1, 2, 64))
        # Shorter times than a real server's, as the simulated network is fast, and now and then
        # so short that leaders duel: more elections per operation.
        election_s = rng.choice((0.03, 0.06, 0.12))
        config = Config(
            node="",
            nodes=names,
            engine=options.engine,
            reads=reads if options.reads is None else options.reads,
            heartbeat_s=election_s / 4,
            election_s=election_s,
            canvass=rng.random() < 0.5,
            step_down_s=rng.choice((2, 2, 8)) * election_s,
            resend_s=0.06,
            retry_s=0.1,
            backoff_s=0.01,
            request_timeout_s=0.4,
            volatile_s=0.5,
            window=window,
            batch_commands=batch,
            snapshot_every=(
                snapshot_every if options.snapshot_every is None else options.snapshot_every
            ),
            snapshot_chunk_bytes=rng.choice((50, 4096)),
        )
        config = settled(config, bugs)
        free = options.reads is None and bugs.reads() is None
        self._ways = WAYS if mixed and free and config.engine is EngineName.MULTI else ()
        chance = random.Random(f"members of seed {seed}").random()
        member = "member" in options.families and config.engine is EngineName.MULTI
        member = member and (chance < 0.3 or options.families != FAMILIES)
        wipe = "wipe" in options.families and config.engine is EngineName.MULTI
        chance = random.Random(f"wipes of seed {seed}").random()
        # Not both: to remove a sound node while others are new would be the tool's mistake.
        wipe = (
            wipe
            and (chance < 0.5 or not member)
            and (chance < 0.25 or options.families != FAMILIES)
        )
        member = member and not wipe
        spares = tuple(f"n{nodes + i}" for i in (1, 2)) if member else ()
        self.nodes = [
            SimulatedNode(
                replace(config, node=name),
                self.world,
                self.network,
                bugs,
            )
            for name in names + spares
        ]
        self._voters = self.nodes[:nodes]  # at first
        self._elects = config.engine is EngineName.MULTI
        if config.engine is EngineName.MULTI and not wipe:
            for node in self._voters:
                node.found(names)
        self._by_name = {node.name: node for node in self.nodes}
        self.recorder = Recorder(self.world)
        # A seed uses some of the families only: each mix reaches other corners.
        others = [f for f in options.families if f not in ("member", "wipe")]
        families = [f for f in others if rng.random() < 0.6] or others[:2]
        families += ["member"] * member + ["wipe"] * wipe
        self.faults = Faults(
            self.world, self.network, self.nodes, families, rng.choice((0.06, 0.12, 0.25))
        )
        # Few keys collide more, many clients crowd a slot, and who roams meets a stale node.
        keys, self._clients = rng.choice((1, 2, 4)), rng.choice((6, 12, 20))
        if self.workload in HARD:
            keys, self._clients = 4, min(self._clients, 8)
        self._think_s = self._clients * rng.choice((0.002, 0.005, 0.008))
        self._roam = rng.random() < 0.5
        self._load: Load | None = None
        if make_load is not None:
            self._load = make_load(self.workload, seed, nodes, self._clients, keys)
        self._running = 0

    def run(self) -> Result:
        """Start, break, heal, read everything on every node, compare the nodes."""
        world = self.world
        for node in self.nodes:
            node.start()
        world.run(0.3)
        self.faults.start()
        clients = [
            Client(thread, self._clients, world, self._voters, self.recorder, self._ways)
            for thread in range(self._clients)
        ]
        try:
            self._drive(clients, self._think_s)
            self.faults.heal()
            world.run(world.now_s + QUIET_S)
            settled = self._settled(clients)
            if not settled:  # an election may be under way
                world.run(world.now_s + QUIET_S)
                settled = self._settled(clients)
            if self._load is not None:
                self._load.finish([client.thread for client in settled])
            self._drive(settled, 0.0)
        except Runaway as error:
            self.nodes[0].crashes.append(str(error))
        recorder = self.recorder
        return Result(
            self.seed,
            self.options,
            self.workload,
            recorder.lines(),
            self.faults.log,
            recorder.ok,
            recorder.fail,
            recorder.info,
            self._divergence(),
            world.now_s,
            [crash for node in self.nodes for crash in node.crashes],
            {node.name: node.trace.take() for node in self.nodes},
        )

    def _deliver(self, source: str, destination: str, message: Message) -> None:
        node = self._by_name.get(destination) or self._by_name[name_of(destination)]
        node.receive(source, message)

    # --- load ---

    def _drive(self, clients: list[Client], think_s: float) -> None:
        """Let the clients work until the load has nothing more for them."""
        world = self.world
        limit_s = world.now_s + LOAD_LIMIT_S
        for client in clients:
            self._running += 1
            world.after(world.around(think_s), self._next, client, think_s)
        while self._running and world.now_s < limit_s:
            world.run(world.now_s + 0.25)
        self._running = 0

    def _settled(self, clients: list[Client]) -> list[Client]:
        """Each client bound to one of the first members, but for those whose node will never
        answer: its log is corrupt, or it is no member any more, or knows of no leader. Nobody
        where no leader is found: too few are left."""
        leader = next((node.replica for node in self.nodes if node.leading), None)
        if leader is None and self._elects:
            return []
        gone = {node.name for node in self._voters if node.corrupt}
        if leader is not None:
            members = {name for name, _, role in leader.members() if role == "voter"}
            gone |= {
                node.name
                for node in self._voters
                if node.name not in members or not node.replica or not node.replica.leader_node
            }
        for client in clients:
            client.settle(self._voters[client.thread % len(self._voters)])
        return [client for client in clients if client.node.name not in gone]

    def _next(self, client: Client, think_s: float) -> None:
        if self._load is None:
            self._running -= 1
            return
        step = self._load.next(client.thread, self._now_ns())
        if step is None:
            self._running -= 1
        elif isinstance(step, int):
            self.world.after(step / 1e9, self._next, client, think_s)
        else:
            if self._roam:
                client.reconnect()
            client.invoke(step, lambda type_, value: self._completed(client, think_s, type_, value))

    def _completed(self, client: Client, think_s: float, type_: str, value: Any) -> None:
        assert self._load is not None
        self._load.completed(client.thread, type_, value, self._now_ns())
        self.world.after(self.world.around(think_s), self._next, client, think_s)

    def _now_ns(self) -> int:
        return int(self.world.now_s * 1e9)

    # --- looking ---

    def _divergence(self) -> str:
        """Nodes that name the same thing must have the same."""
        known: dict[str, tuple[str, bytes]] = {}
        for node in self.nodes:
            agreements = {} if node.replica is None else node.replica.agreements()
            for name, state in agreements.items():
                first, expected = known.setdefault(name, (node.name, state))
                if state != expected:
                    return f"{first} and {node.name} differ in {name}"
        return ""


def run_seed(seed: int, options: Options, make_load: MakeLoad) -> Result:
    """Run one seed."""
    return Simulation(seed, options, make_load).run()
