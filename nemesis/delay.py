"""Delays: links that are slow, that lose packets, that come and go. Messages arrive late, and
twice, for whoever waits for an answer sends again.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from paxtest.cluster.protocol import Cluster, Link
from paxtest.errors import PaxtestError
from paxtest.nemesis.again import Again
from paxtest.nemesis.fault import Action, Context, Mix, PlannedFault, leader_note
from paxtest.nemesis.partition import without_network
from paxtest.system import System

MIX = Mix(
    kind="delay",
    weights={"flapping-links": 3, "slow-leader": 2, "slow-links": 1, "lossy-links": 1},
    hold_s={
        "flapping-links": (1.5, 3.0),
        "slow-leader": (1.5, 3.0),
        "slow-links": (1.5, 3.0),
        "lossy-links": (1.5, 3.0),
    },
    slots=(
        frozenset({"flapping-links", "slow-leader"}),
        frozenset({"slow-links", "lossy-links"}),
    ),
)
_FLAP_S = (0.15, 0.5)
_FLAP_SHARE = 0.35
_SLOWED = frozenset({"slow-leader", "slow-links"})
_CLEARLY = 0.5  # a probe that took this share of the delay was delayed


class FlappingAction:
    """A third of all directions is cut, another third a moment later: TCP brings what was sent
    meanwhile when it tries again, late and all at once.
    """

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        self._fault = fault
        self._context = context
        self._rng = Random(f"flapping {fault.seed}")
        self._links = [(a, b) for a in context.nodes for b in context.nodes if a != b]
        self._turns = 0
        self._cut: list[Link] = []
        self._probed: Link | None = None
        self._seen: set[bool] = set()
        self._again = Again(self._turn, lambda: self._rng.uniform(*_FLAP_S))
        self.nodes = list(context.nodes)
        self.text = f"a third of {len(self._links)} directions cut, others every moment"
        self.undo: dict[str, Any] = {"net": True}

    async def inject(self) -> None:
        await self._again.begin()

    async def _turn(self) -> None:
        count = max(1, round(len(self._links) * _FLAP_SHARE))
        whole = [link for link in self._links if link not in self._cut]
        self._cut = self._rng.sample(whole, count)
        await self._context.ground.cut(self._fault.id, self._cut)
        self._turns += 1

    async def probe(self) -> tuple[bool, str]:
        """One direction seen both silent and open. The cut may change while one looks."""
        assert self._context.cluster.net is not None
        net, port = self._context.cluster.net, self._context.system.peer_port
        if self._probed is None:
            self._probed = self._cut[0]
        source, destination = self._probed
        for _ in range(8):
            self._seen.add(await net.reachable(source, destination, port))
            if len(self._seen) == 2:
                break
            await asyncio.sleep(0.05)
        words = " and ".join("reaches" if got else "silent" for got in sorted(self._seen))
        return len(self._seen) == 2, f"{source}->{destination} {words}, {self._turns} turns"

    async def heal(self) -> str:
        await self._again.end()
        return f"{await self._context.ground.open(self._fault.id)} after {self._turns} turns"


class ShapeAction:
    """Delay or loss of what travels on some links."""

    def __init__(self, fault: PlannedFault, context: Context) -> None:
        rng = Random(f"shape {fault.seed}")
        self._fault = fault
        self._context = context
        every = [(a, b) for a in context.nodes for b in context.nodes if a != b]
        note = ""
        if fault.name == "slow-leader":
            self._links = [link for link in every if context.leader in link]
            delay_s = rng.uniform(0.2, 0.6)
            self._shape = {"delay_s": delay_s, "jitter_s": delay_s / 4}
            note = leader_note(context, True)
        elif fault.name == "slow-links":
            self._links = sorted(rng.sample(every, max(1, len(every) // 2)))
            delay_s = rng.uniform(0.05, 0.4)
            self._shape = {"delay_s": delay_s, "jitter_s": delay_s / 2}
        else:
            self._links = every
            self._shape = {"loss": rng.uniform(0.1, 0.3)}
        self.nodes = list(context.nodes)
        what = ", ".join(f"{name} {value:.3g}" for name, value in self._shape.items())
        self.text = f"{len(self._links)} directions: {what}{note}"
        self.undo: dict[str, Any] = {"net": True}

    async def inject(self) -> None:
        await self._context.ground.shape(self._fault.id, self._links, **self._shape)

    async def probe(self) -> tuple[bool, str]:
        """A delayed probe takes its time. Of lossy links, not all probes are lost; where the
        network counts what they lose, it has counted something.
        """
        assert self._context.cluster.net is not None
        net, port = self._context.cluster.net, self._context.system.peer_port
        closed = self._context.ground.closed()
        link = next((link for link in self._links if link not in closed), None)
        if link is None:
            return False, "all of its links are cut"
        if "loss" in self._shape:
            tries = [link for link in self._links if link not in closed][:20]
            got = [await net.reachable(*one, port) for one in tries]
            # A probe is sent three times: all three are lost in one case of a hundred or less.
            said = f"{sum(got)} of {len(got)} directions let a probe through"
            count = getattr(net, "lost_packets", None)
            if count is None:
                return any(got), f"{said}; the loss itself is not measured here"
            lost = await count()
            return any(got) and lost > 0, f"{said}; {lost} packets lost"
        return await probe_delay(link, self._shape["delay_s"], self._context)

    async def heal(self) -> str:
        return await self._context.ground.unshape(self._fault.id)


async def probe_delay(link: Link, delay_s: float, context: Context) -> tuple[bool, str]:
    """(is this direction slow, how that was seen): a probe takes at least about `delay_s`."""
    assert context.cluster.net is not None
    loop = asyncio.get_running_loop()
    began = loop.time()
    arrived = await context.cluster.net.reachable(*link, context.system.peer_port)
    took_s = loop.time() - began
    late = took_s >= delay_s * _CLEARLY
    seen = f"a probe {link[0]}->{link[1]} {'arrived' if arrived else 'was lost'}"
    return arrived and late, f"{seen} after {took_s:.3f} s"


class DelayFamily:
    """Messages that arrive late."""

    kind = "delay"
    mix = MIX

    def missing(self, cluster: Cluster, system: System) -> tuple[str, str] | None:
        return without_network(cluster)

    async def unavailable(self, cluster: Cluster, system: System) -> dict[str, str]:
        """Faults that cannot be had here, and why: kernels may lack what slows packets."""
        assert cluster.net is not None
        first, second = (node.name for node in cluster.nodes[:2])
        gaps: dict[str, str] = {}
        for names, shape in (
            (sorted(_SLOWED), {"delay_s": 0.01}),
            (["lossy-links"], {"loss": 0.01}),
        ):
            try:
                await cluster.net.shape([(first, second)], **shape)  # type: ignore[arg-type]
            except PaxtestError as error:
                gaps |= dict.fromkeys(names, error.message)
        await cluster.net.heal()
        return gaps

    async def prepare(self, fault: PlannedFault, context: Context) -> Action | str:
        if fault.name == "flapping-links":
            return FlappingAction(fault, context)
        return ShapeAction(fault, context)
