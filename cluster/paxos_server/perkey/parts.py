"""Parts: what the parts of a replica share."""

from __future__ import annotations

import random

from ..bugs import Bugs
from ..config import Config
from ..membership import Membership
from ..messages import Message
from ..outbox import Outbox
from ..ports import Clock, Moment
from ..trace import Trace
from .keys import Keys
from .recovery import Memory
from .tracing import Tracing


class Parts:
    """Handed as one to the parts that a replica is composed of."""

    def __init__(
        self,
        config: Config,
        memory: Memory,
        clock: Clock,
        rng: random.Random,
        bugs: Bugs,
        trace: Trace | None,
    ) -> None:
        self.config = config
        self.node = config.node
        self.nodes = config.nodes
        self.peers = tuple(n for n in config.nodes if n != config.node)
        self.incarnation = memory.incarnation
        self.rng = rng
        self.bugs = bugs
        self.membership = Membership(config.nodes, bugs, config.q1, config.q2)
        self.moment = Moment(clock)
        self.outbox = Outbox(self.node)
        self.keys = Keys(memory.keys, self.outbox)
        self.tracing = None if trace is None else Tracing(self, trace)

    def to_all(self, message: Message) -> None:
        """Send to every node, this one included."""
        for node in self.nodes:
            self.outbox.send(node, message)

    def to_peers(self, message: Message) -> None:
        for node in self.peers:
            self.outbox.send(node, message)

    def pause_s(self, losses: int) -> float:
        """A random time to wait after that many lost proposals in a row: whoever draws the
        shortest wins, the others find its value and go on from there."""
        return self.config.backoff_s * (1 << min(losses, 5)) * self.rng.random()
