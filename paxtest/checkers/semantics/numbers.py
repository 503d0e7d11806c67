"""Counters, locks, permits and terms."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from paxtest.checkers.semantics import Call, Semantics, changes, everything, tokens

SUBTRACTS = frozenset({"sub", "dec", "decr", "decrement"})
READS = frozenset({"read", "get"})
RETURN_NEW = frozenset({"add-and-get", "increment-and-get", "incr-and-get"})
RETURN_OLD = frozenset({"fetch-add", "fetch-and-add", "get-and-add"})


class Counter:
    """Additions (nil adds one), reads, additions that return the count before or after."""

    def __init__(self, count: int) -> None:
        self.count = count

    def apply(self, call: Call) -> bool:
        if call.f in READS:
            return not call.known or bool(call.out == self.count)
        before = self.count
        amount = 1 if call.arg is None else call.arg
        self.count += -amount if call.f in SUBTRACTS else amount
        if not call.known:
            return True
        if call.f in RETURN_NEW:
            return bool(call.out == self.count)
        return call.f not in RETURN_OLD or bool(call.out == before)

    def key(self) -> Hashable:
        return self.count

    def copy(self) -> Counter:
        return Counter(self.count)


class Mutex:
    """acquire (or lock) and release. `owned`: only the holder may release; the holder is the
    argument, or the process. `fenced`: each acquire returns a token greater than all before."""

    def __init__(self, owned: bool, fenced: bool) -> None:
        self.owned = owned
        self.fenced = fenced
        self.holder: Hashable = None
        self.token: int | None = None

    def apply(self, call: Call) -> bool:
        who: Hashable = "anyone"
        if self.owned:
            who = _owner(call)[0]
        if call.f in ("release", "unlock"):
            possible = bool(self.holder == who)
            self.holder = None
            return possible
        possible = self.holder is None
        self.holder = who
        if self.fenced and call.known:
            possible = possible and (self.token is None or bool(call.out > self.token))
            self.token = call.out
        elif self.fenced and self.token is not None:
            self.token += 1  # the least it may have got
        return possible

    def key(self) -> Hashable:
        return (self.holder, self.token)

    def copy(self) -> Mutex:
        other = Mutex(self.owned, self.fenced)
        other.holder, other.token = self.holder, self.token
        return other


class Semaphore:
    """acquire and release so many permits (nil: one) of those there are."""

    def __init__(self, permits: int, taken: int = 0) -> None:
        self.permits = permits
        self.taken = taken

    def apply(self, call: Call) -> bool:
        amount = 1 if call.arg is None else call.arg
        self.taken += amount if call.f == "acquire" else -amount
        return 0 <= self.taken <= self.permits

    def key(self) -> Hashable:
        return self.taken

    def copy(self) -> Semaphore:
        return Semaphore(self.permits, self.taken)


class Leader:
    """Observations [term, leader]: a term has one leader at most. nil says nothing."""

    def __init__(self, leaders: dict[Any, Any]) -> None:
        self.leaders = leaders

    def apply(self, call: Call) -> bool:
        if not call.known or not isinstance(call.out, tuple) or call.out[1] is None:
            return True
        term, leader = call.out
        return bool(self.leaders.setdefault(term, leader) == leader)

    def key(self) -> Hashable:
        return frozenset(self.leaders.items())

    def copy(self) -> Leader:
        return Leader(dict(self.leaders))


def _counts(call: Call) -> bool:
    return call.f in READS


def _owner(call: Call) -> list[Hashable]:
    return [("process", call.process) if call.arg is None else ("named", call.arg)]


TYPES: dict[str, Callable[[Any], Semantics]] = {
    "counter": lambda initial: Semantics(
        lambda: Counter(initial or 0), changes(_counts), looks=_counts
    ),
    "mutex": lambda initial: Semantics(lambda: Mutex(False, False), everything),
    # Without one of its owners a lock is taken and released as before.
    "owned-mutex": lambda initial: Semantics(lambda: Mutex(True, False), tokens(_owner, _owner)),
    "fenced-mutex": lambda initial: Semantics(lambda: Mutex(True, True), tokens(_owner, _owner)),
    "semaphore": lambda initial: Semantics(
        lambda: Semaphore(1 if initial is None else initial), everything
    ),
    # Observations prove something by themselves.
    "leader": lambda initial: Semantics(lambda: Leader({}), lambda kept, others: set()),
}
