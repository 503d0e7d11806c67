"""SimulatedNetwork: late, lost, doubled, overtaking messages, and links cut in one direction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


class SimulatedNetwork:
    """The Network port of all nodes at once. `cut` holds (source, destination) pairs."""

    def __init__(
        self, world: World, weather: Weather, deliver: Callable[[str, str, Message], None]
    ) -> None:
        self._world = world
        self._deliver = deliver
        self.weather = weather
        self.cut: frozenset[tuple[str, str]] = frozenset()

    def send(self, source: str, destination: str, message: Message) -> None:
        weather, random = self.weather, self._world.rng.random
        if weather.loss and random() < weather.loss:
            return
        copies = 2 if weather.duplication and random() < weather.duplication else 1
        for _ in range(copies):
            delay_s = weather.delay_s * (0.5 + random())
            if weather.slow and random() < weather.slow:
                delay_s += 2 * weather.slow_delay_s * random()
            self._world.after(delay_s, self._arrive, source, destination, message)

    def _arrive(self, source: str, destination: str, message: Message) -> None:
        if (source, destination) not in self.cut:
            self._deliver(source, destination, message)
