"""What was chosen, found as the protocol defines it: by proposal {ballot, value} and never by
value alone; and what must follow from it: lemmas I1, I9 to I13."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from paxtest.auditor.lemma import Failure, ballot_text
from paxtest.auditor.node import Ballot, ballot
from paxtest.auditor.slots import SlotId, place

Identity = tuple[str, int, int]


@dataclass
class Slot:
    """`values`: what was proposed or accepted under each ballot, and who did so first. `accepted`:
    when each acceptor said so. `chosen`: ballot, value and moment, for every value chosen."""

    values: dict[Ballot, dict[str, tuple[int, str]]] = field(default_factory=dict)
    accepted: dict[Ballot, dict[str, int]] = field(default_factory=dict)
    chosen: dict[str, tuple[Ballot, int]] = field(default_factory=dict)


class Chosen:
    """Takes in the traces of all nodes, then answers. `one_clock`: whether their times can be
    compared."""

    def __init__(self, one_clock: bool = True) -> None:
        self._one_clock = one_clock
        self.slots: dict[SlotId, Slot] = {}
        self.configs: dict[int, tuple[frozenset[str], int]] = {}  # by the first slot
        self.commands: dict[tuple[SlotId, str], list[Identity]] = {}
        self.effects: dict[Identity, tuple[SlotId, str]] = {}  # slot, and a node that saw it there
        self._states: dict[int, tuple[str, str]] = {}
        self._failures: list[Failure] = []
        self._applies: list[tuple[int, str, SlotId, str]] = []
        self.replies: list[tuple[int, str, Identity, str]] = []
        self.leads: list[tuple[int, Ballot]] = []

    def take(self, node: str, events: list[list[Any]]) -> None:
        """Note what matters of one node's trace."""
        incarnation = 0
        accepts: dict[tuple[int, Ballot], str] = {}
        for event in events:
            at, kind = event[0], event[1]
            if kind == "start":
                incarnation = event[2]
                self.configs.setdefault(1, (frozenset(event[8]), event[7]))
                accepts = {(s, ballot(b)): v for s, b, v in event[10]}
            elif kind == "config":
                self.configs[event[2]] = (frozenset(event[3]), event[5])
            elif kind == "accept":
                _, _, _, slot, raw, value = event
                accepts[slot, ballot(raw)] = value
                self._value(at, node, slot, ballot(raw), value, "accepted")
            elif kind == "propose":
                _, _, slot, raw, value, ids = event
                self._value(at, node, slot, ballot(raw), value, "proposed")
                if ids:
                    self.commands[slot, value] = [(i[0], i[1], i[2]) for i in ids]
            elif kind == "send" and event[3] == "2b":
                b, slot = ballot(event[4]), event[5]
                if (slot, b) in accepts:
                    acceptors = self._slot(slot).accepted.setdefault(b, {})
                    acceptors.setdefault(node, at)
            elif kind == "apply":
                self._applied(at, node, event[2], event[3], event[4])
            elif kind == "lead":
                self.leads.append((at, ballot(event[2])))
            elif kind in ("snapshot", "install"):
                self._state(at, node, event[2], event[3])
            elif kind == "reply":
                self.replies.append((at, node, (node, incarnation, event[2]), event[3]))

    def _slot(self, number: SlotId) -> Slot:
        slot = self.slots.get(number)
        if slot is None:
            slot = self.slots[number] = Slot()
        return slot

    def _value(self, at: int, node: str, number: SlotId, b: Ballot, value: str, how: str) -> None:
        known = self._slot(number).values.setdefault(b, {})
        if value not in known:
            if known:
                other = next(iter(known))
                self._failures.append(
                    Failure(
                        "I1", node, at, f"{node} {how} {value} in {place(number)} under ballot"
                        f" {ballot_text(b)}, under which {known[other][1]} has {other}",
                        number, ballot_text(b),
                    )
                )  # fmt: skip
            known[value] = (at, node)

    def _applied(self, at: int, node: str, slot: SlotId, value: str, ids: Any) -> None:
        self._applies.append((at, node, slot, value))
        for raw in ids:
            identity = raw if isinstance(raw, tuple) else (raw[0], raw[1], raw[2])
            before = self.effects.setdefault(identity, (slot, node))
            if before[0] != slot:
                self._failures.append(
                    Failure(
                        "I13", node, at, f"{node} executed command {identity[2]} of"
                        f" {identity[0]}.{identity[1]} in {place(slot)}, but it had taken effect"
                        f" in {place(before[0])}", slot,
                    )
                )  # fmt: skip

    def _state(self, at: int, node: str, slot: int, state: str) -> None:
        known = self._states.setdefault(slot, (state, node))
        if known[0] != state:
            self._failures.append(
                Failure(
                    "I11", node, at, f"{node} has another state after slot {slot} than"
                    f" {known[1]}", slot,
                )
            )  # fmt: skip

    def failures(self) -> Iterator[Failure]:
        """All of them, in no order. Call it when every trace has been taken."""
        self._choose()
        yield from self._failures
        yield from self._theorems()
        yield from self._learners()
        yield from self._acknowledgements()

    def config(self, number: SlotId) -> tuple[frozenset[str], int]:
        """Who votes in a slot, and how many of them are a phase-2 quorum: one at least, for what
        nobody accepted is not chosen, whatever a node takes for a quorum."""
        firsts = sorted(self.configs)
        if not firsts:
            return frozenset(), 1
        last = 0
        if isinstance(number, int):
            last = max(0, bisect_right(firsts, number) - 1)
        voters, q2 = self.configs[firsts[last]]
        return voters, max(1, q2)

    def _choose(self) -> None:
        """A proposal is chosen when a phase-2 quorum has said to have accepted that proposal."""
        for number, slot in self.slots.items():
            voters, q2 = self.config(number)
            for b, acceptors in slot.accepted.items():
                votes = sorted(at for node, at in acceptors.items() if node in voters)
                if len(votes) >= q2:
                    at = votes[q2 - 1]
                    for value in slot.values.get(b, {}):
                        known = slot.chosen.get(value)
                        if known is None or at < known[1]:
                            slot.chosen[value] = (b, at)

    def _theorems(self) -> Iterator[Failure]:
        for number, slot in self.slots.items():
            if len(slot.chosen) > 1:
                value, (b, at) = max(slot.chosen.items(), key=lambda item: item[1][1])
                yield Failure(
                    "I10", b[1], at, f"in {place(number)} {len(slot.chosen)} values were chosen:"
                    f" {', '.join(sorted(slot.chosen))}", number, ballot_text(b),
                )  # fmt: skip
            for value, (b, _) in slot.chosen.items():
                for other, proposals in slot.values.items():
                    if other > b and any(v != value for v in proposals):
                        at, node = min(who for v, who in proposals.items() if v != value)
                        yield Failure(
                            "I9", node, at, f"{node} proposed another value in {place(number)}"
                            f" under {ballot_text(other)} though {value} is chosen under"
                            f" {ballot_text(b)}", number, ballot_text(other),
                        )  # fmt: skip
                        break

    def _learners(self) -> Iterator[Failure]:
        """What is applied is chosen, and was so by then: a value that becomes chosen later was
        taken for chosen by some other rule, and need not have become so."""
        told: set[tuple[SlotId, str]] = set()
        for at, node, number, value in sorted(self._applies, key=lambda applied: applied[0]):
            slot = self.slots.get(number)
            chosen = slot.chosen.get(value) if slot else None
            if chosen is None:
                others = ", ".join(sorted(slot.chosen)) if slot and slot.chosen else "nothing"
                why = f", where {others} was chosen"
            elif self._one_clock and at < chosen[1]:
                why = f" {(chosen[1] - at) / 1e6:.1f} ms before it was chosen"
            else:
                continue
            if (number, value) not in told:
                told.add((number, value))
                said = f"{node} applied {value} in {place(number)}{why}"
                yield Failure("I11", node, at, said, number)

    def _acknowledgements(self) -> Iterator[Failure]:
        where: dict[Identity, list[int]] = {}
        for (number, value), identities in self.commands.items():
            chosen = self.slots[number].chosen.get(value)
            if chosen is not None:
                for identity in identities:
                    where.setdefault(identity, []).append(chosen[1])
        for at, node, identity, outcome in self.replies:
            chosen_at = min(where.get(identity, ()), default=None)
            command = f"command {identity[2]} of {identity[0]}.{identity[1]}"
            early = chosen_at is not None and self._one_clock and chosen_at > at
            if outcome == "ok" and (chosen_at is None or early):
                yield Failure(
                    "I12", node, at, f"{node} acknowledged {command}, which "
                    + ("was never chosen" if chosen_at is None else "was not chosen yet"),
                )  # fmt: skip
            elif outcome == "fail" and chosen_at is not None and identity in self.effects:
                yield Failure(
                    "I12", node, at, f"{node} refused {command} as certainly not executed, but it"
                    " was chosen and took effect",
                )  # fmt: skip
