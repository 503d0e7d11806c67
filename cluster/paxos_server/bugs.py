"""The zoo: real, documented Paxos bugs, each behind a switch.

A bug is one named branch in the code, `bugs.active("name")`, and one row here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Bug(NamedTuple):
    """`nemeses`: what should expose it: partition, kill, pause, clock, delay, wipe, corrupt.
    `anomaly`: what a client then sees: stale-read, lost-update, divergence, duplicate,
    aborted-read; `liveness` for the control that must stay clean."""

    number: int
    mechanism: str
    reference: str
    nemeses: tuple[str, ...]
    workload: str
    anomalies: tuple[str, ...]


BUGS: dict[str, Bug] = {
    "accept-promisers-only": Bug(
        2, "accepts go only to the acceptors that promised", "a safe misreading of Paxos",
        ("kill",), "register", ("liveness",),
    ),
    "ignore-accepted": Bug(
        3, "a proposer keeps its own value though a promise reports an accepted one",
        "P2c of Paxos Made Simple", ("partition", "kill"), "register", ("lost-update",),
    ),
    "first-not-highest": Bug(
        4, "a proposer adopts the first reported value, not that of the highest ballot",
        "P2c of Paxos Made Simple", ("partition", "delay"), "register", ("lost-update",),
    ),
    "accept-no-raise": Bug(
        5, "accepting neither raises the promise nor keeps the highest ballot",
        "cocagne/paxos receive_accept; cassandra PR #1327", ("delay", "kill"), "register",
        ("lost-update",),
    ),
    "volatile-promise": Bug(
        6, "promises are kept in memory only", "PySyncObj before 0.3.16, PR #202", ("kill",),
        "register", ("lost-update",),
    ),
    "volatile-accept": Bug(
        7, "accepts are acknowledged before they are durable", "Jepsen on NATS 2.12.1", ("kill",),
        "register", ("lost-update",),
    ),
    "stale-promise": Bug(
        10, "a promise for an older ballot of ours counts for the present one", "MyPaxos #18",
        ("delay",), "register", ("divergence",),
    ),
    "promise-omits-chosen": Bug(
        11, "promises skip the chosen slots, and a new leader uses them again",
        "paxi HandleP1a", ("partition",), "register", ("lost-update", "divergence"),
    ),
    "ack-local": Bug(
        14, "the leader answers before a majority has accepted", "Redis replication",
        ("partition", "kill"), "register", ("lost-update",),
    ),
    "nack-as-ack": Bug(
        16, "the ballot of an acceptance is not looked at, and a refusal counts as one", "classic",
        ("delay", "partition"), "register", ("lost-update",),
    ),
    "bad-flex-quorum": Bug(
        17, "phase-1 and phase-2 quorums need not intersect", "Flexible Paxos", ("partition",),
        "register", ("lost-update",),
    ),
    "half-majority": Bug(
        18, "half of an even number of nodes is taken for a majority", "classic", ("partition",),
        "register", ("divergence",),
    ),
    "local-read": Bug(
        19, "any node answers reads from its own state", "etcd serializable reads, ZooKeeper",
        ("partition", "pause"), "register", ("stale-read",),
    ),
    "leader-read": Bug(
        20, "a leader answers reads without asking whether it still leads", "consul #54",
        ("partition", "pause"), "register", ("stale-read",),
    ),
    "early-read": Bug(
        21, "a new leader gives read indexes before its own no-op is chosen (--reads readindex)",
        "etcd #7331, redisraft #22", ("kill",), "register", ("stale-read",),
    ),
    "lease-wallclock": Bug(
        22, "the leader's lease is measured by the wall clock", "tikv #964", ("clock",),
        "register", ("stale-read",),
    ),
    "retry-dup": Bug(
        27, "no sessions: a command that is sent again is executed again", "etcd #18424, ra #145",
        ("delay", "kill"), "counter", ("duplicate",),
    ),
    "session-not-in-snapshot": Bug(
        28, "snapshots lack the sessions, so that a command sent again is executed again",
        "curvine #676", ("kill", "delay"), "counter", ("duplicate",),
    ),
    "timeout-as-fail": Bug(
        30, "a command without an answer in time is reported as certainly not executed",
        "aphyr on MongoDB 2.4.3, turned round", ("partition", "pause"), "register",
        ("aborted-read",),
    ),
}  # fmt: skip


class Bugs:
    """Which bugs of the zoo are switched on in this server. Raises KeyError for unknown names."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        for name in self.names:
            if name not in BUGS:
                raise KeyError(name)

    def active(self, name: str) -> bool:
        return name in self.names


NONE = Bugs()
