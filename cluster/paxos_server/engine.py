"""Engine: which kind of Paxos a node runs, and what the server and the simulator ask of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from .bugs import Bugs
from .config import Config, EngineName, Reads
from .enrolment import Enrolling, begin
from .events import Output
from .messages import BootRecord, Message, Record, decode_messages
from .perkey.messages import decode_messages as decode_perkey_messages
from .perkey.recovery import Storage as PerKeyStorage
from .perkey.replica import Replica as PerKeyReplica
from .ports import Clock, Disk
from .replica import Replica
from .storage import Storage
from .trace import Trace


class Engine(Protocol):
    """One life of one node. Events go in by `request`, `receive`, `durable` and `tick`; `take`
    gives what is to be done."""

    config: Config
    node: str
    incarnation: int
    bugs: Bugs

    def request(
        self, number: int, args: list[bytes], reads: Reads | None = None, connection: int = 0
    ) -> None:
        """`events.Request`. The engine perkey has one way of reading only."""

    def snap(self, number: int) -> None:
        """Take a snapshot now. The reply to request `number` is the slot that it stands for (with
        the engine perkey: how many keys it holds), and leaves when the snapshot is durable."""

    def receive(self, source: str, message: Message) -> None: ...

    def durable(self, lsn: int) -> None: ...

    def tick(self) -> None: ...

    def take(self) -> Output: ...

    def stand(self) -> None:
        """Stand for election, where there are elections."""

    @property
    def leading(self) -> bool: ...

    @property
    def leader_node(self) -> str | None:
        """The leader that this node knows."""

    @property
    def role(self) -> str:
        """What the node is to the others, for its log."""

    def settled(self) -> Any | None:
        """When this was but the way to find out who the node is, and that is known, durably: the
        memory of the engine that is to go on."""

    def ended(self) -> str | None:
        """Why the node must end, for it can be of no use any more; None as long as it can."""

    def recovered(self) -> str:
        """What the node came back with, for its log."""

    def facts(self) -> list[tuple[str, str | int]]:
        """Names and values that describe the node."""

    def dump(self) -> bytes:
        """The reply to PAXOS DUMP."""

    def members(self) -> list[tuple[str, str, str]]:
        """(node, address or "", voter | learner | joining | leaving) of the whole cluster."""

    def addresses(self) -> dict[str, str]:
        """Where nodes that joined later are reached, as HOST:PORT."""

    def agreements(self) -> dict[str, bytes]:
        """name -> bytes that must be equal on all nodes that give something for the name."""


class Store(Protocol):
    """What an engine keeps on its disk. The memory is the engine's own affair."""

    @property
    def torn_bytes(self) -> int: ...

    def open(self) -> Any:
        """The memory, with its `incarnation`. Raises CorruptLog, OSError."""

    def append(self, records: list[Record]) -> None: ...

    def flush(self) -> None: ...

    def save(self, memory: Any) -> None: ...


def settled(config: Config, bugs: Bugs) -> Config:
    """The config with the engine that will run: a bug of one engine switches the server to it."""
    engine = bugs.engine()
    return config if engine is None else replace(config, engine=engine)


def store(config: Config, disk: Disk, bugs: Bugs) -> Store:
    """The storage of the config's engine."""
    return PerKeyStorage(disk, bugs) if _per_key(config) else Storage(disk, bugs)


def new_life(config: Config, memory: Any, disk: int, bugs: Bugs) -> list[Record]:
    """Number the life that begins; `disk`: the number that the disk gets if it is new. The records
    must be durable before the engine starts. Raises OtherTerms."""
    if _per_key(config):
        memory.incarnation += 1
        return [BootRecord(memory.incarnation)]
    return begin(config, memory, disk, bugs)


def engine(
    config: Config,
    memory: Any,
    clock: Clock,
    rng: random.Random,
    bugs: Bugs,
    trace: Trace | None = None,
) -> Engine:
    """A new life of the config's engine, on what its storage remembers. A node of
    `multi` finds out first who it is."""
    if _per_key(config):
        return PerKeyReplica(config, memory, clock, rng, bugs, trace)
    if not memory.identity.settled:
        return Enrolling(config, memory, clock, bugs)
    return Replica(memory.identity.applied_to(config), memory, clock, rng, bugs, trace)


def decoder(config: Config) -> Callable[[bytes], list[Any]]:
    """What reads the frames of the config's engine."""
    return decode_perkey_messages if _per_key(config) else decode_messages


def _per_key(config: Config) -> bool:
    return config.engine is EngineName.PERKEY
