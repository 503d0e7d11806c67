"""Row: what one run of one bug showed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

CONTROL = "none"
"""The bug's name in runs of the correct server."""


class Mode(StrEnum):
    """Real nodes, or the deterministic simulator."""

    CLUSTER = "cluster"
    SIMULATE = "simulate"


class Row(msgspec.Struct, frozen=True):
    """One run. `found`: some check called it invalid; `by` names those checks.

    `nemeses`: the fault families it ran under. `operations`, `seconds`: of load until the first
    violation (of the whole run where the time of the violation is not known, or nothing was
    found); seconds are virtual in the simulator. `counterexample`: operations of the smallest
    one, 0 without any. `lemma`: the earliest lemma the auditor saw fail. `error`: why there is
    no verdict; such a run is repeated when the scoreboard is resumed.
    """

    mode: Mode
    nemeses: str
    bug: str
    seed: int
    found: bool
    by: tuple[str, ...] = ()
    operations: int = 0
    seconds: float = 0.0
    counterexample: int = 0
    lemma: str = ""
    command: str = ""
    error: str = ""

    @property
    def identity(self) -> tuple[Mode, str, str, int]:
        return (self.mode, self.nemeses, self.bug, self.seed)
