"""Requests: clients' commands on their way from this node to the leader, and replies back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from .config import Reads
from .gateway import QUEUE_FULL, Gateway
from .messages import AskReadIndex, Command, Forward, Replies
from .proposer import Phase
from .resp import OK, integer
from .roles import Roles

_T = TypeVar("_T")


class Requests:
    """Both ends of the way: the node that a client talks to, and the node that leads. What goes
    to one node is gathered and sent as one message: `asking` and `polling` are reads, `forwards`
    commands and `replies` answers (by node and its life) that have not left yet."""

    def __init__(self, roles: Roles) -> None:
        self._config = config = roles.config
        self._node = roles.node
        self._incarnation = roles.incarnation
        self._proposer = roles.proposer
        self._configurations = roles.configurations
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
        self.asking: list[int] = []
        self.polling: list[int] = []  # quorum reads that have come and are not asked for yet
        self.forwards: list[Command] = []
        self.replies: dict[tuple[str, int], list[tuple[int, bytes]]] = {}

    # --- where the client is ---

    def admit(self, number: int, args: list[bytes], how: Reads, connection: int) -> int | None:
        """Take in a client's command and number it, or say at once that too many wait.

        What goes through the log keeps the order of its connection by `Command.after`. A read
        past the log would be overtaken by a command behind it, or overtake one before it: where
        a connection has both, its reads go through the log as well.
        """
        gateway = self.gateway
        before = gateway.reads_before(connection)
        if how is Reads.LOG or (gateway.last(connection) and not before):
            how = Reads.LOG
            for seq in before:
                gateway.waiting[seq].how = Reads.LOG
                self.dispatch(seq)
        new = gateway.admit(number, args, self._moment.now_s, how, connection)
        if new is None:
            self._outbox.reply(number, QUEUE_FULL)
        else:
            if how is not Reads.LOG and self._trace is not None:
                self._trace.add("admit", new)
            self.dispatch(new)
        return new

    def dispatch(self, seq: int) -> None:
        """Send a waiting command on, if a leader is known; quorum reads need none."""
        leader, now_s = self._leadership.leader, self._moment.now_s
        waiting = self.gateway.waiting[seq]
        if waiting.how is Reads.QUORUM:
            waiting.sent, waiting.sent_s = True, now_s
            self.polling.append(seq)
        elif leader is None:
            return
        elif waiting.how is Reads.READINDEX:
            waiting.sent, waiting.sent_s = True, now_s
            self.asking.append(seq)
        elif leader.node == self._node:
            self._enqueue(self.gateway.command(seq, now_s))
        else:
            self.forwards.append(self.gateway.command(seq, now_s))

    def dispatch_all(self) -> None:
        """There is a new leader: it knows of nothing that was sent to a former one."""
        for seq, waiting in list(self.gateway.waiting.items()):
            if waiting.how is not Reads.QUORUM:
                self.dispatch(seq)

    def tick(self) -> None:
        """Send again what has been without an answer for long."""
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
        waiting = self.gateway.waiting
        return [seq for seq, command in waiting.items() if command.how is Reads.READINDEX]

    def answer(self, seq: int, reply: bytes) -> None:
        waiting = self.gateway.reply(seq)
        if waiting is not None:
            if self._trace is not None and waiting.how is Reads.LOG:
                refused = reply.startswith(b"-FAIL")  # by the state: the command was chosen
                self._trace.reply(seq, OK if refused else reply)
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
                    self._enqueue(command)

    def _enqueue(self, command: Command) -> None:
        """Propose the command; in the place of a removal that would endanger the cluster, its
        refusal. That goes through the log too, as a copy of the command may be under way already:
        whichever comes first decides for all of them."""
        if command.args[0] == b"MEMBERS" and command.args[1] == b"REMOVE":
            node = command.args[2].decode("utf-8", "replace")
            answering = self._leadership.answering(self._moment.now_s)
            why = self._configurations.endangers(node, answering)
            if why is not None:
                args = [b"MEMBERS", b"REFUSE", command.args[2], why.encode()]
                command = msgspec.structs.replace(command, args=args)
        self._proposer.enqueue(command)

    def executed(self, command: Command, reply: bytes) -> None:
        """Answer the client here, or tell the node that serves it."""
        if self._proposer.phase is Phase.LEADING:
            self._proposer.in_flight.discard((command.origin, command.incarnation, command.seq))
            if command.origin != self._node:
                session = (command.origin, command.incarnation)
                self.replies.setdefault(session, []).append((command.seq, reply))
        if command.origin == self._node and command.incarnation == self._incarnation:
            self.answer(command.seq, reply)

    def too_early(self, command: Command) -> None:
        """The command came before the one that it must follow: it is to be sent again."""
        self._proposer.in_flight.discard((command.origin, command.incarnation, command.seq))
        if command.origin == self._node and command.incarnation == self._incarnation:
            waiting = self.gateway.waiting.get(command.seq)
            if waiting is not None:
                waiting.sent_s = float("-inf")

    def executed_blindly(self, command: Command) -> None:
        """Bugs ack-local and reply-by-slot: answer a command though it was not executed."""
        if command.args[0] == b"SET" and len(command.args) == 3:
            self.executed(command, OK)
        elif command.args[0] == b"RPUSH" or command.args[0] == b"SADD":
            self.executed(command, integer(1))

    # --- sending what was gathered ---

    def ask_read_index(self) -> None:
        """Ask the leader how far the reads that came in must see."""
        seqs, self.asking = self.asking, []
        leader = self._leadership.leader
        if leader is not None:
            self._outbox.send(leader.node, AskReadIndex(self._incarnation, seqs))

    def flush(self) -> None:
        """Send commands to the leader, and replies to the nodes that serve the clients."""
        if self.forwards:
            commands, self.forwards = self.forwards, []
            leader = self._leadership.leader
            if leader is not None and leader.node != self._node:
                for portion in self._portions(commands, lambda c: sum(map(len, c.args))):
                    self._outbox.send(leader.node, Forward(portion))
        if self.replies:
            for (origin, incarnation), replies in self.replies.items():
                for answered in self._portions(replies, lambda r: len(r[1])):
                    self._outbox.send(origin, Replies(incarnation, answered))
            self.replies = {}

    def _portions(self, items: list[_T], size: Callable[[_T], int]) -> list[list[_T]]:
        """The items, divided so that each portion fits into a message."""
        portions: list[list[_T]] = [[]]
        total = 0
        for item in items:
            item_bytes = size(item)
            if total + item_bytes > self._config.message_bytes and portions[-1]:
                portions.append([])
                total = 0
            portions[-1].append(item)
            total += item_bytes
        return portions
