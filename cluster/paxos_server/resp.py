"""RESP, the Redis protocol: an incremental parser of commands, and replies as bytes."""

from __future__ import annotations

NIL = b"$-1\r\n"
NIL3 = b"_\r\n"
OK = b"+OK\r\n"

FRAME_LIMIT = 4 * 1024 * 1024
ARGS_LIMIT = 1024
INLINE_LIMIT = 16 * 1024
INT64 = 1 << 63
_LENGTH_DIGITS = 9


class ProtocolError(Exception):
    """The bytes are no RESP command, or one that is too large; the connection must be closed."""


def simple(text: str) -> bytes:
    return b"+%s\r\n" % text.encode()


def error(text: str) -> bytes:
    """The first word is the class of the error, in capitals."""
    return b"-%s\r\n" % text.replace("\r", " ").replace("\n", " ").encode()


def integer(number: int) -> bytes:
    return b":%d\r\n" % number


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


def array(items: list[bytes]) -> bytes:
    return b"*%d\r\n%b" % (len(items), b"".join(items))


def map_(pairs: list[tuple[str, bytes]], resp3: bool) -> bytes:
    """A map; in RESP2 a flat array."""
    body = b"".join(bulk(name.encode()) + value for name, value in pairs)
    return b"%%%d\r\n%b" % (len(pairs), body) if resp3 else b"*%d\r\n%b" % (2 * len(pairs), body)


REPLY_LIMIT = 16 * 1024 * 1024
TOO_LARGE = error(f"ERR the reply would exceed {REPLY_LIMIT} bytes")


def parse_int(text: bytes) -> int:
    """A decimal integer of 64 bits as Redis means it. Raises ValueError."""
    if len(text) > 20 or not text.lstrip(b"-").isdigit():
        raise ValueError(text)
    number = int(text)
    if not -INT64 <= number < INT64:
        raise ValueError(text)
    return number


class Parser:
    """Feed it what a socket received; it gives whole commands and keeps the rest."""

    def __init__(self) -> None:
        self.problem: ProtocolError | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._wanted = 0  # with fewer bytes than this there is no whole command yet

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The commands completed by `data`. What follows a malformed one is no command any more:
        `problem` is set then, and nothing is given from there on."""
        if self.problem is not None:
            return []
        self._parts.append(data)
        self._size += len(data)
        if self._size < self._wanted:
            return []  # a large argument: joining what came of it each time would cost its square
        buffer = data if len(self._parts) == 1 else b"".join(self._parts)
        commands: list[list[bytes]] = []
        position = 0
        try:
            while position < len(buffer):
                self._wanted = 0
                if buffer[position] == 42:
                    step = self._multibulk(buffer, position, commands)
                else:
                    step = self._inline(buffer, position, commands)
                if step < 0:
                    break
                position = step
        except ProtocolError as problem:
            self.problem = problem
            position = len(buffer)
        rest = buffer[position:]
        self._parts = [rest] if rest else []
        self._size = len(rest)
        return commands

    def _multibulk(self, buffer: bytes, position: int, commands: list[list[bytes]]) -> int:
        """Parse `*N` and N bulk strings; the position after them, or -1 where bytes lack."""
        begin = position
        line = buffer.find(b"\r\n", position + 1, position + 16)
        if line < 0:
            if len(buffer) - position > 16:
                raise ProtocolError("invalid multibulk length")
            return -1
        count = _number(buffer[position + 1 : line])
        if count > ARGS_LIMIT:
            raise ProtocolError(f"more than {ARGS_LIMIT} arguments")
        position = line + 2
        args: list[bytes] = []
        for _ in range(count):
            if buffer[position : position + 1] not in (b"$", b""):
                raise ProtocolError(f"expected '$', got {buffer[position : position + 1]!r}")
            line = buffer.find(b"\r\n", position, position + 16)
            if line < 0:
                if len(buffer) - position > 16:
                    raise ProtocolError("invalid bulk length")
                return -1
            length = _number(buffer[position + 1 : line])
            start = line + 2
            position = start + length + 2
            if position - begin > FRAME_LIMIT:
                raise ProtocolError(f"command exceeds {FRAME_LIMIT} bytes")
            if position > len(buffer):
                self._wanted = position - begin
                return -1
            if buffer[position - 2 : position] != b"\r\n":
                raise ProtocolError("argument is longer than its length says")
            args.append(buffer[start : position - 2])
        if args:
            commands.append(args)
        return position

    @staticmethod
    def _inline(buffer: bytes, position: int, commands: list[list[bytes]]) -> int:
        """Parse a line of words, as one types in telnet."""
        line = buffer.find(b"\n", position, position + INLINE_LIMIT + 1)
        if line < 0:
            if len(buffer) - position > INLINE_LIMIT:
                raise ProtocolError(f"inline command exceeds {INLINE_LIMIT} bytes")
            return -1
        words = buffer[position:line].split()
        if len(words) > ARGS_LIMIT:
            raise ProtocolError(f"more than {ARGS_LIMIT} arguments")
        if words:
            commands.append(words)
        return line + 1


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _LENGTH_DIGITS:
        raise ProtocolError(f"invalid length {digits[:32]!r}")
    return int(digits)
