"""Commands: what clients may ask of one key, run on its value by the state machine's functions."""

from __future__ import annotations

from ..bugs import NONE
from ..resp import error
from ..statemachine import COMMANDS, StateMachine, decode_args
from ..values import freeze, thaw
from .messages import Value

VALUE_LIMIT_BYTES = 4 * 1024 * 1024
TOO_LARGE = error(f"ERR the value of the key would exceed {VALUE_LIMIT_BYTES} bytes")
SEVERAL_KEYS = error(
    "FAIL not done: each key has a Paxos log of its own (engine perkey), and no order between"
    " keys; one command or transaction may touch one key only"
)


def key_of(args: list[bytes]) -> bytes | None:
    """The key that a checked command touches; None when it is more than one."""
    if args[0] == b"MULTI":
        keys = {key_of(decode_args(packed)) for packed in args[1:]}
    else:
        keys = set(COMMANDS[args[0]].keys(args))
    return keys.pop() if len(keys) == 1 else None


class Scratch:
    """One key's value while commands run on it."""

    def __init__(self, key: bytes, value: Value | None) -> None:
        self._key = key
        self._machine = StateMachine(NONE)
        self._size = 0
        if value is not None:
            self._machine.data[key] = thaw(*value)
            self._size = _size(value)

    def run(self, args: list[bytes]) -> bytes:
        """Run a command; its reply. What might make the value too large changes nothing."""
        if args[0] == b"SET":
            self._size = max(self._size, len(args[2]))
        else:
            size = self._size + sum(map(len, args)) + 24
            if size > VALUE_LIMIT_BYTES:
                value = self.value()
                self._size = 0 if value is None else _size(value)
                size = self._size + sum(map(len, args)) + 24
            if size > VALUE_LIMIT_BYTES:
                return TOO_LARGE
            self._size = size
        return self._machine.execute(args)

    def value(self) -> Value | None:
        """The value as it is now."""
        value = self._machine.data.get(self._key)
        if value is None or not value:
            # An empty string is a value; an empty list or set is none.
            return ("s", [b""]) if value == b"" else None
        return freeze(value)


def query(key: bytes, value: Value | None, args: list[bytes]) -> bytes:
    """The reply of a command that only reads."""
    machine = StateMachine(NONE)
    if value is not None:
        machine.data[key] = thaw(*value)
    return machine.execute(args)


def _size(value: Value) -> int:
    return sum(map(len, value[1]))
