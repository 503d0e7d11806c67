"""Replication: phase 2 of both sides, and the heartbeats that tell what is chosen."""

from __future__ import annotations

from .catchup import CatchingUp
from .elections import Elections
from .execution import Execution
from .messages import (
    Accept,
    Accepted,
    AcceptRecord,
    Fill,
    Heartbeat,
    HeartbeatAck,
    Nack,
    Prepare,
    Promise,
)
from .promotion import Promotion
from .proposer import Phase
from .reading import Reading
from .requests import Requests
from .roles import Roles


class Replication:
    """The leader proposes slot by slot; acceptors accept, durably, and hear what was chosen."""

    def __init__(
        self,
        roles: Roles,
        requests: Requests,
        execution: Execution,
        reading: Reading,
        catching_up: CatchingUp,
        elections: Elections,
        promotion: Promotion,
    ) -> None:
        self._config = roles.config
        self._bugs = roles.bugs
        self._node = roles.node
        self._roles = roles
        self._acceptor = roles.acceptor
        self._learner = roles.learner
        self._proposer = roles.proposer
        self._leadership = roles.leadership
        self._outbox = roles.outbox
        self._trace = roles.trace
        self._moment = roles.moment
        self._requests = requests
        self._execution = execution
        self._reading = reading
        self._catching_up = catching_up
        self._elections = elections
        self._promotion = promotion
        self._widened_s = float("-inf")
        self._bound_s = 0.0  # when a promise last said that more is chosen than is known here
        self._volatile: list[AcceptRecord] = []
        self._volatile_due_s = 0.0
        self._syncing_until_s = 0.0  # for bug sync-ack-early only

    # --- the leader ---

    def lead(self) -> None:
        """Begin phase 2: take over what the promises say is chosen, propose what they report
        as accepted, and tell all that there is a leader."""
        promises = self._proposer.promises
        if self._trace is not None:
            self._trace.add("lead", self._proposer.ballot, sorted(promises))
        best = max(promises, key=lambda node: (promises[node].chosen_upto, node))
        for promise in promises.values():
            for slot, value in promise.chosen:
                self._execution.learn(slot, value)
        chosen_upto = max(self._learner.chosen_upto, promises[best].chosen_upto)
        self._proposer.lead(chosen_upto)
        self._leadership.won(self._moment.now_s)
        self._bound_s = self._moment.now_s
        self._promotion.lead()
        self._execution.apply()
        if chosen_upto > self._learner.chosen_upto:
            self._catching_up.ask(best)
        self._widened_s = float("-inf")
        self.heartbeat()
        self._elections.follow(self._proposer.ballot)

    def on_late_promise(self, source: str, message: Promise) -> None:
        """A promise for the ballot that leads already, of a node that votes in slots to come."""
        if message.ballot != self._proposer.ballot or source in self._proposer.promises:
            return
        self._proposer.promised_late(source, message)
        for slot, value in message.chosen:
            self._execution.learn(slot, value)
        if self._trace is not None:
            self._trace.add("lead", self._proposer.ballot, sorted(self._proposer.promises))
        self._execution.apply()
        self._bound_s = self._moment.now_s
        self._catching_up.behind(source, message.chosen_upto)

    def widen(self) -> None:
        """Ask those who vote in the next slot for the promises that are lacking."""
        lacking = self._proposer.unpromised()
        if lacking and self._moment.now_s - self._widened_s >= self._config.resend_s:
            self._widened_s = self._moment.now_s
            message = Prepare(self._proposer.ballot, self._learner.chosen_upto + 1)
            for node in lacking:
                self._outbox.send(node, message)

    def retire(self) -> None:
        """A leader that the membership in force does not hold any more tells the others, and
        leads no longer."""
        self.heartbeat()
        self._elections.step_down()

    def stuck(self, now_s: float) -> bool:
        """Does this leader lack slots in which it may not propose, and has nobody told more of them
        for long? Those who knew may be gone: promises of those who are left say what to propose."""
        if not self._proposer.lacks(self._learner.chosen_upto + 1):
            return False
        return now_s - max(self._bound_s, self._catching_up.told_s) >= self._config.step_down_s

    def propose(self, slot: int) -> None:
        """Ask the acceptors to accept what is proposed in the slot."""
        message = self._proposer.accept_message(slot, self._learner.chosen_upto)
        proposal = self._proposer.open[slot]
        if self._trace is not None:
            self._trace.propose(
                slot, self._proposer.ballot, proposal.value, proposal.commands or []
            )
        if proposal.commands is not None:
            self._execution.proposed(slot, proposal.value, proposal.commands)
            if self._bugs.active("ack-local"):
                for command in proposal.commands:
                    self._requests.executed_blindly(command)
        for node in self._accept_targets(slot):
            self._outbox.send(node, message)

    def _accept_targets(self, slot: int) -> tuple[str, ...]:
        """Any majority will do, so that all are asked who vote there: promisers or not."""
        if self._bugs.active("accept-promisers-only"):
            return tuple(self._proposer.promises)
        return self._roles.configurations.at(slot).voters

    def resend(self) -> None:
        """Accepts may be lost: send those again that have waited long for a quorum."""
        overdue_s = self._moment.now_s - self._config.resend_s
        for slot, proposal in self._proposer.open.items():
            if proposal.sent_s <= overdue_s:
                proposal.sent_s = self._moment.now_s
                message = self._proposer.accept_message(slot, self._learner.chosen_upto)
                for node in self._accept_targets(slot):
                    if node not in proposal.acceptors:
                        self._outbox.send(node, message)

    def on_accepted(self, source: str, message: Accepted) -> None:
        proposal = self._proposer.accepted(source, message.ballot, message.slot)
        if proposal is not None:
            self._execution.learn(message.slot, proposal.value)
            self._execution.apply()

    def on_nack(self, source: str, message: Nack) -> None:
        self._proposer.saw(message.promised)
        if message.ballot != self._proposer.ballot or self._proposer.phase is Phase.IDLE:
            return
        if self._bugs.active("nack-as-ack") and message.slot:
            self.on_accepted(source, Accepted(message.promised, message.slot))
        elif message.promised > message.ballot:
            self._elections.step_down()

    def on_fill(self, source: str, message: Fill) -> None:
        """A read waits for slots in which perhaps nothing of this ballot is proposed yet."""
        if self._proposer.phase is Phase.LEADING:
            furthest = self._proposer.next_slot + self._config.window
            self._proposer.fill_upto = max(self._proposer.fill_upto, min(message.slot, furthest))

    def heartbeat(self) -> None:
        beat = self._leadership.beat(self._moment.now_s)
        message = Heartbeat(self._proposer.ballot, self._learner.chosen_upto, beat)
        for peer in self._roles.everybody_else():
            self._outbox.send(peer, message)

    def on_heartbeat_ack(self, source: str, message: HeartbeatAck) -> None:
        if self._proposer.phase is Phase.LEADING and message.ballot == self._proposer.ballot:
            self._leadership.acknowledged(source, message.beat)
            self._reading.confirm()
            self._promotion.heard(source, message.chosen_upto)
            if self._proposer.lacks(self._learner.chosen_upto + 1):
                self._catching_up.behind(source, message.chosen_upto)

    # --- the acceptors ---

    def on_accept(self, source: str, message: Accept) -> None:
        ballot, slot = message.ballot, message.slot
        self._proposer.saw(ballot)
        record = self._acceptor.accept(
            slot, ballot, message.value, open_=slot > self._learner.chosen_upto
        )
        if record is None:
            self._outbox.send(source, Nack(ballot, self._acceptor.promised, slot))
            return
        if ballot != self._proposer.ballot:
            self._elections.step_down()
        new = self._elections.follow(ballot)
        if self._bugs.active("sync-ack-early") and new:
            self._syncing_until_s = self._moment.now_s + self._config.election_s
        if self._bugs.active("volatile-accept") or self._moment.now_s < self._syncing_until_s:
            if not self._volatile:
                self._volatile_due_s = self._moment.now_s + self._config.volatile_s
            self._volatile.append(record)
            self._outbox.send(source, Accepted(ballot, slot))
        else:
            self._outbox.persist(record, sync=True)
            self._outbox.send_when_durable(source, Accepted(ballot, slot))
        if source != self._node:
            self._catching_up.chosen_upto(ballot, message.chosen_upto)

    def persist_volatile(self) -> None:
        """Bugs volatile-accept, sync-ack-early: write down, late, what was accepted."""
        if self._volatile and self._moment.now_s >= self._volatile_due_s:
            records, self._volatile = self._volatile, []
            for record in records:
                self._outbox.persist(record)

    def on_heartbeat(self, source: str, message: Heartbeat) -> None:
        ballot = message.ballot
        self._proposer.saw(ballot)
        if ballot < self._acceptor.promised:
            self._outbox.send(source, Nack(ballot, self._acceptor.promised, 0))
            return
        if ballot != self._proposer.ballot:
            self._elections.step_down()
        self._elections.follow(ballot)
        self._outbox.send(source, HeartbeatAck(ballot, message.beat, self._learner.chosen_upto))
        self._catching_up.chosen_upto(ballot, message.chosen_upto)
