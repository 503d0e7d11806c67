"""Front: what clients speak to. Redis protocol, RESP2 and (after HELLO 3) RESP3."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from itertools import count
from typing import Protocol, cast

from . import about
from .about import CONNECTIONS_LIMIT
from .config import Reads
from .identity import SEPARATOR
from .resp import (
    FRAME_LIMIT,
    NIL,
    NIL3,
    OK,
    Parser,
    array,
    bulk,
    error,
    integer,
    map_,
    simple,
)
from .statemachine import encode_args
from .validation import TRANSACTION_LIMIT, check

PIPELINE_LIMIT = 4096
UNREAD_LIMIT_BYTES = 64 * 1024 * 1024
NAME_LIMIT = 256


class Backend(Protocol):
    """What the front asks of the node behind it."""

    def submit(self, cell: Cell, args: list[bytes], reads: Reads | None, connection: int) -> None:
        """Have a checked command executed; its reply goes to `cell.answer`."""

    def reads(self, name: bytes) -> Reads | bytes:
        """The way of reading of that name, or an error reply if the node has it not."""

    def fixed_members(self) -> bytes | None:
        """Why members can be neither added nor removed (an error reply), or None."""

    def snapshot(self, cell: Cell) -> None:
        """Take a snapshot; the reply goes to `cell.answer` when it is durable."""

    def info(self) -> list[tuple[str, str | int]]:
        """Names and values that describe the node."""

    def paxos(self, args: list[bytes], resp3: bool) -> bytes:
        """Answer the command PAXOS."""


class Cell:
    """The place of one reply in its connection's order of replies."""

    __slots__ = ("_connection", "name", "reply", "size")

    def __init__(self, connection: Connection, name: bytes) -> None:
        self._connection = connection
        self.name = name
        self.reply: bytes | None = None
        self.size = 0  # bytes of the command, for whoever limits them

    def answer(self, reply: bytes) -> None:
        self.reply = reply
        self._connection.write_ready()


