"""Server: one node as a process. Drives the replica with real sockets, clocks and files."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from . import engine
from .bugs import Bugs
from .config import Config, EngineName, Reads
from .disk import LocalDisk
from .enrolment import Enrolling
from .events import Output
from .front import Cell, Connection
from .identity import name_of
from .messages import Message
from .network import PeerNetwork
from .ports import SystemClock
from .resp import NIL, array, bulk, error, integer, map_
from .trace import Trace
from .tracefile import TraceFile

TICK_S = 0.02
DISKS = 1 << 31
"""Numbers of disks are drawn below it."""
WAITING_LIMIT_BYTES = 64 * 1024 * 1024
TOO_MUCH_WAITS = error(
    f"FAIL commands of {WAITING_LIMIT_BYTES} bytes wait; the command was not sent"
)

Address = tuple[str, int]


@dataclass(frozen=True)
class Settings:
    """What the command line said."""

    config: Config
    listen: Address
    peer_listen: Address
    peers: dict[str, Address]
    data: Path
    bugs: Bugs
    trace: Path | None = None


class End(NamedTuple):
    """Why a node ends that nobody asked to. `code`: of the process; 4: its disk failed, 5: it is no
    member, or not one that could work with the others."""

    code: int
    reason: str


class Server:
    """One life of one node: from opening the disk to the end of the process."""

    def __init__(self, settings: Settings) -> None:
        """Open the log and begin a new life. Raises CorruptLog, DirectoryInUse, OtherTerms,
        OSError."""
        self._settings = settings
        self._disk = LocalDisk(settings.data)
        config = engine.settled(settings.config, settings.bugs)
        self._storage = engine.store(config, self._disk, settings.bugs)
        memory = self._storage.open()
        if self._storage.torn_bytes:
            log(f"cut a torn tail of {self._storage.torn_bytes} bytes off the log")
        disk = random.SystemRandom().randrange(1, DISKS)
        self._storage.append(engine.new_life(config, memory, disk, settings.bugs))
        self._storage.flush()
        self._config = config
        self._clock = SystemClock()
        self._told = self._trace = None
        if settings.trace is not None:
            self._told = Trace(time.monotonic_ns, lean=True)
            self._trace = TraceFile(settings.trace, self._told)
        self.replica = self._engine(memory)
        self._network = PeerNetwork(
            self.replica.node, settings.peers, self._receive, engine.decoder(config)
        )
        self._connections: set[Connection] = set()
        self._cells: dict[int, Cell] = {}
        self._next_request = 1
        self._waiting_bytes = 0  # of commands that have no answer yet
        self._turn_due = False
        self._role = self.replica.role
        self._waits: str | None = None
        self._failed: asyncio.Future[End] | None = None

    def _engine(self, memory: Any) -> engine.Engine:
        bugs = self._settings.bugs
        return engine.engine(self._config, memory, self._clock, random.Random(), bugs, self._told)

    async def run(self, stop: asyncio.Event) -> End | None:
        """Serve until `stop` is set, or the node must end: then why. Raises OSError for a port
        that is taken."""
        loop = self._loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        await self._network.start(*self._settings.peer_listen)
        clients = await loop.create_server(
            lambda: Connection(self, self._connections), *self._settings.listen,
            reuse_address=True, backlog=1024,
        )  # fmt: skip
        log(
            f"node {self.replica.node} incarnation {self.replica.incarnation} serves clients on"
            f" {_text(self._settings.listen)}, peers on {_text(self._settings.peer_listen)};"
            f" {self.replica.recovered()}"
        )
        self._tick()
        stopped = asyncio.create_task(stop.wait())
        futures: list[asyncio.Future[Any]] = [stopped, self._failed]
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        clients.close()
        for connection in list(self._connections):
            connection.close()
        await self._network.stop()
        if self._failed.done():
            return self._failed.result()
        self._storage.flush()
        self._disk.close()
        if self._trace is not None:
            self._trace.close()
        return None

    # --- events in ---

    def _tick(self) -> None:
        self._loop.call_later(TICK_S, self._tick)
        self.replica.tick()
        if isinstance(self.replica, Enrolling):
            self._tell_wait(self.replica.waits_for())
        for node, address in self.replica.addresses().items():
            host, _, port = address.rpartition(":")
            self._network.add(node, (host, int(port)))
        self._schedule()

    def _tell_wait(self, waits: str | None) -> None:
        """Each time that it is somebody else whom the node waits for."""
        if waits is not None and waits != self._waits:
            log(f"{self._config.node} {waits}")
        self._waits = waits

    def _receive(self, source: str, messages: list[Message]) -> None:
        receive = self.replica.receive
        for message in messages:
            receive(source, message)
        self._schedule()

    def submit(self, cell: Cell, args: list[bytes], reads: Reads | None, connection: int) -> None:
        cell.size = sum(map(len, args))
        if self._waiting_bytes + cell.size > WAITING_LIMIT_BYTES:
            cell.answer(TOO_MUCH_WAITS)
            return
        self._waiting_bytes += cell.size
        self.replica.request(self._request(cell), args, reads, connection)
        self._schedule()

    def snapshot(self, cell: Cell) -> None:
        self.replica.snap(self._request(cell))
        self._schedule()

    def _request(self, cell: Cell) -> int:
        number = self._next_request
        self._next_request += 1
        self._cells[number] = cell
        return number

    # --- output ---

    def _schedule(self) -> None:
        """Take the output once all input that is there has been taken in."""
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Send, answer and persist until nothing is left to do."""
        self._turn_due = False
        if self._failed is not None and self._failed.done():
            return  # the disk has failed: what follows from its loss must not be told to anybody
        replica = self.replica
        out = replica.take()
        while True:
            try:
                if self._trace is not None:
                    self._trace.write()
                self._emit(out)
                if not out.sync:
                    break
                self._storage.flush()
            except OSError as problem:
                self._fail(End(4, f"the log or the trace cannot be written: {problem}"))
                return
            replica.durable(out.lsn)
            out = replica.take()
        reason, memory = replica.ended(), replica.settled()
        if reason is not None:
            self._fail(End(5, reason))
        if memory is not None:
            replica = self.replica = self._engine(memory)
            self._network.rename(replica.node)
            log(f"its disk makes this node {replica.node}")
        if replica.role != self._role:
            self._role = replica.role
            log(f"now {self._role}: {dict(replica.facts())}")

    def _emit(self, out: Output) -> None:
        if out.messages:
            send = self._network.send
            for destination, message in out.messages:
                send(destination, message)
            self._network.flush()
        if out.records:
            self._storage.append(out.records)
        if out.save is not None:
            self._storage.save(out.save)
        for number, reply in out.replies:
            cell = self._cells.pop(number)
            self._waiting_bytes -= cell.size
            cell.answer(reply)

    def _fail(self, end: End) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(end)

    # --- questions about the node ---

    def info(self) -> list[tuple[str, str | int]]:
        replica = self.replica
        return [
            ("node", name_of(replica.node)),
            ("incarnation", replica.incarnation),
            *replica.facts(),
            ("bugs", ",".join(sorted(replica.bugs.names))),
            ("clients", len(self._connections)),
        ]

    def reads(self, name: bytes) -> Reads | bytes:
        config = self.replica.config
        known = list(Reads)
        if config.engine is EngineName.PERKEY:
            return error("ERR the engine perkey reads by comparing versions, and in no other way")
        if config.reads is not Reads.LEASE:
            known.remove(Reads.LEASE)  # the other nodes grant none
        way = next((way for way in known if way.encode() == name.lower()), None)
        if way is None:
            told = name[:64].decode("latin-1")
            return error(f"ERR no way of reading '{told}' here; there are {', '.join(known)}")
        return way

    def fixed_members(self) -> bytes | None:
        if self.replica.config.engine is EngineName.PERKEY:
            return error("ERR the engine perkey has the same members for ever")
        return None

    def paxos(self, args: list[bytes], resp3: bool) -> bytes:
        """PAXOS READS: how this node reads if not told otherwise. STATUS: a map.
        MEMBERS: [node, address, role]
        of each. LEADER: [node or nil, 1 if it is this one]. CLOCK: time.time() in
        ns. DUMP: what the engine holds (`dump`). AGREEMENTS: [name, digest] of all that must be
        the same on every node that has something of that name."""
        what = args[1].upper() if len(args) > 1 else b""
        replica = self.replica
        if what == b"STATUS":
            return map_(
                [
                    (name, integer(v) if isinstance(v, int) else bulk(v.encode()))
                    for name, v in self.info()
                ],
                resp3,
            )
        if what == b"LEADER":
            leader = replica.leader_node
            return array([bulk(leader.encode()) if leader else NIL, integer(int(replica.leading))])
        if what == b"CLOCK":
            return integer(time.time_ns())
        if what == b"MEMBERS":
            rows = [[bulk(word.encode()) for word in row] for row in replica.members()]
            return array([array(row) for row in rows])
        if what == b"READS":
            return bulk(replica.config.reads.encode())
        if what == b"DUMP":
            return replica.dump()
        if what == b"AGREEMENTS":
            told = sorted(replica.agreements().items())
            return array([array([bulk(name.encode()), bulk(digest(data))]) for name, data in told])
        return error(
            "ERR PAXOS STATUS | LEADER | MEMBERS | CLOCK | DUMP | AGREEMENTS | SNAPSHOT"
            " | READS [way] | READ way command"
        )


def digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).hexdigest().encode()


def log(text: str) -> None:
    """One line on stderr, with the wall clock in UTC."""
    stamp = time.strftime("%H:%M:%S", time.gmtime())
    sys.stderr.write(f"{stamp} {text}\n")
    sys.stderr.flush()


def _text(address: Address) -> str:
    return f"{address[0]}:{address[1]}"
