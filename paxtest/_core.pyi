"""Types of the native module. Positions and indexes are into the history that was checked."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Literal, NotRequired, TypedDict

__version__: str

VerdictName = Literal["valid", "invalid", "unknown"]

class Reason(TypedDict):
    """Why a partition is not linearizable: a tag (docs/explanation/checking.md lists them) and
    the operations it speaks of, in the order the tag gives."""

    tag: str
    ops: list[int]

class Partition(TypedDict):
    """One key's share of a check (or the whole history, where the model is not per key)."""

    key: Any
    verdict: VerdictName
    algorithm: str
    operations: int
    seconds: float
    # valid: operations in the order of a linearization, native-endian u32: use
    # memoryview(witness).cast("I"). Those of unknown outcome that it leaves out never happened.
    witness: NotRequired[bytes]
    # invalid: a sub-history (operation indexes, ascending) that is itself not linearizable.
    counterexample: NotRequired[list[int]]
    minimal: NotRequired[bool]  # removing any one operation makes it linearizable
    reason: NotRequired[Reason]
    at: NotRequired[int | None]  # position of the event at which it became impossible
    # unknown: which budget ran out, and that events before `verified` are linearizable
    # ("algorithm": the one that was forced does not cover this partition: `why`)
    limit: NotRequired[Literal["time", "memory", "cancelled", "algorithm"]]
    why: NotRequired[str]
    verified: NotRequired[int]

class CheckReport(TypedDict):
    verdict: VerdictName
    model: str
    algorithms: dict[str, int]  # algorithm -> partitions decided by it
    operations: int
    seconds: float
    at: int | None  # the earliest `at` of all partitions
    partitions: list[Partition]

class FormatError(ValueError):
    """A file that is not a history. `args`: message, line (0: the whole file), text, hint."""

class Columns(TypedDict):
    """Operations as flat arrays, native-endian."""

    f: bytes  # u16, index into `functions`
    outcome: bytes  # u8: 0 ok, 1 fail, 2 info
    key: bytes  # u64: ids of values, equal iff the values are
    arg: bytes  # u64
    out: bytes  # u64
    inv: bytes  # u32: position of the invocation among the clients' events
    ret: bytes  # u32: position of the completion; 2**32 - 1 where the outcome is unknown
    process: bytes  # u32: a number for each process

class OperationDict(TypedDict):
    """An invocation with its completion. `value`: the result where there is one, else the
    argument; `completed_ns`, `completed_index`, `ret` are None while the outcome is unknown.
    Times are 0 where the history has none (`History.timed`)."""

    index: int  # of the invocation, as the file numbers its events
    completed_index: int | None
    process: int | str
    f: str
    type: Literal["ok", "fail", "info"]
    invoked_ns: int
    completed_ns: int | None
    key: Any
    arg: Any
    out: Any
    value: Any
    node: str | None
    error: tuple[str, str] | None
    inv: int
    ret: int | None

class History:
    """A parsed history. Operations are numbered in order of invocation."""

    format: str
    notes: list[str]
    events: int  # of clients
    nemesis_events: int
    timed: bool
    functions: list[str]

    @staticmethod
    def read(
        path: Any,
        format: str = "auto",
        *,
        independent: bool | None = None,
        memory_mb: int | None = None,
    ) -> History:
        """Raises FormatError. `independent`: whether values are tuples [key value] of
        jepsen.independent (None: told from the content). `memory_mb`: what the parsed history
        may take (default 4096)."""
    @staticmethod
    def from_bytes(
        data: bytes,
        format: str = "auto",
        *,
        independent: bool | None = None,
        memory_mb: int | None = None,
    ) -> History:
        """The same of bytes."""
    @staticmethod
    def from_ops(
        operations: Iterable[tuple[int | str, str, Any, Any, Any, str, int, int | None]],
    ) -> History:
        """From (process, f, key, argument, result, "ok"|"fail"|"info", invoked_ns,
        completed_ns). Where times tie, invocations come before completions."""
    def write(self, path: Any, format: Literal["jsonl", "edn"]) -> None:
        """Writes the events to a new file. Raises OSError."""
    def __len__(self) -> int: ...
    def outcomes(self) -> tuple[int, int, int]:
        """Number of operations that ended ok, fail, info."""
    def operation(self, index: int) -> OperationDict: ...
    def columns(self) -> Columns: ...
    def value(self, id: int) -> Any:
        """What a value's id stands for."""
    def pair(self, id: int) -> tuple[int, int] | None:
        """The ids of a list of two; None for anything else."""
    def find(self, value: Any) -> int | None:
        """The id of a value; None where it does not occur."""

class PythonModel:
    """A user's model; `paxtest.models.base.native` makes one from a `Model`. Operations reach it
    as (f, value, result, known, key)."""

    def __init__(
        self,
        name: str,
        initial: Sequence[Hashable],
        step: Callable[[Any, Any], Iterable[Hashable]],
        read_only: Callable[[Any], bool],
        partition: Callable[[Any], Hashable] | None = None,
    ) -> None: ...

def models() -> list[tuple[str, str, list[str], list[str]]]:
    """Built-in models: name, about, functions, algorithms."""

def check(
    history: History,
    model: str | PythonModel,
    *,
    algorithm: str = "auto",
    initial: Any = None,
    time_budget_s: float = 60.0,
    memory_budget_mb: int = 2048,
    threads: int = 0,
    minimise: bool = True,
    witness: bool = True,
) -> CheckReport:
    """Decides whether `history` is linearizable. `initial`: the value before the first
    operation (None: what the model says of itself; `_core.ANY`: unknown). `threads`: 0 for
    all cores. Raises ValueError for an unknown model, algorithm or function, and whatever a
    Python model raises. Ctrl-C ends it."""

ANY: object

class Stream:
    """The same verdict, incrementally."""

    def __init__(
        self,
        model: str | PythonModel,
        *,
        initial: Any = None,
        memory_budget_mb: int = 2048,
        time_budget_s: float = 60.0,
    ) -> None:
        """Raises ValueError for an unknown model, and for an initial value it cannot have. A
        model's own `partition` is asked when an operation is invoked: its result is None then."""
    def feed(self, events: bytes | Iterable[tuple[Any, ...]]) -> None:
        """Journal lines (JSONL, whole lines), or (index, time_ns, process, type, f, key, value).
        Raises ValueError for what is no history, and whatever a Python model raises; then the
        verdict is unknown for good."""
    def finish(self) -> None:
        """No more events will come: what is open stays of unknown outcome."""
    def verdict(self) -> VerdictName: ...
    def first_violation(self) -> tuple[int, int, Any] | None:
        """(index, time_ns, key) of the earliest event that made the history impossible."""
    def frontier(self) -> dict[str, int]:
        """keys, open operations, configurations held, events fed."""
