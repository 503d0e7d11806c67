"""Clients of the simulated cluster, and the history they record.

A history is a list of lines in the format of `history.jsonl`: index, time_ns, process, type, f,
key, value, error, node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ..config import Reads
from ..statemachine import encode_args
from .load import Operation
from .node import SimulatedNode
from .world import World

TIMEOUT_S = 0.6
RECONNECT_S = 0.02


REGISTERS = ("a", "b", "c")
"""Of each key of the workload `multi`."""

Done = Callable[[str, Any], None]


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of a history."""

    index: int
    time_ns: int
    process: int
    type: str
    f: str
    key: str | None = None
    value: Any = None
    error: tuple[str, str] | None = None
    node: str | None = None


class Recorder:
    """The history as it grows."""

    def __init__(self, world: World) -> None:
        self.events: list[Event] = []
        self.ok = self.fail = self.info = 0
        self._world = world

    def record(
        self, process: int, type_: str, operation: Operation, value: Any, node: str, error: str = ""
    ) -> None:
        f, key, _ = operation
        kind, _, text = error.partition(" ")
        self.events.append(
            Event(
                len(self.events),
                int(self._world.now_s * 1e9),
                process,
                type_,
                f,
                key,
                value,
                (kind.lower(), text) if error else None,
                node,
            )
        )
        if type_ == "ok":
            self.ok += 1
        elif type_ == "fail":
            self.fail += 1
        elif type_ == "info":
            self.info += 1

    def lines(self) -> list[bytes]:
        return [msgspec.json.encode(event) for event in self.events]


class Client:
    """A process that invokes one operation after the other, on one node as long as it answers.
    After an operation of unknown outcome the process is dead and goes on under a new number.
    `ways`: of reading, one for each operation by chance; none leaves it to the node."""

    def __init__(
        self,
        process: int,
        step: int,
        world: World,
        nodes: Sequence[SimulatedNode],
        recorder: Recorder,
        ways: Sequence[Reads] = (),
    ) -> None:
        self.process = self.thread = process
        self._ways = ways
        self._step = step
        self._world = world
        self._nodes = nodes
        self._recorder = recorder
        self.node = nodes[process % len(nodes)]
        self._operation: Operation | None = None
        self._invocation = 0
        self._done: Done | None = None

    def invoke(self, operation: Operation, done: Done) -> None:
        """Invoke; `done` is told the completion's type and value, whatever it is."""
        node = self.node
        self._operation = operation
        self._done = done
        self._invocation += 1
        self._recorder.record(self.process, "invoke", operation, operation[2], node.name)
        if not node.alive:
            self._complete("fail", None, "REFUSED no connection was made")
            self.reconnect()
            return
        self._world.after(TIMEOUT_S, self._timeout, self._invocation)
        reads = self._world.rng.choice(self._ways) if self._ways else None
        self._world.after(
            self._world.around(0.0005),
            self._arrive,
            node,
            self._arguments(operation),
            reads,
            self._invocation,
        )

    def _arguments(self, operation: Operation) -> list[bytes]:
        """The operation as a command; every other increment as a transaction whose halves must
        never be seen."""
        args = arguments(operation)
        if args[0] != b"INCRBY" or self._invocation % 2:
            return args
        name, amount = args[1], int(args[2])
        parts = ([b"INCRBY", name, b"%d" % (amount + 1)], [b"DECRBY", name, b"1"])
        return [b"MULTI", *(encode_args(part) for part in parts)]

    def settle(self, node: SimulatedNode) -> None:
        """Talk to this node from now on, whatever happens."""
        self.node, self._nodes = node, [node]

    def reconnect(self) -> None:
        self.node = self._world.rng.choice(self._nodes)

    def _arrive(
        self, node: SimulatedNode, args: list[bytes], reads: Reads | None, invocation: int
    ) -> None:
        node.request(args, lambda reply: self._leave(reply, invocation), reads)

    def _leave(self, reply: bytes | None, invocation: int) -> None:
        self._world.after(self._world.around(0.0005), self._reply, reply, invocation)

    def _timeout(self, invocation: int) -> None:
        if invocation == self._invocation and self._operation is not None:
            self._unknown("TIMEOUT no answer")

    def _reply(self, reply: bytes | None, invocation: int) -> None:
        if invocation != self._invocation or self._operation is None:
            return
        if reply is None:
            self._unknown("EOF the connection broke")
            return
        try:
            type_, value, error = outcome(self._operation, reply)
        except (ValueError, IndexError):  # bugs can bring the reply to another command
            type_, value, error = "info", None, "PROTOCOL the reply does not fit the command"
        if type_ == "info":
            self._unknown(error)
        else:
            self._complete(type_, value, error)

    def _unknown(self, error: str) -> None:
        assert self._operation is not None
        reads = self._operation[0] == "read"
        self.reconnect()
        self._complete("fail" if reads else "info", None, error)

    def _complete(self, type_: str, value: Any, error: str = "") -> None:
        operation, done = self._operation, self._done
        assert operation is not None and done is not None
        self._operation = self._done = None
        told = operation[2] if value is None else value
        self._recorder.record(self.process, type_, operation, told, self.node.name, error)
        if type_ == "info":
            self.process += self._step
        done(type_, told)


