"""Agreements: what nodes hold in the end, where they must hold the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from paxtest.system import ShowsAgreements

POLL_S = 0.3
_ASKED_AT_ONCE_S = 2.0


class Agreements(msgspec.Struct):
    """`told`: node -> name -> the digests that it gave for the name, each once."""

    told: dict[str, dict[str, list[str]]]

    def compared(self) -> list[str]:
        """Names for which at least two nodes told something, in order."""
        names: dict[str, int] = {}
        for digests in self.told.values():
            for name in digests:
                names[name] = names.get(name, 0) + 1
        return sorted(name for name, nodes in names.items() if nodes > 1)

    def broken(self) -> Iterator[tuple[str, dict[str, list[str]]]]:
        """Names for which not all digests are equal, with what each node told."""
        for name in sorted({name for digests in self.told.values() for name in digests}):
            told = {node: d[name] for node, d in self.told.items() if name in d}
            if len({digest for digests in told.values() for digest in digests}) > 1:
                yield name, told


def load(path: Path) -> Agreements:
    return msgspec.json.decode(path.read_bytes(), type=Agreements)


def save(path: Path, agreements: Agreements) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(agreements)))


async def ask(system: ShowsAgreements, nodes: Sequence[str], timeout_s: float) -> Agreements:
    """Ask all nodes until all tell of the same names, or time is over: those that are behind catch
    up. Whatever was told in between counts, too."""
    told: dict[str, dict[str, list[str]]] = {node: {} for node in nodes}
    over = time.monotonic() + timeout_s
    while True:
        answers = await asyncio.gather(*(_asked(system, node) for node in nodes))
        for node, answer in zip(nodes, answers, strict=True):
            for name, digest in answer.items():
                digests = told[node].setdefault(name, [])
                if digest not in digests:
                    digests.append(digest)
        if len({frozenset(answer) for answer in answers}) == 1 or time.monotonic() >= over:
            return Agreements(told)
        await asyncio.sleep(POLL_S)


async def _asked(system: ShowsAgreements, node: str) -> dict[str, str]:
    try:
        async with asyncio.timeout(_ASKED_AT_ONCE_S):
            return await system.agreements(node)
    except TimeoutError:
        return {}
