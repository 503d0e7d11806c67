"""Context: what a generator may know of the run when it is asked for an operation.

Threads are numbered over the whole run (0, 1, ... concurrency - 1; load processes drive parts of
them) and kept as bits of an integer, so that restricting a context to some threads is one `&`.
The nemesis is one more thread, bit number `concurrency`.

Randomness comes from the context and nowhere else. `seed` is a 64-bit number that moves on by one
step per *dispatched* operation, so asking twice (a poll that ended in PENDING, an operation that
is not due yet) gives the same answer twice. A combinator that draws hands its children a `fork`,
so that what they draw does not follow from what it drew. The hash is splitmix64 (Steele, Lea,
Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from paxtest.operation import NEMESIS

T = TypeVar("T")
Thread = int | str
Process = int | str

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_FORK = 0x5851F42D4C957F2D
_PROCESS_SALT = 0x2545F4914F6CDD1D
_UNIT = 2.0**-64


def scramble(number: int) -> int:
    """splitmix64's finaliser: 64 bits in, 64 well-mixed bits out."""
    number &= _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


class Context:
    """Immutable. `free` and `threads` are bit masks; `processes[thread]` is who runs there now."""

    __slots__ = ("concurrency", "free", "processes", "seed", "threads", "time_ns")

    def __init__(
        self,
        time_ns: int,
        free: int,
        threads: int,
        processes: tuple[Process, ...],
        concurrency: int,
        seed: int,
    ) -> None:
        self.time_ns = time_ns
        self.free = free
        self.threads = threads
        self.processes = processes
        self.concurrency = concurrency
        self.seed = seed

    @classmethod
    def start(
        cls,
        concurrency: int,
        seed: int = 0,
        *,
        threads: Sequence[int] | None = None,
        nemesis: bool = True,
        time_ns: int = 0,
    ) -> Context:
        """All threads free. `threads`: those of this load process (default: all of them)."""
        mine = range(concurrency) if threads is None else threads
        mask = sum(1 << thread for thread in mine) | (int(nemesis) << concurrency)
        processes = (*range(concurrency), NEMESIS)
        return cls(time_ns, mask, mask, processes, concurrency, scramble(seed + _STEP))

    def __repr__(self) -> str:
        free = [self.processes[bit] for bit in bits(self.free)]
        return f"Context(time_ns={self.time_ns}, free={free}, threads={self.threads:#b})"

    # -- threads and processes ---------------------------------------------------------------

    def bit_of(self, process: Process) -> int:
        """The number of the thread that runs `process`; the nemesis has bit `concurrency`."""
        return self.concurrency if process == NEMESIS else int(process) % self.concurrency

    def thread_name(self, bit: int) -> Thread:
        """What predicates see: the thread's number, or "nemesis"."""
        return NEMESIS if bit == self.concurrency else bit

    @property
    def all_threads(self) -> list[Thread]:
        return [self.thread_name(bit) for bit in bits(self.threads)]

    @property
    def free_threads(self) -> list[Thread]:
        return [self.thread_name(bit) for bit in bits(self.free)]

    def is_free(self, process: Process) -> bool:
        """Is this very process (not merely its thread) ready for an operation?"""
        bit = self.bit_of(process)
        return bool(self.free >> bit & 1) and self.processes[bit] == process

    def some_free_bit(self) -> int:
        """A free thread, uniformly; -1 where none is."""
        free = self.free
        if not free & (free - 1):
            return free.bit_length() - 1
        for _ in range(self.below(free.bit_count(), _PROCESS_SALT)):
            free &= free - 1
        return (free & -free).bit_length() - 1

    def some_free_process(self) -> Process | None:
        bit = self.some_free_bit()
        return None if bit < 0 else self.processes[bit]

    # -- randomness --------------------------------------------------------------------------

    def uniform(self, salt: int = 0) -> float:
        """In [0, 1). The same context and salt give the same number."""
        return scramble(self.seed ^ salt * _STEP) * _UNIT

    def below(self, bound: int, salt: int = 0) -> int:
        """An integer in [0, bound)."""
        return (scramble(self.seed ^ salt * _STEP) * bound) >> 64

    def choose(self, items: Sequence[T], salt: int = 0) -> T:
        return items[self.below(len(items), salt)]

    # -- successors --------------------------------------------------------------------------

    def fork(self, salt: int = 0) -> Context:
        """The same but for the randomness: for children of a combinator that draws itself."""
        seed = scramble((self.seed ^ _FORK) + salt * _STEP)
        return Context(
            self.time_ns, self.free, self.threads, self.processes, self.concurrency, seed
        )

    def only(self, mask: int) -> Context:
        """Restricted to the threads of `mask`."""
        threads = self.threads
        if threads & mask == threads:
            return self
        return Context(
            self.time_ns,
            self.free & mask,
            threads & mask,
            self.processes,
            self.concurrency,
            self.seed,
        )

    def offering(self, mask: int) -> Context:
        """As if of all threads only those of `mask` could be free now."""
        return Context(
            self.time_ns,
            self.free & mask,
            self.threads,
            self.processes,
            self.concurrency,
            self.seed,
        )

    def at(self, time_ns: int) -> Context:
        return Context(
            time_ns, self.free, self.threads, self.processes, self.concurrency, self.seed
        )

    def dispatched(self, process: Process, time_ns: int) -> Context:
        """After an operation went to `process`: its thread is busy, the randomness moves on."""
        return Context(
            time_ns,
            self.free & ~(1 << self.bit_of(process)),
            self.threads,
            self.processes,
            self.concurrency,
            (self.seed + _STEP) & _MASK,
        )

    def completed(self, process: Process, time_ns: int, *, crashed: bool = False) -> Context:
        """After `process` completed. `crashed` (its operation ended as info): the thread goes on
        as process + concurrency. The nemesis has one process for ever."""
        bit = self.bit_of(process)
        processes = self.processes
        if crashed and process != NEMESIS:
            successor = int(process) + self.concurrency
            processes = (*processes[:bit], successor, *processes[bit + 1 :])
        return Context(
            time_ns,
            self.free | (1 << bit & self.threads),
            self.threads,
            processes,
            self.concurrency,
            self.seed,
        )
