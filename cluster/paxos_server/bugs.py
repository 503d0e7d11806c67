"""The zoo: real, documented Paxos bugs, each behind a switch.

A bug is one named branch in the code, `bugs.active("name")`, and one row here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .config import EngineName, Reads

_MULTI = (EngineName.MULTI,)
_BOTH = (EngineName.MULTI, EngineName.PERKEY)
_PERKEY = (EngineName.PERKEY,)


class Bug(NamedTuple):
    """`nemeses`: what should expose it: partition, kill, pause, clock, delay, wipe, corrupt.
    `anomaly`: what a client then sees: stale-read, lost-update, divergence, duplicate,
    aborted-read; `liveness` for the control that must stay clean. `reads`: a bug of one way of
    reading switches the server to it. `engines`: those that have it; a bug of the engine perkey
    alone switches the server to that. `nodes`: of a cluster in which it shows."""

    number: int
    mechanism: str
    reference: str
    nemeses: tuple[str, ...]
    workload: str
    anomalies: tuple[str, ...]
    reads: Reads | None = None
    engines: tuple[EngineName, ...] = _MULTI
    nodes: int = 5


BUGS: dict[str, Bug] = {
    "learn-by-value": Bug(
        1, "a proposer counts equal values that were accepted under different ballots",
        "the article's rule of learning, broken; cf. PaxosStore entry_state.cc",
        ("partition", "delay"), "register", ("aborted-read", "lost-update"), None, _BOTH,
    ),
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
    "ballot-reuse": Bug(
        8, "the round begins again after a crash, so that a ballot is used twice",
        "phxpaxos #145 (refuted there)", ("kill", "delay"), "register", ("divergence",),
    ),
    "ballot-no-node": Bug(
        9, "ballots of two nodes in the same round count as the same ballot",
        "proposal numbers must not conflict", ("partition",), "register", ("divergence",),
    ),
    "stale-promise": Bug(
        10, "a promise for an older ballot of ours counts for the present one", "MyPaxos #18",
        ("delay",), "register", ("divergence",),
    ),
    "promise-omits-chosen": Bug(
        11, "promises skip the chosen slots, and a new leader uses them again",
        "paxi HandleP1a", ("partition",), "register", ("lost-update", "divergence"),
    ),
    "skip-holes": Bug(
        12, "what is chosen beyond a gap is applied, and the gap passed over",
        "paxi: nil gap", ("kill",), "register", ("lost-update", "divergence"),
    ),
    "old-ballot-commit": Bug(
        13, "who holds a value already does not note the new ballot, so that old votes count",
        "Raft section 5.4.2, figure 8; PySyncObj #169", ("partition", "kill"), "register",
        ("lost-update",),
    ),
    "ack-local": Bug(
        14, "the leader answers before a majority has accepted", "Redis replication",
        ("partition", "kill"), "register", ("lost-update",),
    ),
    "count-not-set": Bug(
        15, "acceptances are counted, not collected: one that comes twice counts twice",
        "paxi Quorum.ADD", ("delay", "partition"), "register", ("lost-update",),
    ),
    "nack-as-ack": Bug(
        16, "the ballot of an acceptance is not looked at, and a refusal counts as one", "classic",
        ("delay", "partition"), "register", ("lost-update",),
    ),
    "bad-flex-quorum": Bug(
        17, "phase-1 and phase-2 quorums need not intersect", "Flexible Paxos", ("partition",),
        "register", ("lost-update",), None, _BOTH,
    ),
    "half-majority": Bug(
        18, "half of an even number of nodes is taken for a majority", "classic", ("partition",),
        "register", ("divergence",), None, _BOTH, nodes=4,
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
        21, "a new leader gives read indexes before its own no-op is chosen",
        "etcd #7331, redisraft #22", ("kill",), "register", ("stale-read",), Reads.READINDEX,
    ),
    "lease-wallclock": Bug(
        22, "the leader's lease is measured by the wall clock", "tikv #964", ("clock",),
        "register", ("stale-read",), Reads.LEASE,
    ),
    "lease-from-reply": Bug(
        23, "the lease begins when the acknowledgement is read, not when the heartbeat was sent",
        "jraft #34, yugabyte #16", ("pause",), "register", ("stale-read",), Reads.LEASE,
    ),
    "readindex-reuse": Bug(
        24, "the reads of a node share one identity: a late read index answers a later read",
        "etcd #20418, #21399", ("pause",), "register", ("stale-read",), Reads.READINDEX,
    ),
    "commit-before-invalidate": Bug(
        25, "followers read under a lease that the leader does not wait for when it commits",
        "Ceph commit fa1d957", ("partition", "delay"), "register", ("stale-read",), Reads.LEASE,
    ),
    "read-no-repair": Bug(
        26, "a quorum read shows an accepted value without seeing to it that it is chosen",
        "CASSANDRA-12126, atlasdb PR #5826", ("partition", "kill"), "register",
        ("stale-read", "aborted-read"), Reads.QUORUM,
    ),
    "retry-dup": Bug(
        27, "no sessions: a command that is sent again is executed again", "etcd #18424, ra #145",
        ("delay", "kill"), "counter", ("duplicate",),
    ),
    "session-not-in-snapshot": Bug(
        28, "snapshots lack the sessions, so that a command sent again is executed again",
        "curvine #676", ("kill", "delay"), "counter", ("duplicate",),
    ),
    "reply-by-slot": Bug(
        29, "a command is answered when its slot is chosen, whatever was chosen there",
        "the check that paxi makes, left out", ("partition",), "register", ("lost-update",),
    ),
    "timeout-as-fail": Bug(
        30, "a command without an answer in time is reported as certainly not executed",
        "aphyr on MongoDB 2.4.3, turned round", ("partition", "pause"), "register",
        ("aborted-read",),
    ),
    "old-snapshot-install": Bug(
        31, "a snapshot older than the state is installed all the same",
        "camunda #6092, etcd #1763", ("delay", "kill"), "register", ("lost-update",),
    ),
    "index-not-atomic": Bug(
        32, "the applied index is stored apart from the state, and before it",
        "etcd 3.5.0 to 3.5.2, #13766", ("kill",), "register", ("divergence",),
    ),
    "compact-early": Bug(
        33, "the log is dropped before the snapshot that replaces it is durable",
        "cf. phxpaxos #33", ("kill",), "register", ("lost-update",),
    ),
    "forget-accepted": Bug(
        34, "acceptors forget what they accepted after a time, learned by all or not",
        "scylladb #6149", ("delay", "partition"), "register", ("lost-update",),
    ),
    "eager-reconfig": Bug(
        35, "a change of members is in force at once, and nobody waits for the one before",
        "redisraft #17, RethinkDB 2.2.3, Raft's single-server changes", ("member", "partition"),
        "register", ("lost-update", "divergence"),
    ),
    "amnesiac-rejoin": Bug(
        36, "a node whose disk was lost keeps its name, and votes as if it had forgotten nothing",
        "Paxos Made Live, 5.1; crash-consistent quorums (DISC 2017)", ("wipe", "partition"),
        "register", ("lost-update", "divergence"),
    ),
    "corrupt-is-eof": Bug(
        37, "a damaged record is taken for the end of the log",
        "Protocol-Aware Recovery (FAST 2018); NATS", ("disk",), "register", ("lost-update",),
        None, _BOTH,
    ),
    "fsync-retry": Bug(
        38, "a failed fsync is tried again, and then reports success", "rostam #94",
        ("disk",), "register", ("lost-update",),
    ),
    "fast-accept-any": Bug(
        39, "a proposer skips phase 1 though the entry before is not its own",
        "the rule of PaxosStore, inverted", ("partition",), "register",
        ("lost-update", "divergence"), None, _PERKEY,
    ),
    "one-ballot-var": Bug(
        40, "the promised ballot is reported as that of the accepted value",
        "Sutra on EPaxos (arXiv 1906.10917)", ("partition", "kill"), "register",
        ("lost-update",),
    ),
    "catchup-accepted": Bug(
        41, "who catches up is sent accepted values as chosen ones", "cf. ZOOKEEPER-1154",
        ("partition",), "register", ("aborted-read", "divergence"),
    ),
    "sync-ack-early": Bug(
        42, "right after an election accepts are acknowledged before they are durable",
        "ZOOKEEPER-4646", ("kill",), "register", ("lost-update",),
    ),
}  # fmt: skip


class Bugs:
    """Which bugs of the zoo are switched on in this server. Raises KeyError for unknown names."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = frozenset(names)
        for name in self.names:
            if name not in BUGS:
                raise KeyError(name)

    def reads(self) -> Reads | None:
        """The way of reading in which a switched-on bug shows; None for any."""
        return next((BUGS[name].reads for name in sorted(self.names) if BUGS[name].reads), None)

    def engine(self) -> EngineName | None:
        """The engine that a switched-on bug needs; None when multi will do."""
        names = sorted(self.names)
        return next((EngineName.PERKEY for n in names if BUGS[n].engines == _PERKEY), None)

    def lacking(self, engine: EngineName) -> list[str]:
        """Switched-on bugs that this engine does not have."""
        return [name for name in sorted(self.names) if engine not in BUGS[name].engines]

    def active(self, name: str) -> bool:
        return name in self.names


NONE = Bugs()
