"""Clusters that many tests share: bringing one up takes longer than any test of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from echo_cluster import KINDS, NODES, make, start_server

from paxtest.cluster.protocol import Cluster


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster for many tests, an echo server on each node."""
    cluster = make(request.param)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _bring_up(cluster)).result()
        try:
            yield cluster
        finally:
            thread.submit(asyncio.run, cluster.down()).result()


async def _bring_up(cluster: Cluster) -> None:
    await cluster.up()
    await asyncio.gather(*(start_server(cluster, node) for node in NODES))


@pytest.fixture
async def cluster(shared: Cluster) -> AsyncIterator[Cluster]:
    """The shared one, whole before and after."""
    assert shared.net is not None
    yield shared
    await shared.net.heal()
