"""Catching up: whoever lacks a chosen entry fetches it; the last one is all there is to fetch."""

from __future__ import annotations

from collections.abc import Callable

from .messages import Chosen, Compare, Decided, Fetch, Stamp
from .parts import Parts

COMPARED_KEYS = 64


class CatchingUp:
    """Both sides: the node that is behind with a key, and the node that knows more.

    `on_caught_up(source, key)` is called when a node asked for a key, and has been answered.
    """

    def __init__(self, parts: Parts) -> None:
        self.on_caught_up: Callable[[str, bytes], None] = _nobody
        self._keys = parts.keys
        self._outbox = parts.outbox
        self._config = parts.config
        self._moment = parts.moment
        self._rng = parts.rng
        self._peers = parts.peers
        self._asked_s: dict[bytes, float] = {}
        self._compare_s = 0.0
        self._cursor = 0

    # --- the node that is behind ---

    def decided(self, key: bytes, version: int, stamp: Stamp) -> bool:
        """The entry with this stamp is chosen: if it is the one accepted here, it is learnt."""
        state = self._keys.open(key)
        accepted = state.accepted
        if accepted is not None and accepted[1].stamp == stamp:
            self._keys.learn(key, accepted[1])
        return state.version >= version

    def on_decided(self, source: str, message: Decided) -> None:
        if not self.decided(message.key, message.version, message.stamp):
            self.behind(source, message.key)

    def behind(self, source: str, key: bytes) -> None:
        """That node has a later version of the key: fetch it, but not with every message."""
        now_s = self._moment.now_s
        if now_s - self._asked_s.get(key, -1.0) >= self._config.backoff_s:
            self._asked_s[key] = now_s
            self._outbox.send(source, Fetch(key, self._keys.open(key).version))

    def on_chosen(self, source: str, message: Chosen) -> None:
        self._asked_s.pop(message.key, None)
        self._keys.learn(message.key, message.entry)

    # --- the node that knows more ---

    def tell(self, destination: str, key: bytes) -> None:
        """Send what is chosen."""
        state = self._keys.get(key)
        if state is not None and state.chosen is not None:
            self._outbox.send(destination, Chosen(key, state.chosen))

    def on_fetch(self, source: str, message: Fetch) -> None:
        state = self._keys.get(message.key)
        if state is not None and state.version > message.version:
            self.tell(source, message.key)
            self.on_caught_up(source, message.key)

    # --- both: keys that nobody asks for are compared in the background ---

    def tick(self) -> None:
        """Now and then compare some keys with some node, going round through all of them."""
        if self._moment.now_s < self._compare_s or not self._peers or not self._keys.order:
            return
        self._compare_s = self._moment.now_s + self._config.retry_s
        order = self._keys.order
        if self._cursor >= len(order):
            self._cursor = 0
        some = order[self._cursor : self._cursor + COMPARED_KEYS]
        self._cursor += COMPARED_KEYS
        versions = [(key, self._keys.open(key).version) for key in some]
        self._outbox.send(self._rng.choice(self._peers), Compare(versions))

    def on_compare(self, source: str, message: Compare) -> None:
        size = 0
        for key, version in message.versions:
            state = self._keys.get(key)
            own = 0 if state is None else state.version
            if own < version:
                self.behind(source, key)
            elif own > version and size < self._config.message_bytes:
                assert state is not None and state.chosen is not None
                if state.chosen.value is not None:
                    size += sum(map(len, state.chosen.value[1]))
                self.tell(source, key)


def _nobody(source: str, key: bytes) -> None:
    return
