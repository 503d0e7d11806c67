"""Which data type a history is of, guessed from its functions and the values they carry."""

from __future__ import annotations

from collections.abc import Callable

from paxtest import _core
from paxtest.errors import HistoryError

SAMPLE_OPERATIONS = 2000


def model(history: _core.History) -> str:
    """The name of the model that fits. Raises HistoryError where none or several do."""
    used = set(history.functions)
    known = {name: set(functions) for name, _, functions, _ in _core.models()}
    for fits, name in _RULES:
        if name in known and used <= known[name] and fits(history, used):
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


def _has(*functions: str) -> Callable[[_core.History, set[str]], bool]:
    return lambda history, used: used >= set(functions)


def _reads_lists(history: _core.History, used: set[str]) -> bool:
    results = _results(history, "read")
    return bool(results) and all(isinstance(r, list) for r in results)


def _always(history: _core.History, used: set[str]) -> bool:
    return True


# The first rule that holds counts; a model that this build does not have is passed over.
_RULES: list[tuple[Callable[[_core.History, set[str]], bool], str]] = [
    (_has("cas"), "cas-register"),
    (lambda history, used: used == {"read"} and not _reads_lists(history, used), "register"),
    (lambda history, used: "write" in used, "register"),
]
