"""What is asked of links: which they are, and how they are to be shaped."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from paxtest.cluster.protocol import Link
from paxtest.errors import ClusterError


@dataclass(frozen=True)
class Shape:
    """One direction of a link: seconds, seconds, probability 0..1, bytes per second (0: any)."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss: float = 0.0
    rate_bytes_s: int = 0

    def __post_init__(self) -> None:
        good = (
            0 <= self.delay_s < math.inf
            and 0 <= self.jitter_s <= self.delay_s
            and 0 <= self.loss <= 1
            and self.rate_bytes_s >= 0
        )
        if not good:
            raise ClusterError(
                f"not a shape of a link: {self}",
                "0 <= jitter_s <= delay_s, 0 <= loss <= 1, rate_bytes_s >= 0",
            )


def check_links(links: Iterable[Link], nodes: Collection[str]) -> frozenset[Link]:
    """The links, after a look at their names."""
    checked = frozenset((source, destination) for source, destination in links)
    for source, destination in checked:
        if source not in nodes or destination not in nodes or source == destination:
            raise ClusterError(
                f"no such link: {source} -> {destination}", f"nodes are {', '.join(sorted(nodes))}"
            )
    return checked
