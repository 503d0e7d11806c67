"""SimulatedNetwork: late, lost, doubled, overtaking messages, and links cut in one direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..identity import name_of
from ..messages import Message
from .world import World


@dataclass
class Weather:
    """Probabilities and times of the network, the same for all links."""

    loss: float = 0.0
    duplication: float = 0.0
    slow: float = 0.0
    delay_s: float = 0.001
    slow_delay_s: float = 0.1


Links = frozenset[tuple[str, str]]
"""(source, destination) pairs, by name."""

HELD_LIMIT = 1000
"""Messages that cut links hold at most; what comes beyond that is lost."""


class SimulatedNetwork:
    """The Network port of all nodes at once. What meets a cut link is lost or, as with
    connections that outlive a partition, held until the link is whole again."""

    def __init__(
        self, world: World, weather: Weather, deliver: Callable[[str, str, Message], None]
    ) -> None:
        self._world = world
        self._deliver = deliver
        self.weather = weather
        self._cut: Links = frozenset()
        self._holds = False
        self._held: list[tuple[str, str, Message]] = []

    def part(self, cut: Links, hold: bool = False) -> None:
        """Cut these links and no others."""
        self._cut = cut
        self._holds = hold
        held, self._held = self._held, []
        for source, destination, message in held:
            if self._cuts(source, destination):
                self._held.append((source, destination, message))
            else:
                delay_s = self._world.around(self.weather.delay_s)
                self._world.after(delay_s, self._arrive, source, destination, message)

    def send(self, source: str, destination: str, message: Message) -> None:
        weather, random = self.weather, self._world.rng.random
        if weather.loss and random() < weather.loss:
            return
        twice = weather.duplication and random() < weather.duplication
        for _ in range(2 if twice else 1):
            delay_s = weather.delay_s * (0.5 + random())
            if weather.slow and random() < weather.slow:
                delay_s += 2 * weather.slow_delay_s * random()
            self._world.after(delay_s, self._arrive, source, destination, message)

    def _cuts(self, source: str, destination: str) -> bool:
        return (name_of(source), name_of(destination)) in self._cut

    def _arrive(self, source: str, destination: str, message: Message) -> None:
        if not self._cut or not self._cuts(source, destination):
            self._deliver(source, destination, message)
        elif self._holds and len(self._held) < HELD_LIMIT:
            self._held.append((source, destination, message))


def between(left: Sequence[str], right: Sequence[str]) -> Links:
    """All links between two groups, both ways."""
    return frozenset((a, b) for a in left for b in right) | frozenset(
        (b, a) for a in left for b in right
    )
