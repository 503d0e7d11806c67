"""Reading: answers reads past the log: by lease, by read index, or (unsafely) just so."""

from __future__ import annotations

from .ballot import Ballot
from .config import Reads
from .execution import Execution
from .messages import AskReadIndex, ReadIndex
from .proposer import Phase
from .readindex import LeaderReads
from .roles import Roles


class Reading:
    """`beat_wanted`: reads wait for a heartbeat that has not been sent yet."""

    def __init__(self, roles: Roles, execution: Execution) -> None:
        self.beat_wanted = False
        self._config = roles.config
        self._incarnation = roles.incarnation
        self._proposer = roles.proposer
        self._learner = roles.learner
        self._leadership = roles.leadership
        self._outbox = roles.outbox
        self._moment = roles.moment
        self._bugs = roles.bugs
        self._execution = execution
        self._leader_reads = LeaderReads()

    def locally(self, how: Reads) -> bool:
        """May a read be answered from this replica's state, now?"""
        if self._bugs.active("local-read") or how is Reads.LOCAL:
            return True
        if self._bugs.active("commit-before-invalidate") and self._leadership.follows_lately(
            self._moment.now_s
        ):
            return True  # a read lease of this follower; the leader does not wait for its end
        if self._proposer.phase is not Phase.LEADING or not self._caught_up():
            return False
        if self._bugs.active("leader-read"):
            return True
        return how is Reads.LEASE and self._leadership.leased(self._moment.now_s)

    def leased_ballot(self, how: Reads) -> Ballot | None:
        """The ballot under whose lease this node reads, if it reads by lease."""
        return self._proposer.ballot if how is Reads.LEASE else None

    def _caught_up(self) -> bool:
        """Whoever leads may answer only when the no-op that opened its ballot is chosen: until
        then it need not know of all that former leaders answered."""
        own = self._proposer.own_first_slot
        return 0 < own <= self._execution.applied

    def on_ask_read_index(self, source: str, message: AskReadIndex) -> None:
        if self._proposer.phase is not Phase.LEADING:
            return
        if self._caught_up() or self._bugs.active("early-read"):
            slot = self._learner.chosen_upto
            beat = self._leadership.next_beat()
            self._leader_reads.ask(beat, source, message.incarnation, message.seqs, slot)
            self.beat_wanted = True

    def confirm(self) -> None:
        """Tell those who asked, as far as a quorum has acknowledged our heartbeats."""
        if self._leader_reads.waiting():
            for asked in self._leader_reads.confirmed(self._leadership.quorum_beat()):
                index = ReadIndex(asked.incarnation, asked.seqs, asked.slot)
                self._outbox.send(asked.source, index)

    def on_read_index(self, source: str, message: ReadIndex) -> None:
        if message.incarnation == self._incarnation:
            seqs = message.seqs
            if self._bugs.active("readindex-reuse"):
                seqs = self._execution.reads_waiting()  # one identity for all: a late answer fits
            self._execution.read_at(message.slot, seqs)

    def step_down(self) -> None:
        self._leader_reads.clear()
