"""RedisClient: the functions of the bundled workloads over the Redis protocol (redis-py)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from paxtest.client import Completion, Refused
from paxtest.node import Node
from paxtest.operation import Op, Type

CONNECT_TIMEOUT_S = 1.0
REGISTERS = ("a", "b", "c")
"""Of each key of the workload `multi`."""


def connection(host: str, port: int) -> Redis:
    """A redis-py client with one connection, which never retries and never reconnects by itself.

    redis-py retries ten times by default; a command sent twice falsifies a history.
    """
    return Redis(
        host=host,
        port=port,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=None,  # the worker's deadline rules
        health_check_interval=0,
        driver_info=None,  # no CLIENT SETINFO: a connection says nothing but our commands
        protocol=2,
    )


async def close(redis: Redis) -> None:
    """Close the connection, even where whoever waits for that is cancelled: redis-py then leaves it
    open for good. A time limit within a time limit cancels a second time, while the first closes.
    """
    await asyncio.shield(redis.aclose())


class RedisClient:
    """read, write, cas (`SET key to IFEQ from`), append, add, enqueue, dequeue on keys; for data
    `multi` read, write and txn of several registers, each key `K.REGISTER`, by transactions.

    Values travel as JSON texts. `-FAIL` and `-WRONGTYPE` are the server's own refusal: certainly
    not happened; any other error answer leaves the outcome unknown.
    """

    reads = frozenset({"read"})

    def __init__(
        self, port: int, *, data: str = "register", opening: Sequence[tuple[str, ...]] = ()
    ) -> None:
        self.port = port
        self._opening = opening  # commands that each connection begins with
        self.data = data
        self._redis: Redis | None = None

    async def open(self, node: Node) -> None:
        """Connect. Raises Refused when no connection was made."""
        self._redis = connection(node.host, self.port)
        try:
            await self._redis.initialize()
            for words in self._opening:
                await cast(Any, self._redis).execute_command(*words)
        except (OSError, ResponseError, ConnectionError) as error:
            await self.close()
            raise Refused("no-connection", str(error)) from None
        except Exception as error:
            await self.close()
            raise Refused("no-connection", f"{type(error).__name__}: {error}") from None

    async def invoke(self, op: Op) -> Completion:
        try:
            return await self._invoke(op)
        except ResponseError as error:
            code, _, text = str(error).partition(" ")
            if code in ("FAIL", "WRONGTYPE"):
                return Completion(Type.FAIL, error=(code.lower(), text))
            if code == "UNKNOWN":
                return Completion(Type.INFO, error=("unknown", text))
            return Completion(Type.INFO, error=("server-error", str(error)))

    async def _invoke(self, op: Op) -> Completion:
        key = op.key if isinstance(op.key, str) else str(op.key)
        match op.f:
            case "read":
                return Completion(Type.OK, await self._read(key))
            case "write" if self.data == "multi":
                pairs = [(f"{key}.{name}", _text(to)) for name, to in op.value.items()]
                await self._command("MSET", *(word for pair in pairs for word in pair))
            case "txn":
                return Completion(Type.OK, await self._transaction(key, op.value))
            case "write":
                await self._command("SET", key, _text(op.value))
            case "cas":
                old, new = op.value
                if await self._command("SET", key, _text(new), "IFEQ", _text(old)) is None:
                    return Completion(Type.FAIL, error=("cas-mismatch", "the value was another"))
            case "append":
                await self._command("RPUSH", key, _text(op.value))
            case "add" if self.data == "set":
                await self._command("SADD", key, _text(op.value))
            case "add":
                await self._command("INCRBY", key, str(op.value))
            case "enqueue":
                await self._command("LPUSH", key, _text(op.value))
            case "dequeue":
                return Completion(Type.OK, _value(await self._command("RPOP", key)))
            case _:
                raise Refused("unsupported", f"this client has no function {op.f!r}")
        return Completion(Type.OK)

    async def _transaction(self, key: str, steps: Any) -> list[list[Any]]:
        """The steps [r or w, register, value] with what they read."""
        await self._command("MULTI")
        for kind, name, to in steps:
            words = ("GET", f"{key}.{name}") if kind == "r" else ("SET", f"{key}.{name}", _text(to))
            await self._command(*words)
        answers = await self._command("EXEC")
        return [
            [kind, name, _value(answer) if kind == "r" else to]
            for (kind, name, to), answer in zip(steps, answers, strict=True)
        ]

    async def _read(self, key: str) -> Any:
        match self.data:
            case "multi":
                names = [f"{key}.{name}" for name in REGISTERS]
                answers = await self._command("MGET", *names)
                return dict(zip(REGISTERS, map(_value, answers), strict=True))
            case "append":
                return [_value(v) for v in await self._command("LRANGE", key, "0", "-1")]
            case "set":
                return sorted(_value(v) for v in await self._command("SMEMBERS", key))
            case "counter":
                return _value(await self._command("GET", key)) or 0
            case _:
                return _value(await self._command("GET", key))

    async def _command(self, *words: str) -> Any:
        assert self._redis is not None, "invoke before open"
        return await cast(Any, self._redis).execute_command(*words)

    async def close(self) -> None:
        if self._redis is not None:
            redis, self._redis = self._redis, None
            await close(redis)


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _value(answer: bytes | None) -> Any:
    if answer is None:
        return None
    try:
        return msgspec.json.decode(answer)
    except msgspec.DecodeError:
        return answer.decode("utf-8", "replace")  # not a value of ours: an anomaly to be shown
