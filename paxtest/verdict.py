"""Verdicts, the result of a check, and the schema of results.json (version 1)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

SCHEMA = 1


class Verdict(StrEnum):
    """Of a check: valid, invalid, unknown. Of a run also vacuous: nothing was put to the test."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    VACUOUS = "vacuous"


EXIT_CODES = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.UNKNOWN: 2, Verdict.VACUOUS: 2}
EXIT_USAGE = 254
EXIT_CRASH = 255

_WORST_FIRST = (Verdict.INVALID, Verdict.UNKNOWN, Verdict.VACUOUS, Verdict.VALID)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """invalid > unknown > vacuous > valid: an unknown never hides an invalid."""
    found = set(verdicts)
    return next((v for v in _WORST_FIRST if v in found), Verdict.VALID)


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """An invocation with its completion, as counterexamples and reports show it.

    `type` is ok, fail or info; `completed_ns` is None while the outcome is unknown.
    `value` is the completion's value where there is one, else the invocation's.
    """

    index: int
    process: int | str
    f: str
    type: str
    invoked_ns: int
    completed_ns: int | None = None
    key: Any = None
    value: Any = None
    node: str | None = None
    error: tuple[str, str] | None = None


class CheckResult(msgspec.Struct, omit_defaults=False):
    """What one checker found.

    `algorithm` names how it was decided ("" for checks that have no choice). `certified`: the
    independent verifier has confirmed the witness or the counterexample. `counterexample` is a
    sub-history that cannot be linearized. `first_violation_ns`: when, in the run's time, the
    history first became impossible. `details`: whatever else the checker reports, by name.
    """

    name: str
    verdict: Verdict
    algorithm: str = ""
    keys: int = 0
    operations: int = 0
    seconds: float = 0.0
    certified: bool = False
    counterexample: list[Operation] = []
    explanation: str = ""
    first_violation_ns: int | None = None
    details: dict[str, Any] = {}


class Counts(msgspec.Struct):
    """How many client operations were invoked and how they ended."""

    invoked: int = 0
    ok: int = 0
    fail: int = 0
    info: int = 0


class FaultCounts(msgspec.Struct):
    """Faults injected, those proven to have taken effect while operations were in flight."""

    injected: int = 0
    effective: int = 0
    kinds: dict[str, int] = {}  # effective ones by kind


class Phase(msgspec.Struct):
    """A phase of the run and how long it took."""

    name: str
    seconds: float


class RunResult(msgspec.Struct):
    """results.json, schema 1. docs/reference/results.md documents every field."""

    verdict: Verdict
    exit_code: int
    seed: int
    schema: int = SCHEMA
    reason: str = ""
    operations: Counts = msgspec.field(default_factory=Counts)
    faults: FaultCounts = msgspec.field(default_factory=FaultCounts)
    first_violation_s: float | None = None
    checks: list[CheckResult] = []
    phases: list[Phase] = []
    limits: list[str] = []  # every limit that bit
