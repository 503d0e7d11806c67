"""Operations of a journal, read as a stream: columns of all of them, details of a few."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from paxtest.operation import Op, Type
from paxtest.reports import words
from paxtest.verdict import Operation

LINE_BYTES_MAX = 16 << 20
NAMES_MAX = 250
"""Distinct functions, nodes and error classes that are told apart; the rest is one class."""

LONG_LINE_BYTES = 8 << 10
"""Keys, values and errors of longer lines are cut: a page shows only their beginnings."""
TIME_NS_MAX = 32 * 86_400 * 10**9
"""No run is longer; times beyond are damage, and must not size any table."""

OUTCOMES = (Type.OK, Type.FAIL, Type.INFO)
Ints = npt.NDArray[np.int64]


@dataclass
class Damage:
    """What of a journal could not be read."""

    torn_tail: bool = False
    lines: int = 0


def operations(
    journal: Path, damage: Damage | None = None
) -> Iterator[tuple[Operation, int | None]]:
    """Client operations in the order in which they ended; the open ones last, as `info`.

    Beside each, when its client was through with it: for an `info`, whose completion nobody
    knows, the moment of giving up; None where that never came.

    Lines that are no events are counted in `damage` and skipped: a report of a crashed run shows
    what there is. (Checking is stricter.)
    """
    damage = damage if damage is not None else Damage()
    decoder = msgspec.json.Decoder(Op)
    pending: dict[int | str, Op] = {}
    with journal.open("rb") as file:
        while line := file.readline(LINE_BYTES_MAX):
            try:
                op = decoder.decode(line)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                if line.strip():
                    if line.endswith(b"\n") or len(line) == LINE_BYTES_MAX:
                        damage.lines += 1
                    else:
                        damage.torn_tail = True
                continue
            if not isinstance(op.process, int):
                continue
            if not (0 <= op.time_ns <= TIME_NS_MAX and 0 <= op.index < 1 << 62):
                damage.lines += 1
                continue
            if len(line) > LONG_LINE_BYTES:
                op = _cut(op)
            if op.type is Type.INVOKE:
                left_open = pending.pop(op.process, None)
                if left_open is not None:
                    yield _pair(left_open, None)
                pending[op.process] = op
            elif (invocation := pending.pop(op.process, None)) is not None:
                yield _pair(invocation, op)
            else:
                damage.lines += 1
    for invocation in pending.values():
        yield _pair(invocation, None)


def _cut(op: Op) -> Op:
    return msgspec.structs.replace(
        op, f=words.plain(op.f), node=words.plain(op.node or ""),
        key=None if op.key is None else words.value(op.key),
        value=None if op.value is None else words.value(op.value),
        error=None if op.error is None else (words.plain(op.error[0]), words.plain(op.error[1])),
    )  # fmt: skip


def _pair(invocation: Op, completion: Op | None) -> tuple[Operation, int | None]:
    known = completion is not None and completion.type is not Type.INFO
    value = completion.value if completion is not None else None
    operation = Operation(
        index=invocation.index,
        process=invocation.process,
        f=invocation.f,
        type=completion.type.value if completion is not None else Type.INFO.value,
        invoked_ns=invocation.time_ns,
        completed_ns=completion.time_ns if completion is not None and known else None,
        key=invocation.key,
        value=invocation.value if value is None else value,
        node=invocation.node or (completion.node if completion is not None else None),
        error=completion.error if completion is not None else None,
    )
    return operation, completion.time_ns if completion is not None else None


class Names:
    """Small numbers for strings; beyond NAMES_MAX all become "(others)"."""

    def __init__(self) -> None:
        self.list: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, name: str) -> int:
        """The number of `name`."""
        found = self._codes.get(name)
        if found is None:
            if len(self.list) >= NAMES_MAX and name != "(others)":
                return self.code("(others)")
            found = self._codes[name] = len(self.list)
            self.list.append(name)
        return found


@dataclass
class Columns:
    """All client operations of a run, an attribute a column.

    `end_ns` is when the client was through with it: the completion, or the moment of giving up
    (`info`); -1 where neither came.
    """

    index: Ints
    begin_ns: Ints
    end_ns: Ints
    f: npt.NDArray[np.uint8]
    outcome: npt.NDArray[np.uint8]  # position in OUTCOMES
    node: npt.NDArray[np.uint8]
    fs: list[str]
    nodes: list[str]
    errors: Counter[tuple[str, str, str]]  # (f, outcome, class)
    error_texts: dict[tuple[str, str, str], str]  # the first text of each
    damage: Damage = field(default_factory=Damage)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def duration_s(self) -> float:
        """When the last event happened."""
        if not len(self):
            return 0.0
        return float(max(self.begin_ns.max(), self.end_ns.max())) / 1e9


def scan(journal: Path) -> Columns:
    """Read a whole journal; about 30 bytes of memory an operation."""
    damage = Damage()
    fs, nodes, classes = Names(), Names(), Names()
    index, begin, end = array("q"), array("q"), array("q")
    f_codes, outcomes, node_codes = array("B"), array("B"), array("B")
    errors: Counter[tuple[str, str, str]] = Counter()
    texts: dict[tuple[str, str, str], str] = {}
    position = {outcome.value: i for i, outcome in enumerate(OUTCOMES)}
    for operation, ended_ns in operations(journal, damage) if journal.is_file() else ():
        index.append(operation.index)
        begin.append(operation.invoked_ns)
        end.append(-1 if ended_ns is None else ended_ns)
        f_code = fs.code(operation.f)
        f_codes.append(f_code)
        outcomes.append(position[operation.type])
        node_codes.append(nodes.code(operation.node or ""))
        if operation.error is not None:
            error_class = classes.list[classes.code(operation.error[0])]
            sort = (fs.list[f_code], operation.type, error_class)
            errors[sort] += 1
            texts.setdefault(sort, operation.error[1])
    return Columns(
        index=np.array(index, np.int64), begin_ns=np.array(begin, np.int64),
        end_ns=np.array(end, np.int64), f=np.array(f_codes, np.uint8),
        outcome=np.array(outcomes, np.uint8), node=np.array(node_codes, np.uint8),
        fs=fs.list, nodes=nodes.list, errors=errors, error_texts=texts, damage=damage,
    )  # fmt: skip


def select(
    journal: Path, wanted: Callable[[Operation], bool], limit: int
) -> list[tuple[Operation, int | None]]:
    """The first `limit` operations for which `wanted` holds, in order of invocation."""
    found: list[tuple[Operation, int | None]] = []
    if journal.is_file():
        for operation, ended_ns in operations(journal):
            if wanted(operation):
                found.append((operation, ended_ns))
                if len(found) >= limit:
                    break
    return sorted(found, key=lambda pair: (pair[0].invoked_ns, pair[0].index))
