"""Membership: who votes on which slot, and how many votes make a quorum."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from .bugs import Bugs
from .identity import name_of


class Membership:
    """The voters, and quorum sizes of phase 1 and phase 2.

    Any q1 and q2 will do as long as each phase-1 quorum meets each phase-2 quorum
    (Howard, Malkhi, Spiegelman: Flexible Paxos, 2016): q1 + q2 > number of voters.
    """

    def __init__(
        self, voters: Iterable[str], bugs: Bugs, q1: int | None = None, q2: int | None = None
    ) -> None:
        self.voters = tuple(sorted(voters))
        self._set = frozenset(self.voters)
        n = len(self.voters)
        majority = n // 2 + 1
        if bugs.active("half-majority"):
            majority = (n + 1) // 2
        self.q1 = q1 if q1 is not None else majority
        self.q2 = q2 if q2 is not None else majority
        if bugs.active("bad-flex-quorum"):
            self.q2 = n - self.q1
        elif not bugs.active("half-majority") and not 1 <= n + 1 - self.q1 <= self.q2 <= n:
            raise ValueError(
                f"quorums of {self.q1} (phase 1) and {self.q2} (phase 2) of {n} voters need not"
                f" intersect; q1 + q2 must exceed {n} and neither may"
            )

    def is_voter(self, node: str) -> bool:
        return node in self._set

    def phase1(self, promisers: Collection[str]) -> bool:
        """Do these promises make a phase-1 quorum?"""
        return len(self._set.intersection(promisers)) >= self.q1

    def phase2(self, acceptors: Collection[str]) -> bool:
        """Do these acceptances make a phase-2 quorum?"""
        return len(self._set.intersection(acceptors)) >= self.q2


class Configurations:
    """Which membership is in force in which slot, and who learns without a vote.

    Part of the replicated state: changed by commands alone, one change at a time. A change that is
    chosen in slot s is in force from s + `window` on (Lamport, The Part-Time Parliament, 1998,
    section 3.3.6; "alpha" in Paxos Made Simple): nobody proposes that far ahead of what it knows
    to be chosen, so whoever proposes in a slot knows its membership. All nodes must have the same
    window (`identity.compare_terms`).

    `learners`, by name, with their addresses: a learner has no vote, so that it does not matter on
    which disk it learns. Voters are disks (`identity.py`). `retired`: disks that voted and do not
    any more; they may again only when their node is added again.
    """

    def __init__(
        self,
        voters: Iterable[str],
        bugs: Bugs,
        window: int = 8,
        q1: int | None = None,
        q2: int | None = None,
    ) -> None:
        self.first = Membership(voters, bugs, q1, q2)
        self.learners: dict[str, str] = {}
        self.addresses: dict[str, str] = {}
        self.retired: set[str] = set()
        self.changed: Callable[[], None] = lambda: None
        self._history: list[tuple[int, Membership]] = [(1, self.first)]
        self._fixed = q1 is not None or q2 is not None
        self._window = window
        self._bugs = bugs

    @property
    def horizon(self) -> int:
        """The first slot of the latest membership."""
        return self._history[-1][0]

    @property
    def latest(self) -> Membership:
        return self._history[-1][1]

    def at(self, slot: int) -> Membership:
        """The membership in force in a slot."""
        for first, membership in reversed(self._history):
            if first <= slot:
                return membership
        return self._history[0][1]

    def since(self, slot: int) -> list[Membership]:
        """All that are in force in that slot or, as far as is known, in a later one."""
        return [self.at(slot)] + [m for first, m in self._history if first > slot]

    def voters(self, slot: int) -> tuple[str, ...]:
        """Who votes in that slot or a later one."""
        return tuple(sorted({node for m in self.since(slot) for node in m.voters}))

    def everybody(self, slot: int) -> tuple[str, ...]:
        """Voters in that slot or a later one, and learners."""
        return tuple(sorted({*self.voters(slot), *self.learners}))

    def promised(self, slot: int, promisers: Collection[str]) -> bool:
        """Do these make a phase-1 quorum of every membership from the slot on?"""
        return all(membership.phase1(promisers) for membership in self.since(slot))

    # --- commands of the state machine ---

    def change(self, slot: int, words: list[str]) -> str | None:
        """Execute ADD node address, PROMOTE node [disk that it replaces], REMOVE node, or REFUSE
        node reason (a REMOVE that the leader would not have), chosen in `slot`. Why it changes
        nothing, or None."""
        verb, node = words[0], words[1]
        if self.horizon > slot and not self._bugs.active("eager-reconfig"):
            return f"another change is in flight: it is in force from slot {self.horizon} on"
        if verb == "REFUSE":
            return words[2]
        if verb == "PROMOTE":
            problem = self._promote(slot, node, set(words[2:]))
        elif self._fixed:
            return "the sizes of quorums are fixed by --q1 or --q2"
        elif verb == "ADD":
            problem = self._add(slot, node, words[2])
        else:
            problem = self._remove(slot, node)
        if problem is None:
            self.changed()
        return problem

    def _promote(self, slot: int, node: str, replaced: set[str]) -> str | None:
        """Let a learner vote, or a disk in the place of another one of the same node. A command
        that comes late must not put a lost disk in the place of its successor."""
        if not self.awaits(node):
            return f"{node} is no learner"
        if self.disks(node) != replaced:
            return f"{', '.join(self.disks(node)) or 'nobody'} votes by now where {node} was to"
        self.learners.pop(name_of(node), None)
        self._enact(slot, (set(self.latest.voters) - self.disks(node)) | {node})
        return None

    def _add(self, slot: int, node: str, address: str) -> str | None:
        eager = self._bugs.active("eager-reconfig")
        if self.disks(node) or node in self.learners:
            return f"{node} is a member already"
        if self.learners and not eager:
            return f"another change is in flight: {', '.join(self.learners)} is to vote"
        self.addresses[node] = address
        if eager:
            self._enact(slot, {*self.latest.voters, node})
        else:
            self.learners[node] = address
        return None

    def _remove(self, slot: int, node: str) -> str | None:
        voters, disks = set(self.latest.voters), self.disks(node)
        if node in self.learners:
            del self.learners[node]
            return None
        if not disks:
            return f"{node} is no member"
        if self.learners and not self._bugs.active("eager-reconfig"):
            return f"another change is in flight: {', '.join(self.learners)} is to vote"
        if voters == disks:
            return f"{node} is the last member"
        self._enact(slot, voters - disks)
        return None

    def endangers(self, node: str, answering: Collection[str]) -> str | None:
        """Why the node must not be removed while only these nodes answer: those that remained would
        be no quorum, and could not even let others in. None where they would be."""
        voters = set(self.latest.voters) - self.disks(node)
        if not voters or self._fixed or self._bugs.active("eager-reconfig"):
            return None
        left, answer = self._membership(voters), sorted(voters.intersection(answering))
        if left.phase1(answer) and left.phase2(answer):
            return None
        return (
            f"without {name_of(node)} there would be {len(voters)} members, of whom"
            f" {', '.join(answer) or 'none'} answer now: no quorum; try again when more do"
        )

    def awaits(self, node: str) -> bool:
        """Is the node to vote as soon as it has caught up: a learner, or a disk in the place of
        one that was lost?"""
        if self.latest.is_voter(node):
            return False
        lost = node not in self.retired and bool(self.disks(node))
        return name_of(node) in self.learners or lost

    def removed(self, node: str) -> bool:
        """Did the node vote, and is it neither to vote any more nor to learn?"""
        if node not in self.retired or self.latest.is_voter(node):
            return False
        return name_of(node) not in self.learners

    def disks(self, node: str) -> set[str]:
        """The voters of the latest membership that have the node's name: one, or none."""
        name = name_of(node)
        return {voter for voter in self.latest.voters if name_of(voter) == name}

    def _enact(self, slot: int, voters: set[str]) -> None:
        eager = self._bugs.active("eager-reconfig")
        first = slot + (1 if eager else self._window)
        self.retired = (self.retired | set(self.latest.voters)) - voters
        kept = [(f, m) for f, m in self._history if f > slot]
        before = [(f, m) for f, m in self._history if f <= slot] or self._history[:1]
        kept.insert(0, before[-1])
        self._history = [*kept, (first, self._membership(voters))]

    def _membership(self, voters: Iterable[str]) -> Membership:
        if self._fixed:
            return Membership(voters, self._bugs, self.first.q1, self.first.q2)
        return Membership(voters, self._bugs)

    # --- snapshots and looking ---

    def freeze(self) -> Frozen:
        """All of it, equal iff the configurations are."""
        return (
            [(first, list(membership.voters)) for first, membership in self._history],
            sorted(self.learners.items()),
            sorted(self.addresses.items()),
            sorted(self.retired),
        )

    def thaw(self, frozen: Frozen) -> None:
        """The inverse of `freeze`."""
        history, learners, addresses, retired = frozen
        if len(history) > 1 or history[0][1] != list(self.first.voters):
            self._history = [(first, self._membership(voters)) for first, voters in history]
        self.learners, self.addresses = dict(learners), dict(addresses)
        self.retired = set(retired)
        self.changed()

    def rows(self) -> list[tuple[int, tuple[str, ...], int, int]]:
        """(first slot, voters, q1, q2) of the memberships that matter."""
        return [(first, m.voters, m.q1, m.q2) for first, m in self._history]

    def roles(self, slot: int) -> list[tuple[str, str, str]]:
        """(node, address or "", role) for everybody, as of a slot."""
        now, later = set(self.at(slot).voters), set(self.latest.voters)
        told = []
        for node in self.everybody(slot):
            role = "learner"
            if node in now or node in later:
                role = "voter" if node in now and node in later else "leaving"
                role = "joining" if node not in now else role
            told.append((name_of(node), self.addresses.get(name_of(node), ""), role))
        return told


Frozen = tuple[list[tuple[int, list[str]]], list[tuple[str, str]], list[tuple[str, str]], list[str]]
