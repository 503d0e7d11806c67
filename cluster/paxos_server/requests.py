"""Requests: clients' commands on their way from this node to the leader, and replies back."""

from __future__ import annotations

from .gateway import QUEUE_FULL, Gateway
from .messages import AskReadIndex, Command, Forward, Replies
from .proposer import Phase
from .resp import OK, integer
from .roles import Roles


class Requests:
    """Both ends of the way: the node that a client talks to, and the node that leads. What goes
    to one node is gathered and sent as one message (`flush`)."""

    def __init__(self, roles: Roles) -> None:
        self._config = config = roles.config
        self._node = roles.node
        self._incarnation = roles.incarnation
        self._proposer = roles.proposer
        self._leadership = roles.leadership
        self._outbox = roles.outbox
        self._trace = roles.trace
        self._moment = roles.moment
        self.gateway = Gateway(
            self._node,
            self._incarnation,
            config.queue_limit,
            config.request_timeout_s,
            roles.bugs,
        )
        self._asking: list[int] = []
        self._forwards: list[Command] = []
        self._replies: dict[tuple[str, int], list[tuple[int, bytes]]] = {}

    # --- where the client is ---

    def admit(self, number: int, args: list[bytes], by_read_index: bool) -> None:
        """Take in a client's command, or say at once that too many wait."""
        seq = self.gateway.admit(number, args, self._moment.now_s, by_read_index)
        if seq is None:
            self._outbox.reply(number, QUEUE_FULL)
        else:
            if by_read_index and self._trace is not None:
                self._trace.add("admit", seq)
            self.dispatch(seq)

    def dispatch(self, seq: int) -> None:
        """Send a waiting command on, if a leader is known."""
        leader, now_s = self._leadership.leader, self._moment.now_s
        if leader is None:
            return
        waiting = self.gateway.waiting[seq]
        if waiting.reads:
            waiting.sent, waiting.sent_s = True, now_s
            self._asking.append(seq)
        elif leader.node == self._node:
            self._proposer.enqueue(self.gateway.command(seq, now_s))
        else:
            self._forwards.append(self.gateway.command(seq, now_s))

    def dispatch_all(self) -> None:
        """There is a new leader: it knows of nothing that was sent to a former one."""
        for seq in list(self.gateway.waiting):
            self.dispatch(seq)

    def tick(self) -> None:
        """Send again what has been without an answer for long."""
        if self._leadership.leader is not None:
            for seq in self.gateway.unsent(self._moment.now_s, self._config.retry_s):
                self.dispatch(seq)

    def expire(self) -> None:
        """Give up commands whose time is up."""
        for seq, number, reply in self.gateway.overdue(self._moment.now_s):
            if self._trace is not None:
                self._trace.reply(seq, reply)
            self._outbox.reply(number, reply)

    def reads_waiting(self) -> list[int]:
        """The reads of this node that wait for a read index."""
        return [seq for seq, waiting in self.gateway.waiting.items() if waiting.reads]

    def answer(self, seq: int, reply: bytes) -> None:
        waiting = self.gateway.reply(seq)
        if waiting is not None:
            if self._trace is not None and not waiting.reads:
                self._trace.reply(seq, reply)
            self._outbox.reply(waiting.request, reply)

    def on_replies(self, source: str, message: Replies) -> None:
        if message.incarnation == self._incarnation:
            for seq, reply in message.replies:
                self.answer(seq, reply)

    # --- where the leader is ---

    def on_forward(self, source: str, message: Forward) -> None:
        if self._proposer.phase is Phase.LEADING:
            for command in message.commands:
                if len(self._proposer.queue) < self._config.queue_limit:
                    self._proposer.enqueue(command)

    def executed(self, command: Command, reply: bytes) -> None:
        """Answer the client here, or tell the node that serves it."""
        if self._proposer.phase is Phase.LEADING:
            self._proposer.in_flight.discard((command.origin, command.incarnation, command.seq))
            if command.origin != self._node:
                session = (command.origin, command.incarnation)
                self._replies.setdefault(session, []).append((command.seq, reply))
        if command.origin == self._node and command.incarnation == self._incarnation:
            self.answer(command.seq, reply)

    def executed_blindly(self, command: Command) -> None:
        """Bugs ack-local and reply-by-slot: answer a command though it was not executed."""
        if command.args[0] == b"SET" and len(command.args) == 3:
            self.executed(command, OK)
        elif command.args[0] == b"RPUSH" or command.args[0] == b"SADD":
            self.executed(command, integer(1))

    # --- sending what was gathered ---

    def ask_read_index(self) -> None:
        """Ask the leader how far the reads that came in must see."""
        if self._asking:
            seqs, self._asking = self._asking, []
            leader = self._leadership.leader
            if leader is not None:
                self._outbox.send(leader.node, AskReadIndex(self._incarnation, seqs))

    def flush(self) -> None:
        """Send commands to the leader, and replies to the nodes that serve the clients."""
        if self._forwards:
            commands, self._forwards = self._forwards, []
            leader = self._leadership.leader
            if leader is not None and leader.node != self._node:
                self._outbox.send(leader.node, Forward(commands))
        if self._replies:
            for (origin, incarnation), replies in self._replies.items():
                self._outbox.send(origin, Replies(incarnation, replies))
            self._replies = {}
