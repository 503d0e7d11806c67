"""Accepting: the acceptors of all keys, as the other nodes see them."""

from __future__ import annotations

from .catchup import CatchingUp
from .keys import Key
from .messages import (
    Accept,
    Accepted,
    AcceptRecord,
    AskVersion,
    Prepare,
    Promise,
    PromiseRecord,
    Refused,
    Stamp,
    Version,
)
from .parts import Parts


class Accepting:
    """Answers prepares, accepts and questions for versions. No promise and no acceptance leaves
    before it is durable."""

    def __init__(self, parts: Parts, catching_up: CatchingUp) -> None:
        self._keys = parts.keys
        self._outbox = parts.outbox
        self._catching_up = catching_up
        self._tracing = parts.tracing

    def on_prepare(self, source: str, message: Prepare) -> None:
        """Phase 1a."""
        key, version, ballot = message.key, message.version, message.ballot
        state = self._at(source, key, version, message.previous)
        if state is None:
            return
        if not state.acceptor.prepare(ballot):
            promised = state.acceptor.promised
            self._outbox.send(source, Refused(key, version, ballot, promised))
            return
        promise = Promise(key, version, ballot, state.accepted)
        if self._tracing is not None:
            self._tracing.report(promise)
        self._outbox.persist(PromiseRecord(key, version, ballot), sync=True)
        self._outbox.send_when_durable(source, promise)

    def on_accept(self, source: str, message: Accept) -> None:
        """Phase 2a."""
        key, ballot, entry = message.key, message.ballot, message.entry
        state = self._at(source, key, entry.version, message.previous)
        if state is None:
            return
        if not state.acceptor.accept(ballot, entry):
            promised = state.acceptor.promised
            self._outbox.send(source, Refused(key, entry.version, ballot, promised))
            return
        self._outbox.persist(AcceptRecord(key, ballot, entry), sync=True)
        self._outbox.send_when_durable(source, Accepted(key, entry.version, ballot))

    def on_ask_version(self, source: str, message: AskVersion) -> None:
        """A reader compares versions. An acceptance is told when it is durable, and not before:
        the reader counts it as one."""
        key, state = message.key, self._keys.get(message.key)
        version, accepted = (0, None) if state is None else (state.version, state.accepted)
        answer = Version(key, message.incarnation, message.poll, version, accepted)
        if accepted is None:
            self._outbox.send(source, answer)
        else:
            self._outbox.send_when_durable(source, answer, sync=True)

    def _at(self, source: str, key: bytes, version: int, previous: Stamp | None) -> Key | None:
        """The key, if it stands right before `version`. Who is behind is told what was chosen;
        if that is this node, it fetches what it lacks, and is asked again."""
        state = self._keys.open(key)
        if version == state.version + 2 and previous is not None:
            self._catching_up.decided(key, version - 1, previous)
        if version <= state.version:
            self._catching_up.tell(source, key)
            return None
        if version > state.version + 1:
            self._catching_up.behind(source, key)
            return None
        return state
