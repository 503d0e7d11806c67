"""What nodes hold in the end, compared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from paxtest import agreements
from paxtest.agreements import Agreements
from paxtest.checkers.agreement import Agreement
from paxtest.checkers.protocol import Evidence
from paxtest.verdict import CheckResult, Verdict


class Nodes:
    """Tells what it was given, one answer after the other; the last one again and again."""

    def __init__(self, answers: Mapping[str, list[dict[str, str]]]) -> None:
        self.answers = {node: list(told) for node, told in answers.items()}

    async def agreements(self, node: str) -> dict[str, str]:
        told = self.answers[node]
        return told.pop(0) if len(told) > 1 else told[0]


def asked(answers: Mapping[str, list[dict[str, str]]], timeout_s: float = 5.0) -> Agreements:
    return asyncio.run(agreements.ask(Nodes(answers), list(answers), timeout_s))


def checked(told: Agreements) -> CheckResult:
    return Agreement(told).check(Evidence(Path("none")))


def test_nodes_that_hold_the_same_agree() -> None:
    result = checked(asked({n: [{"the state after slot 7": "aa"}] for n in ("n1", "n2", "n3")}))
    assert result.verdict is Verdict.VALID
    assert result.operations == 1 and result.details["limits"] == []


def test_another_state_after_the_same_slot_is_a_violation_in_words() -> None:
    state = "the state after slot 7"
    told = asked({"n1": [{state: "aa" * 8}], "n2": [{state: "bb" * 8}], "n3": [{state: "aa" * 8}]})
    result = checked(told)
    assert result.verdict is Verdict.INVALID
    assert result.explanation == (
        "The nodes do not hold the same state after slot 7: n1 and n3 aaaaaaaa, n2 bbbbbbbb."
    )


def test_one_that_is_behind_is_waited_for_and_what_it_told_before_counts() -> None:
    before, after = {"the state after slot 6": "66"}, {"the state after slot 7": "77"}
    wrong = {"the state after slot 6": "xx"}
    assert checked(asked({"n1": [after], "n2": [before, after]})).operations == 1
    told = asked({"n1": [before, after], "n2": [wrong, after]})
    assert checked(told).verdict is Verdict.INVALID


def test_a_node_that_changes_its_mind_about_one_place_is_a_violation() -> None:
    state = "the state after slot 7"
    told = asked({"n1": [{state: "aa"}, {state: "bb"}], "n2": [{}, {}, {state: "bb"}]})
    assert checked(told).verdict is Verdict.INVALID


def test_what_could_not_be_compared_is_said() -> None:
    told = asked({"n1": [{"the state after slot 6": "66"}], "n2": [{}]}, timeout_s=0)
    result = checked(told)
    assert result.verdict is Verdict.VALID and result.operations == 0
    assert result.details["limits"] == [
        "n2 told nothing of its state",
        "no two nodes were seen at the same place of the log",
    ]


def test_it_is_kept_with_the_run(tmp_path: Path) -> None:
    told = asked({"n1": [{"the state after slot 6": "66"}]})
    agreements.save(tmp_path / "agreements.json", told)
    assert agreements.load(tmp_path / "agreements.json") == told
