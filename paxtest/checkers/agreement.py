"""Agreement: nodes that are at the same place of the log hold the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paxtest.agreements import Agreements
from paxtest.checkers.protocol import Evidence
from paxtest.verdict import CheckResult, Verdict

NAME = "agreement"
_SAID = 3


class Agreement:
    """Compares what the nodes told of their durable state after the final reads. Valid means that
    all that two nodes or more told of is equal; what only one told of is not compared."""

    name = NAME

    def __init__(self, agreements: Agreements) -> None:
        self._agreements = agreements

    def check(self, evidence: Evidence) -> CheckResult:
        compared = self._agreements.compared()
        broken = list(self._agreements.broken())
        sentences = [_sentence(name, told) for name, told in broken[:_SAID]]
        if len(broken) > _SAID:
            sentences.append(f"{len(broken) - _SAID} more are not equal.")
        silent = [node for node, told in self._agreements.told.items() if not told]
        limits = [f"{node} told nothing of its state" for node in silent]
        if not compared:
            limits.append("no two nodes were seen at the same place of the log")
        return CheckResult(
            self.name,
            Verdict.INVALID if broken else Verdict.VALID,
            operations=len(compared),
            explanation=" ".join(sentences),
            details={"compared": len(compared), "limits": limits},
        )


def _sentence(name: str, told: Mapping[str, Sequence[str]]) -> str:
    by_digest: dict[str, list[str]] = {}
    for node, digests in told.items():
        for digest in digests:
            by_digest.setdefault(digest, []).append(node)
    sides = [f"{' and '.join(nodes)} {digest[:8]}" for digest, nodes in by_digest.items()]
    return f"The nodes do not hold the same {name.removeprefix('the ')}: {', '.join(sides)}."
