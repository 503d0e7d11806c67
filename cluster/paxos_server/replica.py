"""Replica: the parts of Multi-Paxos composed into one node, without any input or output.

`elections` is phase 1, `replication` phase 2, `execution` the log applied to the state;
`requests` and `reading` serve clients, `catching_up` and `snapshots` those who are behind.

`step(event)` is the whole interface: an event goes in, and what is to be done comes out:
records to persist, messages to send, replies to clients. Nothing here waits, reads a file or
knows of sockets; the server and the simulator both drive this same code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .ballot import Ballot
from .bugs import NONE, Bugs
from .catchup import CatchingUp
from .config import Config, Reads
from .elections import Elections
from .enrolment import Registrar
from .events import Durable, Event, Output, Receive, Request, Tick
from .execution import Execution
from .identity import name_of
from .messages import (
    Accept,
    Accepted,
    AskReadIndex,
    Canvass,
    CatchUp,
    Chosen,
    ChosenRecord,
    Claim,
    FetchSnapshot,
    Fill,
    Forward,
    Heartbeat,
    HeartbeatAck,
    Message,
    Nack,
    Outdated,
    Poll,
    Prepare,
    Promise,
    ReadIndex,
    Register,
    Replies,
    SnapshotChunk,
    Standing,
    Support,
)
from .ports import Clock
from .promotion import Promotion
from .proposer import Phase
from .quorumreads import QuorumReads
from .reading import Reading
from .recovery import Remembered
from .replication import Replication
from .requests import Requests
from .resp import NIL, array, bulk, integer
from .roles import Roles
from .snapshots import Snapshots
from .statemachine import COMMANDS
from .trace import Trace


class Replica:
    """One life of one node. `memory` is what its former lives wrote down, and `memory.incarnation`
    the number of this life, already durable."""

    def __init__(
        self,
        config: Config,
        memory: Remembered,
        clock: Clock,
        rng: random.Random,
        bugs: Bugs = NONE,
        trace: Trace | None = None,
    ) -> None:
        config = replace(config, reads=bugs.reads() or config.reads)
        self._roles = roles = Roles(config, memory, clock, rng, bugs, trace)
        self._trace = trace
        self.config = config
        self.node = config.node
        self.incarnation = memory.incarnation
        self.bugs = bugs
        self.acceptor = roles.acceptor
        self.learner = roles.learner
        self.proposer = roles.proposer
        self.leadership = roles.leadership
        self.outbox = roles.outbox
        self.requests = Requests(roles)
        self.gateway = self.requests.gateway
        self.execution = Execution(roles, self.requests)
        self.state = self.execution.state
        self.reading = Reading(roles, self.execution)
        self.snapshots = Snapshots(roles, self.execution, memory)
        self.catching_up = CatchingUp(roles, self.execution, self.snapshots)
        self.elections = Elections(roles, self.requests, self.execution, self.reading, self._won)
        promotion = Promotion(roles, self.requests)
        self.replication = Replication(
            roles, self.requests, self.execution, self.reading, self.catching_up, self.elections,
            promotion,
        )  # fmt: skip
        self.quorum_reads = QuorumReads(roles, self.requests, self.execution, self.catching_up)
        self.registrar = Registrar(config, memory, self.outbox)
        self._removed_s: float | None = None  # since when
        self._chosen_recorded = memory.chosen_upto
        self._handlers = self._handlers_by_type()
        self.execution.remember(memory)

    def _won(self) -> None:
        """A quorum has promised: phase 1 is over, phase 2 begins."""
        self.replication.lead()

    def _handlers_by_type(self) -> dict[type, Callable[[str, Any], None]]:
        return {
            Prepare: self.elections.on_prepare,
            Promise: self._on_promise,
            Accept: self.replication.on_accept,
            Accepted: self.replication.on_accepted,
            Nack: self.replication.on_nack,
            Heartbeat: self.replication.on_heartbeat,
            HeartbeatAck: self.replication.on_heartbeat_ack,
            Outdated: self.catching_up.on_outdated,
            Canvass: self.elections.on_canvass,
            Support: self.elections.on_support,
            CatchUp: self.catching_up.on_catch_up,
            Chosen: self.catching_up.on_chosen,
            SnapshotChunk: self.catching_up.on_snapshot_chunk,
            FetchSnapshot: self.catching_up.on_fetch_snapshot,
            Forward: self.requests.on_forward,
            Replies: self.requests.on_replies,
            AskReadIndex: self.reading.on_ask_read_index,
            ReadIndex: self.reading.on_read_index,
            Poll: self.quorum_reads.on_poll,
            Standing: self.quorum_reads.on_standing,
            Fill: self.replication.on_fill,
            Claim: self.registrar.on_claim,
            Register: lambda source, message: None,  # this node is settled
        }

    def _on_promise(self, source: str, message: Promise) -> None:
        if self.proposer.phase is Phase.LEADING:
            self.replication.on_late_promise(source, message)
        else:
            self.elections.on_promise(source, message)

    @property
    def applied(self) -> int:
        """The last slot that the state has taken in."""
        return self.execution.applied

    @property
    def leader(self) -> Ballot | None:
        """The ballot of the leader that this node knows."""
        return self.leadership.leader

    # --- the interface ---

    def step(self, event: Event) -> Output:
        """Take in one event; give all that follows from it."""
        match event:
            case Receive(source, message):
                self.receive(source, message)
            case Durable(lsn):
                self.durable(lsn)
            case Request(number, args, reads, connection):
                self.request(number, args, reads, connection)
            case Tick():
                self.tick()
        return self.take()

    def take(self) -> Output:
        """What the events since the last call led to. A driver that takes in several events
        before it takes the output gets fuller batches and fewer syncs."""
        self._pump()
        out = self.outbox.take()
        # Only now: the memory must hold all that this output's records say.
        if self.snapshots.save_due:
            out.save = self.snapshots.to_save()
        trace = self._trace
        if trace is not None:
            if out.records:
                trace.records(out.records, out.lsn)
            for destination, message in out.messages:
                if type(message) in trace.sent:
                    trace.message("send", destination, message)
        return out

    def request(
        self, number: int, args: list[bytes], reads: Reads | None = None, connection: int = 0
    ) -> None:
        self._roles.moment.advance()
        how = (reads or self.config.reads) if COMMANDS[args[0]].reads else Reads.LOG
        idle = not self.gateway.last(connection)
        if COMMANDS[args[0]].reads and idle and self.reading.locally(how):
            if self._trace is not None and reads is not Reads.LOCAL:
                self._trace.add("admit", -number)
                self._trace.add("read", -number, self.applied, self.reading.leased_ballot(how))
            self.outbox.reply(number, self.state.query(args))
        else:
            past_the_log = how in (Reads.READINDEX, Reads.QUORUM)
            self.requests.admit(number, args, how if past_the_log else Reads.LOG, connection)

    def snap(self, number: int) -> None:
        self.snapshots.snap()
        self.outbox.reply(number, integer(self.snapshots.slot))

    def receive(self, source: str, message: Message) -> None:
        self._roles.moment.advance()
        trace = self._trace
        if trace is not None and type(message) in trace.received:
            trace.message("receive", source, message)
        self._handle(source, message)

    def durable(self, lsn: int) -> None:
        """Answers that waited for their records to be durable may leave now."""
        if self._trace is not None:
            self._trace.add("fsync", lsn)
        self.outbox.durable(lsn)

    def tick(self) -> None:
        now = self._roles.moment.advance()
        if self.gateway.waiting:
            self.requests.expire()
        leadership = self.leadership
        match self.proposer.phase:
            case Phase.LEADING:
                if leadership.lost(now) or self.replication.stuck(now):
                    self.elections.step_down()
                else:
                    if leadership.beat_due(now):
                        self.replication.heartbeat()
                    self.replication.resend()
            case Phase.PREPARING:
                if leadership.timed_out(now):
                    self.elections.step_down()
            case Phase.IDLE:
                if leadership.timed_out(now):
                    self.elections.canvass()
        self.replication.persist_volatile()
        if self.bugs.active("forget-accepted"):
            self.acceptor.expire(now, self.config.election_s)
        if self.gateway.waiting:
            self.requests.tick()

    def stand(self) -> None:
        """Prepare now, whatever the timers say. Always safe: timers only keep the peace."""
        self._roles.moment.advance()
        self.elections.prepare()

    # --- what it looks like from outside ---

    @property
    def leading(self) -> bool:
        return self.proposer.phase is Phase.LEADING

    @property
    def leader_node(self) -> str | None:
        """The leader that this node knows."""
        return name_of(self.leader.node) if self.leader else None

    @property
    def role(self) -> str:
        return "removed" if self._roles.removed() else str(self.proposer.phase)

    def settled(self) -> Remembered | None:
        """This node has been settled before."""
        return None

    def ended(self) -> str | None:
        """Why this node must end: it was removed, and not added again for a while."""
        if not self._roles.configurations.retired:
            return None  # asked at every turn, and true of most clusters
        if not self._roles.removed():
            self._removed_s = None
            return None
        now_s = self._roles.moment.now_s
        if self._removed_s is None:
            self._removed_s = now_s
        if now_s - self._removed_s < self.config.removed_s:
            return None
        name = name_of(self.node)
        return (
            f"{self.node} is a member no longer: it was removed, or another disk took its place;"
            f" to let it come back, start it and PAXOS MEMBERS ADD {name} on a member"
        )

    def recovered(self) -> str:
        """What the node came back with, for its log."""
        return f"{self.applied} slots recovered"

    def facts(self) -> list[tuple[str, str | int]]:
        """Names and values that describe the node."""
        voters = self._roles.configurations.at(self.learner.chosen_upto + 1).voters
        return [
            ("engine", "multi"),
            ("identity", self.node),
            ("role", self.role),
            ("leader", self.leader_node or ""),
            ("ballot", str(self.acceptor.promised)),
            ("chosen_upto", self.learner.chosen_upto),
            ("applied", self.applied),
            ("reads", str(self.config.reads)),
            ("waiting", len(self.gateway.waiting)),
            ("keys", len(self.state.data)),
            ("members", ",".join(f"{node} {role}" for node, _, role in self.members())),
            (
                "voters",
                ",".join(voters),
            ),
        ]

    def dump(self) -> bytes:
        """[slot, ballot or nil if chosen, value] for the last 1,000 slots."""
        rows = []
        first = max(self.learner.compacted, self.learner.chosen_upto - 1000) + 1
        for slot in range(first, self.learner.chosen_upto + 1):
            rows.append(array([integer(slot), NIL, bulk(self.learner.log[slot])]))
        for slot, (ballot, value) in sorted(self.acceptor.accepted.items()):
            rows.append(array([integer(slot), bulk(str(ballot).encode()), bulk(value)]))
        return array(rows)

    def members(self) -> list[tuple[str, str, str]]:
        """(node, address or "", voter | learner | joining | leaving) of the whole cluster."""
        return self._roles.configurations.roles(self.learner.chosen_upto + 1)

    def addresses(self) -> dict[str, str]:
        return self._roles.configurations.addresses

    def agreements(self) -> dict[str, bytes]:
        """Nodes that have applied the same slots must be in the same state."""
        return {f"the state after slot {self.applied}": self.state.snapshot()}

    # --- between input and output ---

    def _handle(self, source: str, message: Message) -> None:
        self._handlers[type(message)](source, message)
        if self.execution.deposed:
            self.execution.deposed = False
            self.elections.step_down()

    def _deliver_to_self(self) -> None:
        to_self, trace = self.outbox.to_self, self._trace
        while to_self:
            message = to_self.popleft()
            if trace is not None:
                if type(message) in trace.sent:
                    trace.message("send", self.node, message)
                if type(message) in trace.received:
                    trace.message("receive", self.node, message)
            self._handle(self.node, message)

    def _pump(self) -> None:
        """Deliver to ourselves, fill free slots of the window, forward, note what was chosen."""
        proposer, config, requests = self.proposer, self.config, self.requests
        to_self = self.outbox.to_self
        # This runs after every event, and mostly finds nothing to do: it looks before it calls.
        while True:
            if to_self:
                self._deliver_to_self()
            if proposer.phase is not Phase.LEADING or not proposer.wants_slot():
                break
            if not proposer.may_open(self.learner.chosen_upto, config.window):
                self.replication.widen()
                break
            self.replication.propose(
                proposer.open_next(
                    config.batch_commands, config.batch_bytes, self._roles.moment.now_s
                )
            )
        if proposer.phase is Phase.LEADING and not self._roles.votes():
            self.replication.retire()
        if requests.asking:
            requests.ask_read_index()
        if requests.polling:
            self.quorum_reads.poll()
        if to_self:
            self._deliver_to_self()
        if self.reading.beat_wanted:
            self.reading.beat_wanted = False
            if proposer.phase is Phase.LEADING and self.leadership.may_beat_early():
                self.replication.heartbeat()
                self.reading.confirm()
                self._deliver_to_self()
        if requests.forwards or requests.replies:
            requests.flush()
        if self.learner.chosen_upto > self._chosen_recorded:
            self._chosen_recorded = self.learner.chosen_upto
            self.outbox.persist(ChosenRecord(self._chosen_recorded))
        if config.snapshot_every and self.snapshots.due():
            self.snapshots.snap()
