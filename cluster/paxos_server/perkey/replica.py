"""Replica: the parts of the engine `perkey` composed into one node, without input or output.

As with the engine `multi`, events go in, and what is to be done comes out; see `..replica`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from ..bugs import NONE, Bugs
from ..config import Config, Reads
from ..events import Durable, Event, Output, Receive, Request, Tick
from ..messages import Message, encode
from ..ports import Clock
from ..resp import NIL, array, bulk, integer
from ..statemachine import COMMANDS
from ..trace import Trace
from .accepting import Accepting
from .catchup import CatchingUp
from .commands import SEVERAL_KEYS, key_of
from .messages import (
    Accept,
    Accepted,
    AskVersion,
    Chosen,
    Compare,
    Decided,
    Fetch,
    Prepare,
    Promise,
    Refused,
    Version,
)
from .parts import Parts
from .reading import Reading
from .recovery import Memory
from .writing import Writing

DUMPED_KEYS = 1000


class Replica:
    """One life of one node. `memory` is what its former lives wrote down, and `memory.incarnation`
    the number of this life, already durable."""

    def __init__(
        self,
        config: Config,
        memory: Memory,
        clock: Clock,
        rng: random.Random,
        bugs: Bugs = NONE,
        trace: Trace | None = None,
    ) -> None:
        self._parts = parts = Parts(config, memory, clock, rng, bugs, trace)
        self._tracing = parts.tracing
        self.config = config
        self.node = config.node
        self.incarnation = memory.incarnation
        self.bugs = bugs
        self.keys = parts.keys
        self._snap = False
        self.catching_up = CatchingUp(parts)
        self.accepting = Accepting(parts, self.catching_up)
        self.writing = Writing(parts)
        self.reading = Reading(parts, self.catching_up, self.writing)
        self.keys.on_learnt = self._learnt
        self.catching_up.on_caught_up = self.writing.ask_again
        self._records = 0
        self._handlers: dict[type, Callable[[str, Any], None]] = {
            Prepare: self.accepting.on_prepare,
            Promise: self.writing.on_promise,
            Accept: self.accepting.on_accept,
            Accepted: self.writing.on_accepted,
            Refused: self.writing.on_refused,
            Decided: self.catching_up.on_decided,
            Fetch: self.catching_up.on_fetch,
            Chosen: self.catching_up.on_chosen,
            Compare: self.catching_up.on_compare,
            AskVersion: self.accepting.on_ask_version,
            Version: self.reading.on_version,
        }

    def _learnt(self, key: bytes) -> None:
        entry = self.keys.open(key).chosen
        if self._tracing is not None and entry is not None:
            self._tracing.learnt(key, entry)
        self.writing.learnt(key)
        self.reading.learnt(key)

    # --- the interface ---

    def step(self, event: Event) -> Output:
        """Take in one event; give all that follows from it."""
        match event:
            case Receive(source, message):
                self.receive(source, message)
            case Durable(lsn):
                self.durable(lsn)
            case Request(number, args, _, _):
                self.request(number, args)
            case Tick():
                self.tick()
        return self.take()

    def take(self) -> Output:
        """What the events since the last call led to."""
        outbox = self._parts.outbox
        while outbox.to_self:
            message = outbox.to_self.popleft()
            if self._tracing is not None:
                self._tracing.to_self(message)
            self._handlers[type(message)](self.node, message)
        out = outbox.take()
        self._records += len(out.records)
        due = self.config.snapshot_every and self._records >= max(
            self.config.snapshot_every, 4 * len(self.keys.states)
        )
        if due or self._snap:
            self._records, self._snap = 0, False
            out.save = Memory(self.incarnation, self.keys.states)
        if self._tracing is not None:
            self._tracing.records(out.records, out.lsn)
            for destination, message in out.messages:
                self._tracing.sent(destination, message)
        return out

    def request(
        self, number: int, args: list[bytes], way: Reads | None = None, connection: int = 0
    ) -> None:
        self._parts.moment.advance()
        key = key_of(args)
        if key is None:
            self._parts.outbox.reply(number, SEVERAL_KEYS)
            return
        reads = COMMANDS[args[0]].reads
        if reads and not self.writing.busy(key):
            self.reading.request(number, key, args)
        else:  # a read behind writes of the same key goes with them: pipelines keep their order
            self.writing.request(number, key, args, reads)

    def snap(self, number: int) -> None:
        self._snap = True
        self._parts.outbox.reply(number, integer(len(self.keys.states)))

    def receive(self, source: str, message: Message) -> None:
        self._parts.moment.advance()
        if self._tracing is not None:
            self._tracing.received(source, message)
        self._handlers[type(message)](source, message)

    def durable(self, lsn: int) -> None:
        """Answers that waited for their records to be durable may leave now."""
        if self._tracing is not None:
            self._tracing.durable(lsn)
        self._parts.outbox.durable(lsn)

    def tick(self) -> None:
        self._parts.moment.advance()
        self.writing.tick()
        self.reading.tick()
        self.catching_up.tick()

    # --- what it looks like from outside ---

    @property
    def leading(self) -> bool:
        """Nobody leads here."""
        return False

    @property
    def leader_node(self) -> str | None:
        return None

    @property
    def role(self) -> str:
        return "replica"

    def stand(self) -> None:
        """There are no elections, but a proposer of some key may begin anew."""
        self._parts.moment.advance()
        self.writing.stand()

    def settled(self) -> None:
        """Who it is, a node of this engine takes from its command line."""

    def ended(self) -> None:
        """Members stay members."""

    def recovered(self) -> str:
        """What the node came back with, for its log."""
        return f"{len(self.keys.states)} keys recovered"

    def facts(self) -> list[tuple[str, str | int]]:
        """Names and values that describe the node."""
        return [
            ("engine", "perkey"),
            ("role", self.role),
            ("reads", "versions"),
            ("waiting", self.writing.waiting + self.reading.waiting),
            ("keys", len(self.keys.states)),
        ]

    def dump(self) -> bytes:
        """[key, version, stamp of the chosen entry or nil, its value, ballot of the accepted next
        entry or nil, its stamp or nil] for the first 1,000 keys; a value as [kind, item ...]."""
        rows = []
        for name in self.keys.order[:DUMPED_KEYS]:
            key = self.keys.states[name]
            value = None if key.chosen is None else key.chosen.value
            accepted = key.accepted
            rows.append(
                array(
                    [
                        bulk(name),
                        integer(key.version),
                        _text(key.stamp),
                        NIL if value is None else array([bulk(i) for i in _words(value)]),
                        bulk(str(accepted[0]).encode()) if accepted else NIL,
                        _text(accepted[1].stamp) if accepted else NIL,
                    ]
                )
            )
        return array(rows)

    def members(self) -> list[tuple[str, str, str]]:
        return [(node, "", "voter") for node in self.config.nodes]

    def addresses(self) -> dict[str, str]:
        return {}

    def agreements(self) -> dict[str, bytes]:
        """What the node must have in common with every node that names the same thing."""
        return {
            f"version {key.version} of {name.decode('latin-1')}": encode(key.chosen)
            for name, key in self.keys.states.items()
            if key.chosen is not None
        }


def _words(value: tuple[str, list[bytes]]) -> list[bytes]:
    return [value[0].encode(), *value[1]]


def _text(stamp: tuple[str, int, int] | None) -> bytes:
    return NIL if stamp is None else bulk("{}.{}.{}".format(*stamp).encode())
