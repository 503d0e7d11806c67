"""Snapshots: the stored state that stands for the log up to a slot, and how it travels."""

from __future__ import annotations

from .execution import Execution
from .messages import SnapshotChunk
from .recovery import Remembered
from .roles import Roles
from .trace import state_id


class Snapshots:
    """This node's latest snapshot (`data`: the state after `slot`), the one that another node is
    fetching (`lent`: that, or an older one), and another node's that arrives chunk by chunk."""

    def __init__(self, roles: Roles, execution: Execution, memory: Remembered) -> None:
        self.slot = memory.snapshot_slot
        self.data = memory.snapshot
        self._config = roles.config
        self._trace = roles.trace
        self._incarnation = roles.incarnation
        self._identity = memory.identity
        self._acceptor = roles.acceptor
        self._learner = roles.learner
        self._execution = execution
        self._lent: tuple[int, bytes] | None = None
        self._incoming = bytearray()
        self._incoming_slot = 0  # 0: nothing is arriving
        self.save_due = False

    def due(self) -> bool:
        """Has the log grown by so much that a snapshot should be taken?"""
        every, slots = self._config.snapshot_every, self._execution.applied - self.slot
        full = self._learner.log_bytes >= self._config.log_bytes
        return bool(every) and (slots >= every or (full and slots > 0))

    def snap(self) -> None:
        """Have the state stored, and forget the log that led to it, but for a tail that spares
        those who are little behind a whole snapshot."""
        applied = self._execution.applied
        data = self._execution.state.snapshot()
        if self._trace is not None:
            self._trace.add("snapshot", applied, state_id(data))
        self._keep(applied, data)
        self._learner.compact(max(0, applied - self._config.snapshot_every // 2))
        self._learner.compact_to(self._config.log_bytes // 2, applied)

    def _keep(self, slot: int, data: bytes) -> None:
        self.slot, self.data = slot, data
        self.save_due = True

    def to_save(self) -> Remembered:
        """Everything that must survive, as of now; wanted when there is a new snapshot to store
        (`save_due`)."""
        self.save_due = False
        learner = self._learner
        return Remembered(
            self._incarnation,
            self._acceptor.promised,
            dict(self._acceptor.accepted),
            # Those beyond a gap too: the records of them go with the old log.
            {slot: value for slot, value in learner.log.items() if slot > self.slot},
            learner.chosen_upto,
            self.slot,
            self.data,
            self._identity,
        )

    def lend(self, from_slot: int) -> SnapshotChunk:
        """The first part of a snapshot, for a node that knows the slots before `from_slot`."""
        if self._lent is None or self._lent[0] < from_slot:
            self._lent = self.slot, self.data
        return self._chunk(0)

    def chunk(self, slot: int, offset: int) -> SnapshotChunk:
        """The part that begins at byte `offset`, or the first one of the snapshot that there is
        instead. One that is being fetched stays until all of it has left: while the log grows,
        new ones may come faster than they can be fetched."""
        if self._lent is None or self._lent[0] != slot:
            if slot != self.slot:
                return self.lend(slot)
            self._lent = self.slot, self.data
        return self._chunk(offset)

    def _chunk(self, offset: int) -> SnapshotChunk:
        assert self._lent is not None
        slot, data = self._lent
        part = data[offset : offset + self._config.snapshot_chunk_bytes]
        if offset + len(part) >= len(data):
            self._lent = None
        return SnapshotChunk(slot, offset, len(data), part)

    def receive(self, chunk: SnapshotChunk) -> bool:
        """Take a chunk of another node's snapshot; install it when that was the last. False for
        a chunk that is not the next: answering those as well would multiply doubled messages."""
        if chunk.offset == 0 and chunk.slot > self._incoming_slot:
            self.give_up()
            self._incoming_slot = chunk.slot
        elif (chunk.slot, chunk.offset) != (self._incoming_slot, len(self._incoming)):
            return False
        self._incoming += chunk.data
        if len(self._incoming) >= chunk.total:
            data = bytes(self._incoming)
            self.give_up()
            self._execution.install(chunk.slot, data)
            self._keep(chunk.slot, data)
        return True

    def wanted(self) -> tuple[int, int] | None:
        """Slot and byte offset of the chunk to ask for next; None when nothing is arriving."""
        return (self._incoming_slot, len(self._incoming)) if self._incoming_slot else None

    def give_up(self) -> None:
        """Forget what has arrived so far."""
        self._incoming = bytearray()
        self._incoming_slot = 0
