"""Promotion: who is to vote gets its vote when it keeps pace with the leader."""

from __future__ import annotations

from typing import NamedTuple

from .config import Reads
from .identity import name_of
from .requests import Requests
from .roles import Roles


class Round(NamedTuple):
    """`node` is to learn the slots up to `upto`, all that the leader knew at `since_s`."""

    node: str
    upto: int
    since_s: float


class Promotion:
    """The leader's view of the learners, and of newcomers in the place of their nodes' former
    disks. A learner hears of slots by heartbeats, so that it is behind by as many as are chosen
    between two of them, and never nearer while the others are busy. What counts is time, in
    rounds: one ends when the learner has all that the leader knew as it began."""

    def __init__(self, roles: Roles, requests: Requests) -> None:
        self._config = roles.config
        self._roles = roles
        self._learner = roles.learner
        self._moment = roles.moment
        self._requests = requests
        self._rounds: dict[str, Round] = {}  # by name: of its latest disk
        self._promoting: int | None = 0

    def lead(self) -> None:
        """A new leader knows nothing of how far the learners are."""
        self._rounds.clear()

    def heard(self, node: str, upto: int) -> None:
        """The node knows the slots up to `upto` to be chosen. It votes from now on if it is to,
        and the round that this ends took no longer than a leader waits for an answer."""
        name, now_s = name_of(node), self._moment.now_s
        if not self._roles.configurations.awaits(node):
            return
        known = self._rounds.get(name)
        if known is None or known.node != node:
            known = Round(node, self._learner.chosen_upto, now_s)
        if upto >= known.upto:
            self._rounds[name] = Round(node, self._learner.chosen_upto, now_s)
            if now_s - known.since_s <= self._config.step_down_s:
                self._promote(node)
        else:
            self._rounds[name] = known

    def _promote(self, node: str) -> None:
        """One attempt at a time."""
        if self._promoting not in self._requests.gateway.waiting:
            replaced = [disk.encode() for disk in self._roles.configurations.disks(node)]
            words = [b"MEMBERS", b"PROMOTE", node.encode(), *replaced]
            self._promoting = self._requests.admit(0, words, Reads.LOG, 0)
