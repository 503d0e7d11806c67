"""Hand-written traces: for each lemma one that fails it, and one beside it that does not.

They are of three nodes, and of one slot or two: what a good run would leave, with one event
changed. A time is the number of the event's line, over all nodes.
"""

from __future__ import annotations

from typing import Any

from paxtest.auditor.identities import Traces

B1, B2 = [1, "n1", 1], [2, "n2", 1]
X, Y = "aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb"
C1, C2 = ["n1", 1, 1], ["n1", 1, 2]  # commands


def start(
    node: str, incarnation: int = 1, promised: Any = (0, "", 0), accepted: Any = (), q: int = 2,
    reads: str = "log",
) -> list[Any]:  # fmt: skip
    return [node, "start", incarnation, list(promised), 0, 0, q, q, ["n1", "n2", "n3"], reads,
            [list(a) for a in accepted]]  # fmt: skip


def traces(*lines: list[Any]) -> Traces:
    """Lines are [node, kind, ...] in the order of time; every node starts before the first."""
    told: Traces = {"n1": [], "n2": [], "n3": []}
    begun = {line[0] for line in lines if line[1] == "start"}
    first = [start(node) for node in told if node not in begun]
    for time_ns, (node, *event) in enumerate([*first, *lines]):
        told[node].append([time_ns, *event])
    return told


def promised(node: str, ballot: list[Any], lsn: int, reported: Any = ()) -> list[list[Any]]:
    """A node promises durably, and the owner of the ballot hears of it."""
    reports = [list(r) for r in reported]
    return [
        [node, "report", ballot, 1, reports, 0],
        [node, "promise", lsn, ballot],
        [node, "fsync", lsn],
        [node, "send", ballot[1], "1b", ballot],
        [ballot[1], "receive", node, "1b", ballot, reports, 0],
    ]


def accepted(node: str, ballot: list[Any], value: str, lsn: int, slot: int = 1) -> list[list[Any]]:
    """A node accepts durably, and says so."""
    return [
        [node, "accept", lsn, slot, ballot, value],
        [node, "fsync", lsn],
        [node, "send", ballot[1], "2b", ballot, slot],
    ]


PHASE_1 = [
    *promised("n1", B1, 1),
    *promised("n2", B1, 1),
    ["n1", "lead", B1, ["n1", "n2"]],
]
CHOSEN = [  # X is chosen in slot 1 under B1 by n1 and n2
    *PHASE_1,
    ["n1", "propose", 1, B1, X, [C1]],
    *accepted("n1", B1, X, 2),
    *accepted("n2", B1, X, 2),
]
SERVED = [
    *CHOSEN,
    ["n1", "apply", 1, X, [C1]],
    ["n1", "reply", 1, "ok"],
]
SECOND = [  # n2 leads with B2, having heard of X from n2 itself
    *promised("n2", B2, 3, [[1, B1, X]]),
    *promised("n3", B2, 1),
    ["n2", "lead", B2, ["n2", "n3"]],
]
LEASED = [start(node, reads="lease") for node in ("n1", "n2", "n3")]

CASES: dict[str, tuple[list[list[Any]], list[list[Any]]]] = {
    # lemma: (lines that fail it, lines that do not)
    "I1": (
        [*CHOSEN, *accepted("n3", B1, Y, 1)],
        [*CHOSEN, *accepted("n3", B1, X, 1)],
    ),
    "I2": (
        [start("n1", incarnation=2), *PHASE_1, ["n1", "propose", 1, B1, X, [C1]]],
        [*PHASE_1, ["n1", "propose", 1, B1, X, [C1]]],
    ),
    "I3": (
        [*promised("n3", B1, 1), start("n3", incarnation=2)],
        [*promised("n3", B1, 1), start("n3", incarnation=2, promised=B1)],
    ),
    "I4": (
        [*CHOSEN, *promised("n3", B2, 1), *accepted("n3", B1, X, 2)],
        [*CHOSEN, *accepted("n3", B1, X, 1), *promised("n3", B2, 2, [[1, B1, X]])],
    ),
    "I5": (
        [*CHOSEN, ["n3", "accept", 1, 1, B1, X], ["n3", "send", "n1", "2b", B1, 1]],
        [*CHOSEN, *accepted("n3", B1, X, 1)],
    ),
    "I6": (
        [*CHOSEN, *promised("n2", B2, 3)],
        [*CHOSEN, *promised("n2", B2, 3, [[1, B1, X]])],
    ),
    "I7": (
        [*CHOSEN, *SECOND, ["n2", "propose", 1, B2, Y, []]],
        [*CHOSEN, *SECOND, ["n2", "propose", 1, B2, X, [C1]]],
    ),
    "I8": ([start("n1", q=1)], [start("n1", q=2)]),
    "I9": (
        [*CHOSEN, ["n2", "propose", 1, B2, Y, []]],
        [["n2", "propose", 1, [0, "n2", 1], Y, []], *CHOSEN],  # a lower ballot may
    ),
    "I10": (
        [*CHOSEN, ["n2", "propose", 1, B2, Y, []], *accepted("n2", B2, Y, 3),
         *accepted("n3", B2, Y, 1)],
        [*CHOSEN, *accepted("n3", B2, Y, 1)],  # one node is no quorum
    ),
    "I11": (
        [*CHOSEN, ["n3", "apply", 1, Y, []]],
        [*CHOSEN, ["n3", "apply", 1, X, [C1]]],
    ),
    "I12": (
        [*SERVED, ["n1", "reply", 2, "ok"]],
        [*SERVED, ["n1", "reply", 2, "unknown"]],
    ),
    "I13": (
        [*SERVED, *accepted("n1", B1, X, 3, 2), *accepted("n2", B1, X, 3, 2),
         ["n1", "apply", 2, X, [C1]]],
        [*SERVED, *accepted("n1", B1, X, 3, 2), *accepted("n2", B1, X, 3, 2),
         ["n1", "apply", 2, X, []]],
    ),
    "I14": (
        [*SERVED, ["n3", "admit", 7], ["n3", "read", 7, 0, None]],
        [["n3", "admit", 7], *SERVED, ["n3", "read", 7, 0, None]],  # it began before the reply
    ),
    "I15": (
        [*LEASED, *CHOSEN, *SECOND, ["n1", "admit", 7], ["n1", "read", 7, 1, B1]],
        [*LEASED, *CHOSEN, ["n1", "admit", 7], ["n1", "read", 7, 1, B1], *SECOND],
    ),
}  # fmt: skip