def arguments(operation: Operation) -> list[bytes]:
    """The operation as a command."""
    f, key, value = operation
    name = key.encode()
    match f:
        case "read" if key.startswith("multi"):
            return [b"MGET", *(_register(key, register) for register in REGISTERS)]
        case "write" if key.startswith("multi"):
            pairs = [(_register(key, register), b"%d" % value[register]) for register in value]
            return [b"MSET", *(word for pair in pairs for word in pair)]
        case "txn":
            return [b"MULTI", *(encode_args(_step(key, *step)) for step in value)]
        case "read" if key.startswith("append"):
            return [b"LRANGE", name, b"0", b"-1"]
        case "read" if key.startswith("set"):
            return [b"SMEMBERS", name]
        case "read":
            return [b"GET", name]
        case "write":
            return [b"SET", name, b"%d" % value]
        case "cas":
            return [b"SET", name, b"%d" % value[1], b"IFEQ", b"%d" % value[0]]
        case "append":
            return [b"RPUSH", name, b"%d" % value]
        case "add" if key.startswith("set"):
            return [b"SADD", name, b"%d" % value]
        case "add":
            return [b"INCRBY", name, b"%d" % value]
        case "enqueue":
            return [b"LPUSH", name, b"%d" % value]
        case "dequeue":
            return [b"RPOP", name]
    raise ValueError(f)


def _register(key: str, register: str) -> bytes:
    return f"{key}.{register}".encode()


def _step(key: str, kind: str, register: str, value: int | None) -> list[bytes]:
    """One command of a transaction."""
    name = _register(key, register)
    return [b"GET", name] if kind == "r" else [b"SET", name, b"%d" % (value or 0)]


def _numbers(replies: bytes) -> list[int | None]:
    """Of replies that are bulk strings or nil; others are left out."""
    lines = iter(replies.split(b"\r\n"))
    return [None if line == b"$-1" else int(next(lines)) for line in lines if line.startswith(b"$")]


def outcome(operation: Operation, reply: bytes) -> tuple[str, Any, str]:
    """(type, value, error) of a reply. One that answers something else, as a server with a bug may
    send it, leaves the outcome unknown."""
    try:
        return _told(operation, reply)
    except (ValueError, IndexError, StopIteration):
        return "info", None, f"PROTOCOL no answer to {operation[0]}: {reply[:60]!r}"


def _told(operation: Operation, reply: bytes) -> tuple[str, Any, str]:
    if reply[:1] == b"-":
        text = reply[1:-2].decode()
        return ("info" if text.startswith("UNKNOWN") else "fail"), None, text
    f, key, _ = operation
    if f == "cas" and reply == b"$-1\r\n":
        return "fail", None, "CAS-MISMATCH the value was another"
    if f == "txn":
        read = iter(_numbers(reply[reply.index(b"\r\n") + 2 :]))
        steps = [[kind, name, next(read) if kind == "r" else to] for kind, name, to in operation[2]]
        return "ok", steps, ""
    if f == "read" and key.startswith("multi"):
        read = iter(_numbers(reply[reply.index(b"\r\n") + 2 :]))
        return "ok", dict(zip(REGISTERS, read, strict=True)), ""
    if f == "dequeue":
        return "ok", None if reply == b"$-1\r\n" else int(reply.split(b"\r\n")[1]), ""
    if f != "read":
        return "ok", None, ""
    if reply[:1] == b"*":
        items = [int(item) for item in reply.split(b"\r\n")[2::2]]
        return "ok", sorted(items) if key.startswith("set") else items, ""
    if reply == b"$-1\r\n":
        return "ok", 0 if key.startswith("counter") else None, ""
    return "ok", int(reply.split(b"\r\n")[1]), ""
