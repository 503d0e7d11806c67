"""Catching up: who missed what was chosen fetches it, as log or, far behind, as a snapshot."""

from __future__ import annotations

from .ballot import Ballot
from .execution import Execution
from .messages import CatchUp, Chosen, FetchSnapshot, Outdated, SnapshotChunk
from .roles import Roles
from .snapshots import Snapshots

PATIENCE = 8
"""Questions without an answer before a snapshot that is arriving is given up."""


class CatchingUp:
    """Both sides: the node that is behind, and the node that knows more. `told_s`: when this node
    was told something new."""

    def __init__(self, roles: Roles, execution: Execution, snapshots: Snapshots) -> None:
        self._bugs = roles.bugs
        self._config = roles.config
        self._acceptor = roles.acceptor
        self._learner = roles.learner
        self._outbox = roles.outbox
        self._moment = roles.moment
        self._execution = execution
        self._snapshots = snapshots
        self.told_s = float("-inf")
        self._asked_s = -1.0
        self._in_vain = 0

    # --- the node that is behind ---

    def chosen_upto(self, ballot: Ballot, upto: int) -> None:
        """The leader of `ballot` knows the slots up to `upto` to be chosen. What was accepted
        here under that very ballot is what was chosen (one value a slot and ballot); the rest
        must be fetched."""
        learner, accepted = self._learner, self._acceptor.accepted
        while learner.chosen_upto < upto:
            slot = learner.chosen_upto + 1
            known = accepted.get(slot)
            if known is None or known[0] != ballot:
                self._ask_now_and_then(ballot.node)
                break
            self._execution.learn(slot, known[1])
        self._execution.apply()

    def on_outdated(self, source: str, message: Outdated) -> None:
        self.behind(source, message.chosen_upto)

    def behind(self, source: str, upto: int) -> None:
        """Another node knows the slots up to `upto` to be chosen."""
        if self._learner.chosen_upto < upto:
            self._ask_now_and_then(source)

    def _ask_now_and_then(self, source: str) -> None:
        now_s = self._moment.now_s
        if now_s - self._asked_s >= self._config.heartbeat_s / 2:
            self._asked_s = now_s
            self.ask(source)

    def ask(self, source: str) -> None:
        """Ask a node for what is chosen beyond what is known here, or for the next part of the
        snapshot that is arriving. Who sent the first part may be gone: after some questions in
        vain it begins anew."""
        self._in_vain += 1
        if self._in_vain > PATIENCE:
            self._snapshots.give_up()
        wanted = self._snapshots.wanted()
        if wanted is None:
            self._in_vain = 0
            self._outbox.send(source, CatchUp(self._learner.chosen_upto + 1))
        else:
            self._outbox.send(source, FetchSnapshot(*wanted))

    def on_chosen(self, source: str, message: Chosen) -> None:
        if message.first_slot > self._learner.chosen_upto + 1:
            return
        known_upto = self._learner.chosen_upto
        for slot, value in enumerate(message.values, message.first_slot):
            self._execution.learn(slot, value)
        self._execution.apply()
        if self._learner.chosen_upto > known_upto:
            self.told_s = self._moment.now_s
        if message.chosen_upto > self._learner.chosen_upto:
            self._asked_s = self._moment.now_s
            self.ask(source)

    def on_snapshot_chunk(self, source: str, message: SnapshotChunk) -> None:
        old = message.slot <= self._execution.applied
        if old and not self._bugs.active("old-snapshot-install"):
            return
        if self._snapshots.receive(message):
            self._in_vain = 0
            self._asked_s = self.told_s = self._moment.now_s
            self.ask(source)

    # --- the node that knows more ---

    def on_catch_up(self, source: str, message: CatchUp) -> None:
        if message.from_slot <= self._learner.compacted:
            self._outbox.send(source, self._snapshots.lend(message.from_slot))
            return
        values = self._learner.values(message.from_slot, self._config.message_bytes)
        if self._bugs.active("catchup-accepted"):
            while accepted := self._acceptor.accepted.get(message.from_slot + len(values)):
                values.append(accepted[1])
        if values:
            self._outbox.send(source, Chosen(message.from_slot, values, self._learner.chosen_upto))

    def on_fetch_snapshot(self, source: str, message: FetchSnapshot) -> None:
        self._outbox.send(source, self._snapshots.chunk(message.slot, message.offset))
