"""ReadIndex: linearizable reads without the log (Ongaro, Consensus: Bridging Theory and Practice,
2014, section 6.4; it holds for any leader-based Paxos).

The leader notes how far it knows slots to be chosen, then proves by a quorum of heartbeats sent
*after* the read arrived that no other leader had been elected before; whoever has applied that
far may answer.
"""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """Reads that wait for a heartbeat to be acknowledged. `slot`: what they must see."""

    beat: int
    source: str
    incarnation: int
    seqs: list[int]
    slot: int


class LeaderReads:
    """The leader's side. Emptied whenever a node stops to lead."""

    def __init__(self) -> None:
        self._asked: list[Asked] = []

    def ask(self, beat: int, source: str, incarnation: int, seqs: list[int], slot: int) -> None:
        """`beat`: the number of a heartbeat that has not been sent yet."""
        self._asked.append(Asked(beat, source, incarnation, seqs, slot))

    def waiting(self) -> bool:
        return bool(self._asked)

    def confirmed(self, beat: int) -> list[Asked]:
        """A quorum has acknowledged heartbeat `beat`: give the reads that waited for it."""
        ready = [asked for asked in self._asked if asked.beat <= beat]
        if ready:
            self._asked = [asked for asked in self._asked if asked.beat > beat]
        return ready

    def clear(self) -> None:
        self._asked.clear()


class LocalReads:
    """The reading side: reads whose slot is known, until it has been applied."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, int]] = []

    def add(self, slot: int, seqs: list[int], horizon: int) -> None:
        """`horizon`: from where the latest membership is in force that was asked."""
        self._waiting += [(slot, seq, horizon) for seq in seqs]

    def ready(self, applied: int) -> list[tuple[int, int]]:
        """Number and horizon of the reads that may be answered now."""
        if not self._waiting:
            return []
        ready = [(seq, horizon) for slot, seq, horizon in self._waiting if slot <= applied]
        if ready:
            self._waiting = [read for read in self._waiting if read[0] > applied]
        return ready
