"""Catching up: who missed what was chosen fetches it, as log or, far behind, as a snapshot."""

from __future__ import annotations

from .ballot import Ballot
from .execution import Execution
from .messages import CatchUp, Chosen, FetchSnapshot, SnapshotChunk
from .roles import Roles
from .snapshots import Snapshots


class CatchingUp:
    """Both sides: the node that is behind, and the node that knows more."""

    def __init__(self, roles: Roles, execution: Execution, snapshots: Snapshots) -> None:
        self._config = roles.config
        self._acceptor = roles.acceptor
        self._learner = roles.learner
        self._outbox = roles.outbox
        self._moment = roles.moment
        self._execution = execution
        self._snapshots = snapshots
        self._asked_s = -1.0

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

    def _ask_now_and_then(self, source: str) -> None:
        now_s = self._moment.now_s
        if now_s - self._asked_s >= self._config.heartbeat_s / 2:
            self._asked_s = now_s
            self.ask(source)

    def ask(self, source: str) -> None:
        """Ask a node for what is chosen beyond what is known here."""
        self._outbox.send(source, CatchUp(self._learner.chosen_upto + 1))

    def on_chosen(self, source: str, message: Chosen) -> None:
        if message.first_slot > self._learner.chosen_upto + 1:
            return
        for slot, value in enumerate(message.values, message.first_slot):
            self._execution.learn(slot, value)
        self._execution.apply()
        if message.chosen_upto > self._learner.chosen_upto:
            self._asked_s = self._moment.now_s
            self.ask(source)

    def on_snapshot_chunk(self, source: str, message: SnapshotChunk) -> None:
        if message.slot <= self._execution.applied:
            return
        offset = self._snapshots.receive(message)
        if offset is None:
            self.ask(source)
        else:
            self._asked_s = self._moment.now_s
            self._outbox.send(source, FetchSnapshot(message.slot, offset))

    # --- the node that knows more ---

    def on_catch_up(self, source: str, message: CatchUp) -> None:
        if message.from_slot <= self._learner.compacted:
            self._outbox.send(source, self._snapshots.chunk(0))
            return
        values = self._learner.values(message.from_slot, self._config.message_bytes)
        if values:
            self._outbox.send(source, Chosen(message.from_slot, values, self._learner.chosen_upto))

    def on_fetch_snapshot(self, source: str, message: FetchSnapshot) -> None:
        offset = message.offset if message.slot == self._snapshots.slot else 0
        self._outbox.send(source, self._snapshots.chunk(offset))
