"""The words of a sentence: values, operations and times, cut and made printable.

Values come from the system under test and may be anything; nothing here passes a control
character, a line break or more than a few dozen characters on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from paxtest import _core

VALUE_CHARS = 60
_PAST = {
    "append": "appended",
    "add": "added",
    "insert": "inserted",
    "remove": "removed",
    "delete": "removed",
    "enqueue": "enqueued",
    "push": "pushed",
    "acquire": "acquired",
    "release": "released",
    "lock": "locked",
    "unlock": "unlocked",
}
_LOOKS = frozenset({"contains", "contains?", "member"})
_TAKES = frozenset({"dequeue", "deq", "poll", "receive", "pop", "delete-min", "delete-max"})


def printable(text: str, limit: int = VALUE_CHARS) -> str:
    """`text` on one line, escaped where it would not show, cut to `limit` characters."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def value(value: Any, limit: int = VALUE_CHARS) -> str:
    """A value in words: nil, 31, "abc", [1, 2]."""
    return printable(_spell(value, 4, limit), limit)


def times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _spell(value: Any, depth: int, limit: int) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value[: limit + 1] + '"'
    if isinstance(value, list | tuple):
        if depth == 0:
            return "[...]"
        return "[" + ", ".join(_spell(v, depth - 1, limit) for v in value[: limit // 2]) + "]"
    if isinstance(value, dict):
        if depth == 0:
            return "{...}"
        spelled = [
            f"{_spell(k, depth - 1, limit)}: {_spell(v, depth - 1, limit)}"
            for k, v in list(value.items())[: limit // 4]
        ]
        return "{" + ", ".join(spelled) + "}"
    return str(value)[: limit + 1]


class Teller:
    """Says things about the operations of one history.

    Times get as many decimals as it takes to tell the events of `ops` apart.
    """

    def __init__(
        self, history: _core.History, ops: Sequence[int] = (), initial: Any = None
    ) -> None:
        self.history = history
        self.ops = list(ops)
        """The counterexample."""
        self.initial = initial
        """The value before the first operation, None where the data type says it."""
        times = {op["invoked_ns"] for op in map(self.op, ops)}
        times |= {op["completed_ns"] or 0 for op in map(self.op, ops)}
        self._decimals = next(
            (d for d in (3, 6) if len({round(t / 1e9, d) for t in times}) == len(times)), 9
        )

    def op(self, number: int) -> _core.OperationDict:
        return self.history.operation(number)

    def began(self, number: int) -> str:
        """`at 11.871 s`, or `at event 17` where the history has no times."""
        op = self.op(number)
        return self._when(op["invoked_ns"], op["index"])

    def ended(self, number: int) -> str:
        """The same of the completion; `never` where none is known."""
        op = self.op(number)
        if op["completed_ns"] is None or op["completed_index"] is None:
            return "never"
        return self._when(op["completed_ns"], op["completed_index"])

    def until(self, number: int) -> str:
        """`until 11.871 s`: when it ended."""
        return "until " + self.ended(number).removeprefix("at ")

    def _when(self, time_ns: int, event: int) -> str:
        if not self.history.timed:
            return f"at event {event}"
        return f"at {time_ns / 1e9:.{self._decimals}f} s"

    def process(self, number: int) -> str:
        process = self.op(number)["process"]
        return f"p{process}" if isinstance(process, int) else printable(process, 20)

    def who(self, number: int) -> str:
        """`p7`, or `p7 (on n2)` where the node is known."""
        node = self.op(number)["node"]
        return self.process(number) + (f" (on {printable(node, 30)})" if node else "")

    def on_key(self, number: int) -> str:
        """` of key "x"`, or nothing where the history has no keys."""
        key = self.op(number)["key"]
        return "" if key is None else f" of key {value(key, 40)}"

    def deed(self, number: int) -> str:
        """`read 31`, `wrote 32`, `changed 3 to 4`: what the operation did, as far as known."""
        op = self.op(number)
        f, arg = op["f"], op["arg"]
        if f in ("read", "get"):
            return f"read {value(op['out'])}" if op["type"] == "ok" else "read"
        if f in ("write", "put"):
            return f"wrote {value(arg)}"
        if f == "cas" and isinstance(arg, list) and len(arg) == 2:
            if op["type"] == "fail":
                return f"failed to change {value(arg[0])} to {value(arg[1])}"
            return f"changed {value(arg[0])} to {value(arg[1])}"
        known = op["type"] == "ok"
        if f == "txn":
            return f"did txn {value(op['out'] if known else arg)}"
        if f in _LOOKS and known:
            return f"found {'' if op['out'] else 'no '}{value(arg)}"
        if f in _TAKES and arg is None and known:
            return "found nothing" if op["out"] is None else f"took {value(op['out'])}"
        past = _PAST.get(f)
        said = past if past is not None and op["type"] != "fail" else printable(f, 30)
        if arg is not None:
            said += f" {value(arg)}"
        if known and op["out"] is not None and op["out"] != arg:
            said += f" (which returned {value(op['out'])})"
        return said

    def noun(self, number: int) -> str:
        """`p2's write of 32`, `p3's cas from 3 to 4`, `p7's read of 31`."""
        op = self.op(number)
        f, arg = op["f"], op["arg"]
        who = self.process(number) + "'s"
        if f in ("read", "get"):
            return f"{who} read" + (f" of {value(op['out'])}" if op["type"] == "ok" else "")
        if f in ("write", "put"):
            return f"{who} write of {value(arg)}"
        if f == "cas" and isinstance(arg, list) and len(arg) == 2:
            return f"{who} cas from {value(arg[0])} to {value(arg[1])}"
        if f == "txn":
            return f"{who} txn {value(op['out'] if op['type'] == 'ok' else arg)}"
        if f in _TAKES and arg is None and op["type"] == "ok":
            return f"{who} {f}" + (f" of {value(op['out'])}" if op["out"] is not None else "")
        said = f"{who} {printable(f, 30)}" + (f" of {value(arg)}" if arg is not None else "")
        if op["type"] == "ok" and op["out"] is not None and op["out"] != arg:
            said += f" (which returned {value(op['out'])})"
        return said

    def acknowledged(self, number: int) -> str:
        """`was acknowledged at 11.871 s`, or that nobody knows."""
        op = self.op(number)
        if op["type"] == "info":
            return f"began {self.began(number)} and never got an answer"
        return f"was acknowledged {self.ended(number)}"

    def line(self, number: int) -> str:
        """One operation as a line of a list."""
        op = self.op(number)
        end = self.ended(number)
        span = f"{self.began(number)[3:]} - {end[3:] if end != 'never' else 'no answer'}"
        outcome = {"ok": "", "fail": " (failed)", "info": " (outcome unknown)"}[op["type"]]
        return f"{self.who(number)}: {self.deed(number)}{self.on_key(number)}{outcome}, {span}"


Tags = dict[str, Callable[[Teller, list[int]], list[str]]]
"""Tag of a reason -> what makes its sentences of the operations it speaks of."""
