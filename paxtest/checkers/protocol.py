"""Checker: what decides something about a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from paxtest.verdict import CheckResult


@dataclass(frozen=True)
class Evidence:
    """What a run left to look at. `history` is any file that `paxtest check` reads.

    `logs`: node -> the log files collected from it. Budgets are for each checker.
    """

    history: Path
    logs: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    time_budget_s: float = 60.0
    memory_budget_mb: int = 2048


class Checker(Protocol):
    """Decides one thing. Raises HistoryError for a file that is no history."""

    name: str

    def check(self, evidence: Evidence) -> CheckResult: ...
