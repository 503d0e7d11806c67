"""The independent verifier: re-checks what the native core claims, in plain Python.

It shares no code with the core. A witness is checked in O(n): the order respects real time,
every operation that happened is in it once, none that failed, and replaying it one by one on
the data type (semantics.py) gives every result that was seen. A counterexample is checked by
brute force: no order of its operations does. A sub-history proves something about the whole
only together with all operations that could have provided what its operations saw, so those
are added first. Where they disagree an InternalError is raised: a bug of ours, never a verdict.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import accumulate, compress
from operator import gt, lt
from typing import Any

from paxtest import _core
from paxtest.checkers.semantics import ANY, FAIL, INFO, Call, Semantics, find, freeze
from paxtest.errors import InternalError

CONFIGURATIONS_MAX = 200_000
"""Steps of the brute force before a counterexample is called too big to verify."""

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
    missing = compress(range(len(seen)), map(gt, columns.happened, seen))
    for op in missing:
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
        self.functions = history.functions
        self.happened = self.outcome.translate(bytes([1, 0, 0]) + bytes(253))
        self._values: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.f)

    def value(self, value_id: int) -> Any:
        """What an id stands for, hashable."""
        if value_id not in self._values:
            if len(self._values) > 1_000_000:
                self._values.clear()
            self._values[value_id] = freeze(self.history.value(value_id))
        return self._values[value_id]

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
    for op, why in _replay(columns, witness, semantics):
        raise InternalError(f"the witness does not hold: {columns.name(op)} {why}", _REPORT)


def _replay(
    columns: Columns, witness: Sequence[int], semantics: Semantics
) -> Iterator[tuple[int, str]]:
    """Whatever goes wrong when the operations happen one after the other, in this order."""
    if semantics.replay is not None:
        bad = semantics.replay(columns, witness)
        if bad is not None:
            yield bad, "cannot happen there"
        return
    states: set[Hashable] = set(semantics.initial)
    for op in witness:
        call = columns.call(op)
        if call.failed and not semantics.learns(call):
            yield op, "failed, so it did not happen"
        states = {after for state in states for after in semantics.step(state, call)}
        if not states:
            yield op, "cannot happen there"
            return


def check_counterexample(
    columns: Columns,
    ops: Sequence[int],
    semantics: Semantics,
    group: Callable[[int], Hashable],
) -> bool:
    """True if no order of these operations is a linearization, False if too many to try.

    Raises InternalError if there is one.
    """
    needed = closure(columns, ops, semantics, group)
    if needed is None:
        return False
    linearizable = brute_force(columns, needed, semantics)
    if linearizable:
        raise InternalError(
            "the counterexample can be linearized: " + ", ".join(map(columns.name, ops[:10])),
            _REPORT,
        )
    return linearizable is False


def closure(
    columns: Columns,
    ops: Iterable[int],
    semantics: Semantics,
    group: Callable[[int], Hashable],
) -> list[int] | None:
    """`ops` and all that could have provided what they saw, in order; None if too many."""
    chosen = set(ops)
    if not chosen:
        return []
    partition = group(next(iter(chosen)))
    if any(group(op) != partition for op in chosen):
        raise InternalError("a counterexample mixes partitions", _REPORT)
    mates = [op for op in range(len(columns)) if group(op) == partition]
    if semantics.observes is None or semantics.provides is None:
        changing = {
            op for op in mates
            if columns.outcome[op] != FAIL and not semantics.read_only(columns.call(op))
        }
        return sorted(chosen | changing)
    providers: dict[Any, list[int]] = {}
    for op in mates:
        if columns.outcome[op] != FAIL:
            for token in semantics.provides(columns.call(op)):
                providers.setdefault(token, []).append(op)
    todo = list(chosen)
    while todo:
        for token in semantics.observes(columns.call(todo.pop())):
            new = [op for op in providers.pop(token, ()) if op not in chosen]
            chosen.update(new)
            todo += new
    return sorted(chosen)


def brute_force(columns: Columns, ops: Sequence[int], semantics: Semantics) -> bool | None:
    """Whether some order of `ops` is a linearization; None where too many would have to be
    tried. Tries all orders that respect real time, remembering (operations done, state)."""
    calls = [columns.call(op) for op in ops]
    before = [
        sum(1 << a for a in range(len(ops)) if columns.ret[ops[a]] < columns.inv[ops[b]])
        for b in range(len(ops))
    ]
    usable = [b for b, call in enumerate(calls) if not call.failed or semantics.learns(call)]
    happened = sum(1 << b for b in usable if calls[b].known)
    excluded = sum(1 << b for b in range(len(ops)) if b not in set(usable))
    start = [(excluded, state) for state in semantics.initial]
    visited, stack = set(start), start
    while stack:
        done, state = stack.pop()
        if done & happened == happened:
            return True
        for b in usable:
            # What completed before b began must have happened already, if it did at all.
            if done >> b & 1 or before[b] & happened & ~done:
                continue
            for after in semantics.step(state, calls[b]):
                configuration = (done | 1 << b, after)
                if configuration not in visited:
                    if len(visited) >= CONFIGURATIONS_MAX:
                        return None
                    visited.add(configuration)
                    stack.append(configuration)
    return False
