"""Writing: this node's clients' commands, brought into the log of their key.

One proposal a key at a time: the commands that wait are run on the last chosen value, and what
comes out is proposed as the next version. Where another node's entry is chosen instead, they are
run again on that one. So a command happens once: it is proposed for version i + 1 only when it is
known, from the entry chosen for version i or from `Entry.done` of a later one, not to have
happened before.
"""

from __future__ import annotations

from collections import deque

from ..ballot import Ballot
from ..gateway import QUEUE_FULL
from ..messages import Message
from ..resp import error
from .commands import Scratch
from .keys import Key
from .learner import Learner
from .messages import Accept, Accepted, Decided, Entry, Prepare, Promise, Refused, Stamp
from .parts import Parts
from .single import Phase, Proposer

UNANSWERED = error("UNKNOWN no answer in time; the command may have happened or may yet happen")
NOT_DONE = error("FAIL no quorum of nodes answered in time; the command did not happen")

FAST_ROUND = 1
"""The round of a proposal without phase 1, below all others; reserved to the node whose entry is
the one before."""


class Waiting:
    """A client's command."""

    __slots__ = ("answered", "args", "deadline_s", "reads", "reply", "request")

    def __init__(self, request: int, args: list[bytes], deadline_s: float, reads: bool) -> None:
        self.request = request
        self.args = args
        self.deadline_s = deadline_s
        self.reads = reads
        self.answered = False
        self.reply = b""


class Attempt:
    """A proposal for the next version of a key. `batch` is taken from the queue when the acceptors
    have left the choice to us: until then its commands can still be refused. It is empty, too,
    where the only aim is to learn what is being chosen. `sent`: what was proposed under
    which ballot."""

    __slots__ = ("batch", "learner", "previous", "proposer", "resend_s", "resume_s", "sent",
                 "version")  # fmt: skip

    def __init__(
        self, proposer: Proposer[Entry], learner: Learner, version: int, previous: Stamp | None
    ) -> None:
        self.proposer = proposer
        self.learner = learner
        self.version = version
        self.batch: list[Waiting] = []
        self.previous = previous
        self.sent: dict[Ballot, Entry] = {}
        self.resend_s = 0.0
        self.resume_s = 0.0  # when an idle proposer takes its next ballot


class Work:
    """What this node does for one key: `settle_s` is the time until which somebody wants version
    `settle` decided."""

    __slots__ = ("attempt", "losses", "queue", "resume_s", "settle", "settle_s")

    def __init__(self) -> None:
        self.queue: deque[Waiting] = deque()
        self.attempt: Attempt | None = None
        self.losses = 0
        self.resume_s = 0.0
        self.settle = 0
        self.settle_s = 0.0


