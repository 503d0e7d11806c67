"""Replica: the roles of Multi-Paxos composed into one node, without any input or output.

`step(event)` is the whole interface: an event goes in, and what is to be done comes out:
records to persist, messages to send, replies to clients. Nothing here waits, reads a file or
knows of sockets; the server and the simulator both drive this same code.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from .acceptor import Acceptor
from .ballot import Ballot
from .bugs import NONE, Bugs
from .config import Config, Reads
from .gateway import QUEUE_FULL, Gateway
from .leadership import Leadership
from .learner import Learner
from .membership import Membership
from .messages import (
    NOOP,
    Accept,
    Accepted,
    AcceptRecord,
    AnyMessage,
    AnyRecord,
    AskReadIndex,
    Canvass,
    CatchUp,
    Chosen,
    ChosenRecord,
    Command,
    FetchSnapshot,
    Forward,
    Heartbeat,
    HeartbeatAck,
    LearnRecord,
    Nack,
    Prepare,
    Promise,
    ReadIndex,
    Replies,
    SnapshotChunk,
    Support,
    batch_of,
)
from .ports import Clock
from .proposer import Phase, Proposer
from .readindex import LeaderReads, LocalReads
from .recovery import Remembered
from .resp import OK
from .statemachine import COMMANDS, StateMachine


@dataclass(frozen=True, slots=True)
class Receive:
    """A message arrived."""

    source: str
    message: AnyMessage


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class Durable:
    """All records up to number `lsn` (they count from 1) are on disk."""

    lsn: int


@dataclass(frozen=True, slots=True)
class Request:
    """A client's command, checked (`statemachine.check`); `number` names it in the reply."""

    number: int
    args: list[bytes]


Event = Receive | Tick | Durable | Request


