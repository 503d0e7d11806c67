"""About: what Redis clients ask of a server when they connect: its commands and its settings."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .resp import array, bulk, error, integer, map_, simple
from .statemachine import COMMANDS, VALUE_LIMIT, Spec

CONNECTIONS_LIMIT = 4096

_SETTINGS = {
    "appendfsync": "always",
    "appendonly": "yes",
    "databases": "1",
    "maxclients": str(CONNECTIONS_LIMIT),
    "maxmemory": "0",
    "proto-max-bulk-len": str(VALUE_LIMIT),
    "save": "",
}


def config(args: list[bytes], resp3: bool) -> bytes:
    """CONFIG GET pattern...: Redis settings that say what holds here. Nothing can be set."""
    if len(args) < 3 or args[1].upper() != b"GET":
        return error("ERR only CONFIG GET is known; settings are given on the command line")
    patterns = [arg.decode("latin-1").lower() for arg in args[2:]]
    return map_(
        [
            (name, bulk(value.encode()))
            for name, value in _SETTINGS.items()
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        ],
        resp3,
    )


def command(args: list[bytes]) -> bytes:
    """COMMAND, COMMAND INFO name..., COMMAND COUNT. An error for COMMAND DOCS: redis-cli then shows
    the help that it brings along."""
    what = args[1].upper() if len(args) > 1 else b""
    if what == b"COUNT":
        return integer(len(COMMANDS))
    if what not in (b"", b"INFO"):
        return error("ERR COMMAND [INFO name...] | COUNT")
    names = [arg.upper() for arg in args[2:]] or list(COMMANDS)
    return array([_row(name, COMMANDS[name]) if name in COMMANDS else b"*-1\r\n" for name in names])


def _row(name: bytes, spec: Spec) -> bytes:
    """Name, arity, flags, which arguments are keys (first, last, step); of access categories,
    hints, key specifications and subcommands there are none."""
    arity = spec.least if spec.most == spec.least else -spec.least
    keys = (0, 0, 0) if spec.least < 2 else (1, -1 if spec.step else 1, spec.step or 1)
    flags = array([simple("readonly" if spec.reads else "write")])
    return array([bulk(name.lower()), integer(arity), flags, *map(integer, keys), *[array([])] * 4])
