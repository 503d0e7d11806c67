"""Config: the numbers a server is tuned by."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EngineName(StrEnum):
    """multi: Multi-Paxos, one replicated log with a leader. perkey: a Paxos log for every key,
    without leader or lease."""

    MULTI = "multi"
    PERKEY = "perkey"


class Reads(StrEnum):
    """How reads are answered.

    log: as commands, through the log. readindex: from the state of any node, once it has applied
    what the leader, confirmed by a quorum after the read began, knew to be chosen. lease: by the
    leader alone, while no other can have been elected. quorum: from the state of any node, once it
    has applied all that a quorum of acceptors has accepted. local: from the state of any node,
    which may be stale (honestly so: not linearizable).
    """

    LOG = "log"
    READINDEX = "readindex"
    LEASE = "lease"
    QUORUM = "quorum"
    LOCAL = "local"


Terms = tuple[int, int | None, int | None]
"""What all nodes of a cluster must have in common: the window, and the sizes of quorums of phase 1
and phase 2 where they are fixed."""


@dataclass(frozen=True)
class Config:
    """Times in seconds. A follower waits `election_s` up to twice that, at random, before it
    canvasses; a lease is shorter than `election_s` by `drift`, which bounds how much faster one
    node's monotonic clock may run than another's. Without `canvass` a node that hears no leader
    prepares at once: as safe, and less calm. `backoff_s` bounds the random wait of a proposer of
    the engine perkey that has lost once; it doubles with each loss, five times at most. A snapshot
    is taken every `snapshot_every` slots, and when the log in memory exceeds `log_bytes`. A node
    that was removed ends after `removed_s`."""

    node: str
    nodes: tuple[str, ...]
    engine: EngineName = EngineName.MULTI
    reads: Reads = Reads.LOG
    heartbeat_s: float = 0.1
    election_s: float = 0.5
    drift: float = 0.1
    step_down_s: float = 1.0
    canvass: bool = True
    resend_s: float = 0.25
    retry_s: float = 0.4
    backoff_s: float = 0.02
    request_timeout_s: float = 1.0
    window: int = 8
    batch_commands: int = 256
    batch_bytes: int = 256 * 1024
    message_bytes: int = 1024 * 1024
    queue_limit: int = 10_000
    snapshot_every: int = 0
    log_bytes: int = 64 * 1024 * 1024
    snapshot_chunk_bytes: int = 256 * 1024
    volatile_s: float = 2.0
    removed_s: float = 30.0
    q1: int | None = None
    q2: int | None = None

    @property
    def terms(self) -> Terms:
        return self.window, self.q1, self.q2
