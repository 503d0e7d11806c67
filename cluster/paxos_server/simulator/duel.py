"""Duel: elections struck at their worst moments, as in the proof's worst case.

Agreement hangs on what a new leader learns from its quorum. So a few rivals are made to lead in
turn, and each is hindered at the moment it has won: it proposes, but few accept, or many and
nobody knows; or those that promised die. The next is elected without it, the third hears of both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .network import SimulatedNetwork, Weather, between
from .node import SimulatedNode
from .world import World

HOP_S = 0.004
"""About how long a message, its sync and the answer take in good weather."""
LOOK_S = 0.0003
"""Less than any message takes: whoever has just won is seen before it is heard."""


class Duel:
    """One at a time. `families` says what may be used: partition, kill, pause, delay."""

    def __init__(
        self,
        world: World,
        network: SimulatedNetwork,
        nodes: Sequence[SimulatedNode],
        families: Sequence[str],
    ) -> None:
        self._world = world
        self._rng = world.rng
        self._network = network
        self._nodes = nodes
        self._families = families
        self._rivals: list[SimulatedNode] = []
        self._until_s = 0.0
        self._reached: list[str] = []
        self._acts: list[Callable[[SimulatedNode], None]] = [self._leave]
        for family, act in (
            *3 * [("partition", self._strand)],
            *3 * [("partition", self._strand_knowing)],
            ("kill", self._kill),
            ("kill", self._kill_voters),
            ("pause", self._pause),
        ):
            if family in families:
                self._acts.append(act)

    def start(self) -> str:
        """Begin a duel, or add rivals to the present one."""
        rng, now_s = self._rng, self._world.now_s
        running = now_s < self._until_s
        self._rivals = rng.sample(list(self._nodes), min(len(self._nodes), rng.choice((2, 2, 3))))
        self._until_s = now_s + 0.1 + self._world.around(0.4)
        if "delay" in self._families and rng.random() < 0.5:
            self._network.weather = Weather(duplication=0.1, slow=0.3, slow_delay_s=0.01)
        if not running:
            self._round(None)
        names = ", ".join(node.name for node in self._rivals)
        return f"duel of {names} until {self._until_s:.4f}"

    def stop(self) -> None:
        self._until_s = 0.0

    def _round(self, former: SimulatedNode | None) -> None:
        """Some rival stands: in the absence of all that the former leader reached, so that the
        two propose different things; or of the former leader alone, who may be the only one to
        know what was chosen; or of any minority. Now and then two stand at the same moment."""
        rng, nodes = self._rng, self._nodes
        if self._world.now_s >= self._until_s:
            if self._until_s:
                self._network.part(frozenset())
            return
        candidate = rng.choice([node for node in self._rivals if node is not former])
        if not self._reached or candidate.name in self._reached or rng.random() < 0.4:
            others = [node.name for node in nodes if node is not candidate]
            absent = rng.sample(others, rng.randrange((len(nodes) - 1) // 2 + 1))
            if former is not None and rng.random() < 0.5:
                absent = [former.name]
            self._isolate(absent)
        self._reached = []
        candidate.stand()
        if rng.random() < 0.2:
            rng.choice(self._rivals).stand()
        self._world.after(LOOK_S, self._watch, candidate, self._world.now_s + 3 * HOP_S)

    def _watch(self, candidate: SimulatedNode, until_s: float) -> None:
        if candidate.leading:
            act = self._rng.choice(self._acts)
            act(candidate)
            if act != self._strand_knowing:
                self._next(candidate)
        elif self._world.now_s < until_s and candidate.alive:
            self._world.after(LOOK_S, self._watch, candidate, until_s)
        else:
            self._next(None)

    def _next(self, former: SimulatedNode | None) -> None:
        pace = self._rng.choice((0.5, 1, 2, 4)) * HOP_S
        self._world.after(pace * (0.5 + self._rng.random()), self._round, former)

    # --- what befalls a new leader ---

    def _leave(self, leader: SimulatedNode) -> None:
        """Nothing does."""

    def _strand(self, leader: SimulatedNode) -> None:
        """Its proposals reach few."""
        others = [node.name for node in self._nodes if node is not leader]
        count = self._rng.randrange(len(others) // 2 + 1)
        self._reached = [leader.name, *self._rng.sample(others, count)]
        self._isolate(self._reached)

    def _strand_knowing(self, leader: SimulatedNode) -> None:
        """It is cut off as soon as it has answered a client: nobody else may know what it knows
        to be chosen. Those that accept need not be those that promised."""
        others = [node.name for node in self._nodes if node is not leader]
        if self._rng.random() < 0.5:
            self._isolate(self._rng.sample(others, len(others) // 2))
        answers = leader.answers + 1 + self._rng.randrange(3)
        self._reached = [leader.name]
        self._strand_when(leader, answers, self._world.now_s + 4 * HOP_S)

    def _strand_when(self, leader: SimulatedNode, answers: int, until_s: float) -> None:
        if leader.answers >= answers or self._world.now_s >= until_s:
            self._isolate([leader.name])
            self._next(leader)
        else:
            self._world.after(LOOK_S, self._strand_when, leader, answers, until_s)

    def _kill(self, leader: SimulatedNode) -> None:
        """It dies at once or soon, and stands again."""
        after_s = self._rng.choice((0.0, 0.25, 0.5)) * HOP_S
        self._world.after(after_s, leader.kill)
        self._world.after(after_s + HOP_S * self._rng.random(), self._revive, leader)

    def _revive(self, node: SimulatedNode) -> None:
        node.start()
        if self._world.now_s < self._until_s and self._rng.random() < 0.7:
            node.stand()

    def _kill_voters(self, leader: SimulatedNode) -> None:
        """Some of those that made it leader die and come back before its proposals come; at times
        these are kept from coming, and a former leader goes on."""
        others = [node for node in self._nodes if node is not leader]
        for node in self._rng.sample(others, 1 + self._rng.randrange(len(others))):
            node.kill()
            self._world.after(HOP_S * self._rng.random() / 4, node.start)
        if self._rng.random() < 0.5:
            self._reached = [leader.name]
            self._isolate(self._reached)

    def _pause(self, leader: SimulatedNode) -> None:
        leader.pause()
        self._world.after(4 * HOP_S * self._rng.random(), leader.resume)

    def _isolate(self, few: Sequence[str]) -> None:
        if "partition" in self._families and self._until_s:  # what has healed stays so
            rest = [node.name for node in self._nodes if node.name not in few]
            self._network.part(between(few, rest), hold=self._rng.random() < 0.5)
