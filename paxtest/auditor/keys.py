"""What the trace of one node of the engine perkey must show: lemmas I2 to I7 and part of I11.

Every version of a key is an instance of Paxos of its own: promises are for one instance, and what
was promised and accepted for a version is past when the version is known to be chosen. A proposal
of round 1 needs no promises, but may be made only by the life of the node whose entry is the one
before: that entry is chosen, so that there is one such life, and no ballot is lower.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from paxtest.auditor.lemma import Failure, ballot_text
from paxtest.auditor.node import NOTHING, ZERO, Ballot, Walk, ballot
from paxtest.auditor.slots import place

FAST_ROUND = 1

Place = tuple[str, int]
Accepted = tuple[Ballot, str]


class KeysAudit(Walk):
    """Walks one trace. Memory grows with the versions that one life of the node has seen."""

    def __init__(self, node: str) -> None:
        super().__init__(node)
        self._incarnation = 0
        self._voters: frozenset[str] = frozenset()
        self._q1 = 1
        self._fsynced = 0
        self._promise_lsn: dict[tuple[Place, Ballot], int] = {}
        self._accept_lsn: dict[tuple[Place, Ballot], int] = {}
        self._pending: deque[tuple[int, str, Any]] = deque()  # not yet known to be durable
        self._durable_promises: dict[Place, Ballot] = {}
        self._durable_accepts: dict[Place, Accepted] = {}
        self._durable_versions: dict[str, int] = {}  # chosen
        self._highest: dict[Place, Ballot] = {}  # promised or accepted, durable or not
        self._accepted: dict[Place, Accepted] = {}
        self._last: dict[str, tuple[int, Any]] = {}  # key -> version chosen last, its stamp
        self._heard: dict[tuple[Place, Ballot], dict[str, Accepted | None]] = {}
        self._proposed: set[tuple[Place, Ballot]] = set()

    # --- restart and durability: I3 ---

    def _on_start(
        self, at: int, incarnation: int, promised: Any, chosen: Any, _: int, q1: int, q2: int,
        nodes: Any, reads: str, accepted: Any,
    ) -> Iterator[Failure]:  # fmt: skip
        last = {key: (version, stamp) for key, version, stamp in chosen}
        promises = {slot: ballot(raw) for slot, raw in promised}
        accepts = {slot: (ballot(raw), value) for slot, raw, value in accepted}
        yield from self._lost(at, last, promises, accepts)
        self._incarnation = incarnation
        self._voters, self._q1 = frozenset(nodes), q1
        self._fsynced = 0
        for forgotten in (self._pending, self._heard, self._proposed):
            forgotten.clear()
        self._promise_lsn = dict.fromkeys(promises.items(), 0)
        self._accept_lsn = {(slot, b): 0 for slot, (b, _) in accepts.items()}
        self._durable_promises, self._highest = dict(promises), promises
        self._durable_accepts, self._accepted = dict(accepts), accepts
        self._durable_versions = {key: version for key, (version, _) in last.items()}
        self._last = last

    def _lost(
        self, at: int, last: dict[str, tuple[int, Any]], promises: dict[Place, Ballot],
        accepts: dict[Place, Accepted],
    ) -> Iterator[Failure]:  # fmt: skip
        """What was durable, and is not there any more."""
        known = {key: version for key, (version, _) in last.items()}
        for key, version in self._durable_versions.items():
            if known.get(key, 0) < version:
                yield self._fail(
                    "I3", at, f"came back knowing version {known.get(key, 0)} of key {key}, but had"
                    f" durably noted version {version} as chosen", (key, version),
                )  # fmt: skip
        for slot, b in self._durable_promises.items():
            after = promises.get(slot, ZERO)
            if slot[1] > known.get(slot[0], 0) and after < b:
                yield self._fail(
                    "I3", at, f"came back with promise {ballot_text(after)} for {place(slot)}, but"
                    f" had durably promised {ballot_text(b)}", slot, b,
                )  # fmt: skip
        for slot, (b, _) in self._durable_accepts.items():
            found = accepts.get(slot)
            if slot[1] > known.get(slot[0], 0) and (found is None or found[0] < b):
                yield self._fail(
                    "I3", at, f"came back without the proposal {ballot_text(b)} that it had durably"
                    f" accepted in {place(slot)}", slot, b,
                )  # fmt: skip

    def _on_fsync(self, at: int, lsn: int) -> Iterable[Failure]:
        self._fsynced = max(self._fsynced, lsn)
        pending = self._pending
        while pending and pending[0][0] <= lsn:
            _, kind, what = pending.popleft()
            if kind == "chosen":
                key, version = what
                self._durable_versions[key] = max(version, self._durable_versions.get(key, 0))
                continue
            slot, b, value = what
            self._durable_promises[slot] = max(b, self._durable_promises.get(slot, ZERO))
            if kind == "accept":
                self._durable_accepts[slot] = (b, value)
        return NOTHING

    def _on_chosen(self, at: int, lsn: int, slot: Place) -> Iterable[Failure]:
        self._pending.append((lsn, "chosen", slot))
        return NOTHING

    # --- the acceptor: I3 to I6 ---

    def _on_promise(self, at: int, lsn: int, raw: Any, slot: Place) -> Iterable[Failure]:
        b = ballot(raw)
        self._pending.append((lsn, "promise", (slot, b, "")))
        self._promise_lsn[slot, b] = lsn
        return self._raised("I3", at, slot, b, "promised")

    def _on_accept(self, at: int, lsn: int, slot: Place, raw: Any, value: str) -> Iterable[Failure]:
        b = ballot(raw)
        self._pending.append((lsn, "accept", (slot, b, value)))
        self._accept_lsn[slot, b] = lsn
        known = self._accepted.get(slot)
        if known is None or known[0] <= b:
            self._accepted[slot] = (b, value)
        return self._raised("I4", at, slot, b, "accepted")

    def _raised(self, lemma: str, at: int, slot: Place, b: Ballot, what: str) -> Iterable[Failure]:
        """A promise never goes down, and an acceptance raises it."""
        before = self._highest.get(slot, ZERO)
        if b >= before:
            self._highest[slot] = b
            return NOTHING
        return [
            self._fail(
                lemma, at, f"{what} {ballot_text(b)} in {place(slot)} after it had promised"
                f" {ballot_text(before)}", slot, b,
            )
        ]  # fmt: skip

    def _on_report(self, at: int, raw: Any, slot: Place, reported: Any) -> Iterable[Failure]:
        mine = self._accepted.get(slot)
        told = ballot(reported[0][1]) if reported else ZERO
        if mine is None or told >= mine[0]:
            return NOTHING
        what = f"ballot {ballot_text(told)}" if reported else "nothing"
        return [
            self._fail(
                "I6", at, f"reported {what} for {place(slot)} in its promise of"
                f" {ballot_text(ballot(raw))}, but had accepted ballot {ballot_text(mine[0])}"
                " there", slot, ballot(raw),
            )
        ]  # fmt: skip

    def _on_send(self, at: int, peer: str, kind: str, raw: Any, slot: Place) -> Iterable[Failure]:
        b = ballot(raw)
        if kind == "1b":
            lsn, said = self._promise_lsn.get((slot, b)), "promised"
        else:
            lsn, said = self._accept_lsn.get((slot, b)), "accepted"
        if lsn is not None and lsn <= self._fsynced:
            return NOTHING
        return [
            self._fail(
                "I5", at, f"told {peer} that it {said} ballot {ballot_text(b)} in {place(slot)}"
                " before that was durable", slot, b,
            )
        ]  # fmt: skip

    # --- the proposer: I2, I7 ---

    def _on_receive(
        self, at: int, source: str, kind: str, raw: Any, reported: Any, slot: Place
    ) -> Iterable[Failure]:
        b = ballot(raw)
        if b[1] == self.node:
            told = (ballot(reported[0][1]), reported[0][2]) if reported else None
            self._heard.setdefault((slot, b), {})[source] = told
        return NOTHING

    def _on_propose(
        self, at: int, slot: Place, raw: Any, value: str, ids: Any
    ) -> Iterator[Failure]:
        b = ballot(raw)
        if (slot, b) in self._proposed:
            return
        self._proposed.add((slot, b))
        said = f"proposed in {place(slot)} under ballot {ballot_text(b)}"
        if b[1] != self.node or b[2] != self._incarnation:
            yield self._fail(
                "I2", at, f"{said}, which is not of its life {self._incarnation}", slot, b
            )
        if b[0] == FAST_ROUND:
            version, stamp = self._last.get(slot[0], (0, ("", 0, 0)))
            if version != slot[1] - 1 or tuple(stamp[:2]) != (b[1], b[2]):
                yield self._fail(
                    "I7", at, f"{said} without promises, though the entry before is not its own",
                    slot, b,
                )  # fmt: skip
            return
        yield from self._without_leave(at, slot, b, value, said)

    def _without_leave(
        self, at: int, slot: Place, b: Ballot, value: str, said: str
    ) -> Iterator[Failure]:
        heard = self._heard.pop((slot, b), {})
        promisers = sorted(self._voters.intersection(heard))
        if len(promisers) < self._q1:
            yield self._fail(
                "I7", at, f"{said} with promises of it from {', '.join(promisers) or 'nobody'},"
                f" {self._q1} are a quorum", slot, b,
            )  # fmt: skip
            return
        reports = [told for told in heard.values() if told is not None]
        if reports and max(reports)[1] != value:
            highest, adopted = max(reports)
            yield self._fail(
                "I7", at, f"{said} {value}, but the highest ballot reported there,"
                f" {ballot_text(highest)}, has {adopted}", slot, b,
            )  # fmt: skip

    # --- the learner: part of I11 ---

    def _on_apply(self, at: int, slot: Place, value: str, ids: Any) -> Iterable[Failure]:
        key, version = slot
        before = self._last.get(key, (0, None))[0]
        self._last[key] = (version, ids[0])
        for past in (slot, (key, before + 1)):  # what was durable may be told of for longer
            self._highest.pop(past, None)
            self._accepted.pop(past, None)
        if version > before:
            return NOTHING
        return [self._fail("I11", at, f"applied {place(slot)} after version {before}", slot)]
