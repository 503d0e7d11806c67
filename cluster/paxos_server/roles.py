"""Roles: proposer, acceptor and learner of one node, and what they share."""

from __future__ import annotations

import random

from .acceptor import Acceptor
from .ballot import Ballot
from .bugs import Bugs
from .config import Config
from .leadership import Leadership
from .learner import Learner
from .membership import Membership
from .outbox import Outbox
from .ports import Clock, Moment
from .proposer import Proposer
from .recovery import Remembered
from .trace import Trace, value_id


class Roles:
    """Handed as one to the parts that a replica is composed of. `memory` is what the node's
    former lives wrote down."""

    def __init__(
        self,
        config: Config,
        memory: Remembered,
        clock: Clock,
        rng: random.Random,
        bugs: Bugs,
        trace: Trace | None,
    ) -> None:
        self.config = config
        self.node = config.node
        self.peers = tuple(n for n in config.nodes if n != config.node)
        self.incarnation = memory.incarnation
        self.bugs = bugs
        self.membership = membership = Membership(config.nodes, bugs, config.q1, config.q2)
        self.acceptor = Acceptor(bugs)
        self.acceptor.promised = memory.promised
        self.acceptor.accepted = memory.accepted
        self.learner = Learner(bugs)
        self.proposer = Proposer(self.node, self.incarnation, membership, bugs)
        self.proposer.saw(memory.promised)
        if bugs.active("ballot-reuse") and memory.promised.round:
            # The round of the last life's ballot comes again.
            self.proposer.highest_seen = Ballot(memory.promised.round - 1, "", 0)
        self.leadership = Leadership(config, membership, clock, rng, bugs)
        self.moment = Moment(clock)
        self.outbox = Outbox(self.node)
        self.trace = trace
        if trace is not None:
            trace.add(
                "start", memory.incarnation, memory.promised, memory.chosen_upto,
                memory.snapshot_slot, membership.q1, membership.q2, membership.voters,
                str(config.reads),
                [[s, b, value_id(v)] for s, (b, v) in sorted(memory.accepted.items())],
            )  # fmt: skip
