"""Elections: phase 1 of both sides: who asks to lead, and who lets them."""

from __future__ import annotations

from collections.abc import Callable

from .ballot import Ballot
from .config import Reads
from .execution import Execution
from .messages import Canvass, Nack, Outdated, Prepare, Promise, Support
from .proposer import Phase
from .reading import Reading
from .requests import Requests
from .roles import Roles


class Elections:
    """From the first doubt in the old leader to the promises of a quorum; then `won` is called.
    Before it prepares, a node canvasses: does a quorum miss a leader too? So a node that alone
    was cut off does not depose a good leader."""

    def __init__(
        self,
        roles: Roles,
        requests: Requests,
        execution: Execution,
        reading: Reading,
        won: Callable[[], None],
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
        self._won = won

    # --- standing ---

    def canvass(self) -> None:
        """No leader was heard for long: ask whether the others miss one too."""
        if not self._config.canvass or not self._roles.votes():
            self.prepare()
            return
        ballot = self._proposer.next_ballot()
        self._leadership.leader = None
        self._leadership.canvass(ballot, self._moment.now_s)
        for node in self._roles.configurations.voters(self._learner.chosen_upto + 1):
            if node != self._node:
                self._outbox.send(node, Canvass(ballot))
        self.on_support(self._node, Support(ballot))

    def on_support(self, source: str, message: Support) -> None:
        idle = self._proposer.phase is Phase.IDLE
        if idle and self._leadership.supported(source, message.ballot):
            self.prepare()

    def prepare(self) -> None:
        """Ask all who vote for their promises (phase 1a). Who has no vote does not stand."""
        if not self._roles.votes():
            self._leadership.postpone(self._moment.now_s)
            return
        self.step_down()
        ballot = self._proposer.prepare(self._learner.chosen_upto + 1)
        message = Prepare(ballot, self._proposer.from_slot)
        for node in self._roles.configurations.voters(self._proposer.from_slot):
            self._outbox.send(node, message)

    def on_promise(self, source: str, message: Promise) -> None:
        """Count a promise; with a quorum of them the ballot is won."""
        if self._proposer.promise(source, message):
            self._won()

    def step_down(self) -> None:
        """Lead no more, nor try to; commands that were waited for may still be chosen."""
        if self._proposer.phase is Phase.IDLE:
            return
        self._proposer.step_down()
        self._reading.step_down()
        self._execution.commands.clear()
        self._leadership.leader = None
        self._leadership.postpone(self._moment.now_s)

    # --- voting ---

    def on_canvass(self, source: str, message: Canvass) -> None:
        if self._outsider(source):
            return
        leading = self._proposer.phase is Phase.LEADING
        if not leading and self._leadership.leaderless(self._moment.now_s):
            self._outbox.send(source, Support(message.ballot))

    def on_prepare(self, source: str, message: Prepare) -> None:
        """Promise, when no higher ballot was promised before (phase 1b)."""
        self._proposer.saw(message.ballot)
        if self._outsider(source):
            return
        leases = self._config.reads is Reads.LEASE
        again = message.ballot == self._leadership.leader  # it leads, and new voters are asked
        if leases and not again and not self._leadership.leaderless(self._moment.now_s):
            return  # a lease that this acceptor granted may still run
        record = self._acceptor.promise(message.ballot)
        if record is None:
            self._outbox.send(source, Nack(message.ballot, self._acceptor.promised, 0))
            return
        if message.ballot != self._proposer.ballot:
            self.step_down()
        if not again:
            self._leadership.leader = None
            self._leadership.postpone(self._moment.now_s)
        promise = self._promise(message)
        if self._trace is not None:
            self._trace.report(promise)
        if self._bugs.active("volatile-promise"):
            self._outbox.send(source, promise)
        else:
            self._outbox.persist(record, sync=True)
            self._outbox.send_when_durable(source, promise)

    def _outsider(self, source: str) -> bool:
        """Has the candidate no vote? Then it was removed, most likely, and is told to catch up."""
        chosen_upto = self._learner.chosen_upto
        if source in self._roles.configurations.voters(chosen_upto + 1):
            return False
        self._outbox.send(source, Outdated(chosen_upto))
        return True

    def _promise(self, message: Prepare) -> Promise:
        start = message.from_slot
        chosen_upto = self._learner.chosen_upto
        values = self._learner.values(start, self._config.message_bytes)
        if self._bugs.active("promise-omits-chosen"):
            values, chosen_upto = [], 0
        return Promise(
            message.ballot,
            start,
            [
                (slot, ballot, value)
                for slot, (ballot, value) in sorted(self._acceptor.accepted.items())
                if slot >= start
            ],
            list(enumerate(values, start)),
            chosen_upto,
        )

    def follow(self, ballot: Ballot) -> bool:
        """The leader of `ballot` lives; True when it is a new one."""
        self._leadership.heard(self._moment.now_s)
        if self._leadership.leader == ballot:
            return False
        self._leadership.leader = ballot
        self._requests.dispatch_all()
        return True
