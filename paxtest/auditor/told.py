"""Told: an audit as JSON has it, for programs and reports (docs/reference/audit.md)."""

from __future__ import annotations

import msgspec

from paxtest.auditor.audit import Audit
from paxtest.auditor.lemma import LEMMAS, Failure


class LemmaTold(msgspec.Struct, frozen=True):
    """How one lemma stands. `failures`: how many places; `first`: the earliest of them."""

    lemma: str
    statement: str
    status: str
    why: str = ""
    failures: int = 0
    first: Failure | None = None


class Told(msgspec.Struct, frozen=True):
    """`lemma`: the earliest to fail, "" where none does. `incomplete`: what is missing."""

    lemma: str
    sentences: list[str]
    lemmas: list[LemmaTold]
    events: int
    incomplete: list[str]
    schema: int = 1


def tell(found: Audit, linearizable: bool | None = None) -> Told:
    """`linearizable`: the black-box verdict, None for unknown."""
    lemmas = []
    for lemma, statement in LEMMAS.items():
        status, why = found.status(lemma)
        failures = found.counts.get(lemma, 0)
        lemmas.append(LemmaTold(lemma, statement, str(status), why, failures, found.first(lemma)))
    return Told(
        found.earliest.lemma if found.earliest else "",
        found.sentences(linearizable),
        lemmas,
        found.events,
        list(found.incomplete),
    )
