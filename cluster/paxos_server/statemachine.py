"""The replicated state machine: keys, values and client sessions, changed by commands alone.

Deterministic: the same commands in the same order leave every replica in the same state and
give the same replies. Replies are RESP2 bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

import msgspec

from .bugs import Bugs
from .membership import Configurations, Frozen
from .messages import Command
from .resp import INT64, NIL, OK, REPLY_LIMIT, TOO_LARGE, array, bulk, error, integer, parse_int
from .values import Value, freeze, thaw

WRONG_TYPE = error("WRONGTYPE Operation against a key holding the wrong kind of value")
SYNTAX = error("ERR syntax error")
NOT_AN_INTEGER = error("ERR value is not an integer or out of range")
FORGOTTEN = error("UNKNOWN the command came again after its answer was forgotten")


class WrongType(Exception):
    """The key holds another kind of value."""


class Session:
    """What the state machine remembers of one life of one node that serves clients."""

    __slots__ = ("ack", "incarnation", "replies")

    def __init__(self, incarnation: int, ack: int, replies: dict[int, bytes]) -> None:
        self.incarnation = incarnation
        self.ack = ack
        self.replies = replies


class StateMachine:
    """`apply` executes a command once, however often it comes; `query` only reads."""

    def __init__(self, bugs: Bugs, configurations: Configurations | None = None) -> None:
        self.configurations = configurations or Configurations(("",), bugs)
        self.slot = 0  # of the command that is executed
        self.data: dict[bytes, Value] = {}
        self.sessions: dict[str, Session] = {}
        self.executed = False  # whether the last `apply` had an effect
        self._bugs = bugs
        self._retry_dup = bugs.active("retry-dup")  # looked at for every command

    def apply(self, command: Command) -> bytes | None:
        """Execute, unless this very command was executed before: then its reply again. None, and
        nothing happens, for a command that has overtaken the one that it must follow.

        A node's new life ends the sessions of its former ones: their clients are gone, so a
        late copy of a command of theirs must do nothing.
        """
        self.executed = True
        if self._retry_dup:
            return self.execute(command.args)
        self.executed = False
        session = self.sessions.get(command.origin)
        if session is None or session.incarnation < command.incarnation:
            session = Session(command.incarnation, 0, {})
            self.sessions[command.origin] = session
        elif session.incarnation > command.incarnation:
            return FORGOTTEN
        seq, ack = command.seq, command.ack
        if ack > session.ack:
            for answered in range(session.ack, ack):
                session.replies.pop(answered, None)
            session.ack = ack
        if seq < session.ack:
            return FORGOTTEN
        reply = session.replies.get(seq)
        if reply is None:
            if command.after >= max(1, session.ack) and command.after not in session.replies:
                return None
            self.executed = True
            reply = session.replies[seq] = self.execute(command.args)
        return reply

    def execute(self, args: list[bytes]) -> bytes:
        """Run one command whose name and arity `validation.check` has passed."""
        try:
            reply = COMMANDS[args[0]].run(self, args)
        except WrongType:
            return WRONG_TYPE
        return reply if len(reply) <= REPLY_LIMIT else TOO_LARGE

    query = execute

    # --- snapshots ---

    def snapshot(self) -> bytes:
        """The whole state, in bytes that are equal iff the states are."""
        data = sorted(self.data.items(), key=lambda item: item[0])
        sessions: list[tuple[str, int, int, list[tuple[int, bytes]]]] = []
        if not self._bugs.active("session-not-in-snapshot"):
            sessions = [
                (origin, s.incarnation, s.ack, sorted(s.replies.items()))
                for origin, s in sorted(self.sessions.items())
            ]
        entries = [(key, *freeze(value)) for key, value in data]
        return _encode_state((entries, sessions, self.configurations.freeze()))

    def restore(self, snapshot: bytes) -> None:
        """The inverse of `snapshot`. Raises msgspec.DecodeError for other bytes."""
        data, sessions, configurations = _decode_state(snapshot)
        self.configurations.thaw(configurations)
        self.data = {key: thaw(kind, items) for key, kind, items in data}
        self.sessions = {
            origin: Session(incarnation, ack, dict(replies))
            for origin, incarnation, ack, replies in sessions
        }

    # --- typed access ---

    def string(self, key: bytes) -> bytes | None:
        value = self.data.get(key)
        if value is None or type(value) is bytes:
            return value
        raise WrongType

    def list_(self, key: bytes, create: bool = False) -> deque[bytes]:
        value = self.data.get(key)
        if value is None:
            value = deque()
            if create:
                self.data[key] = value
        elif not isinstance(value, deque):
            raise WrongType
        return value

    def set_(self, key: bytes, create: bool = False) -> set[bytes]:
        value = self.data.get(key)
        if value is None:
            value = set()
            if create:
                self.data[key] = value
        elif not isinstance(value, set):
            raise WrongType
        return value


_Entry = tuple[bytes, str, list[bytes]]
_Sessions = list[tuple[str, int, int, list[tuple[int, bytes]]]]
_State = tuple[list[_Entry], _Sessions, Frozen]
_encode_state = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(_State).decode


# --- commands ---


def _get(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.string(args[1])
    return NIL if value is None else bulk(value)


def _mget(sm: StateMachine, args: list[bytes]) -> bytes:
    values = (sm.data.get(key) for key in args[1:])
    return array([bulk(v) if isinstance(v, bytes) else NIL for v in values])


def _set(sm: StateMachine, args: list[bytes]) -> bytes:
    if len(args) == 3:
        sm.data[args[1]] = args[2]
        return OK
    old = sm.data.get(args[1])
    write, want_old = True, False
    options = iter(args[3:])
    for option in options:
        name = option.upper()
        if name == b"NX":
            write = write and old is None
        elif name == b"XX":
            write = write and old is not None
        elif name == b"IFEQ":
            expected = next(options)
            write = write and isinstance(old, bytes) and old == expected
        elif name == b"GET":
            want_old = True
    if want_old and not (old is None or isinstance(old, bytes)):
        return WRONG_TYPE
    if write:
        sm.data[args[1]] = args[2]
    if want_old:
        return bulk(old) if isinstance(old, bytes) else NIL
    return OK if write else NIL


def _mset(sm: StateMachine, args: list[bytes]) -> bytes:
    sm.data.update(zip(args[1::2], args[2::2], strict=True))
    return OK


def _del(sm: StateMachine, args: list[bytes]) -> bytes:
    return integer(sum(sm.data.pop(key, None) is not None for key in args[1:]))


def _exists(sm: StateMachine, args: list[bytes]) -> bytes:
    return integer(sum(key in sm.data for key in args[1:]))


def _add(sm: StateMachine, key: bytes, amount: int) -> bytes:
    old = sm.string(key)
    try:
        total = (0 if old is None else parse_int(old)) + amount
    except ValueError:
        return NOT_AN_INTEGER
    if not -INT64 <= total < INT64:
        return error("ERR increment or decrement would overflow")
    sm.data[key] = b"%d" % total
    return integer(total)


def _append(sm: StateMachine, args: list[bytes]) -> bytes:
    value = (sm.string(args[1]) or b"") + args[2]
    if len(value) > VALUE_LIMIT:
        return error(f"ERR the value would exceed {VALUE_LIMIT} bytes")
    sm.data[args[1]] = value
    return integer(len(value))


def _rpush(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.list_(args[1], create=True)
    value.extend(args[2:])
    return integer(len(value))


def _lpush(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.list_(args[1], create=True)
    value.extendleft(args[2:])
    return integer(len(value))


def _pop(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.list_(args[1])
    if not value:
        return NIL
    item = value.popleft() if args[0] == b"LPOP" else value.pop()
    if not value:
        del sm.data[args[1]]
    return bulk(item)


def _lrange(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.list_(args[1])
    try:
        start, stop = parse_int(args[2]), parse_int(args[3])
    except ValueError:
        return NOT_AN_INTEGER
    n = len(value)
    start = max(0, start + n) if start < 0 else start
    stop = stop + n if stop < 0 else min(stop, n - 1)
    if start >= n or stop < start:
        return array([])
    return array([bulk(item) for item in islice(value, start, stop + 1)])


def _sadd(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.set_(args[1], create=True)
    before = len(value)
    value.update(args[2:])
    return integer(len(value) - before)


def _srem(sm: StateMachine, args: list[bytes]) -> bytes:
    value = sm.set_(args[1])
    before = len(value)
    value.difference_update(args[2:])
    if before and not value:
        del sm.data[args[1]]
    return integer(before - len(value))


def _multi(sm: StateMachine, args: list[bytes]) -> bytes:
    """All commands of a transaction, at one point of the order: each argument is one command."""
    replies = []
    left = REPLY_LIMIT
    for packed in args[1:]:
        reply = sm.execute(decode_args(packed))
        if len(reply) > left:
            reply = TOO_LARGE
        left -= len(reply)
        replies.append(reply)
    return array(replies)


def _members(sm: StateMachine, args: list[bytes]) -> bytes:
    words = [word.decode("utf-8", "replace") for word in args[1:]]
    problem = sm.configurations.change(sm.slot, words)
    return OK if problem is None else error(f"FAIL {problem}")


class Spec:
    """A command: what runs it, how many arguments it takes (name included), does it only read.
    `step`: of commands that take any number of keys, from one of them to the next; 0 for those
    whose first argument alone is a key."""

    __slots__ = ("least", "most", "reads", "run", "step")

    def __init__(
        self,
        run: Callable[[StateMachine, list[bytes]], bytes],
        least: int,
        most: int | None,
        reads: bool = False,
        step: int = 0,
    ) -> None:
        self.run = run
        self.least = least
        self.most = most
        self.reads = reads
        self.step = step

    def keys(self, args: list[bytes]) -> list[bytes]:
        """The arguments that are keys."""
        return args[1 :: self.step] if self.step else args[1:2]


COMMANDS: dict[bytes, Spec] = {
    b"GET": Spec(_get, 2, 2, reads=True),
    b"MGET": Spec(_mget, 2, None, reads=True, step=1),
    b"STRLEN": Spec(lambda sm, a: integer(len(sm.string(a[1]) or b"")), 2, 2, reads=True),
    b"EXISTS": Spec(_exists, 2, None, reads=True, step=1),
    b"SET": Spec(_set, 3, 8),
    b"MSET": Spec(_mset, 3, None, step=2),
    b"DEL": Spec(_del, 2, None, step=1),
    b"INCR": Spec(lambda sm, a: _add(sm, a[1], 1), 2, 2),
    b"DECR": Spec(lambda sm, a: _add(sm, a[1], -1), 2, 2),
    b"INCRBY": Spec(lambda sm, a: _add(sm, a[1], parse_int(a[2])), 3, 3),
    b"DECRBY": Spec(lambda sm, a: _add(sm, a[1], -parse_int(a[2])), 3, 3),
    b"APPEND": Spec(_append, 3, 3),
    b"RPUSH": Spec(_rpush, 3, None),
    b"LPUSH": Spec(_lpush, 3, None),
    b"LPOP": Spec(_pop, 2, 2),
    b"RPOP": Spec(_pop, 2, 2),
    b"LRANGE": Spec(_lrange, 4, 4, reads=True),
    b"LLEN": Spec(lambda sm, a: integer(len(sm.list_(a[1]))), 2, 2, reads=True),
    b"SADD": Spec(_sadd, 3, None),
    b"SREM": Spec(_srem, 3, None),
    b"SISMEMBER": Spec(lambda sm, a: integer(a[2] in sm.set_(a[1])), 3, 3, reads=True),
    b"SMEMBERS": Spec(
        lambda sm, a: array([bulk(m) for m in sorted(sm.set_(a[1]))]), 2, 2, reads=True
    ),
    b"SCARD": Spec(lambda sm, a: integer(len(sm.set_(a[1]))), 2, 2, reads=True),
    b"MULTI": Spec(_multi, 1, None),
    b"MEMBERS": Spec(_members, 3, 4),
}
"""Every command that goes through the log, by its name in capitals."""

VALUE_LIMIT = 1024 * 1024

encode_args = msgspec.msgpack.Encoder().encode
decode_args = msgspec.msgpack.Decoder(list[bytes]).decode
