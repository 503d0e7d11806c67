"""Keys: what a node holds of each key: the last chosen entry, and the acceptor of the next."""

from __future__ import annotations

from collections.abc import Callable

from ..ballot import Ballot
from ..outbox import Outbox
from .messages import ChosenRecord, Entry, LearnRecord, Stamp
from .single import Acceptor


class Key:
    """Two entries are kept, no more: version i, chosen, and i + 1, which is being decided.

    `rounds`: the highest round that this life's proposer has used for version i + 1; it outlives
    a proposal given up, as no ballot may be used twice.
    """

    __slots__ = ("acceptor", "chosen", "rounds")

    def __init__(self, chosen: Entry | None = None) -> None:
        self.chosen = chosen
        self.acceptor: Acceptor[Entry] = Acceptor()
        self.rounds = 0

    @property
    def version(self) -> int:
        """The last version known to be chosen; 0 for a key that was never written."""
        return 0 if self.chosen is None else self.chosen.version

    @property
    def stamp(self) -> Stamp | None:
        return None if self.chosen is None else self.chosen.stamp

    @property
    def accepted(self) -> tuple[Ballot, Entry] | None:
        return self.acceptor.accepted

    def advance(self, entry: Entry) -> None:
        """The entry is chosen. What was promised and accepted for its version is past."""
        self.chosen = entry
        self.acceptor = Acceptor()
        self.rounds = 0


class Keys:
    """All keys of a node. `on_learnt` is called with each key that has advanced."""

    def __init__(self, states: dict[bytes, Key], outbox: Outbox) -> None:
        self.states = states
        self.order = list(states)
        self.on_learnt: Callable[[bytes], None] = _nobody
        self._outbox = outbox

    def get(self, key: bytes) -> Key | None:
        return self.states.get(key)

    def open(self, key: bytes) -> Key:
        """The key, made where it was unknown."""
        state = self.states.get(key)
        if state is None:
            state = self.states[key] = Key()
            self.order.append(key)
        return state

    def learn(self, key: bytes, entry: Entry) -> None:
        """The entry is chosen. Older news is no news. No sync: should the record be lost, the
        node merely has to learn again, and all that builds on it is written behind it."""
        state = self.open(key)
        if entry.version <= state.version:
            return
        accepted = state.accepted
        if accepted is not None and accepted[1].stamp == entry.stamp:
            self._outbox.persist(ChosenRecord(key, entry.version))
        else:
            self._outbox.persist(LearnRecord(key, entry))
        state.advance(entry)
        self.on_learnt(key)


def _nobody(key: bytes) -> None:
    return
