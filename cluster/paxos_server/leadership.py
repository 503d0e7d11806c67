"""Leadership: who may lead, since when, and for how long: timers, support, quorum of heartbeats."""

from __future__ import annotations

import random
from collections.abc import Callable

from .ballot import Ballot
from .bugs import Bugs
from .config import Config, Reads
from .membership import Membership
from .ports import Clock

BEATS_LIMIT = 1024


class Leadership:
    """Everything about leading that is a matter of time. Liveness only, but for the lease.
    `membership`: that of the next slot. `leader`: the ballot of the leader that this node follows,
    or its own; None for none."""

    def __init__(
        self,
        config: Config,
        membership: Callable[[], Membership],
        clock: Clock,
        rng: random.Random,
        bugs: Bugs,
    ) -> None:
        self.leader: Ballot | None = None
        self._config = config
        self._membership = membership
        self._clock = clock
        self._rng = rng
        self._bugs = bugs
        now_s = clock.monotonic_s()
        # Right after the start nobody leads, most likely: do not wait long. With leases this
        # node may have granted one in its former life, and must sit it out.
        leases = config.reads is Reads.LEASE
        self._heard_s = now_s if leases else now_s - 2 * config.election_s
        self._deadline_s = now_s + config.election_s * (
            1 + rng.random() if leases else 0.1 + 0.4 * rng.random()
        )
        self._candidacy: Ballot | None = None
        self._supporters: set[str] = set()
        self._won_s = now_s
        self._beat = 0
        self._beat_due_s = 0.0
        self._beats: dict[int, tuple[float, float]] = {}
        self._acks: dict[str, int] = {}
        self._answered_s: dict[str, float] = {}

    # --- following ---

    def heard(self, now_s: float) -> None:
        """The leader gave a sign of life."""
        self._heard_s = now_s
        self.postpone(now_s)

    def postpone(self, now_s: float) -> None:
        """Wait anew, for a random time so that candidates do not collide for ever."""
        self._candidacy = None
        self._deadline_s = now_s + self._config.election_s * (1 + self._rng.random())

    def timed_out(self, now_s: float) -> bool:
        return now_s >= self._deadline_s

    def leaderless(self, now_s: float) -> bool:
        """Has no leader been heard for so long that another one would be welcome?"""
        return now_s - self._heard_s >= self._config.election_s

    def follows_lately(self, now_s: float) -> bool:
        """Was another node heard to lead within the time of a lease?"""
        lease_s = self._config.election_s * (1 - self._config.drift)
        other = self.leader is not None and self.leader.node != self._config.node
        return other and now_s - self._heard_s < lease_s

    # --- standing for election ---

    def canvass(self, ballot: Ballot, now_s: float) -> None:
        self.postpone(now_s)
        self._candidacy = ballot
        self._supporters = set()

    def supported(self, node: str, ballot: Ballot) -> bool:
        """Count a supporter; True when they could be a phase-1 quorum."""
        if ballot != self._candidacy:
            return False
        self._supporters.add(node)
        return self._membership().phase1(self._supporters)

    # --- leading ---

    def won(self, now_s: float) -> None:
        self._beats.clear()
        self._acks.clear()
        self._answered_s.clear()
        self._won_s = now_s

    def beat_due(self, now_s: float) -> bool:
        return now_s >= self._beat_due_s

    def may_beat_early(self) -> bool:
        """Are few enough heartbeats unanswered to send one that is not due?"""
        return len(self._beats) < BEATS_LIMIT // 2

    def next_beat(self) -> int:
        return self._beat + 1

    def beat(self, now_s: float) -> int:
        """Number a heartbeat that leaves now; by it we hear ourselves."""
        self._beat += 1
        self._beat_due_s = now_s + self._config.heartbeat_s
        self._beats[self._beat] = (now_s, self._clock.wall_s())
        if len(self._beats) > BEATS_LIMIT:
            del self._beats[next(iter(self._beats))]
        self._acks[self._config.node] = self._beat
        self._heard_s = now_s
        return self._beat

    def acknowledged(self, node: str, beat: int) -> None:
        self._acks[node] = max(beat, self._acks.get(node, 0))
        self._answered_s[node] = self._heard_s
        if self._bugs.active("lease-from-reply") and beat in self._beats:
            self._beats[beat] = (self._clock.monotonic_s(), self._clock.wall_s())
        # Keep the last beat that a quorum acknowledged and all later ones, however many reads
        # have asked for beats of their own since.
        confirmed = self.quorum_beat()
        for older in list(self._beats):
            if older >= confirmed:
                break
            del self._beats[older]

    def answering(self, now_s: float) -> set[str]:
        """This node, and those that have acknowledged heartbeats of late."""
        since_s = now_s - self._config.step_down_s
        lately = {node for node, at_s in self._answered_s.items() if at_s >= since_s}
        return lately | {self._config.node}

    def quorum_beat(self) -> int:
        """The last heartbeat that a phase-2 quorum has acknowledged; 0 for none."""
        membership, acks = self._membership(), self._acks
        beats = sorted([acks.get(voter, 0) for voter in membership.voters], reverse=True)
        return beats[max(membership.q2, 1) - 1]

    def lost(self, now_s: float) -> bool:
        """Has no quorum answered for so long that we cannot be sure to lead?"""
        sent = self._beats.get(self.quorum_beat())
        since_s = self._won_s if sent is None else sent[0]
        if self._bugs.active("lease-wallclock") and self.leased(now_s):
            return False
        return now_s - since_s >= self._config.step_down_s

    def leased(self, now_s: float) -> bool:
        """Is it certain that no other node can have been elected yet?

        A lease counts from the moment the acknowledged heartbeat was *sent*. Acceptors refuse
        to promise for `election_s` after they received it, by their own monotonic clocks.
        """
        sent = self._beats.get(self.quorum_beat())
        if sent is None:
            return False
        lease_s = self._config.election_s * (1 - self._config.drift)
        if self._bugs.active("lease-wallclock"):
            return self._clock.wall_s() - sent[1] < lease_s
        return now_s - sent[0] < lease_s
