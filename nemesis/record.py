"""FaultEvent: one line of faults.jsonl. Written before the act that it announces."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class FaultEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Events of one fault share `id`, in this order: inject (written and fsynced before the
    fault), injected, probe (one or more; `effective` says whether the fault was seen to hold,
    `evidence` how), heal (before), healed; `failed` where one of them raised (`text` says what).

    `kind` is the family (partition, kill, pause, clock), `name` the fault (isolate-leader).
    `in_flight`: client operations open at that moment. `undo`: all that is needed to heal the
    fault when the control node is gone.
    """

    id: int
    time_ns: int
    event: Literal["inject", "injected", "probe", "heal", "healed", "failed"]
    kind: str
    name: str
    nodes: list[str] = []
    text: str = ""
    effective: bool | None = None
    evidence: str = ""
    in_flight: int = 0
    undo: dict[str, Any] = {}
