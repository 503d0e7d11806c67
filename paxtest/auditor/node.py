"""What one node's own trace must show: lemmas I2 to I7, and parts of I11, in its own order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from paxtest.auditor.lemma import Failure, ballot_text
from paxtest.auditor.slots import SlotId

Ballot = tuple[int, str, int]
NOTHING: tuple[Failure, ...] = ()
ZERO: Ballot = (0, "", 0)


class Walk:
    """Goes through one node's trace: an event of kind K is handed to the method `_on_K`, with its
    time and all that follows the kind; what that gives are failures."""

    def __init__(self, node: str) -> None:
        self.node = node

    def walk(self, events: list[list[Any]]) -> Iterator[Failure]:
        """All failures, in the order of the trace."""
        handlers = {
            name.removeprefix("_on_"): getattr(self, name)
            for name in dir(self)
            if name.startswith("_on_")
        }
        for event in events:
            handler = handlers.get(event[1])
            if handler is not None:
                found = handler(event[0], *event[2:])
                if found is not NOTHING:
                    yield from found

    def _fail(
        self, lemma: str, at: int, text: str, slot: SlotId | None = None, ballot: Any = None
    ) -> Failure:
        told = None if ballot is None else ballot_text(ballot)
        return Failure(lemma, self.node, at, f"{self.node} {text}", slot, told)


@dataclass
class Promised:
    """What the promises that a candidate has received say: by node, highest report by slot."""

    accepted: dict[str, dict[int, tuple[Ballot, str]]] = field(default_factory=dict)
    chosen_upto: int = 0


class NodeAudit(Walk):
    """Walks one trace. Memory is bounded by what is open, not by the length of the trace."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self._configs: list[tuple[int, frozenset[str], int]] = []
        self._incarnation = 0
        self._fsynced = 0
        self._promise_lsn: dict[Ballot, int] = {}
        self._accept_lsn: dict[tuple[int, Ballot], int] = {}
        self._pending: deque[tuple[int, str, Any]] = deque()  # written, not yet known to be durable
        self._durable_promise = ZERO
        self._durable_accepts: dict[int, tuple[Ballot, str]] = {}
        self._durable_chosen = 0
        self._highest = ZERO  # promised or accepted, durable or not
        self._accepted: dict[int, tuple[Ballot, str]] = {}
        self._applied = 0
        self._promises: dict[Ballot, Promised] = {}
        self._leading: Ballot | None = None
        self._quorum: list[str] = []
        self._proposed: set[tuple[int, Ballot]] = set()
        self._furthest = 0  # slot in which this life has proposed
        self._claims: dict[Ballot, list[tuple[int, Ballot, Ballot]]] = {}  # of promises not sent

    # --- restart and durability: I3 ---

    def _on_start(
        self, at: int, incarnation: int, promised: Any, chosen_upto: int, snapshot_slot: int,
        q1: int, q2: int, nodes: Any, reads: str, accepted: Any, node: str = "",
    ) -> Iterator[Failure]:  # fmt: skip
        before, after = self._durable_promise, ballot(promised)
        if after < before:
            yield self._fail(
                "I3", at, f"came back with promise {ballot_text(after)}, but had durably promised"
                f" {ballot_text(before)}", ballot=before,
            )  # fmt: skip
        found = {slot: (ballot(b), value) for slot, b, value in accepted}
        for slot, (b, _) in sorted(self._durable_accepts.items()):
            if slot > chosen_upto and (slot not in found or found[slot][0] < b):
                yield self._fail(
                    "I3", at, f"came back without the proposal {ballot_text(b)} that it had"
                    f" durably accepted in slot {slot}", slot, b,
                )  # fmt: skip
                break
        if chosen_upto < self._durable_chosen:
            yield self._fail(
                "I3", at, f"came back knowing slots up to {chosen_upto}, but had durably noted"
                f" those up to {self._durable_chosen} as chosen", chosen_upto + 1,
            )  # fmt: skip
        self._configs = [(1, frozenset(nodes), q1)]
        self._incarnation = incarnation
        self._furthest = 0
        self._claims.clear()
        self._fsynced = 0
        self._pending.clear()
        self._promise_lsn.clear()
        self._accept_lsn.clear()
        self._durable_promise = self._highest = after
        self._durable_accepts = dict(found)
        self._durable_chosen = chosen_upto
        self._accepted = dict(found)
        self._applied = snapshot_slot
        self._promises.clear()
        self._leading = None
        self._proposed.clear()

    def _on_fsync(self, at: int, lsn: int) -> Iterable[Failure]:
        if lsn > self._fsynced:
            self._fsynced = lsn
        pending = self._pending
        while pending and pending[0][0] <= lsn:
            _, kind, what = pending.popleft()
            if kind == "chosen":
                self._durable_chosen = max(self._durable_chosen, what)
                continue
            b = what
            if kind == "accept":
                slot, b, value = what
                self._durable_accepts[slot] = (b, value)
            if b > self._durable_promise:
                self._durable_promise = b
        return NOTHING

    def _on_chosen(self, at: int, lsn: int, upto: int) -> Iterable[Failure]:
        self._pending.append((lsn, "chosen", upto))
        return NOTHING

    # --- the acceptor: I3 to I6 ---

    def _on_promise(self, at: int, lsn: int, raw: Any) -> Iterator[Failure]:
        b = ballot(raw)
        self._pending.append((lsn, "promise", b))
        self._promise_lsn[b] = lsn
        if b < self._highest:
            yield self._fail(
                "I3", at, f"promised {ballot_text(b)} after {ballot_text(self._highest)}", ballot=b
            )
        self._highest = max(self._highest, b)

    def _on_accept(self, at: int, lsn: int, slot: int, raw: Any, value: str) -> Iterable[Failure]:
        b = ballot(raw)
        self._pending.append((lsn, "accept", (slot, b, value)))
        self._accept_lsn[slot, b] = lsn
        if slot > self._applied:
            known = self._accepted.get(slot)
            if known is None or known[0] <= b:
                self._accepted[slot] = (b, value)
        highest = self._highest
        if b >= highest:
            self._highest = b
            return NOTHING
        return [
            self._fail(
                "I4", at, f"accepted {ballot_text(b)} in slot {slot} after it had promised"
                f" {ballot_text(highest)}", slot, b,
            )
        ]  # fmt: skip

    def _on_send(self, at: int, peer: str, kind: str, *more: Any) -> Iterable[Failure]:
        if kind == "2b":
            return self._acceptance_sent(at, peer, *more)
        if kind == "1b":
            return self._promise_sent(at, peer, *more)
        return NOTHING

    def _on_report(
        self, at: int, raw: Any, from_slot: int, reported: Any, chosen_upto: int
    ) -> Iterator[Failure]:
        b = ballot(raw)
        said = {slot: (ballot(k), value) for slot, k, value in reported}
        if chosen_upto < self._applied and from_slot <= self._applied:
            yield self._fail(
                "I6", at, f"said in its promise of {ballot_text(b)} that slots up to {chosen_upto}"
                f" are chosen, but had applied those up to {self._applied}", chosen_upto + 1, b,
            )  # fmt: skip
        for slot, (k, value) in self._accepted.items():
            if slot <= chosen_upto or slot < from_slot or said.get(slot) == (k, value):
                continue
            told = said.get(slot)
            if told is not None and told[0] > k:
                # Accepted in the same turn, perhaps: then its record comes after the report.
                self._claims.setdefault(b, []).append((slot, told[0], k))
                continue
            what = "nothing" if told is None else f"ballot {ballot_text(told[0])}"
            yield self._fail(
                "I6", at, f"reported {what} for slot {slot} in its promise of {ballot_text(b)}, but"
                f" had accepted ballot {ballot_text(k)} there", slot, b,
            )  # fmt: skip
            break

    def _promise_sent(self, at: int, peer: str, raw: Any) -> Iterator[Failure]:
        b = ballot(raw)
        # Not when it was made up: of two in one turn both reports come before both records.
        self._highest = max(self._highest, b)
        for slot, told_ballot, k in self._claims.pop(b, ()):
            if (slot, told_ballot) not in self._accept_lsn:
                yield self._fail(
                    "I6", at, f"reported ballot {ballot_text(told_ballot)} for slot {slot} in its"
                    f" promise of {ballot_text(b)}, but had accepted ballot {ballot_text(k)} there",
                    slot, b,
                )  # fmt: skip
                break
        lsn = self._promise_lsn.get(b)
        if b > self._durable_promise and (lsn is None or lsn > self._fsynced):
            yield self._fail(
                "I5", at, f"promised {ballot_text(b)} to {peer} before the promise was durable",
                ballot=b,
            )  # fmt: skip

    def _acceptance_sent(self, at: int, peer: str, raw: Any, slot: int) -> Iterable[Failure]:
        b = ballot(raw)
        lsn = self._accept_lsn.get((slot, b))
        if lsn is not None and lsn <= self._fsynced:
            return NOTHING
        known = self._durable_accepts.get(slot)
        if known is not None and known[0] == b:
            return NOTHING
        return [
            self._fail(
                "I5", at, f"told {peer} that it accepted ballot {ballot_text(b)} in slot {slot}"
                " before that was durable", slot, b,
            )
        ]  # fmt: skip

    # --- the proposer: I2, I7 ---

    def _on_receive(self, at: int, source: str, kind: str, *more: Any) -> Iterable[Failure]:
        if kind == "1b":
            raw, reported, chosen_upto = more
            b = ballot(raw)
            if b[1] == self.node:
                heard = self._promises.setdefault(b, Promised())
                heard.accepted[source] = {s: (ballot(k), v) for s, k, v in reported}
                heard.chosen_upto = max(heard.chosen_upto, chosen_upto)
        return NOTHING

    def _on_lead(self, at: int, raw: Any, promisers: list[str]) -> Iterable[Failure]:
        self._leading, self._quorum = ballot(raw), list(promisers)
        for older in [b for b in self._promises if b < self._leading]:
            del self._promises[older]
        self._proposed.clear()
        return NOTHING

    def _on_config(self, at: int, first: int, voters: Any, q1: int, q2: int) -> Iterable[Failure]:
        new = (first, frozenset(voters), q1)
        known = new in self._configs
        kept = [config for config in self._configs if config[0] != first]
        self._configs = sorted([*kept, new], key=lambda c: c[0])
        if known or first > self._furthest:
            return NOTHING
        return [
            self._fail(
                "I8", at, f"learned that {', '.join(voters)} vote from slot {first} on when it had"
                f" proposed in slot {self._furthest} already, counting other quorums",
                self._furthest,
            )
        ]  # fmt: skip

    def _on_propose(self, at: int, slot: int, raw: Any, value: str, ids: Any) -> Iterator[Failure]:
        b = ballot(raw)
        if (slot, b) in self._proposed:
            return
        self._proposed.add((slot, b))
        self._furthest = max(self._furthest, slot)
        if b[1] != self.node or b[2] != self._incarnation:
            yield self._fail(
                "I2", at, f"proposed in slot {slot} under ballot {ballot_text(b)}, which is not of"
                f" its life {self._incarnation}", slot, b,
            )  # fmt: skip
        heard = self._promises.get(b, Promised())
        promisers = [node for node in self._quorum if node in heard.accepted]
        in_force = [config for config in self._configs if config[0] <= slot] or self._configs
        _, voters, q1 = in_force[-1]
        if self._leading != b or len(voters.intersection(promisers)) < q1:
            yield self._fail(
                "I7", at, f"proposed in slot {slot} under ballot {ballot_text(b)} with promises of"
                f" it from {', '.join(promisers) or 'nobody'}, {q1} are a quorum", slot, b,
            )  # fmt: skip
            return
        reports = [r[slot] for node in promisers if (r := heard.accepted[node]) and slot in r]
        if reports:
            highest, adopted = max(reports)
            if value != adopted and slot > heard.chosen_upto:
                yield self._fail(
                    "I7", at, f"proposed {value} in slot {slot} under ballot {ballot_text(b)},"
                    f" but the highest ballot reported there, {ballot_text(highest)}, has"
                    f" {adopted}", slot, b,
                )  # fmt: skip

    # --- the learner: order, part of I11 ---

    def _on_apply(self, at: int, slot: int, value: str, ids: Any) -> Iterable[Failure]:
        before, self._applied = self._applied, slot
        self._accepted.pop(slot, None)
        self._durable_accepts.pop(slot, None)
        if slot == before + 1:
            return NOTHING
        return [self._fail("I11", at, f"applied slot {slot} right after slot {before}", slot)]

    def _on_install(self, at: int, slot: int, state: str, applied: int) -> Iterator[Failure]:
        if slot <= applied:
            yield self._fail(
                "I11", at, f"installed a snapshot of slot {slot}, but had applied those up to"
                f" {applied}", slot,
            )  # fmt: skip
        self._applied = max(slot, applied)
        for passed in [s for s in self._accepted if s <= slot]:
            del self._accepted[passed]
        for passed in [s for s in self._durable_accepts if s <= slot]:
            del self._durable_accepts[passed]


def ballot(raw: Any) -> Ballot:
    """A ballot as it stands in a trace (a list in a file), ordered like the real one."""
    return raw if isinstance(raw, tuple) else (raw[0], raw[1], raw[2])