class Writing:
    """The proposers of all keys. Only keys with something to do have a `Work`."""

    def __init__(self, parts: Parts) -> None:
        self.waiting = 0
        self._parts = parts
        self._config = parts.config
        self._node = parts.node
        self._incarnation = parts.incarnation
        self._keys = parts.keys
        self._outbox = parts.outbox
        self._moment = parts.moment
        self._membership = parts.membership
        self._tracing = parts.tracing
        self._works: dict[bytes, Work] = {}
        self._numbers = 0

    # --- what is wanted ---

    def busy(self, key: bytes) -> bool:
        """Do commands for the key wait here?"""
        work = self._works.get(key)
        return work is not None and bool(work.queue or (work.attempt and work.attempt.batch))

    def request(self, number: int, key: bytes, args: list[bytes], reads: bool) -> None:
        """Have a command executed and answered."""
        if self.waiting >= self._config.queue_limit:
            self._outbox.reply(number, QUEUE_FULL)
            return
        self.waiting += 1
        deadline_s = self._moment.now_s + self._config.request_timeout_s
        work = self._works.setdefault(key, Work())
        work.queue.append(Waiting(number, args, deadline_s, reads))
        self._go_on(key, work)

    def settle(self, key: bytes, version: int, until_s: float) -> None:
        """A learner wants to know what is chosen for `version`: run a proposal to find out. It
        finishes what may have been chosen, or else has the old value chosen anew."""
        work = self._works.setdefault(key, Work())
        work.settle, work.settle_s = version, max(work.settle_s, until_s)
        self._go_on(key, work)

    def stand(self) -> None:
        """Take a new ballot for some key now, one with work if there is any. Always safe."""
        keys = self._works or self._keys.order
        if not keys:
            return
        key = min(keys)
        state, work = self._keys.open(key), self._works.get(key)
        if work is not None and work.attempt is not None:
            self._prepare(key, state, work.attempt)
        else:
            self.settle(key, state.version + 1, self._moment.now_s + self._config.resend_s)

    # --- proposing ---

    def _go_on(self, key: bytes, work: Work) -> None:
        """Begin the next attempt, if there is a reason for one."""
        if work.attempt is not None or self._moment.now_s < work.resume_s:
            return
        state = self._keys.open(key)
        learn_only = work.settle > state.version and self._moment.now_s < work.settle_s
        if not work.queue and not learn_only:
            del self._works[key]
            return
        proposer: Proposer[Entry] = Proposer(self._membership.phase1)
        learner = Learner(self._membership.phase2, self._parts.bugs)
        work.attempt = attempt = Attempt(proposer, learner, state.version + 1, state.stamp)
        if not learn_only and self._may_skip_prepare(state):
            state.rounds = FAST_ROUND
            proposer.skip_prepare(Ballot(FAST_ROUND, self._node, self._incarnation))
            self._accept(key, work, attempt)
        else:
            self._prepare(key, state, attempt)

    def _entry(self, key: bytes, state: Key, batch: list[Waiting]) -> Entry:
        """What the batch makes of the last chosen value."""
        last = state.chosen
        scratch = Scratch(key, None if last is None else last.value)
        for waiting in batch:
            waiting.reply = scratch.run(waiting.args)
        self._numbers += 1
        stamp = Stamp(self._node, self._incarnation, self._numbers)
        others = () if last is None else last.done
        done = sorted([*(s for s in others if s.node != self._node), stamp])
        return Entry(state.version + 1, stamp, scratch.value(), done)

    def _may_skip_prepare(self, state: Key) -> bool:
        """Is the fast ballot of the next version ours, and unused? It belongs to the life of the
        node whose entry is the one before: that entry is chosen, so there is one such node."""
        if state.rounds:
            return False
        if self._parts.bugs.active("fast-accept-any"):
            return True
        if state.acceptor.promised.round > FAST_ROUND:
            return False  # somebody has prepared already: it would be refused
        stamp = state.stamp
        return stamp is not None and stamp[:2] == (self._node, self._incarnation)

    def _prepare(self, key: bytes, state: Key, attempt: Attempt) -> None:
        state.rounds = max(state.rounds, state.acceptor.promised.round, FAST_ROUND) + 1
        attempt.proposer.prepare(Ballot(state.rounds, self._node, self._incarnation))
        self._send(attempt, self._question(key, attempt))

    def _accept(self, key: bytes, work: Work, attempt: Attempt) -> None:
        if attempt.proposer.value is None:
            queue = work.queue
            count = min(len(queue), self._config.batch_commands)
            attempt.batch = [queue.popleft() for _ in range(count)]
            attempt.proposer.propose(self._entry(key, self._keys.open(key), attempt.batch))
        assert attempt.proposer.value is not None
        attempt.sent[attempt.proposer.ballot] = attempt.proposer.value
        if self._tracing is not None:
            self._tracing.propose(key, attempt.proposer.ballot, attempt.proposer.value)
        self._send(attempt, self._question(key, attempt))

    def _send(self, attempt: Attempt, message: Message) -> None:
        attempt.resend_s = self._moment.now_s + self._config.resend_s
        for node in self._parts.nodes:
            if node not in attempt.proposer.answered:
                self._outbox.send(node, message)

    def _question(self, key: bytes, attempt: Attempt) -> Message:
        """What the acceptors are being asked."""
        proposer = attempt.proposer
        if proposer.phase is Phase.PREPARING:
            return Prepare(key, attempt.version, proposer.ballot, attempt.previous)
        assert proposer.value is not None
        return Accept(key, proposer.ballot, proposer.value, attempt.previous)

    # --- answers of acceptors ---

    def on_promise(self, source: str, message: Promise) -> None:
        key, ballot, accepted = message.key, message.ballot, message.accepted
        attempt = self._attempt(key, message.version)
        if attempt is None:
            return
        if accepted is not None and attempt.learner.accepted(source, *accepted):
            self._chosen(key, accepted[1])  # phase 2 would only repeat it
        elif attempt.proposer.on_promise(source, ballot, accepted):
            self._accept(key, self._works[key], attempt)

    def on_accepted(self, source: str, message: Accepted) -> None:
        attempt = self._attempt(message.key, message.version)
        entry = None if attempt is None else attempt.sent.get(message.ballot)
        if attempt is None or entry is None:
            return
        attempt.proposer.on_accepted(source, message.ballot)
        if attempt.learner.accepted(source, message.ballot, entry):
            self._chosen(message.key, entry)

    def _chosen(self, key: bytes, entry: Entry) -> None:
        self._parts.to_peers(Decided(key, entry.version, entry.stamp))
        self._keys.learn(key, entry)

    def on_refused(self, source: str, message: Refused) -> None:
        attempt = self._attempt(message.key, message.version)
        if attempt is not None and attempt.proposer.on_refused(message.ballot):
            work = self._works[message.key]
            state = self._keys.open(message.key)
            state.rounds = max(state.rounds, message.promised.round)
            work.losses += 1
            attempt.resume_s = self._moment.now_s + self._parts.pause_s(work.losses)

    def ask_again(self, node: str, key: bytes) -> None:
        """The node has caught up with the key: it can answer now."""
        work = self._works.get(key)
        attempt = None if work is None else work.attempt
        if attempt is not None and attempt.proposer.phase is not Phase.IDLE:
            self._outbox.send(node, self._question(key, attempt))

    def _attempt(self, key: bytes, version: int) -> Attempt | None:
        work = self._works.get(key)
        attempt = None if work is None else work.attempt
        return attempt if attempt is not None and attempt.version == version else None

    # --- what was chosen ---

    def learnt(self, key: bytes) -> None:
        """The key has advanced: did our attempt succeed?"""
        work = self._works.get(key)
        if work is None:
            return
        attempt = work.attempt
        if attempt is not None:
            last = self._keys.open(key).chosen
            assert last is not None
            if last.version < attempt.version:
                return
            work.attempt = None
            own = attempt.proposer.own
            if own is not None and own.stamp in last.done:
                work.losses = 0
                if self._tracing is not None:
                    self._tracing.answered(own)
                for waiting in attempt.batch:
                    self._answer(waiting, waiting.reply)
            else:
                self._put_back(work, attempt.batch)
        self._go_on(key, work)

    def _put_back(self, work: Work, batch: list[Waiting]) -> None:
        """The version went to another entry: the commands have not happened and will not, unless
        they are proposed again for a later one."""
        if batch or work.queue:
            work.losses += 1
            work.resume_s = self._moment.now_s + self._parts.pause_s(work.losses)
        for waiting in reversed(batch):
            if not waiting.answered:
                work.queue.appendleft(waiting)

    def _answer(self, waiting: Waiting, reply: bytes) -> None:
        if not waiting.answered:
            waiting.answered = True
            self.waiting -= 1
            self._outbox.reply(waiting.request, reply)

    # --- time ---

    def tick(self) -> None:
        for key, work in list(self._works.items()):
            self._expire(work)
            attempt = work.attempt
            if attempt is None:
                self._go_on(key, work)
            elif attempt.proposer.phase is Phase.IDLE:
                if self._moment.now_s >= attempt.resume_s:
                    self._prepare(key, self._keys.open(key), attempt)
            elif self._moment.now_s >= attempt.resend_s:
                self._send(attempt, self._question(key, attempt))

    def _expire(self, work: Work) -> None:
        """Give up commands whose time is up, and an attempt that nobody waits for any more."""
        now_s = self._moment.now_s
        while work.queue and work.queue[0].deadline_s <= now_s:
            self._answer(work.queue.popleft(), NOT_DONE)
        attempt = work.attempt
        if attempt is None:
            return
        for waiting in attempt.batch:
            if waiting.deadline_s <= now_s:
                self._answer(waiting, NOT_DONE if waiting.reads else UNANSWERED)
        wanted = work.settle >= attempt.version and now_s < work.settle_s
        unanswered = work.queue or not all(waiting.answered for waiting in attempt.batch)
        if not wanted and not unanswered:
            work.attempt = None
