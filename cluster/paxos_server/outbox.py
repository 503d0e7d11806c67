"""Outbox: gathers what the roles of a replica want done, until the driver takes it."""

from __future__ import annotations

from collections import deque

from .events import Output
from .messages import Message, Record


class Outbox:
    """Records to persist, messages and replies to send. A message that promises something waits
    here until the records that keep the promise are durable; a message to the node itself is put
    aside in `to_self`, for the replica to handle before it gives its output."""

    def __init__(self, node: str) -> None:
        self.to_self: deque[Message] = deque()
        self._node = node
        self._out = Output()
        self._lsn = 0
        self._durable = 0
        self._awaiting_sync: deque[tuple[int, str, Message]] = deque()

    def persist(self, record: Record, sync: bool = False) -> None:
        """Write a record to the log; `sync`: soon, as something waits for it to be durable."""
        self._out.records.append(record)
        self._lsn += 1
        if sync:
            self._out.sync = True

    def send(self, destination: str, message: Message) -> None:
        if destination == self._node:
            self.to_self.append(message)
        else:
            self._out.messages.append((destination, message))

    def send_when_durable(self, destination: str, message: Message, sync: bool = False) -> None:
        """Send when all records persisted so far are durable; `sync`: see to it that they are."""
        if sync:
            self._out.sync = True
        self._awaiting_sync.append((self._lsn, destination, message))

    def durable(self, lsn: int) -> None:
        """Messages that waited for the records up to number `lsn` may leave now."""
        self._durable = max(self._durable, lsn)
        waiting = self._awaiting_sync
        while waiting and waiting[0][0] <= self._durable:
            _, destination, message = waiting.popleft()
            self.send(destination, message)

    def reply(self, request: int, reply: bytes) -> None:
        """Answer the client's request of that number; 0 is the node itself."""
        if request:
            self._out.replies.append((request, reply))

    def take(self) -> Output:
        """Everything since the last call."""
        out, self._out = self._out, Output()
        out.lsn = self._lsn
        return out
