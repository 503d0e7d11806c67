"""Execution: applies what was chosen to the state machine, in order and without gaps."""

from __future__ import annotations

from .config import Reads
from .messages import Command, LearnRecord, batch_of
from .readindex import LocalReads
from .recovery import Remembered
from .requests import Requests
from .roles import Roles
from .statemachine import StateMachine
from .trace import identities, state_id, value_id


class Execution:
    """The state after slot `applied`, and the reads that wait for it to come so far. `commands`:
    value and commands of slots that this node proposed, to save decoding them."""

    def __init__(self, roles: Roles, requests: Requests) -> None:
        self.state = StateMachine(roles.bugs, roles.configurations)
        self._configurations = roles.configurations
        self.applied = 0
        self.commands: dict[int, tuple[bytes, list[Command]]] = {}
        self._proposed: dict[int, list[Command]] = {}  # for bug reply-by-slot only
        self._bugs = roles.bugs
        self.deposed = False  # somebody else has led meanwhile: this node must lead no more
        self._proposer = roles.proposer
        self._learner = roles.learner
        self._acceptor = roles.acceptor
        self._outbox = roles.outbox
        self._trace = roles.trace
        self._requests = requests
        self._reads = LocalReads()

    def remember(self, memory: Remembered) -> None:
        """Come to the state in which the node's former lives were."""
        if memory.snapshot:
            self.state.restore(memory.snapshot)
        if memory.snapshot_slot:
            self._learner.compact(memory.snapshot_slot)
            self.applied = memory.snapshot_slot
        self._learner.remember(memory.chosen, memory.chosen_upto)
        log = self._learner.log
        for slot in range(self.applied + 1, memory.chosen_upto + 1):
            self._execute(slot, log[slot], batch_of(log[slot]))  # nobody waits for the replies
            self.applied = slot

    def proposed(self, slot: int, value: bytes, commands: list[Command]) -> None:
        """This node has proposed the commands in the slot."""
        self.commands[slot] = value, commands
        if self._bugs.active("reply-by-slot"):
            self._proposed[slot] = commands

    def learn(self, slot: int, value: bytes) -> None:
        """The value is chosen in the slot; nothing is executed yet."""
        if self._learner.is_chosen(slot):
            return
        if self._proposer.contradicted_by(slot, value):
            self.deposed = True
        accepted = self._acceptor.accepted.get(slot)
        if accepted is None or accepted[1] != value:
            self._outbox.persist(LearnRecord(slot, value))
        self._learner.learn(slot, value)

    def apply(self) -> None:
        """Execute what is chosen, and answer."""
        learner = self._learner
        while self.applied < learner.chosen_upto:
            slot = self.applied + 1
            value = learner.log[slot]
            known = self.commands.pop(slot, None)
            # What a leader proposed need not be what it hears to have been chosen: another may
            # have taken its place meanwhile.
            commands = known[1] if known is not None and known[0] == value else batch_of(value)
            for command, reply in zip(commands, self._execute(slot, value, commands), strict=True):
                if reply is None:
                    self._requests.too_early(command)
                    continue
                self._requests.executed(command, reply)
            if self._bugs.active("reply-by-slot"):
                for command in self._proposed.pop(slot, ()):
                    self._requests.executed_blindly(command)
            self._acceptor.forget(slot)
            self.applied = slot
        self._answer_reads()

    def _execute(self, slot: int, value: bytes, commands: list[Command]) -> list[bytes | None]:
        """Take the commands, which are what is chosen in the slot, into the state; the replies."""
        apply, self.state.slot = self.state.apply, slot
        if self._trace is None:
            return [apply(command) for command in commands]
        replies, took_effect = [], []
        for command in commands:
            replies.append(apply(command))
            if self.state.executed:
                took_effect.append(command)
        self._trace.add("apply", slot, value_id(value), identities(took_effect))
        return replies

    def install(self, slot: int, snapshot: bytes) -> None:
        """Jump to the state after `slot`, which another node came to."""
        if self._trace is not None:
            self._trace.add("install", slot, state_id(snapshot), self.applied)
        if self._proposer.contradicted_by(slot, None):
            self.deposed = True
        self.state.restore(snapshot)
        for passed in range(self.applied + 1, slot + 1):
            self._acceptor.forget(passed)
            self.commands.pop(passed, None)
        self._learner.compact(slot)
        self.applied = max(slot, self.applied)
        self.apply()

    def read_at(self, slot: int, seqs: list[int]) -> None:
        """Answer these reads when the state has come to `slot`."""
        self._reads.add(slot, seqs, self._configurations.horizon)
        self._answer_reads()

    def read_pending(self, pending: dict[int, bytes], seqs: list[int]) -> None:
        """Bug read-no-repair: answer from the state as it would be if these were chosen."""
        state = StateMachine(self._bugs)  # knows of no members
        state.restore(self.state.snapshot())
        slot = self.applied
        while slot + 1 in pending:
            slot += 1
            for command in batch_of(pending[slot]):
                state.apply(command)
        for seq in seqs:
            self._answer_read(seq, state, slot)

    def reads_waiting(self) -> list[int]:
        """Numbers of this node's reads that have no answer yet."""
        return self._requests.reads_waiting()

    def _answer_reads(self) -> None:
        for seq, horizon in self._reads.ready(self.applied):
            waiting = self._requests.gateway.waiting.get(seq)
            changed = horizon != self._configurations.horizon
            if changed and waiting is not None and waiting.how is Reads.QUORUM:
                self._requests.dispatch(seq)  # other acceptors are to be asked
            else:
                self._answer_read(seq, self.state, self.applied)

    def _answer_read(self, seq: int, state: StateMachine, applied: int) -> None:
        waiting = self._requests.gateway.waiting.get(seq)
        if waiting is not None and waiting.how is not Reads.LOG:
            if self._trace is not None:
                self._trace.add("read", seq, applied, None)
            self._requests.answer(seq, state.query(waiting.args))
