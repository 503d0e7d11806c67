"""A connection of redis-py is closed whatever happens to whoever closes it."""

from __future__ import annotations

import asyncio
import gc

import pytest

from paxtest.cluster.systems.redis_client import close, connection


@pytest.mark.parametrize("steps", range(1, 6))
async def test_a_close_that_is_cancelled_closes_all_the_same(steps: int) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        redis = connection("127.0.0.1", server.sockets[0].getsockname()[1])
        await redis.initialize()
        closing = asyncio.create_task(close(redis))
        for _ in range(steps):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        del redis
        gc.collect()  # what is left open warns, and warnings are errors here
        await asyncio.wait_for(gone.wait(), 10)
