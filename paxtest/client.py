"""Client: how a worker talks to a system under test."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from paxtest.node import Node
from paxtest.operation import Op, Type


class Completion(msgspec.Struct, frozen=True):
    """How an operation ended. `value` None keeps the invocation's value."""

    type: Type
    value: Any = None
    error: tuple[str, str] | None = None


class Client(Protocol):
    """One logical connection, used by one process; never shared, never reused after `info`.

    `invoke` returns a Completion. It may raise anything: the worker then applies the soundness
    rules (DESIGN 4): `info` for whatever may have written, `fail` for a read that got no answer.
    Only `Refused` is proof that nothing happened. No client library may retry on its own.
    """

    reads: frozenset[str]
    """The functions that never change the system: unanswered, they count as `fail`."""

    async def open(self, node: Node) -> None: ...

    async def invoke(self, op: Op) -> Completion: ...

    async def close(self) -> None: ...


class Refused(Exception):
    """Raised by a client: the operation certainly did not happen.

    Either the server itself said so, or no connection was ever made.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text