@dataclass(slots=True)
class Output:
    """What an event led to. Records go to the log in this order; when `sync` is set, they must be
    made durable and `Durable(lsn)` be reported. Messages and replies may leave at once. `save`: a
    snapshot to be stored, with the memory that goes on from it, after the records."""

    records: list[AnyRecord] = field(default_factory=list)
    messages: list[tuple[str, AnyMessage]] = field(default_factory=list)
    replies: list[tuple[int, bytes]] = field(default_factory=list)
    sync: bool = False
    lsn: int = 0
    save: Remembered | None = None


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
    ) -> None:
        if bugs.active("lease-wallclock"):
            config = replace(config, reads=Reads.LEASE)
        self.config = config
        self.node = config.node
        self.bugs = bugs
        self.clock = clock
        self.incarnation = memory.incarnation
        self.membership = Membership(config.nodes, bugs, config.q1, config.q2)
        self.acceptor = Acceptor(bugs)
        self.acceptor.promised = memory.promised
        self.acceptor.accepted = memory.accepted
        self.learner = Learner()
        self.proposer = Proposer(self.node, self.incarnation, self.membership, bugs)
        self.proposer.saw(memory.promised)
        self.gateway = Gateway(
            self.node, self.incarnation, config.queue_limit, config.request_timeout_s, bugs
        )
        self.state = StateMachine(bugs)
        self.applied = 0
        self.leader: Ballot | None = None
        self._peers = tuple(n for n in config.nodes if n != self.node)
        self._out = Output()
        self._lsn = 0
        self._durable = 0
        self._awaiting_sync: deque[tuple[int, str, AnyMessage]] = deque()
        self._to_self: deque[AnyMessage] = deque()
        self._forwards: list[Command] = []
        self._asking: list[int] = []
        self._leader_reads = LeaderReads()
        self._local_reads = LocalReads()
        self._beat_wanted = False
        self._replies: dict[tuple[str, int], list[tuple[int, bytes]]] = {}
        self._commands: dict[int, list[Command]] = {}
        self._volatile: list[AcceptRecord] = []
        self._volatile_due_s = 0.0
        self._chosen_recorded = memory.chosen_upto
        self._catch_up_s = -1.0
        self._now = clock.monotonic_s()
        self.leadership = Leadership(config, self.membership, clock, rng, bugs)
        self._snapshot_slot = memory.snapshot_slot
        self._snapshot = memory.snapshot
        self._incoming = bytearray()
        self._incoming_slot = 0
        self._save_due = False
        if memory.snapshot_slot:
            self.state.restore(memory.snapshot)
            self.learner.compact(memory.snapshot_slot)
            self.applied = memory.snapshot_slot
        for slot in range(memory.snapshot_slot + 1, memory.chosen_upto + 1):
            self.learner.learn(slot, memory.chosen[slot])
        self._apply_chosen()
        self._out = Output()

    # --- the interface ---

    def step(self, event: Event) -> Output:
        """Take in one event; give all that follows from it."""
        match event:
            case Receive(source, message):
                self.receive(source, message)
            case Durable(lsn):
                self.durable(lsn)
            case Request(number, args):
                self.request(number, args)
            case Tick():
                self.tick()
        return self.take()

    def take(self) -> Output:
        """What the events since the last call led to. A driver that takes in several events
        before it takes the output gets fuller batches and fewer syncs."""
        self._pump()
        out = self._out
        if self._save_due:
            # Only now: the memory must hold all that this output's records say.
            self._save_due = False
            out.save = self._memory()
        out.lsn = self._lsn
        self._out = Output()
        return out

    def request(self, number: int, args: list[bytes]) -> None:
        self._now = self.clock.monotonic_s()
        if COMMANDS[args[0]].reads and self._read_locally():
            self._out.replies.append((number, self.state.query(args)))
            return
        indexed = self.config.reads is Reads.READINDEX and COMMANDS[args[0]].reads
        seq = self.gateway.admit(number, args, self._now, indexed)
        if seq is None:
            self._out.replies.append((number, QUEUE_FULL))
        else:
            self._dispatch(seq)

    def receive(self, source: str, message: AnyMessage) -> None:
        self._now = self.clock.monotonic_s()
        self._handle(source, message)

    def durable(self, lsn: int) -> None:
        """Answers that waited for their records to be durable may leave now."""
        self._durable = max(self._durable, lsn)
        waiting = self._awaiting_sync
        while waiting and waiting[0][0] <= self._durable:
            _, destination, message = waiting.popleft()
            self._send(destination, message)

    def tick(self) -> None:
        now = self._now = self.clock.monotonic_s()
        self._out.replies += self.gateway.overdue(now)
        leadership = self.leadership
        match self.proposer.phase:
            case Phase.LEADING:
                if leadership.lost(now):
                    self._step_down()
                else:
                    if leadership.beat_due(now):
                        self._heartbeat()
                    self._resend()
            case Phase.PREPARING:
                if leadership.timed_out(now):
                    self._step_down()
            case Phase.IDLE:
                if leadership.timed_out(now):
                    self._canvass()
        if self._volatile and now >= self._volatile_due_s:
            records, self._volatile = self._volatile, []
            for record in records:
                self._persist(record)
        if self.leader is not None:
            for seq in self.gateway.unsent(now, self.config.retry_s):
                self._dispatch(seq)

    # --- reads ---

    def _read_locally(self) -> bool:
        """May a read be answered from this replica's state, now?"""
        if self.bugs.active("local-read") or self.config.reads is Reads.LOCAL:
            return True
        if self.proposer.phase is not Phase.LEADING or self.applied < self.proposer.own_first_slot:
            return False
        if self.bugs.active("leader-read"):
            return True
        return self.config.reads is Reads.LEASE and self.leadership.leased(self._now)

    def _on_ask_read_index(self, source: str, message: AskReadIndex) -> None:
        """Whoever leads may answer only when the no-op that opened its ballot is chosen: until
        then it need not know of all that former leaders answered."""
        if self.proposer.phase is not Phase.LEADING:
            return
        if self.applied >= self.proposer.own_first_slot or self.bugs.active("early-read"):
            slot = self.learner.chosen_upto
            beat = self.leadership.next_beat()
            self._leader_reads.ask(beat, source, message.incarnation, message.seqs, slot)
            self._beat_wanted = True

    def _confirm_reads(self) -> None:
        if self._leader_reads.waiting():
            for asked in self._leader_reads.confirmed(self.leadership.quorum_beat()):
                self._send(asked.source, ReadIndex(asked.incarnation, asked.seqs, asked.slot))

    def _on_read_index(self, source: str, message: ReadIndex) -> None:
        if message.incarnation == self.incarnation:
            self._local_reads.add(message.slot, message.seqs)
            self._answer_reads()

    def _answer_reads(self) -> None:
        for seq in self._local_reads.ready(self.applied):
            waiting = self.gateway.waiting.get(seq)
            if waiting is not None:
                self._answer(seq, self.state.query(waiting.args))

    # --- requests on their way to the leader ---

    def _dispatch(self, seq: int) -> None:
        if self.leader is None:
            return
        waiting = self.gateway.waiting[seq]
        if waiting.reads:
            waiting.sent, waiting.sent_s = True, self._now
            self._asking.append(seq)
        elif self.leader.node == self.node:
            self.proposer.enqueue(self.gateway.command(seq, self._now))
        else:
            self._forwards.append(self.gateway.command(seq, self._now))

    def _follow(self, ballot: Ballot) -> None:
        """The leader of `ballot` lives."""
        self.leadership.heard(self._now)
        if self.leader != ballot:
            self.leader = ballot
            for seq in list(self.gateway.waiting):
                self._dispatch(seq)

    def _on_forward(self, source: str, message: Forward) -> None:
        if self.proposer.phase is Phase.LEADING:
            for command in message.commands:
                if len(self.proposer.queue) < self.config.queue_limit:
                    self.proposer.enqueue(command)

    def _on_replies(self, source: str, message: Replies) -> None:
        if message.incarnation == self.incarnation:
            for seq, reply in message.replies:
                self._answer(seq, reply)

    def _answer(self, seq: int, reply: bytes) -> None:
        waiting = self.gateway.reply(seq)
        if waiting is not None:
            self._out.replies.append((waiting.request, reply))

    # --- elections ---

    def _canvass(self) -> None:
        if not self.config.canvass:
            self._prepare()
            return
        ballot = Ballot(self.proposer.highest_seen.round + 1, self.node, self.incarnation)
        self.leader = None
        self.leadership.canvass(ballot, self._now)
        for peer in self._peers:
            self._send(peer, Canvass(ballot))
        self._on_support(self.node, Support(ballot))

    def _on_canvass(self, source: str, message: Canvass) -> None:
        if self.proposer.phase is not Phase.LEADING and self.leadership.leaderless(self._now):
            self._send(source, Support(message.ballot))

    def _on_support(self, source: str, message: Support) -> None:
        if self.proposer.phase is Phase.IDLE and self.leadership.supported(source, message.ballot):
            self._prepare()

    def _prepare(self) -> None:
        self._step_down()
        ballot = self.proposer.prepare(self.learner.chosen_upto + 1)
        message = Prepare(ballot, self.proposer.from_slot)
        for node in self.config.nodes:
            self._send(node, message)

    def _on_prepare(self, source: str, message: Prepare) -> None:
        self.proposer.saw(message.ballot)
        if self.config.reads is Reads.LEASE and not self.leadership.leaderless(self._now):
            return  # a lease that this acceptor granted may still run
        record = self.acceptor.promise(message.ballot)
        if record is None:
            self._send(source, Nack(message.ballot, self.acceptor.promised, 0))
            return
        if message.ballot != self.proposer.ballot:
            self._step_down()
        self.leader = None
        self.leadership.postpone(self._now)
        promise = self._promise(message)
        if self.bugs.active("volatile-promise"):
            self._send(source, promise)
        else:
            self._persist(record, sync=True)
            self._send_when_durable(source, promise)

    def _promise(self, message: Prepare) -> Promise:
        start = message.from_slot
        chosen_upto = self.learner.chosen_upto
        values = self.learner.values(start, self.config.message_bytes)
        if self.bugs.active("promise-omits-chosen"):
            values, chosen_upto = [], 0
        return Promise(
            message.ballot,
            start,
            [
                (slot, ballot, value)
                for slot, (ballot, value) in sorted(self.acceptor.accepted.items())
                if slot >= start
            ],
            list(enumerate(values, start)),
            chosen_upto,
        )

    def _on_promise(self, source: str, message: Promise) -> None:
        if self.proposer.promise(source, message):
            self._lead()

    def _lead(self) -> None:
        promises = self.proposer.promises
        best = max(promises, key=lambda node: (promises[node].chosen_upto, node))
        for promise in promises.values():
            for slot, value in promise.chosen:
                self._learn(slot, value)
        chosen_upto = max(self.learner.chosen_upto, promises[best].chosen_upto)
        self.proposer.lead(chosen_upto, self.proposer.adopt(chosen_upto), self._now)
        self.leadership.won(self._now)
        self._apply_chosen()
        if chosen_upto > self.learner.chosen_upto:
            self._send(best, CatchUp(self.learner.chosen_upto + 1))
        for slot in list(self.proposer.open):
            self._propose(slot)
        self._heartbeat()
        self._follow(self.proposer.ballot)

    def _step_down(self) -> None:
        if self.proposer.phase is Phase.IDLE:
            return
        self.proposer.step_down()
        self._leader_reads.clear()
        self._commands.clear()
        self.leader = None
        self.leadership.postpone(self._now)

    def _on_nack(self, source: str, message: Nack) -> None:
        self.proposer.saw(message.promised)
        if message.ballot != self.proposer.ballot or self.proposer.phase is Phase.IDLE:
            return
        if self.bugs.active("nack-as-ack") and message.slot:
            self._on_accepted(source, Accepted(message.promised, message.slot))
        elif message.promised > message.ballot:
            self._step_down()

    # --- phase 2 ---

    def _propose(self, slot: int) -> None:
        message = self.proposer.accept_message(slot, self.learner.chosen_upto)
        proposal = self.proposer.open[slot]
        if proposal.commands is not None:
            self._commands[slot] = proposal.commands
            if self.bugs.active("ack-local"):
                self._acknowledge_locally(proposal.commands)
        for node in self._accept_targets():
            self._send(node, message)

    def _accept_targets(self) -> tuple[str, ...]:
        """Any majority will do, so that all are asked: promisers or not."""
        if self.bugs.active("accept-promisers-only"):
            return tuple(self.proposer.promises)
        return self.config.nodes

    def _acknowledge_locally(self, commands: list[Command]) -> None:
        for command in commands:
            if command.args[0] == b"SET" and len(command.args) == 3:
                self._reply(command, OK)

    def _on_accept(self, source: str, message: Accept) -> None:
        ballot, slot = message.ballot, message.slot
        self.proposer.saw(ballot)
        record = self.acceptor.accept(
            slot, ballot, message.value, open_=slot > self.learner.chosen_upto
        )
        if record is None:
            self._send(source, Nack(ballot, self.acceptor.promised, slot))
            return
        if ballot != self.proposer.ballot:
            self._step_down()
        self._follow(ballot)
        if self.bugs.active("volatile-accept"):
            if not self._volatile:
                self._volatile_due_s = self._now + self.config.volatile_s
            self._volatile.append(record)
            self._send(source, Accepted(ballot, slot))
        else:
            self._persist(record, sync=True)
            self._send_when_durable(source, Accepted(ballot, slot))
        if source != self.node:
            self._on_chosen_upto(ballot, message.chosen_upto)

    def _on_accepted(self, source: str, message: Accepted) -> None:
        proposal = self.proposer.accepted(source, message.ballot, message.slot)
        if proposal is not None:
            self._learn(message.slot, proposal.value)
            self._apply_chosen()

    def _heartbeat(self) -> None:
        beat = self.leadership.beat(self._now)
        message = Heartbeat(self.proposer.ballot, self.learner.chosen_upto, beat)
        for peer in self._peers:
            self._send(peer, message)

    def _on_heartbeat(self, source: str, message: Heartbeat) -> None:
        ballot = message.ballot
        self.proposer.saw(ballot)
        if ballot < self.acceptor.promised:
            self._send(source, Nack(ballot, self.acceptor.promised, 0))
            return
        if ballot != self.proposer.ballot:
            self._step_down()
        self._follow(ballot)
        self._send(source, HeartbeatAck(ballot, message.beat, self.learner.chosen_upto))
        self._on_chosen_upto(ballot, message.chosen_upto)

    def _on_heartbeat_ack(self, source: str, message: HeartbeatAck) -> None:
        if self.proposer.phase is Phase.LEADING and message.ballot == self.proposer.ballot:
            self.leadership.acknowledged(source, message.beat)
            self._confirm_reads()

    def _resend(self) -> None:
        """Accepts may be lost: send those again that have waited long for a quorum."""
        overdue_s = self._now - self.config.resend_s
        for slot, proposal in self.proposer.open.items():
            if proposal.sent_s <= overdue_s:
                proposal.sent_s = self._now
                message = self.proposer.accept_message(slot, self.learner.chosen_upto)
                for node in self._accept_targets():
                    if node not in proposal.acceptors:
                        self._send(node, message)

    # --- learning ---

    def _on_chosen_upto(self, ballot: Ballot, upto: int) -> None:
        """The leader of `ballot` knows the slots up to `upto` to be chosen. What was accepted
        here under that very ballot is what was chosen (one value a slot and ballot); the rest
        must be fetched."""
        learner, accepted = self.learner, self.acceptor.accepted
        while learner.chosen_upto < upto:
            slot = learner.chosen_upto + 1
            known = accepted.get(slot)
            if known is None or known[0] != ballot:
                self._catch_up(ballot.node)
                break
            self._learn(slot, known[1])
        self._apply_chosen()

    def _catch_up(self, source: str) -> None:
        if self._now - self._catch_up_s >= self.config.heartbeat_s / 2:
            self._catch_up_s = self._now
            self._send(source, CatchUp(self.learner.chosen_upto + 1))

    def _on_catch_up(self, source: str, message: CatchUp) -> None:
        if message.from_slot <= self.learner.compacted:
            self._send_chunk(source, 0)
            return
        values = self.learner.values(message.from_slot, self.config.message_bytes)
        if values:
            self._send(source, Chosen(message.from_slot, values, self.learner.chosen_upto))

    def _on_chosen(self, source: str, message: Chosen) -> None:
        if message.first_slot > self.learner.chosen_upto + 1:
            return
        for slot, value in enumerate(message.values, message.first_slot):
            self._learn(slot, value)
        self._apply_chosen()
        if message.chosen_upto > self.learner.chosen_upto:
            self._catch_up_s = self._now
            self._send(source, CatchUp(self.learner.chosen_upto + 1))

    # --- snapshots ---

    def take_snapshot(self) -> None:
        """Have the state stored, and forget the log that led to it, but for a tail that spares
        those who are little behind a whole snapshot."""
        self._keep_snapshot(self.applied, self.state.snapshot())
        self.learner.compact(self.applied - self.config.snapshot_every // 2)

    def _keep_snapshot(self, slot: int, snapshot: bytes) -> None:
        self._snapshot_slot, self._snapshot = slot, snapshot
        self._save_due = True

    def _memory(self) -> Remembered:
        """Everything that must survive, as of now."""
        learner, slot = self.learner, self._snapshot_slot
        return Remembered(
            self.incarnation,
            self.acceptor.promised,
            dict(self.acceptor.accepted),
            {s: learner.log[s] for s in range(slot + 1, learner.chosen_upto + 1)},
            learner.chosen_upto,
            slot,
            self._snapshot,
        )

    def _send_chunk(self, destination: str, offset: int) -> None:
        data = self._snapshot[offset : offset + self.config.snapshot_chunk_bytes]
        total = len(self._snapshot)
        self._send(destination, SnapshotChunk(self._snapshot_slot, offset, total, data))

    def _on_fetch_snapshot(self, source: str, message: FetchSnapshot) -> None:
        self._send_chunk(source, message.offset if message.slot == self._snapshot_slot else 0)

    def _on_snapshot_chunk(self, source: str, message: SnapshotChunk) -> None:
        if message.slot <= self.applied:
            return
        if message.slot != self._incoming_slot:
            self._incoming_slot = message.slot
            self._incoming = bytearray()
        if message.offset == len(self._incoming):
            self._incoming += message.data
        if len(self._incoming) < message.total:
            self._catch_up_s = self._now
            self._send(source, FetchSnapshot(message.slot, len(self._incoming)))
            return
        snapshot, self._incoming = bytes(self._incoming), bytearray()
        self._incoming_slot = 0
        self.state.restore(snapshot)
        for slot in range(self.applied + 1, message.slot + 1):
            self.acceptor.forget(slot)
            self._commands.pop(slot, None)
        self.learner.compact(message.slot)
        self.applied = message.slot
        self._apply_chosen()
        self._keep_snapshot(message.slot, snapshot)
        self._send(source, CatchUp(self.learner.chosen_upto + 1))

    def _learn(self, slot: int, value: bytes) -> None:
        if self.learner.is_chosen(slot):
            return
        accepted = self.acceptor.accepted.get(slot)
        if accepted is None or accepted[1] != value:
            self._persist(LearnRecord(slot, value))
        self.learner.learn(slot, value)

    def _apply_chosen(self) -> None:
        """Execute what is chosen, in order and without gaps."""
        learner, state = self.learner, self.state
        while self.applied < learner.chosen_upto:
            slot = self.applied + 1
            value = learner.log[slot]
            commands = self._commands.pop(slot, None)
            if commands is None and value != NOOP:
                commands = batch_of(value)
            for command in commands or ():
                self._reply(command, state.apply(command))
            self.acceptor.forget(slot)
            self.applied = slot
        self._answer_reads()

    def _reply(self, command: Command, reply: bytes) -> None:
        """Answer the client here, or tell the node that serves it."""
        if self.proposer.phase is Phase.LEADING:
            self.proposer.in_flight.discard((command.origin, command.incarnation, command.seq))
            if command.origin != self.node:
                session = (command.origin, command.incarnation)
                self._replies.setdefault(session, []).append((command.seq, reply))
        if command.origin == self.node and command.incarnation == self.incarnation:
            self._answer(command.seq, reply)

    # --- output ---

    def _persist(self, record: AnyRecord, sync: bool = False) -> None:
        self._out.records.append(record)
        self._lsn += 1
        if sync:
            self._out.sync = True

    def _send_when_durable(self, destination: str, message: AnyMessage) -> None:
        self._awaiting_sync.append((self._lsn, destination, message))

    def _send(self, destination: str, message: AnyMessage) -> None:
        if destination == self.node:
            self._to_self.append(message)
        else:
            self._out.messages.append((destination, message))

    def _handle(self, source: str, message: AnyMessage) -> None:
        _HANDLERS[type(message)](self, source, message)

    def _pump(self) -> None:
        """Deliver to ourselves, fill free slots of the window, forward, note what was chosen."""
        proposer, config = self.proposer, self.config
        while True:
            while self._to_self:
                self._handle(self.node, self._to_self.popleft())
            if proposer.phase is not Phase.LEADING or not proposer.queue:
                break
            if len(proposer.open) >= config.window:
                break
            self._propose(
                proposer.next_batch(config.batch_commands, config.batch_bytes, self._now)
            )
        if self._asking:
            seqs, self._asking = self._asking, []
            if self.leader is not None:
                self._send(self.leader.node, AskReadIndex(self.incarnation, seqs))
                while self._to_self:
                    self._handle(self.node, self._to_self.popleft())
        if self._beat_wanted:
            self._beat_wanted = False
            if proposer.phase is Phase.LEADING and self.leadership.may_beat_early():
                self._heartbeat()
                self._confirm_reads()
                while self._to_self:
                    self._handle(self.node, self._to_self.popleft())
        if self._forwards:
            commands, self._forwards = self._forwards, []
            if self.leader is not None and self.leader.node != self.node:
                self._send(self.leader.node, Forward(commands))
        if self._replies:
            for (origin, incarnation), replies in self._replies.items():
                self._send(origin, Replies(incarnation, replies))
            self._replies = {}
        if self.learner.chosen_upto > self._chosen_recorded:
            self._chosen_recorded = self.learner.chosen_upto
            self._persist(ChosenRecord(self._chosen_recorded))
        every = config.snapshot_every
        if every and self.applied - self._snapshot_slot >= every:
            self.take_snapshot()


_HANDLERS: dict[type, Callable[[Replica, str, Any], None]] = {
    Prepare: Replica._on_prepare,
    Promise: Replica._on_promise,
    Accept: Replica._on_accept,
    Accepted: Replica._on_accepted,
    Nack: Replica._on_nack,
    Heartbeat: Replica._on_heartbeat,
    HeartbeatAck: Replica._on_heartbeat_ack,
    Canvass: Replica._on_canvass,
    Support: Replica._on_support,
    CatchUp: Replica._on_catch_up,
    Chosen: Replica._on_chosen,
    SnapshotChunk: Replica._on_snapshot_chunk,
    FetchSnapshot: Replica._on_fetch_snapshot,
    Forward: Replica._on_forward,
    Replies: Replica._on_replies,
    AskReadIndex: Replica._on_ask_read_index,
    ReadIndex: Replica._on_read_index,
}
