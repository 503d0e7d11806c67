"""Sentences for leader election (core/src/types/leader.rs)."""

from __future__ import annotations

from paxtest.explain.words import Tags, Teller, value


def two_leaders(tell: Teller, ops: list[int]) -> list[str]:
    """[op, op]: they name different leaders of one term."""
    first, second = ops[:2]
    term, leader = tell.op(first)["out"][:2]
    other = tell.op(second)["out"][1]
    return [
        f"Term {value(term)} had two leaders: {tell.who(first)} saw {value(leader)} "
        f"{tell.ended(first)}, {tell.who(second)} saw {value(other)} {tell.ended(second)}."
    ]


TAGS: Tags = {"two-leaders": two_leaders}
