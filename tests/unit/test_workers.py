"""The soundness rules of DESIGN 4: what a worker makes of whatever a client does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from paxtest import history
from paxtest.client import Completion, Refused
from paxtest.history import Journal
from paxtest.node import Node
from paxtest.operation import Op, Type
from paxtest.workers import Worker

NODE = Node("n1", 0, "127.0.0.1")


class Scripted:
    """A client whose answer is a function; counts how often it was opened and closed."""

    reads = frozenset({"read"})
    opened = 0
    closed = 0

    def __init__(self, answer: Callable[[Op], object], on_open: Exception | None = None) -> None:
        self.answer = answer
        self.on_open = on_open

    async def open(self, node: Node) -> None:
        type(self).opened += 1
        if self.on_open is not None:
            raise self.on_open

    async def invoke(self, op: Op) -> Completion:
        result = self.answer(op)
        if isinstance(result, BaseException):
            raise result
        if result == "hang":
            await asyncio.sleep(3600)
        assert isinstance(result, Completion)
        return result

    async def close(self) -> None:
        type(self).closed += 1


async def perform(
    tmp_path: Path,
    answer: Callable[[Op], object],
    f: str = "write",
    value: object = 1,
    on_open: Exception | None = None,
) -> tuple[Op, Op]:
    Scripted.opened = Scripted.closed = 0
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.jsonl"
    journal = Journal(path)
    worker = Worker(0, NODE, lambda: Scripted(answer, on_open), journal, timeout_s=0.05)
    invocation, completion = await worker.perform(0, f, "k", value)
    journal.close()
    assert [o.type for o in history.read(path)] == [Type.INVOKE, completion.type]
    return invocation, completion


@pytest.mark.parametrize(
    "failure",
    ["hang", ConnectionResetError("reset"), EOFError("eof"), TimeoutError("slow"),
     RuntimeError("a bug of the client library")],
    ids=lambda f: str(f),
)  # fmt: skip
@pytest.mark.parametrize("f", ["write", "cas", "append", "add", "dequeue"])
async def test_no_answer_is_info_for_whatever_may_write(
    tmp_path: Path, f: str, failure: object
) -> None:
    _, completion = await perform(tmp_path, lambda op: failure, f)
    assert completion.type is Type.INFO and completion.error is not None


@pytest.mark.parametrize(
    "failure", ["hang", ConnectionResetError("reset"), EOFError("eof")], ids=lambda f: str(f)
)
async def test_a_read_without_answer_is_fail(tmp_path: Path, failure: object) -> None:
    _, completion = await perform(tmp_path, lambda op: failure, "read", None)
    assert completion.type is Type.FAIL


async def test_only_proof_makes_a_write_fail(tmp_path: Path) -> None:
    _, completion = await perform(tmp_path, lambda op: Refused("fail", "no leader"))
    assert completion.type is Type.FAIL and completion.error == ("fail", "no leader")


async def test_a_connection_never_made_is_fail(tmp_path: Path) -> None:
    _, completion = await perform(
        tmp_path, lambda op: "hang", on_open=ConnectionRefusedError("refused")
    )
    assert completion.type is Type.FAIL and completion.error is not None
    assert completion.error[0] == "no-connection"


async def test_after_info_the_client_is_closed_and_another_opened(tmp_path: Path) -> None:
    answers: list[object] = ["hang", Completion(Type.OK)]
    Scripted.opened = Scripted.closed = 0
    journal = Journal(tmp_path / "h.jsonl")
    worker = Worker(0, NODE, lambda: Scripted(lambda op: answers.pop(0)), journal, 0.05)
    await worker.perform(0, "write", "k", 1)
    assert (Scripted.opened, Scripted.closed) == (1, 1)
    await worker.perform(20, "write", "k", 2)
    assert (Scripted.opened, Scripted.closed) == (2, 1)
    await worker.close()
    journal.close()


async def test_a_timed_out_read_does_not_leave_its_answer_to_the_next(tmp_path: Path) -> None:
    await perform(tmp_path, lambda op: "hang", "read", None)
    assert Scripted.closed == 1


async def test_the_completion_carries_what_was_read_even_when_it_is_nothing(
    tmp_path: Path,
) -> None:
    _, completion = await perform(tmp_path, lambda op: Completion(Type.OK, None), "read", None)
    assert completion.type is Type.OK and completion.value is None
    _, completion = await perform(tmp_path, lambda op: Completion(Type.OK), "cas", [1, 2])
    assert completion.value == [1, 2]


async def test_stamps_enclose_the_request(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "h.jsonl")
    inside: list[int] = []

    def answer(op: Op) -> Completion:
        inside.append(journal.now_ns())
        return Completion(Type.OK)

    worker = Worker(0, NODE, lambda: Scripted(answer), journal, 1)
    invocation, completion = await worker.perform(0, "write", "k", 1)
    journal.close()
    assert invocation.time_ns <= inside[0] <= completion.time_ns
