"""The independent verifier: re-checks what the native core claims, in plain Python.

It shares no code with the core. A witness is checked in O(n): the order respects real time,
every operation that happened is in it once, none that failed, and doing them one by one on the
data type (semantics/) gives every result that was seen. A counterexample is checked by brute
force: no order of its operations does. A sub-history proves something about the whole only
together with all operations that could have provided what its operations saw, so those are
added first. Where they disagree an InternalError is raised: a bug of ours, never a verdict.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate, compress
from operator import gt, lt
from typing import Any

from paxtest import _core
from paxtest.checkers.semantics import ANY, FAIL, INFO, Call, Semantics, Timed, find, freeze
from paxtest.errors import InternalError

CONFIGURATIONS_MAX = 100_000
"""Steps of the brute force before a counterexample is called too big to verify."""

OPERATIONS_MAX = 2000
"""Operations before it is."""

OPEN = 2**32 - 1
"""Position of a completion that never came."""

UNSET = None
"""No initial value given: what the data type says of itself."""

_REPORT = "keep the history and report it as a bug of paxtest: the core and its verifier disagree"


def certify(
    history: _core.History,
    report: _core.CheckReport,
    *,
    initial: Any = None,
    semantics: Semantics | None = None,
    partition: Callable[[Any], Hashable] | None = None,
) -> bool:
    """True if every witness and counterexample in `report` is confirmed.

    False where something could not be checked (a verdict of unknown, a counterexample too big,
    a data type without independent semantics). `semantics` and `partition` stand in for
    built-in ones where the model is a user's. Raises InternalError for a wrong claim.
    """
    if semantics is None:
        semantics = find(report["model"], ANY if initial is _core.ANY else initial)
    if semantics is None:
        return False
    columns = Columns(history)
    group = _grouping(columns, semantics, partition)
    seen = bytearray(len(columns))
    certified = True
    keys: set[Hashable] = set()
    open_keys: set[Hashable] = set()
    for part in report["partitions"]:
        if part["verdict"] == "valid" and "witness" in part:
            witness = memoryview(part["witness"]).cast("I")
            groups = set(map(group, witness))
            if len(groups) > 1 or groups & keys:
                raise InternalError("a witness mixes partitions", _REPORT)
            keys |= groups
            check_witness(columns, witness, semantics, seen)
        elif part["verdict"] == "invalid" and "counterexample" in part:
            open_keys.add(freeze(part["key"]))
            certified &= check_counterexample(columns, part["counterexample"], semantics, group)
        else:
            open_keys.add(freeze(part["key"]))
            certified = False
    for op in compress(range(len(seen)), map(gt, columns.happened, seen)):
        by_key = semantics.per_key and partition is None
        if not open_keys or (by_key and columns.value(columns.key[op]) not in open_keys):
            raise InternalError(f"{columns.name(op)} happened but is in no witness", _REPORT)
    return certified


class Columns:
    """The operations of a history as flat arrays, and what their values are."""

    def __init__(self, history: _core.History) -> None:
        columns = history.columns()
        self.history = history
        self.f = array("H", columns["f"])
        self.outcome: bytes = columns["outcome"]
        self.key = array("Q", columns["key"])
        self.arg = array("Q", columns["arg"])
        self.out = array("Q", columns["out"])
        self.inv = array("I", columns["inv"])
        self.ret = array("I", columns["ret"])
        self.process = array("I", columns["process"])
        self.functions = history.functions
        self.happened = self.outcome.translate(bytes([1, 0, 0]) + bytes(253))
        self._values: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.f)

    def value(self, value_id: int) -> Any:
        """What an id stands for, hashable."""
        known = self._values.get(value_id, self)
        if known is not self:
            return known
        value = freeze(self.history.value(value_id))
        # Long lists are read once each; keeping them would cost more than it saves.
        if len(self._values) < 1_000_000 and not (isinstance(value, tuple) and len(value) > 8):
            self._values[value_id] = value
        return value

    def id(self, value: Any) -> int | None:
        """The id of a value; None if it does not occur."""
        return self.history.find(value)

    def pair(self, value_id: int) -> tuple[int, int]:
        """The ids of the two elements of a list; (-1, -1) for anything else."""
        return self.history.pair(value_id) or (-1, -1)

    def call(self, op: int) -> Call:
        outcome = self.outcome[op]
        return Call(
            self.functions[self.f[op]],
            self.value(self.arg[op]),
            self.value(self.out[op]),
            outcome != INFO,
            outcome == FAIL,
            self.process[op],
        )

    def name(self, op: int) -> str:
        call = self.call(op)
        return f"operation {op} ({call.f} {call.arg!r} -> {call.out!r})"[:200]


def _grouping(
    columns: Columns, semantics: Semantics, partition: Callable[[Any], Hashable] | None
) -> Callable[[int], Hashable]:
    if partition is not None:
        return lambda op: partition(columns.history.operation(op))
    if semantics.per_key:
        return columns.key.__getitem__
    return lambda op: 0


def check_witness(
    columns: Columns, witness: Sequence[int], semantics: Semantics, seen: bytearray
) -> None:
    """Raises InternalError unless `witness` is a linearization of its operations.

    Marks them in `seen`; that none is missing is for the caller to see to.
    """
    for op in witness:
        if seen[op]:
            raise InternalError(f"{columns.name(op)} is twice in a witness", _REPORT)
        seen[op] = 1
    latest = accumulate(map(columns.inv.__getitem__, witness), max)
    late = map(lt, map(columns.ret.__getitem__, witness), latest)
    for op in compress(witness, late):
        raise InternalError(
            f"{columns.name(op)} comes after one that began when it had completed", _REPORT
        )
    bad = (semantics.replay or _replayer(semantics))(columns, witness)
    if bad is not None:
        raise InternalError(f"in a witness, {columns.name(bad)} cannot have happened", _REPORT)


def _replayer(semantics: Semantics) -> Callable[[Columns, Sequence[int]], int | None]:
    """Does a witness one by one: the first operation that cannot happen, or None."""

    def replay(columns: Columns, witness: Sequence[int]) -> int | None:
        machine = semantics.machine()
        for op in witness:
            call = columns.call(op)
            if (call.failed and not semantics.learns(call)) or not machine.apply(call):
                return op
        return None

    return replay


def check_counterexample(
    columns: Columns,
    ops: Sequence[int],
    semantics: Semantics,
    group: Callable[[int], Hashable],
) -> bool:
    """True if no order of these operations is a linearization, False if too many to try.

    Raises InternalError if there is one.
    """
    linearizable = brute_force(columns, closure(columns, ops, semantics, group), semantics)
    if linearizable is None:
        # Fewer operations, but of some the result is not used: that they can be linearized would
        # not mean that the others can.
        early = closure(columns, ops, semantics, group, until=_end(columns, ops))
        return brute_force(columns, early, semantics) is False
    if linearizable:
        raise InternalError(
            "the counterexample can be linearized: " + ", ".join(map(columns.name, ops[:10])),
            _REPORT,
        )
    return linearizable is False


def closure(
    columns: Columns,
    ops: Sequence[int],
    semantics: Semantics,
    group: Callable[[int], Hashable],
    *,
    until: int = OPEN,
) -> dict[int, Call]:
    """`ops` and all that could have provided what they saw, as far as position `until`: what is
    linearizable is so up to any moment, if those that are open then may have done anything or
    nothing.
    """
    chosen = {op: Timed(columns.call(op), columns.inv[op], columns.ret[op]) for op in ops}
    partitions = set(map(group, chosen))
    if len(partitions) > 1:
        raise InternalError("a counterexample mixes partitions", _REPORT)
    others = {}
    for op in range(len(columns)):
        if columns.inv[op] > until or columns.outcome[op] == FAIL or op in chosen:
            continue
        if group(op) in partitions:
            call = columns.call(op)
            if columns.ret[op] > until:
                call = call._replace(known=False, out=None)
            others[op] = Timed(call, columns.inv[op], columns.ret[op])
    added = semantics.closure(list(chosen.values()), others.items())
    return {op: (chosen.get(op) or others[op]).call for op in sorted(added | set(chosen))}


def _end(columns: Columns, ops: Sequence[int]) -> int:
    """The position at which the last of these operations had ended, or begun if it never did."""
    ends = (columns.inv[op] if columns.ret[op] == OPEN else columns.ret[op] for op in ops)
    return max(ends, default=0)


def brute_force(columns: Columns, ops: dict[int, Call], semantics: Semantics) -> bool | None:
    """Whether some order of `ops` is a linearization; None where too many would have to be
    tried. Tries all orders that respect real time, remembering (operations done, state)."""
    ops = {
        op: call
        for op, call in ops.items()
        if columns.outcome[op] != FAIL or semantics.learns(call)
    }
    if len(ops) > OPERATIONS_MAX:
        return None
    calls = list(ops.values())
    happened = sum(1 << b for b, call in enumerate(calls) if call.known)
    # What had completed before b began must have been done before b.
    before = [
        sum(
            1 << a
            for a, (other, call) in enumerate(ops.items())
            if call.known and columns.ret[other] < columns.inv[op]
        )
        for op in ops
    ]
    machine = semantics.machine()
    visited = {(0, machine.key())}
    stack = [(0, machine)]
    while stack:
        done, machine = stack.pop()
        if done & happened == happened:
            return True
        now = machine.key()
        found = []
        for b, call in enumerate(calls):
            if done >> b & 1 or before[b] & ~done:
                continue
            after = machine.copy()
            if not after.apply(call):
                continue
            key = after.key()
            if key != now or (call.known and not semantics.looks(call)):
                found.append((done | 1 << b, key, after))
            elif call.known and semantics.looks(call):
                # It never changes anything, so that it may as well be done now.
                found = [(done | 1 << b, key, after)]
                break
        for done_then, key, after in found:
            if (done_then, key) not in visited:
                if len(visited) >= CONFIGURATIONS_MAX:
                    return None
                visited.add((done_then, key))
                stack.append((done_then, after))
    return False
