"""Proposer: phase 1 over the open suffix of the log, then phase 2 slot by slot."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from .ballot import ZERO, Ballot
from .bugs import Bugs
from .membership import Configurations
from .messages import NOOP, Accept, Command, Promise, encode_batch


class Phase(StrEnum):
    """What a proposer does at the moment."""

    IDLE = "follower"
    PREPARING = "candidate"
    LEADING = "leader"


class Proposal:
    """A value proposed in a slot under the proposer's ballot, until it is chosen."""

    __slots__ = ("acceptors", "commands", "sent_s", "value", "votes")

    def __init__(self, value: bytes, commands: list[Command] | None, sent_s: float) -> None:
        self.value = value
        self.commands = commands
        self.acceptors: set[str] = set()
        self.votes = 0  # for bug count-not-set only
        self.sent_s = sent_s


CommandId = tuple[str, int, int]


class Proposer:
    """One proposer. It owns every ballot (round, its node, its incarnation)."""

    def __init__(
        self, node: str, incarnation: int, configurations: Configurations, bugs: Bugs
    ) -> None:
        self.node = node
        self.incarnation = incarnation
        self.configurations = configurations
        self.adopted: dict[int, bytes] = {}  # to be proposed anew, from `next_slot` on
        self.phase = Phase.IDLE
        self.ballot: Ballot = ZERO
        self.highest_seen: Ballot = ZERO
        self.from_slot = 0
        self.promises: dict[str, Promise] = {}
        self.open: dict[int, Proposal] = {}
        self.next_slot = 1
        self.own_first_slot = 0  # the no-op that opened this ballot; 0 before
        self.fill_upto = 0  # slots up to here are opened even if there is no command for them
        self.queue: deque[Command] = deque()
        self.in_flight: set[CommandId] = set()
        self._bugs = bugs

    def saw(self, ballot: Ballot) -> None:
        """Remember that a ballot exists, so that the next one of ours is higher."""
        if ballot > self.highest_seen:
            self.highest_seen = ballot

    def prepare(self, from_slot: int) -> Ballot:
        """Begin phase 1 with a ballot above all seen."""
        self.step_down()
        self.phase = Phase.PREPARING
        self.ballot = self.next_ballot()
        self.saw(self.ballot)
        self.from_slot = from_slot
        return self.ballot

    def next_ballot(self) -> Ballot:
        """The lowest of ours above all seen."""
        if self._bugs.active("ballot-reuse"):
            return Ballot(self.highest_seen.round + 1, self.node, 1)
        return Ballot(self.highest_seen.round + 1, self.node, self.incarnation)

    def promise(self, source: str, promise: Promise) -> bool:
        """Count a promise; True when it completes the quorum."""
        if self.phase is not Phase.PREPARING:
            return False
        if promise.ballot != self.ballot and not self._bugs.active("stale-promise"):
            return False
        self.promises[source] = promise
        return self.configurations.promised(self.from_slot, self.promises)

    def adopt(self, chosen_upto: int) -> dict[int, bytes]:
        """What the ballot must propose in the open slots above `chosen_upto`: in each the value
        of the highest ballot that a promise reports, and no-ops where none is reported (P2c)."""
        best: dict[int, tuple[Ballot, bytes]] = {}
        for promise in self.promises.values():
            for slot, ballot, value in promise.accepted:
                if slot <= chosen_upto:
                    continue
                known = best.get(slot)
                if known is None or (
                    ballot > known[0] and not self._bugs.active("first-not-highest")
                ):
                    best[slot] = (ballot, value)
        last = max(best, default=chosen_upto)
        if self._bugs.active("ignore-accepted"):
            best = {}
        return {
            slot: best[slot][1] if slot in best else NOOP
            for slot in range(chosen_upto + 1, last + 1)
        }

    def lead(self, chosen_upto: int) -> None:
        """Begin phase 2: what is adopted comes first, then a no-op of this ballot's own."""
        self.phase = Phase.LEADING
        self.next_slot = chosen_upto + 1
        self.own_first_slot = 0
        self.adopted = self.adopt(chosen_upto)

    def promised_late(self, source: str, promise: Promise) -> None:
        """Another promise for the ballot that leads: it counts, and binds, in the slots that are
        not open yet."""
        self.promises[source] = promise
        self.next_slot = max(self.next_slot, promise.chosen_upto + 1)
        self.adopted = self.adopt(self.next_slot - 1)

    def may_open(self, chosen_upto: int, window: int) -> bool:
        """May the next slot be proposed in? Not further than `window` ahead of what is known to be
        chosen, as who votes there would not be known, and only with promises of a quorum of those
        who vote there."""
        if self.next_slot > chosen_upto + window:
            return False
        return not self.unpromised()

    def unpromised(self) -> list[str]:
        """Voters in the next slot that have not promised, when a quorum of them is lacking."""
        membership = self.configurations.at(self.next_slot)
        if membership.phase1(self.promises) or self._bugs.active("eager-reconfig"):
            return []
        return [node for node in membership.voters if node not in self.promises]

    def lacks(self, slot: int) -> bool:
        """May a leader that does not know what is chosen in the slot propose nothing there either?
        Then it has to be told, by those who know."""
        return self.phase is Phase.LEADING and slot < self.next_slot and slot not in self.open

    def contradicted_by(self, slot: int, value: bytes | None) -> bool:
        """Does what is chosen in the slot show, to one who leads, that a higher ballot has led
        since? It is another value than we propose there, or we have not come so far. To go on
        would be to announce as chosen, under our ballot, what was chosen under another."""
        if self.phase is not Phase.LEADING:
            return False
        if value is None:  # a snapshot: what it holds of our open slots is not to be seen
            return slot >= self.next_slot or any(open_ <= slot for open_ in self.open)
        mine = self.open.get(slot)
        return slot >= self.next_slot or (mine is not None and mine.value != value)

    def _holders(self, slot: int, value: bytes) -> set[str]:
        """Bug learn-by-value: who said to have accepted the value, under whatever ballot."""
        return {
            node
            for node, promise in self.promises.items()
            if any(s == slot and v == value for s, _, v in promise.accepted)
        }

    def wants_slot(self) -> bool:
        """Is there anything to open another slot for?"""
        if self.adopted or not self.own_first_slot or self.queue:
            return True
        # A change of membership takes force when the slots before it are chosen.
        return self.next_slot <= max(self.fill_upto, self.configurations.horizon - 1)

    def enqueue(self, command: Command) -> None:
        """Propose the command, unless it is under way already."""
        identity = (command.origin, command.incarnation, command.seq)
        if identity not in self.in_flight:
            self.in_flight.add(identity)
            self.queue.append(command)

    def open_next(self, commands_limit: int, bytes_limit: int, now_s: float) -> int:
        """Open the next slot: for what must be proposed there, for the no-op that opens the ballot,
        or for as many queued commands as a slot may hold. Give its number."""
        slot = self.next_slot
        self.next_slot += 1
        value = self.adopted.pop(slot, None)
        if value is not None:
            self.open[slot] = Proposal(value, None, now_s)
            if self._bugs.active("learn-by-value"):
                self.open[slot].acceptors = self._holders(slot, value)
        elif not self.own_first_slot:
            self.own_first_slot = slot
            self.open[slot] = Proposal(NOOP, [], now_s)
        else:
            commands = self._next_batch(commands_limit, bytes_limit)
            self.open[slot] = Proposal(encode_batch(commands), commands, now_s)
        return slot

    def _next_batch(self, commands_limit: int, bytes_limit: int) -> list[Command]:
        commands: list[Command] = []
        size = 0
        queue = self.queue
        while queue and len(commands) < commands_limit and size < bytes_limit:
            command = queue.popleft()
            size += sum(map(len, command.args))
            commands.append(command)
        return commands

    def accept_message(self, slot: int, chosen_upto: int) -> Accept:
        return Accept(self.ballot, slot, self.open[slot].value, chosen_upto)

    def accepted(self, source: str, ballot: Ballot, slot: int) -> Proposal | None:
        """Count an acceptance of our proposal; the proposal when that makes it chosen."""
        if self.phase is not Phase.LEADING:
            return None
        if ballot != self.ballot and not self._bugs.active("nack-as-ack"):
            return None
        proposal = self.open.get(slot)
        if proposal is None:
            return None
        if self._bugs.active("count-not-set"):
            proposal.votes += 1  # who sent it is not kept: one acceptor may count twice
            if proposal.votes < self.configurations.at(slot).q2:
                return None
        else:
            proposal.acceptors.add(source)
            if not self.configurations.at(slot).phase2(proposal.acceptors):
                return None
        del self.open[slot]
        return proposal

    def step_down(self) -> None:
        """Give up the ballot. What was proposed under it may still be chosen."""
        self.phase = Phase.IDLE
        self.promises = {}
        self.adopted = {}
        self.fill_upto = 0
        self.open = {}
        self.queue.clear()
        self.in_flight.clear()
