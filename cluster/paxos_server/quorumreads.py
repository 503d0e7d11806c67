"""QuorumReads: linearizable reads without a leader, after PaxosStore (Zheng et al., VLDB 2017, p.
1730, section 3), for a log instead of one key.

The reading node asks the acceptors how far they have accepted. Whatever was acknowledged before
was accepted by a phase-2 quorum, so that one of any phase-1 quorum reports its slot or a later
one. Values that were merely accepted might vanish: they are never shown. The read waits until the
slots up to the highest reported one are chosen and applied here, and has the leader fill those in
which nothing else is going on. Chosen values do not vanish, so no later read sees less.
"""

from __future__ import annotations

from .ballot import Ballot
from .catchup import CatchingUp
from .execution import Execution
from .messages import Fill, Poll, Standing
from .requests import Requests
from .roles import Roles

POLLS_LIMIT = 1024


class _Poll:
    """One question to all acceptors, for all the reads that came together."""

    __slots__ = ("answers", "seqs")

    def __init__(self, seqs: list[int]) -> None:
        self.seqs = seqs
        self.answers: dict[str, Standing] = {}


class QuorumReads:
    """Both sides: the reading node, and the acceptors that it asks. A poll that is lost is not
    asked again: its reads are, under a new number, so that no late answer serves a later read."""

    def __init__(
        self,
        roles: Roles,
        requests: Requests,
        execution: Execution,
        catching_up: CatchingUp,
    ) -> None:
        self._bugs = roles.bugs
        self._incarnation = roles.incarnation
        self._configurations = roles.configurations
        self._acceptor = roles.acceptor
        self._learner = roles.learner
        self._leadership = roles.leadership
        self._outbox = roles.outbox
        self._requests = requests
        self._execution = execution
        self._catching_up = catching_up
        self._polls: dict[int, _Poll] = {}
        self._number = 0

    # --- the reading node ---

    def poll(self) -> None:
        """Ask on behalf of the reads that have come."""
        seqs, self._requests.polling = self._requests.polling, []
        self._number += 1
        self._polls[self._number] = _Poll(seqs)
        if len(self._polls) > POLLS_LIMIT:
            del self._polls[next(iter(self._polls))]
        for node in self._configurations.voters(self._execution.applied + 1):
            self._outbox.send(node, Poll(self._incarnation, self._number))

    def on_standing(self, source: str, message: Standing) -> None:
        poll = self._polls.get(message.number)
        if message.incarnation != self._incarnation or poll is None:
            return
        poll.answers[source] = message
        if not self._configurations.promised(self._execution.applied + 1, poll.answers):
            return
        del self._polls[message.number]
        best = max(poll.answers, key=lambda node: (poll.answers[node].chosen_upto, node))
        chosen_upto = poll.answers[best].chosen_upto
        last = max(answer.last for answer in poll.answers.values())
        self._catching_up.behind(best, chosen_upto)
        leader = self._leadership.leader
        if last > chosen_upto and leader is not None:
            self._outbox.send(leader.node, Fill(last))
        if self._bugs.active("read-no-repair") and self._execution.applied >= chosen_upto:
            self._execution.read_pending(_latest(list(poll.answers.values())), poll.seqs)
            return
        self._execution.read_at(last, poll.seqs)

    # --- the acceptors ---

    def on_poll(self, source: str, message: Poll) -> None:
        accepted, chosen_upto = self._acceptor.accepted, self._learner.chosen_upto
        pending = []
        if self._bugs.active("read-no-repair"):
            pending = [(slot, *proposal) for slot, proposal in sorted(accepted.items())]
        last = max(accepted, default=0)
        self._outbox.send(
            source,
            Standing(
                message.incarnation, message.number, chosen_upto, max(chosen_upto, last), pending
            ),
        )


def _latest(answers: list[Standing]) -> dict[int, bytes]:
    """Bug read-no-repair: in each slot the value of the highest ballot that an answer reports."""
    best: dict[int, tuple[Ballot, bytes]] = {}
    for answer in answers:
        for slot, ballot, value in answer.pending:
            if slot not in best or ballot > best[slot][0]:
                best[slot] = (ballot, value)
    return {slot: value for slot, (_, value) in best.items()}
