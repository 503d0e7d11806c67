"""Sentences for whatever has none of its own: which orders are forced, and that none is left."""

from __future__ import annotations

from paxtest import _core
from paxtest.explain.words import Teller, value

LISTED_MAX = 8


def invalid(tell: Teller, part: _core.Partition) -> list[str]:
    """Names the operations that cannot be ordered, and the orders that real time forces."""
    ops = part.get("counterexample") or []
    if not ops:
        return ["No order of the operations explains what the clients saw."]
    last = max(ops, key=lambda n: tell.op(n)["ret"] or -1)
    if len(ops) == 1:
        return [
            f"{tell.who(last)} {tell.deed(last)} {tell.ended(last)}: nothing that may have "
            "happened makes this possible."
        ]
    said = [
        f"No order of these {len(ops):,} operations explains what each returned"
        + (", and without any one of them there is one" if part.get("minimal") else "")
        + f"; it became impossible when {tell.who(last)} {tell.deed(last)} {tell.ended(last)}."
    ]
    forced = forced_orders(tell, ops)
    if len(forced) > LISTED_MAX:
        forced = [pair for pair in forced if last in pair][-LISTED_MAX:]
    if forced:
        orders = "; ".join(
            f"{tell.noun(a)} (ended {tell.ended(a)}) before {tell.noun(b)} (began {tell.began(b)})"
            for a, b in forced
        )
        said.append(
            f"Real time forces{' among others' if len(ops) > LISTED_MAX else ''}: {orders}."
        )
    return said


def forced_orders(tell: Teller, ops: list[int]) -> list[tuple[int, int]]:
    """Pairs (a, b) where a ended before b began, leaving out what follows from others."""
    spans = [(n, tell.op(n)["inv"], tell.op(n)["ret"]) for n in ops[:200]]
    pairs = []
    for a, _, a_ret in spans:
        if a_ret is None:
            continue
        after = [(inv, b, ret) for b, inv, ret in spans if inv > a_ret]
        # b follows from c if c lies wholly between.
        closed = [ret for _, _, ret in after if ret is not None]
        first_end = min(closed, default=None)
        pairs += [(a, b) for inv, b, _ in after if first_end is None or inv < first_end]
    return pairs


def unknown(history: _core.History, report: _core.CheckReport) -> str:
    """Which budget ran out, what was decided all the same, and what to do; "" for valid."""
    open_parts = [part for part in report["partitions"] if part["verdict"] == "unknown"]
    if not open_parts:
        return ""
    uncovered = [part for part in open_parts if part.get("limit") == "algorithm"]
    if uncovered:
        return (
            f"The algorithm asked for does not cover this history: {uncovered[0].get('why', '')}. "
            "To decide it: leave --algorithm out, or say --algorithm search."
        )
    if any(part.get("limit") == "cancelled" for part in open_parts):
        return "The check was stopped before it was done."
    limits = sorted({part.get("limit", "time") for part in open_parts})
    done = len(report["partitions"]) - len(open_parts)
    keys = ", ".join(value(part["key"], 30) for part in open_parts[:5])
    verified = sum(part.get("verified", 0) for part in open_parts)
    said = f"The {' and '.join(limits)} budget ran out"
    if len(report["partitions"]) > 1:
        said += (
            f" for {len(open_parts)} of {len(report['partitions'])} keys"
            f" ({keys}{', ...' if len(open_parts) > 5 else ''}); {done} were found linearizable"
        )
    if verified:
        said += f"; the first {verified:,} events of what is left open are linearizable"
    return (
        said + ". To decide it: fewer concurrent clients a key, fewer operations a key, distinct "
        "values in writes, or a larger budget (--time-budget, --memory-budget)."
    )
