"""Gateway: takes commands from this node's clients to whichever node leads, and their replies
back. The node's life is the client of the log: (node, incarnation) is its session."""

from __future__ import annotations

from .bugs import Bugs
from .messages import Command
from .resp import error


class Waiting:
    """A client's command that has no reply yet."""

    __slots__ = ("args", "deadline_s", "reads", "request", "sent", "sent_s")

    def __init__(self, request: int, args: list[bytes], deadline_s: float, reads: bool) -> None:
        self.reads = reads  # by read index; everything else goes through the log
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
        self._limit = limit
        self._bugs = bugs
        self._timeout_s = timeout_s

    def admit(
        self, request: int, args: list[bytes], now_s: float, reads: bool = False
    ) -> int | None:
        """Number a new command; None when too many wait."""
        if len(self.waiting) >= self._limit:
            return None
        seq = self._next_seq
        self._next_seq += 1
        self.waiting[seq] = Waiting(request, args, now_s + self._timeout_s, reads)
        return seq

    def command(self, seq: int, now_s: float) -> Command:
        """The command, about to leave for a leader: from now on it may happen."""
        waiting = self.waiting[seq]
        waiting.sent = True
        waiting.sent_s = now_s
        ack = next(iter(self.waiting))
        return Command(self.node, self.incarnation, seq, ack, waiting.args)

    def reply(self, seq: int) -> Waiting | None:
        """The command is answered: give who waits for it, once."""
        return self.waiting.pop(seq, None)

    def overdue(self, now_s: float) -> list[tuple[int, int, bytes]]:
        """(seq, request, error) of commands whose time is up."""
        replies: list[tuple[int, int, bytes]] = []
        while self.waiting:
            seq = next(iter(self.waiting))
            waiting = self.waiting[seq]
            if waiting.deadline_s > now_s:
                break
            del self.waiting[seq]
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
