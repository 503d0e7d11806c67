"""Roles: proposer, acceptor and learner of one node, and what they share."""

from __future__ import annotations

import random

from .acceptor import Acceptor
from .ballot import Ballot
from .bugs import Bugs
from .config import Config
from .leadership import Leadership
from .learner import Learner
from .membership import Configurations
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
        self.incarnation = memory.incarnation
        self.bugs = bugs
        self.configurations = configurations = Configurations(
            config.nodes, bugs, config.window, config.q1, config.q2
        )
        membership = configurations.first
        self.acceptor = Acceptor(bugs)
        self.acceptor.promised = memory.promised
        self.acceptor.accepted = memory.accepted
        self.learner = Learner(bugs)
        self.proposer = Proposer(self.node, self.incarnation, configurations, bugs)
        self.proposer.saw(memory.promised)
        if bugs.active("ballot-reuse") and memory.promised.round:
            # The round of the last life's ballot comes again.
            self.proposer.highest_seen = Ballot(memory.promised.round - 1, "", 0)
        learner = self.learner
        self.leadership = Leadership(
            config, lambda: configurations.at(learner.chosen_upto + 1), clock, rng, bugs
        )
        self.moment = Moment(clock)
        self.outbox = Outbox(self.node)
        self.trace = trace
        if trace is not None:
            trace.add(
                "start", memory.incarnation, memory.promised, memory.chosen_upto,
                memory.snapshot_slot, membership.q1, membership.q2, membership.voters,
                str(config.reads),
                [[s, b, value_id(v)] for s, (b, v) in sorted(memory.accepted.items())], self.node,
            )  # fmt: skip
            configurations.changed = self._trace_configurations

    def _trace_configurations(self) -> None:
        if self.trace is not None:
            for row in self.configurations.rows():
                self.trace.add("config", *row)

    def votes(self) -> bool:
        """Is this node a voter in the next slot, as far as it knows?"""
        return self.configurations.at(self.learner.chosen_upto + 1).is_voter(self.node)

    def removed(self) -> bool:
        """Was this node a member, and is it one no longer, as far as it knows?"""
        return self.configurations.removed(self.node) and not self.votes()

    def everybody_else(self) -> tuple[str, ...]:
        """Voters and learners but for this node."""
        everybody = self.configurations.everybody(self.learner.chosen_upto + 1)
        return tuple(node for node in everybody if node != self.node)
