"""Execution: applies what was chosen to the state machine, in order and without gaps."""

from __future__ import annotations

from .messages import Command, LearnRecord, batch_of
from .readindex import LocalReads
from .recovery import Remembered
from .requests import Requests
from .roles import Roles
from .statemachine import StateMachine
from .trace import identities, state_id, value_id


class Execution:
    """The state after slot `applied`, and the reads that wait for it to come so far. `commands`:
    those of slots that this node proposed, so that they need not be decoded again."""

    def __init__(self, roles: Roles, requests: Requests) -> None:
        self.state = StateMachine(roles.bugs)
        self.applied = 0
        self.commands: dict[int, list[Command]] = {}
        self._proposed: dict[int, list[Command]] = {}  # for bug reply-by-slot only
        self._bugs = roles.bugs
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

    def proposed(self, slot: int, commands: list[Command]) -> None:
        """This node has proposed the commands in the slot."""
        self.commands[slot] = commands
        if self._bugs.active("reply-by-slot"):
            self._proposed[slot] = commands

    def learn(self, slot: int, value: bytes) -> None:
        """The value is chosen in the slot; nothing is executed yet."""
        if self._learner.is_chosen(slot):
            return
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
            commands = self.commands.pop(slot, None)
            if commands is None:
                commands = batch_of(value)
            for command, reply in zip(commands, self._execute(slot, value, commands), strict=True):
                self._requests.executed(command, reply)
            if self._bugs.active("reply-by-slot"):
                for command in self._proposed.pop(slot, ()):
                    self._requests.executed_blindly(command)
            self._acceptor.forget(slot)
            self.applied = slot
        self._answer_reads()

    def _execute(self, slot: int, value: bytes, commands: list[Command]) -> list[bytes]:
        """Take the commands, which are what is chosen in the slot, into the state; the replies."""
        apply = self.state.apply
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
        self.state.restore(snapshot)
        for passed in range(self.applied + 1, slot + 1):
            self._acceptor.forget(passed)
            self.commands.pop(passed, None)
        self._learner.compact(slot)
        self.applied = max(slot, self.applied)
        self.apply()

    def read_at(self, slot: int, seqs: list[int]) -> None:
        """Answer these reads when the state has come to `slot`."""
        self._reads.add(slot, seqs)
        self._answer_reads()

    def reads_waiting(self) -> list[int]:
        """Numbers of this node's reads that have no answer yet."""
        return self._requests.reads_waiting()

    def _answer_reads(self) -> None:
        for seq in self._reads.ready(self.applied):
            waiting = self._requests.gateway.waiting.get(seq)
            if waiting is not None:
                if self._trace is not None:
                    self._trace.add("read", seq, self.applied, None)
                self._requests.answer(seq, self.state.query(waiting.args))