class Connection(asyncio.Protocol):
    """One client. Malformed input ends this connection and nothing else."""

    def __init__(self, backend: Backend, connections: set[Connection]) -> None:
        self._backend = backend
        self._connections = connections
        self._parser = Parser()
        self._cells: deque[Cell] = deque()
        self._number = next(_NUMBERS)
        self._reads: Reads | None = None
        self._resp3 = False
        self._closing = False
        self._transaction: list[bytes] | None = None
        self._transaction_bad = False
        self._transaction_bytes = 0
        self._transport: asyncio.Transport | None = None
        self._name = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if len(self._connections) >= CONNECTIONS_LIMIT:
            self._end(error("ERR max number of clients reached"))
            return
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None

    def eof_received(self) -> bool:
        """The client says no more. What it has asked is still answered, then the connection
        ends."""
        self._closing = True
        return bool(self._cells)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        for args in self._parser.feed(data):
            self._execute(args)
            if self._closing:
                return
        if self._parser.problem is not None:
            self._end(error(f"ERR Protocol error: {self._parser.problem}"))
        elif len(self._cells) > PIPELINE_LIMIT:
            self._end(error(f"ERR more than {PIPELINE_LIMIT} commands without an answer"))

    def write_ready(self) -> None:
        """Send the replies that are next in order."""
        cells = self._cells
        ready = []
        while cells and cells[0].reply is not None:
            cell = cells.popleft()
            reply = cell.reply
            assert reply is not None
            ready.append(self._in_resp3(cell.name, reply) if self._resp3 else reply)
        if self._transport is None:
            return
        if ready:
            self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
            if self._transport.get_write_buffer_size() > UNREAD_LIMIT_BYTES:
                self._transport.abort()
        if self._closing and not cells:
            self._transport.close()

    @staticmethod
    def _in_resp3(name: bytes, reply: bytes) -> bytes:
        if reply == NIL:
            return NIL3
        if name == b"SMEMBERS" and reply[:1] == b"*":
            return b"~" + reply[1:]
        return reply

    def _say(self, reply: bytes, name: bytes = b"") -> None:
        cell = Cell(self, name)
        self._cells.append(cell)
        cell.answer(reply)

    def _end(self, last: bytes) -> None:
        """Take no more commands; close when those under way and then `last` are answered."""
        self._closing = True
        self._say(last)

    def _execute(self, args: list[bytes]) -> None:
        name = args[0] = args[0].upper()
        if self._transaction is not None and name not in _IMMEDIATE:
            self._queue(args)
            return
        own = _OWN.get(name)
        if own is not None:
            own(self, args)
            return
        problem = check(args)
        if problem is not None:
            self._say(problem)
            return
        self._submit(args)

    def _submit(self, args: list[bytes], reads: Reads | None = None) -> None:
        self._backend.submit(self._cell(args[0]), args, reads or self._reads, self._number)

    def _cell(self, name: bytes) -> Cell:
        cell = Cell(self, name)
        self._cells.append(cell)
        return cell

    # --- transactions ---

    def _queue(self, args: list[bytes]) -> None:
        assert self._transaction is not None
        problem = check(args)
        packed = encode_args(args)
        self._transaction_bytes += len(packed)
        if problem is None and len(self._transaction) >= TRANSACTION_LIMIT:
            problem = error(f"ERR more than {TRANSACTION_LIMIT} commands in a transaction")
        if problem is None and self._transaction_bytes > FRAME_LIMIT:
            problem = error(f"ERR more than {FRAME_LIMIT} bytes in a transaction")
        if problem is not None:
            self._transaction_bad = True
            self._say(problem)
            return
        self._transaction.append(packed)
        self._say(simple("QUEUED"))

    def _multi(self, args: list[bytes]) -> None:
        if self._transaction is not None:
            self._say(error("ERR MULTI calls can not be nested"))
            return
        self._transaction, self._transaction_bad, self._transaction_bytes = [], False, 0
        self._say(OK)

    def _exec(self, args: list[bytes]) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            self._say(error("ERR EXEC without MULTI"))
        elif self._transaction_bad:
            self._say(error("EXECABORT Transaction discarded because of previous errors."))
        elif not transaction:
            self._say(array([]))
        else:
            self._submit([b"MULTI", *transaction])

    def _discard(self, args: list[bytes]) -> None:
        if self._transaction is None:
            self._say(error("ERR DISCARD without MULTI"))
            return
        self._transaction = None
        self._say(OK)

    # --- commands that need no log ---

    def _ping(self, args: list[bytes]) -> None:
        self._say(bulk(args[1]) if len(args) > 1 else simple("PONG"))

    def _echo(self, args: list[bytes]) -> None:
        self._say(bulk(args[1]) if len(args) == 2 else error("ERR wrong number of arguments"))

    def _hello(self, args: list[bytes]) -> None:
        if len(args) > 1:
            if args[1] not in (b"2", b"3"):
                self._say(error("NOPROTO unsupported protocol version"))
                return
            self._resp3 = args[1] == b"3"
        pairs = [
            ("server", bulk(b"redis")),
            ("version", bulk(b"7.0.0")),
            ("proto", integer(3 if self._resp3 else 2)),
            ("id", integer(self._number)),
            ("mode", bulk(b"standalone")),
            ("role", bulk(b"master")),
            ("modules", array([])),
        ]
        self._say(map_(pairs, self._resp3))

    def _client(self, args: list[bytes]) -> None:
        what = args[1].upper() if len(args) > 1 else b""
        if what == b"SETNAME" and len(args) == 3:
            self._name = args[2][:NAME_LIMIT]
        if what == b"GETNAME":
            self._say(bulk(self._name) if self._name else NIL)
        elif what == b"ID":
            self._say(integer(self._number))
        else:
            known = what in (b"SETNAME", b"SETINFO", b"NO-EVICT", b"NO-TOUCH")
            self._say(OK if known else error("ERR unknown subcommand of CLIENT"))

    def _config(self, args: list[bytes]) -> None:
        self._say(about.config(args, self._resp3))

    def _command(self, args: list[bytes]) -> None:
        self._say(about.command(args))

    def _select(self, args: list[bytes]) -> None:
        self._say(OK if args[1:] == [b"0"] else error("ERR DB index is out of range"))

    def _info(self, args: list[bytes]) -> None:
        text = "".join(f"{name}:{value}\r\n" for name, value in self._backend.info())
        self._say(bulk(f"# Server\r\nredis_version:7.0.0\r\n# Paxos\r\n{text}".encode()))

    def _quit(self, args: list[bytes]) -> None:
        self._end(OK)

    def _paxos(self, args: list[bytes]) -> None:
        what = args[1].upper() if len(args) > 1 else b""
        if what == b"READ":
            self._read(args)
        elif what == b"READS" and len(args) == 3:
            way = self._backend.reads(args[2])
            if isinstance(way, Reads):
                self._reads, way = way, OK
            self._say(way)
        elif what == b"MEMBERS" and len(args) > 2:
            self._change_members([b"MEMBERS", args[2].upper(), *args[3:]])
        elif what == b"SNAPSHOT":
            self._backend.snapshot(self._cell(b"PAXOS"))
        else:
            self._say(self._backend.paxos(args, self._resp3))

    def _change_members(self, command: list[bytes]) -> None:
        problem = self._backend.fixed_members()
        if (command[1], len(command)) not in ((b"ADD", 4), (b"REMOVE", 3)):
            problem = error("ERR PAXOS MEMBERS [ADD node host:port | REMOVE node]")
        elif command[1] == b"ADD" and not re.fullmatch(rb".+:\d{1,5}", command[3]):
            problem = error("ERR the address of the new node must be host:port")
        elif SEPARATOR.encode() in command[2]:
            problem = error(f"ERR the name of a node has no {SEPARATOR!r}")
        if problem is not None:
            self._say(problem)
        else:
            self._submit(command)

    def _read(self, args: list[bytes]) -> None:
        """PAXOS READ way command...: this one command is answered in that way."""
        if len(args) < 4:
            self._say(error("ERR PAXOS READ needs a way of reading and a command"))
            return
        way, command = self._backend.reads(args[2]), [args[3].upper(), *args[4:]]
        problem = check(command)
        if not isinstance(way, Reads):
            self._say(way)
        elif problem is not None:
            self._say(problem)
        else:
            self._submit(command, way)


_NUMBERS = count(1)
_OWN = {
    b"PING": Connection._ping,
    b"ECHO": Connection._echo,
    b"HELLO": Connection._hello,
    b"CLIENT": Connection._client,
    b"CONFIG": Connection._config,
    b"COMMAND": Connection._command,
    b"SELECT": Connection._select,
    b"INFO": Connection._info,
    b"QUIT": Connection._quit,
    b"PAXOS": Connection._paxos,
    b"MULTI": Connection._multi,
    b"EXEC": Connection._exec,
    b"DISCARD": Connection._discard,
}
_IMMEDIATE = frozenset({b"MULTI", b"EXEC", b"DISCARD", b"QUIT"})
