"""The network between nodes that have shells: cut and shaped on the nodes themselves.

Delays are tc's, or where its kernel part is missing those of agents on the nodes (`delaying.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from paxtest.cluster import delaying, firewall, shaping
from paxtest.cluster.links import Shape, check_links
from paxtest.cluster.probing import WAIT_S, Prober
from paxtest.cluster.protocol import Link
from paxtest.errors import Unsupported
from paxtest.remote.protocol import Remote

_TOGETHER_S = 0.4  # in which agents and rules are in place, so that all links slow down together


class HostNet:
    """A Net by iptables and tc, through the nodes' remotes.

    `addresses`: every IPv4 and IPv6 address from which a node speaks to the others, the first
    being IPv4. `fresh` says that the nodes were just made and hold no rules of ours; otherwise
    the first change writes to all of them.
    """

    def __init__(
        self,
        remotes: Mapping[str, Remote],
        addresses: Mapping[str, Sequence[str]],
        prober: Prober,
        *,
        fresh: bool,
    ) -> None:
        self._remotes = dict(remotes)
        self._addresses = {node: tuple(found) for node, found in addresses.items()}
        self._prober = prober
        self._cuts: frozenset[Link] = frozenset()
        self._shapes: dict[Link, Shape] = {}
        self._firewalls: dict[str, firewall.Rules | None] = dict.fromkeys(
            remotes, firewall.NO_RULES if fresh else None
        )
        self._shaped: dict[str, str | None] = dict.fromkeys(remotes, "" if fresh else None)
        self._no_netem: Unsupported | None = None  # what tc said
        self._held: dict[str, delaying.Queues] = {}  # by node, what its agent holds back
        self._generation = 0  # of agents
        self._late_from_s = 0.0  # Unix time
        self._others = not fresh  # may agents of another process be at work?
        self._lock = asyncio.Lock()

    async def cut(self, links: Collection[Link]) -> None:
        async with self._lock:
            self._cuts = check_links(links, self._remotes)
            await self._write_firewalls()

    async def shape(
        self,
        links: Collection[Link],
        *,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        loss: float = 0.0,
        rate_bytes_s: int = 0,
    ) -> None:
        shape = Shape(delay_s, jitter_s, loss, rate_bytes_s)
        async with self._lock:
            self._shapes = dict.fromkeys(check_links(links, self._remotes), shape)
            await self._shape()

    async def reset(self, links: Collection[Link], for_s: float) -> int:
        """Rules of firewalls: segments that arrive are answered, and counted by the kernel."""
        resets = check_links(links, self._remotes)
        at = {destination for _, destination in resets}
        async with self._lock:
            try:
                await self._write_firewalls(resets)
                await asyncio.sleep(for_s)
                counts = (firewall.were_reset(self._remotes[node]) for node in at)
                return sum(await asyncio.gather(*counts))
            finally:
                await self._write_firewalls()

    async def reachable(self, source: str, destination: str, port: int) -> bool:
        """The packet is a UDP datagram between the nodes' probe agents: rules of ours look at
        nothing but addresses, so it fares as one to `port` would."""
        check_links([(source, destination)], self._remotes)
        shape = self._shapes.get((source, destination), Shape())
        return await self._prober.passes(
            source, destination, WAIT_S + shape.delay_s + shape.jitter_s
        )

    async def lost_packets(self) -> int:
        """How many packets lossy links have lost since rules were last changed, by the kernel's
        own count."""
        counts = (firewall.lost(remote) for remote in self._remotes.values())
        return sum(await asyncio.gather(*counts))

    async def heal(self) -> None:
        async with self._lock:
            self._cuts = frozenset()
            self._shapes = {}
            await self._shape()
            if self._others:
                await _all([delaying.stop(remote) for remote in self._remotes.values()])

    async def heal_node(self, node: str) -> None:
        """Take every rule of ours from one node, though others may not answer."""
        ipv6 = any(":" in address for address in self._addresses[node])
        await firewall.apply(self._remotes[node], firewall.NO_RULES, ipv6=ipv6)
        if len(self._remotes) > 1:
            await shaping.apply(self._remotes[node], "", via=self._via(node))
        await delaying.stop(self._remotes[node])

    def _via(self, node: str) -> str:
        """An address that tells the device through which the node speaks to the others."""
        return next(found[0] for peer, found in self._addresses.items() if peer != node)

    async def _write_firewalls(self, resets: Collection[Link] = ()) -> None:
        losses = {link: shape.loss for link, shape in self._shapes.items()}

        async def write(node: str) -> None:
            held = self._held.get(node, {})
            wanted = firewall.rules(node, self._addresses, self._cuts, losses, held, resets)
            if wanted == self._firewalls[node]:
                return
            self._firewalls[node] = None
            ipv6 = any(":" in address for address in self._addresses[node])
            await firewall.apply(self._remotes[node], wanted, ipv6=ipv6)
            self._firewalls[node] = wanted

        await _all([write(node) for node in self._remotes])

    async def _shape(self) -> None:
        """Make the shapes so: by tc, or what it cannot do by agents, who wait for the firewall's
        rules and outlast them."""
        former, generation = self._held, self._generation
        try:
            await self._delay()
        finally:
            try:
                await self._write_firewalls()
            finally:
                await asyncio.sleep(self._late_from_s - time.time())
                if former is not self._held:
                    ends = [delaying.stop(self._remotes[node], generation) for node in former]
                    await _all(ends)

    async def _delay(self) -> None:
        delayed = any(shape.delay_s > 0 for shape in self._shapes.values())
        if self._no_netem is None:
            try:
                await self._write_shapes(self._shapes)
                return
            except Unsupported as error:
                if not delayed:
                    raise
                self._no_netem = error
        slow = {k: replace(s, delay_s=0.0, jitter_s=0.0) for k, s in self._shapes.items()}
        await self._write_shapes(slow)
        if delayed or self._held:
            await self._hold()

    async def _hold(self) -> None:
        """Start an agent on every node that late packets go to."""
        self._generation += 1
        held = {
            node: numbers
            for node in self._remotes
            if (numbers := delaying.queues(node, self._remotes, self._shapes, self._generation))
        }
        self._held = {}
        self._late_from_s = time.time() + (_TOGETHER_S if held else 0.0)
        starts = [
            delaying.start(
                self._remotes[node], numbers, self._shapes, self._generation, self._late_from_s
            )
            for node, numbers in held.items()
        ]
        try:
            await _all(starts)
        except BaseException:
            await _all([delaying.stop(self._remotes[node], self._generation) for node in held])
            raise
        self._held = held

    async def _write_shapes(self, shapes: Mapping[Link, Shape]) -> None:
        async def write(node: str) -> None:
            wanted = shaping.commands(node, self._addresses, shapes)
            if wanted == self._shaped[node]:
                return
            self._shaped[node] = None
            await shaping.apply(self._remotes[node], wanted, via=self._via(node))
            self._shaped[node] = wanted

        if len(self._remotes) > 1:
            await _all([write(node) for node in self._remotes])


async def _all(work: Sequence[Any]) -> None:
    """Do all of it, even where one part fails; then raise the first failure."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
