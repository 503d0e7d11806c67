"""Validation: what can be no command of the state machine is refused before it is proposed."""

from __future__ import annotations

from .resp import error, parse_int
from .statemachine import COMMANDS, NOT_AN_INTEGER, SYNTAX, VALUE_LIMIT

KEY_LIMIT = 4 * 1024
TRANSACTION_LIMIT = 128


def check(args: list[bytes]) -> bytes | None:
    """Why these arguments can be no command of the state machine (an error reply), or None.

    `args[0]` must be in capitals. Whatever passes can be executed without raising.
    """
    spec = COMMANDS.get(args[0])
    if spec is None or args[0] == b"MEMBERS":  # which clients change by PAXOS MEMBERS
        name = args[0][:64].decode("latin-1")
        return error(f"ERR unknown command '{name}'; COMMAND lists those there are")
    unpaired = spec.step > 1 and len(args) % spec.step != 1
    if len(args) < spec.least or (spec.most is not None and len(args) > spec.most) or unpaired:
        name = args[0].decode("latin-1").lower()
        return error(f"ERR wrong number of arguments for '{name}' command")
    if any(len(key) > KEY_LIMIT for key in spec.keys(args)):
        return error(f"ERR the key exceeds {KEY_LIMIT} bytes")
    for arg in args:
        if len(arg) > VALUE_LIMIT:
            return error(f"ERR an argument exceeds {VALUE_LIMIT} bytes")
    if args[0] == b"SET" and len(args) > 3:
        return _check_set_options(args)
    if args[0] in (b"INCRBY", b"DECRBY"):
        try:
            parse_int(args[2])
        except ValueError:
            return NOT_AN_INTEGER
    return None


def _check_set_options(args: list[bytes]) -> bytes | None:
    options = iter(args[3:])
    conditions = 0
    for option in options:
        name = option.upper()
        if name in (b"NX", b"XX"):
            conditions += 1
        elif name == b"IFEQ":
            conditions += 1
            if next(options, None) is None:
                return SYNTAX
        elif name != b"GET":
            return SYNTAX
    return SYNTAX if conditions > 1 else None
