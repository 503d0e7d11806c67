"""The page of the zoo is that of the zoo as it is, and every bug of the zoo is in the server."""

from __future__ import annotations

from pathlib import Path

from paxtest.cluster.paxos_server.bugs import BUGS
from paxtest.workloads import names
from paxtest.zoo.reference import ANOMALIES, FAULTS, modules, page

PAGE = Path(__file__).resolve().parents[2] / "docs/reference/zoo.md"


def test_the_page_is_up_to_date() -> None:
    made = page()
    assert PAGE.read_text("utf-8") == made, (
        f"make it anew: python -m paxtest.zoo.reference > docs/reference/{PAGE.name}"
    )


def test_every_bug_is_in_the_code_and_every_switch_in_the_zoo() -> None:
    assert set(modules()) == set(BUGS)


def test_numbers_are_unique() -> None:
    numbers = [bug.number for bug in BUGS.values()]
    assert len(set(numbers)) == len(numbers)


def test_rows_use_the_words_of_the_page() -> None:
    for name, bug in BUGS.items():
        assert bug.nemeses and set(bug.nemeses) <= set(FAULTS), name
        assert bug.anomalies and set(bug.anomalies) <= set(ANOMALIES), name
        assert bug.workload in names(), name
        assert bug.mechanism and bug.reference, name
