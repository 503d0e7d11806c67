"""Learner: finds out what was chosen, by proposal {ballot, value} and never by value alone."""

from __future__ import annotations

from .bugs import Bugs
from .messages import NOOP


class Learner:
    """The chosen values. `log` holds slot -> value for (compacted, ...]; `chosen_upto` ends the
    unbroken prefix of chosen slots; single slots beyond it may be known too. `log_bytes`: of all
    values in the log."""

    def __init__(self, bugs: Bugs) -> None:
        self.log: dict[int, bytes] = {}
        self.log_bytes = 0
        self.compacted = 0
        self.chosen_upto = 0
        self._bugs = bugs

    def learn(self, slot: int, value: bytes) -> None:
        """The value is chosen in the slot. Learning twice does nothing."""
        if slot > self.chosen_upto and slot not in self.log:
            self.log[slot] = value
            self.log_bytes += len(value)
            if self._bugs.active("skip-holes"):
                for hole in range(self.chosen_upto + 1, slot):
                    self.log.setdefault(hole, NOOP)
            while self.chosen_upto + 1 in self.log:
                self.chosen_upto += 1

    def remember(self, chosen: dict[int, bytes], upto: int) -> None:
        """Take over what the node's former lives learnt: every slot from here up to `upto`."""
        self.log = chosen
        self.log_bytes = sum(map(len, chosen.values()))
        self.chosen_upto = upto

    def is_chosen(self, slot: int) -> bool:
        return slot <= self.chosen_upto or slot in self.log

    def values(self, first: int, byte_limit: int) -> list[bytes]:
        """Consecutive chosen values from slot `first` on, at least one where there is any."""
        values: list[bytes] = []
        size = 0
        if first > self.compacted:
            for slot in range(first, self.chosen_upto + 1):
                value = self.log[slot]
                size += len(value) + 16
                if values and size > byte_limit:
                    break
                values.append(value)
        return values

    def compact(self, upto: int) -> None:
        """Forget the values up to a slot that a snapshot covers; all of them are chosen."""
        for slot in range(self.compacted + 1, upto + 1):
            self.log_bytes -= len(self.log.pop(slot, b""))
        self.compacted = max(self.compacted, upto)
        self.chosen_upto = max(self.chosen_upto, upto)
        while self.chosen_upto + 1 in self.log:
            self.chosen_upto += 1

    def compact_to(self, log_bytes: int, upto: int) -> None:
        """Forget the oldest values, but none beyond `upto`, until so many bytes are left."""
        while self.log_bytes > log_bytes and self.compacted < upto:
            self.compact(self.compacted + 1)
