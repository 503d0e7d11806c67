"""Reading: consistent reads by comparing versions, served by any node, without leader or lease.

A write that was answered has been accepted by a quorum, and every quorum of readers has a member
of it: if nobody in a quorum has accepted a version later than the one that is known here to be
chosen, then no later one was answered before the question left, and this one may be served. Else
the later version is fetched, or, where it is only pending, learnt: from the acceptors' proposals,
if these show what is chosen, and else by running a proposal (`Writing.settle`).
"""

from __future__ import annotations

from ..gateway import QUEUE_FULL
from ..resp import error
from .catchup import CatchingUp
from .commands import query
from .learner import Learner
from .messages import AskVersion, Version
from .parts import Parts
from .writing import Writing

NOT_READ = error("FAIL no quorum of nodes answered in time; nothing was read")


class Read:
    """A client's read that has no reply yet."""

    __slots__ = ("args", "deadline_s", "request")

    def __init__(self, request: int, args: list[bytes], deadline_s: float) -> None:
        self.request = request
        self.args = args
        self.deadline_s = deadline_s


class Poll:
    """A question to all nodes for the version of a key, and the reads that wait for the answer:
    those that were there when it left. `pending`: a version found pending by the poll before, or,
    once there is `again_s`, by this one: then it is time to ask anew."""

    __slots__ = ("again_s", "answers", "number", "pending", "reads", "resend_s")

    def __init__(self, number: int, reads: list[Read], pending: int) -> None:
        self.number = number
        self.reads = reads
        self.answers: dict[str, Version] = {}
        self.resend_s = 0.0
        self.again_s: float | None = None
        self.pending = pending


class Reading:
    """At most one poll a key; reads that come meanwhile wait for the next."""

    def __init__(self, parts: Parts, catching_up: CatchingUp, writing: Writing) -> None:
        self.waiting = 0
        self._parts = parts
        self._config = parts.config
        self._keys = parts.keys
        self._outbox = parts.outbox
        self._moment = parts.moment
        self._catching_up = catching_up
        self._writing = writing
        self._tracing = parts.tracing
        self._polls: dict[bytes, Poll] = {}
        self._next: dict[bytes, list[Read]] = {}
        self._number = 0

    def request(self, number: int, key: bytes, args: list[bytes]) -> None:
        """Have a read answered."""
        if self.waiting >= self._config.queue_limit:
            self._outbox.reply(number, QUEUE_FULL)
            return
        self.waiting += 1
        if self._tracing is not None:
            self._tracing.admit(number, key)
        read = Read(number, args, self._moment.now_s + self._config.request_timeout_s)
        self._next.setdefault(key, []).append(read)
        if key not in self._polls:
            self._ask(key, self._next.pop(key))

    def _ask(self, key: bytes, reads: list[Read], pending: int = 0) -> None:
        self._number += 1
        self._polls[key] = Poll(self._number, reads, pending)
        self._send(key, self._polls[key])

    def _send(self, key: bytes, poll: Poll) -> None:
        poll.resend_s = self._moment.now_s + self._config.resend_s
        question = AskVersion(key, self._parts.incarnation, poll.number)
        for node in self._parts.nodes:
            if node not in poll.answers:
                self._outbox.send(node, question)

    def on_version(self, source: str, message: Version) -> None:
        poll = self._polls.get(message.key)
        if (
            poll is not None
            and message.poll == poll.number
            and message.incarnation == self._parts.incarnation
        ):
            poll.answers[source] = message
            self._conclude(message.key, poll)

    def learnt(self, key: bytes) -> None:
        """The key has advanced."""
        poll = self._polls.get(key)
        if poll is not None:
            self._conclude(key, poll)

    def _conclude(self, key: bytes, poll: Poll) -> None:
        """Answer the reads if the answers of a quorum allow it; else do what is missing."""
        answers = poll.answers
        if not self._parts.membership.phase1(answers):
            return
        state = self._keys.get(key)
        known = 0 if state is None else state.version
        ahead = max(answers, key=lambda node: answers[node].version)
        pending = max(v.version + (v.accepted is not None) for v in answers.values())
        if pending <= known:
            self._serve(key, poll)
        elif answers[ahead].version > known:
            self._catching_up.behind(ahead, key)
        elif poll.again_s is None:
            self._learn(key, poll, pending)

    def _learn(self, key: bytes, poll: Poll, pending: int) -> None:
        """The version after the one known here is accepted by somebody, and perhaps chosen."""
        learner = Learner(self._parts.membership.phase2, self._parts.bugs)
        for node, answer in poll.answers.items():
            accepted = answer.accepted if answer.version + 1 == pending else None
            if accepted is not None and learner.accepted(node, *accepted):
                self._keys.learn(key, accepted[1])  # comes back to `learnt`
                return
        if poll.pending == pending:
            self._writing.settle(key, pending, max(read.deadline_s for read in poll.reads))
        else:
            # Whoever proposes it is likely to be at work: do not thwart him at once.
            poll.pending = pending
            poll.again_s = self._moment.now_s + self._config.backoff_s * (
                1 + self._parts.rng.random()
            )

    def _serve(self, key: bytes, poll: Poll) -> None:
        state = self._keys.get(key)
        value = None if state is None or state.chosen is None else state.chosen.value
        version = 0 if state is None else state.version
        for read in poll.reads:
            self.waiting -= 1
            if self._tracing is not None:
                self._tracing.read(read.request, key, version)
            self._outbox.reply(read.request, query(key, value, read.args))
        self._close(key)

    def _close(self, key: bytes) -> None:
        """The poll is over; the next one may begin."""
        del self._polls[key]
        reads = self._next.pop(key, None)
        if reads:
            self._ask(key, reads)

    def tick(self) -> None:
        now_s = self._moment.now_s
        for key, reads in list(self._next.items()):
            self._next[key] = self._expire(reads)
        for key, poll in list(self._polls.items()):
            poll.reads = self._expire(poll.reads)
            if not poll.reads:
                self._close(key)
            elif poll.again_s is not None and now_s >= poll.again_s:
                # The same reads: the question begins after them, so it will do for them.
                self._ask(key, poll.reads, poll.pending)
            elif now_s >= poll.resend_s:
                self._send(key, poll)
                if poll.again_s is None:
                    self._conclude(key, poll)

    def _expire(self, reads: list[Read]) -> list[Read]:
        left = []
        for read in reads:
            if read.deadline_s <= self._moment.now_s:
                self.waiting -= 1
                self._outbox.reply(read.request, NOT_READ)
            else:
                left.append(read)
        return left
