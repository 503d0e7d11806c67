"""Worker: performs operations for one thread, and stamps them where they happen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from paxtest.client import Client, Completion, Refused
from paxtest.history import Journal
from paxtest.node import Node
from paxtest.operation import Op, Type

log = logging.getLogger("paxtest.workers")

OPEN_TIMEOUT_S = 1.0
REOPEN_PAUSE_S = 0.1  # a dead node refuses at once; without a pause its threads would spin
MAX_ERROR_TEXT = 500


class Worker:
    """Thread number `thread`: one client at a time, bound to one node.

    Applies the soundness rules of DESIGN 4 to whatever a client does. An invocation is stamped
    immediately before the request leaves, the completion immediately after the answer arrives.
    """

    def __init__(
        self,
        thread: int,
        node: Node,
        new_client: Callable[[], Client],
        journal: Journal,
        timeout_s: float,
    ) -> None:
        self.thread = thread
        self.node = node
        self.busy_since_ns: int | None = None
        self._new_client = new_client
        self._journal = journal
        self._timeout_s = timeout_s
        self._client: Client | None = None

    async def perform(self, process: int, f: str, key: object, value: object) -> tuple[Op, Op]:
        """Carry out one operation; returns its two events. Never raises for what a client does."""
        refusal = await self._open()
        journal, node = self._journal, self.node.name
        if self._client is None:
            invocation = journal.append(process, Type.INVOKE, f, key, value, node=node)
            error = refusal or ("no-connection", "")
            completion = journal.append(process, Type.FAIL, f, key, value, error, node)
            await asyncio.sleep(REOPEN_PAUSE_S)
            return invocation, completion
        client = self._client
        self.busy_since_ns = journal.now_ns()
        invocation = journal.append(process, Type.INVOKE, f, key, value, node=node)
        outcome = await self._invoke(client, invocation)
        answer = value if outcome.value is None and f not in client.reads else outcome.value
        completion = journal.append(process, outcome.type, f, key, answer, outcome.error, node)
        self.busy_since_ns = None
        unanswered = outcome.error is not None and outcome.error[0] in _UNANSWERED
        if outcome.type is Type.INFO or unanswered:
            # A late answer on this connection would be taken for the next operation's.
            await self.close()
        return invocation, completion

    async def _invoke(self, client: Client, invocation: Op) -> Completion:
        unknown = Type.FAIL if invocation.f in client.reads else Type.INFO
        try:
            async with asyncio.timeout(self._timeout_s):
                outcome = await client.invoke(invocation)
        except TimeoutError:
            return Completion(unknown, error=("timeout", f"no answer within {self._timeout_s} s"))
        except Refused as refused:
            return Completion(Type.FAIL, error=(refused.kind, refused.text[:MAX_ERROR_TEXT]))
        except asyncio.CancelledError:
            raise
        except (OSError, EOFError, ConnectionError) as error:
            return Completion(unknown, error=("connection", _text(error)))
        except Exception as error:
            kind = "connection" if _is_connection_error(error) else "unexpected"
            return Completion(unknown, error=(kind, _text(error)))
        if outcome.type is Type.INFO and unknown is Type.FAIL:
            return Completion(Type.FAIL, outcome.value, outcome.error)  # a read changes nothing
        return outcome

    async def _open(self) -> tuple[str, str] | None:
        if self._client is not None:
            return None
        client = self._new_client()
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                await client.open(self.node)
        except TimeoutError:
            refusal = ("no-connection", f"no connection within {OPEN_TIMEOUT_S} s")
        except Refused as refused:
            refusal = (refused.kind, refused.text[:MAX_ERROR_TEXT])
        except asyncio.CancelledError:
            raise
        except Exception as error:
            refusal = ("no-connection", _text(error))
        else:
            self._client = client
            return None
        await _close(client)
        return refusal

    async def close(self) -> None:
        """Close the client; the next operation opens another."""
        client, self._client = self._client, None
        if client is not None:
            await _close(client)


_UNANSWERED = frozenset({"timeout", "connection", "unexpected"})


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_TEXT]


def _is_connection_error(error: BaseException) -> bool:
    """Client libraries have their own ConnectionError that is not Python's."""
    return any(c.__name__ in ("ConnectionError", "TimeoutError") for c in type(error).__mro__)


async def _close(client: Client) -> None:
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await client.close()
    except Exception as error:
        # Its operation is already recorded, so nothing depends on a tidy goodbye.
        log.debug("closing a client of a broken connection: %s", _text(error))
