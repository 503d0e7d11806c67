"""Gateway: takes commands from this node's clients to whichever node leads, and their replies
back. The node's life is the client of the log: (node, incarnation) is its session."""

from __future__ import annotations

from .bugs import Bugs
from .config import Reads
from .messages import Command
from .resp import error


class Waiting:
    """A client's command that has no reply yet. `how`: LOG for all that goes through the log.
    `after`: the command before it on its connection, 0 for none."""

    __slots__ = ("after", "args", "connection", "deadline_s", "how", "request", "sent", "sent_s")

    def __init__(
        self,
        request: int,
        args: list[bytes],
        deadline_s: float,
        how: Reads,
        connection: int,
        after: int,
    ) -> None:
        self.how = how
        self.connection = connection
        self.after = after
        self.request = request
        self.args = args
        self.deadline_s = deadline_s
        self.sent = False
        self.sent_s = 0.0


class Gateway:
    """Commands in order of their numbers, which is also the order of their deadlines."""

    def __init__(
        self, node: str, incarnation: int, limit: int, timeout_s: float, bugs: Bugs
    ) -> None:
        self.node = node
        self.incarnation = incarnation
        self.waiting: dict[int, Waiting] = {}
        self._next_seq = 1
        self._last: dict[int, int] = {}  # connection -> its last command that waits
        self._limit = limit
        self._bugs = bugs
        self._timeout_s = timeout_s

    def admit(
        self,
        request: int,
        args: list[bytes],
        now_s: float,
        how: Reads = Reads.LOG,
        connection: int = 0,
    ) -> int | None:
        """Number a new command; None when too many wait."""
        if len(self.waiting) >= self._limit:
            return None
        seq = self._next_seq
        self._next_seq += 1
        after = self.last(connection)
        if connection:
            self._last[connection] = seq
        self.waiting[seq] = Waiting(request, args, now_s + self._timeout_s, how, connection, after)
        return seq

    def last(self, connection: int) -> int:
        """The connection's last command that has no reply yet; 0 for none."""
        return self._last.get(connection, 0)

    def reads_before(self, connection: int) -> list[int]:
        """The connection's reads past the log that wait behind no other command, oldest first."""
        reads: list[int] = []
        seq = self.last(connection)
        while seq in self.waiting and self.waiting[seq].how is not Reads.LOG:
            reads.append(seq)
            seq = self.waiting[seq].after
        return reads[::-1]

    def command(self, seq: int, now_s: float) -> Command:
        """The command, about to leave for a leader: from now on it may happen."""
        waiting = self.waiting[seq]
        waiting.sent = True
        waiting.sent_s = now_s
        ack = next(iter(self.waiting))
        after = waiting.after if waiting.after in self.waiting else 0
        return Command(self.node, self.incarnation, seq, ack, waiting.args, after)

    def reply(self, seq: int) -> Waiting | None:
        """The command is answered: give who waits for it, once."""
        waiting = self.waiting.pop(seq, None)
        if waiting is not None and self._last.get(waiting.connection) == seq:
            del self._last[waiting.connection]
        return waiting

    def overdue(self, now_s: float) -> list[tuple[int, int, bytes]]:
        """(seq, request, error) of commands whose time is up."""
        replies: list[tuple[int, int, bytes]] = []
        while self.waiting:
            seq = next(iter(self.waiting))
            waiting = self.waiting[seq]
            if waiting.deadline_s > now_s:
                break
            self.reply(seq)
            unknown = waiting.sent and not self._bugs.active("timeout-as-fail")
            replies.append((seq, waiting.request, UNANSWERED if unknown else NO_LEADER))
        return replies

    def unsent(self, now_s: float, retry_s: float) -> list[int]:
        """Commands that never left, or have been without an answer for long."""
        return [
            seq
            for seq, waiting in self.waiting.items()
            if not waiting.sent or now_s - waiting.sent_s >= retry_s
        ]


UNANSWERED = error("UNKNOWN no answer in time; the command may have happened or may yet happen")
NO_LEADER = error("FAIL no leader known; the command was not sent")
QUEUE_FULL = error("FAIL too many commands wait; the command was not sent")
