"""Which data type a history is of, guessed from its functions and the values they carry."""

from __future__ import annotations

from collections.abc import Callable

from paxtest import _core
from paxtest.errors import HistoryError

SAMPLE_OPERATIONS = 2000
_Rule = Callable[[_core.History, set[str]], bool]


def model(history: _core.History) -> str:
    """The name of the model that fits. Raises HistoryError where none or several do."""
    used = set(history.functions)
    known = {name: set(functions) for name, _, functions, _ in _core.models()}
    for name, own, holds in _RULES:
        if name in known and used <= known[name] and used & own and holds(history, used):
            return name
    fitting = sorted(name for name, functions in known.items() if used and used <= functions)
    if len(fitting) == 1:
        return fitting[0]
    functions = ", ".join(sorted(f[:30] for f in used)) or "none"
    raise HistoryError(
        f"cannot guess the model from the functions {functions}"
        + (f": {', '.join(fitting)} fit" if fitting else ""),
        "name it with --model; `paxtest list models` shows each with its functions",
    )


def _results(history: _core.History, function: str) -> list[object]:
    """Results of the first operations of that name that have one."""
    found = []
    for number in range(min(len(history), SAMPLE_OPERATIONS)):
        op = history.operation(number)
        if op["f"] == function and op["type"] == "ok" and op["out"] is not None:
            found.append(op["out"])
    return found


def _reads(kind: type) -> _Rule:
    """Whether whole reads return that kind of thing."""

    def rule(history: _core.History, used: set[str]) -> bool:
        results = [r for f in ("read", "get", "members", "r") for r in _results(history, f)]
        return bool(results) and all(isinstance(r, kind) for r in results)

    return rule


def _takes_numbers(history: _core.History, used: set[str]) -> bool:
    """Whether the amounts to add are numbers (or left out), as for a counter."""
    for number in range(min(len(history), SAMPLE_OPERATIONS)):
        arg = history.operation(number)["arg"]
        if arg is not None and not isinstance(arg, int):
            return False
    return True


def _versioned(history: _core.History, used: set[str]) -> bool:
    """Reads return [version, value], which nobody wrote as a value."""
    results = _results(history, "read")
    return bool(results) and all(
        isinstance(r, list) and len(r) == 2 and isinstance(r[0], int | None) for r in results
    )


def _always(history: _core.History, used: set[str]) -> bool:
    return True


def _tokens(history: _core.History, used: set[str]) -> bool:
    """Acquires return integers that are not their arguments."""
    results = [r for f in ("acquire", "lock") for r in _results(history, f)]
    return bool(results) and all(isinstance(r, int) for r in results)


# A rule counts if the model knows all functions used, one of its own is among them, and it
# holds. The first that counts decides; a model that this build does not have is passed over.
_RULES: list[tuple[str, set[str], _Rule]] = [
    ("multi-register", {"txn"}, _always),
    ("multi-register", {"read", "write"}, _reads(dict)),
    ("versioned-register", {"write", "cas"}, _versioned),
    ("cas-register", {"cas"}, _always),
    ("kv", {"get", "put", "append"}, _reads(str)),
    ("append-list", {"append"}, _reads(list)),
    ("grow-set", {"add", "insert"}, _reads(list)),
    ("set", {"contains", "contains?", "member", "remove", "delete"}, _always),
    ("counter", {"add", "inc", "incr", "increment", "sub", "dec", "fetch-add"}, _takes_numbers),
    ("counter", {"add-and-get", "fetch-and-add", "get-and-add", "decrement"}, _takes_numbers),
    ("stack", {"push", "pop"}, _always),
    ("priority-queue", {"delete-min", "delete-max", "pop-min", "pop-max"}, _always),
    ("priority-queue", {"remove-min", "extract-min", "remove-max", "extract-max"}, _always),
    ("queue", {"enqueue", "dequeue", "enq", "deq", "offer", "send", "receive"}, _always),
    ("fenced-mutex", {"acquire", "lock"}, _tokens),
    ("mutex", {"acquire", "release", "lock", "unlock"}, _always),
    ("leader", {"leader", "observe", "elect", "lead"}, _always),
    ("append-list", {"append"}, _always),
    ("register", {"write", "read"}, _always),
]
