"""SimulatedNode: what `Server` is to a real process, in virtual time: it drives one replica."""

from __future__ import annotations

import contextlib
import random
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from .. import engine
from ..bugs import Bugs
from ..config import Config, Reads
from ..engine import Engine
from ..enrolment import founded
from ..messages import Message
from ..trace import Trace
from ..wal import CorruptLog
from .disk import PowerLoss, SimulatedDisk
from .network import SimulatedNetwork
from .world import SimulatedClock, World

TICK_S = 0.01
DISK_STEP = 1000  # between the numbers of a node's disks
CLIENTS, TIMERS, DISK = "clients", "timers", "disk"  # sources of events beside the peers

Reply = Callable[[bytes | None], None]
"""Takes the reply; None when the connection broke before there was one."""


class SimulatedNode:
    """A node that can be killed, started again, paused and resumed."""

    def __init__(self, config: Config, world: World, network: SimulatedNetwork, bugs: Bugs) -> None:
        self.config = config
        self.name = config.node
        self.clock = SimulatedClock(world)
        self.disk = SimulatedDisk()
        self.replica: Engine | None = None
        self.corrupt = False  # its log is: it cannot start
        self.paused = False
        self.crashes: list[str] = []
        self.trace = Trace(lambda: int(world.now_s * 1e9), lean=True)
        self.answers = 0  # replies given to clients so far
        self.sync_s = 0.001
        self._world = world
        self._network = network
        self._bugs = bugs
        self._storage = engine.store(config, self.disk, bugs)
        self._life = 0
        self._disks = 1
        self._syncing = False
        self._requests: dict[int, Reply] = {}
        self._next_request = 1
        self._missed: list[tuple[str, Callable[..., None], tuple[Any, ...]]] = []

    @property
    def alive(self) -> bool:
        return self.replica is not None

    @property
    def leading(self) -> bool:
        return self.replica is not None and self.replica.leading

    # --- life and death ---

    def start(self) -> None:
        """Begin a new life; a corrupt log prevents it for good."""
        if self.replica is not None or self.corrupt:
            return
        self.disk.power_on()
        self._storage = engine.store(self.config, self.disk, self._bugs)
        try:
            memory = self._storage.open()
        except CorruptLog:
            self.corrupt = True
            return
        records = engine.new_life(self.config, memory, self._disks * DISK_STEP, self._bugs)
        self._storage.append(records)
        self._storage.flush()
        self._life += 1
        self._syncing = False
        try:
            self.replica = self._engine(memory)
        except Exception as error:
            self.crashes.append(f"{self.name} cannot start: {type(error).__name__}: {error}")
            return
        self._world.after(TICK_S * self._world.rng.random(), self._tick, self._life)

    def _engine(self, memory: Any) -> Engine:
        rng = random.Random(self._world.rng.getrandbits(64))
        return engine.engine(self.config, memory, self.clock, rng, self._bugs, self.trace)

    def found(self, names: Sequence[str]) -> None:
        """Have the cluster been founded before, on the first disks of these nodes."""
        self._storage.open()
        self._storage.append(founded(self.config, dict.fromkeys(names, DISK_STEP)))
        self._storage.flush()

    def wipe(self) -> None:
        """Kill it, and put in a new disk."""
        self.kill()
        self.disk = SimulatedDisk()
        self.corrupt = False
        self._disks += 1

    def kill(self) -> None:
        """Power loss: unsynced bytes are lost, or a part of them got through."""
        if self.replica is None:
            return
        self.replica = None
        self.paused = False
        missed, self._missed = self._missed, []
        self.disk.tear(self._world.rng.random() if self._world.rng.random() < 0.5 else 0.0)
        with contextlib.suppress(PowerLoss, OSError):  # OSError: its disk had failed before
            self._storage.flush()
        requests, self._requests = self._requests, {}
        for reply in requests.values():
            reply(None)
        for source, _, args in missed:
            if source == CLIENTS:
                args[1](None)

    def stand(self) -> None:
        """Its election timer fires."""
        if self.replica is not None and not self.paused:
            self._turn(self.replica.stand)

    def pause(self) -> None:
        self.paused = self.alive

    def resume(self) -> None:
        """What happened meanwhile happens now, all at once: what came from one peer, from clients
        or from timers in its order, but no order between these, as with sockets."""
        self.paused = False
        missed, self._missed = self._missed, []
        turns = {source: self._world.rng.random() for source, _, _ in missed}
        for _, call, args in sorted(missed, key=lambda item: turns[item[0]]):
            call(*args)

    # --- events in ---

    def request(self, args: list[bytes], reply: Reply, reads: Reads | None = None) -> None:
        if self.replica is None:
            reply(None)
        elif self.paused:
            self._missed.append((CLIENTS, self.request, (args, reply, reads)))
        else:
            number = self._next_request
            self._next_request += 1
            self._requests[number] = reply
            self._turn(self.replica.request, number, args, reads)

    def receive(self, source: str, message: Message) -> None:
        if self.replica is None:
            return
        if self.paused:
            self._missed.append((source, self.receive, (source, message)))
            return
        self._turn(self.replica.receive, source, message)

    def _tick(self, life: int) -> None:
        if self.replica is None or life != self._life:
            return
        if self.paused:
            self._missed.append((TIMERS, self._tick, (life,)))
            return
        self._world.after(TICK_S, self._tick, life)
        self._turn(self.replica.tick)
        if self.replica is not None:
            self._go_on()

    def _synced(self, life: int) -> None:
        if self.replica is None or life != self._life:
            return
        if self.paused:
            self._missed.append((DISK, self._synced, (life,)))
            return
        self._syncing = False
        self._turn(self._make_durable)

    def _make_durable(self) -> None:
        assert self.replica is not None
        lsn = self._appended
        self._storage.flush()
        self.replica.durable(lsn)

    # --- output ---

    _appended = 0

    def _turn(self, call: Callable[..., None], *args: Any) -> None:
        """Take in an event and do what follows. As with the server, the node ends when its disk
        fails, for nothing is known of the file any more, and when the code does."""
        try:
            call(*args)
            self._take()
        except OSError:
            self.kill()
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.crashes.append(
                f"{self.name} crashed in {where.name}: {type(error).__name__}: {error}"
            )
            self.kill()

    def _take(self) -> None:
        assert self.replica is not None
        out = self.replica.take()
        if out.messages:
            send, name = self._network.send, self.replica.node
            for destination, message in out.messages:
                send(name, destination, message)
        if out.records:
            self._storage.append(out.records)
        if out.save is not None:
            self._storage.save(out.save)
        self._appended = out.lsn
        if out.sync and not self._syncing:
            self._syncing = True
            self._world.after(self._world.around(self.sync_s), self._synced, self._life)
        if out.replies:
            self.answers += len(out.replies)
            for number, reply in out.replies:
                self._requests.pop(number)(reply)

    def _go_on(self) -> None:
        """A node that knows by now who it is, goes on as that; one that was removed ends."""
        assert self.replica is not None
        memory = self.replica.settled()
        if memory is not None:
            self.replica = self._engine(memory)
        elif self.replica.ended() is not None:
            self.kill()
