"""Nodes of the engine perkey, messages delivered by hand."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Callable

from paxtest.cluster.paxos_server.config import Config, EngineName
from paxtest.cluster.paxos_server.messages import Message
from paxtest.cluster.paxos_server.perkey import commands
from paxtest.cluster.paxos_server.perkey.messages import Accept, Accepted, Decided, Prepare, Version
from paxtest.cluster.paxos_server.perkey.recovery import Memory, remember
from paxtest.cluster.paxos_server.perkey.replica import Replica
from paxtest.cluster.paxos_server.statemachine import encode_args

NAMES = ("n1", "n2", "n3")


class HandClock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s


class Nodes:
    """Three nodes. `lose` says which messages do not arrive; `slow` names nodes whose disk never
    gets round to syncing."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.records: dict[str, list[object]] = {name: [] for name in NAMES}
        self.synced: dict[str, int] = dict.fromkeys(NAMES, 0)
        self.replies: dict[int, bytes] = {}
        self.sent: Counter[type] = Counter()
        self.lose: Callable[[str, str, Message], bool] = lambda source, destination, message: False
        self.slow: set[str] = set()
        self._wire: deque[tuple[str, str, Message]] = deque()
        self.replicas = {name: self._boot(name, Memory(1)) for name in NAMES}
        self._number = 0

    def _boot(self, name: str, memory: Memory) -> Replica:
        config = Config(node=name, nodes=NAMES, engine=EngineName.PERKEY, snapshot_every=0)
        return Replica(config, memory, self.clock, random.Random(7))

    def restart(self, name: str) -> None:
        """Only what was synced is left."""
        kept = self.records[name][: self.synced[name]]
        self.records[name] = kept
        memory = remember(kept)  # type: ignore[arg-type]
        memory.incarnation = self.replicas[name].incarnation + 1
        self.replicas[name] = self._boot(name, memory)

    def _take(self, name: str) -> None:
        replica = self.replicas[name]
        while True:
            out = replica.take()
            self.records[name] += out.records
            for destination, message in out.messages:
                self.sent[type(message)] += 1
                self._wire.append((name, destination, message))
            self.replies.update(out.replies)
            if not out.sync or name in self.slow:
                return
            self.synced[name] = len(self.records[name])
            replica.durable(out.lsn)

    def settle(self) -> None:
        """Deliver until nothing is under way."""
        while self._wire:
            source, destination, message = self._wire.popleft()
            if not self.lose(source, destination, message):
                self.replicas[destination].receive(source, message)
                self._take(destination)

    def ask(self, name: str, *args: bytes) -> int:
        self._number += 1
        self.replicas[name].request(self._number, list(args))
        self._take(name)
        self.settle()
        return self._number

    def reply(self, name: str, *args: bytes) -> bytes | None:
        return self.replies.get(self.ask(name, *args))

    def later(self, seconds: float) -> None:
        """Time passes, in ticks."""
        for _ in range(round(seconds / 0.05)):
            self.clock.now_s += 0.05
            for name in NAMES:
                self.replicas[name].tick()
                self._take(name)
            self.settle()


def test_any_node_serves_and_all_agree() -> None:
    nodes = Nodes()
    for name in NAMES:
        assert nodes.reply(name, b"INCR", b"k") is not None
    assert [nodes.reply(name, b"GET", b"k") for name in NAMES] == [b"$1\r\n3\r\n"] * 3
    assert len({tuple(r.agreements().items()) for r in nodes.replicas.values()}) == 1


def test_who_wrote_last_skips_phase_1() -> None:
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"1")
    assert nodes.sent[Prepare] == 2
    nodes.ask("n1", b"SET", b"k", b"2")
    assert nodes.sent[Prepare] == 2 and nodes.sent[Accept] == 4
    nodes.ask("n2", b"SET", b"k", b"3")
    assert nodes.sent[Prepare] == 4


def test_a_crash_ends_the_right_to_skip_phase_1() -> None:
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"1")
    nodes.ask("n1", b"SET", b"k", b"2")
    nodes.restart("n1")
    prepares = nodes.sent[Prepare]
    write = nodes.ask("n1", b"SET", b"k", b"3")
    nodes.later(0.2)
    assert nodes.replies[write] == b"+OK\r\n"
    assert nodes.sent[Prepare] > prepares
    assert nodes.reply("n2", b"GET", b"k") == b"$1\r\n3\r\n"


def test_a_read_of_an_agreed_version_proposes_nothing() -> None:
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"1")
    before = nodes.sent[Prepare], nodes.sent[Accept]
    assert nodes.reply("n3", b"GET", b"k") == b"$1\r\n1\r\n"
    assert (nodes.sent[Prepare], nodes.sent[Accept]) == before


def test_a_reader_finishes_what_is_pending() -> None:
    """n1's accept reached nobody else; its own node reads, and nobody may see it vanish again."""
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"1")
    nodes.lose = lambda source, destination, message: isinstance(message, Accept)
    write = nodes.ask("n1", b"SET", b"k", b"2")
    nodes.lose = lambda source, destination, message: False
    read = nodes.ask("n2", b"GET", b"k")
    nodes.later(0.5)
    assert nodes.replies[read] in (b"$1\r\n1\r\n", b"$1\r\n2\r\n")
    assert nodes.replies[write] == b"+OK\r\n"
    assert {nodes.reply(name, b"GET", b"k") for name in NAMES} == {b"$1\r\n2\r\n"}


def test_a_read_without_a_quorum_fails_and_a_proposed_write_is_unknown() -> None:
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"1")
    nodes.lose = lambda source, destination, message: True
    read, write, other = (
        nodes.ask("n1", b"GET", b"k"),
        nodes.ask("n1", b"SET", b"k", b"2"),
        nodes.ask("n2", b"SET", b"k", b"3"),
    )
    nodes.later(1.5)
    assert nodes.replies[read].startswith(b"-FAIL")
    assert nodes.replies[write].startswith(b"-UNKNOWN")  # by fast accept: it may yet happen
    assert nodes.replies[other].startswith(b"-FAIL")  # never got beyond phase 1


def test_an_acceptance_is_told_to_readers_when_it_is_durable() -> None:
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"1")
    nodes.slow = {"n2"}
    nodes.lose = lambda source, destination, message: (
        "n3" in (source, destination) or isinstance(message, Accepted)
    )
    nodes.ask("n1", b"SET", b"k", b"2")
    nodes.sent.clear()
    read = nodes.ask("n1", b"GET", b"k2")
    assert nodes.replies[read] == b"$-1\r\n" and nodes.sent[Version] == 1
    nodes.replicas["n1"].reading.request(99, b"k", [b"GET", b"k"])
    nodes._take("n1")
    nodes.settle()
    assert nodes.sent[Version] == 1  # n2 keeps silent about an entry that a crash would take back


def test_a_command_that_others_finished_happens_once() -> None:
    nodes = Nodes()
    nodes.ask("n1", b"SET", b"k", b"10")
    nodes.lose = lambda source, destination, message: (
        (isinstance(message, Accept) and destination == "n3") or destination == "n1"
    )
    mine = nodes.ask("n1", b"INCR", b"k")  # n2 accepts, and n1 does not hear of it
    nodes.lose = lambda source, destination, message: "n1" in (source, destination)
    for _ in range(3):
        nodes.ask("n2", b"INCR", b"k")
        nodes.later(0.1)
    nodes.lose = lambda source, destination, message: False
    nodes.later(0.6)
    assert nodes.replies[mine] == b":11\r\n"
    assert nodes.reply("n3", b"GET", b"k") == b"$2\r\n14\r\n"


def test_who_missed_versions_fetches_the_last() -> None:
    nodes = Nodes()
    nodes.lose = lambda source, destination, message: destination == "n3"
    for i in range(5):
        nodes.ask("n1", b"SET", b"k", b"%d" % i)
    nodes.lose = lambda source, destination, message: isinstance(message, Decided)
    assert nodes.reply("n3", b"GET", b"k") == b"$1\r\n4\r\n"


def test_keys_that_nobody_asks_for_are_compared() -> None:
    nodes = Nodes()
    nodes.lose = lambda source, destination, message: destination == "n3"
    nodes.ask("n1", b"SET", b"k", b"v")
    nodes.lose = lambda source, destination, message: False
    nodes.later(5)
    assert nodes.replicas["n3"].keys.open(b"k").version == 1


def test_several_keys_are_refused_and_one_key_is_a_transaction() -> None:
    nodes = Nodes()
    two = [encode_args([b"SET", b"a", b"1"]), encode_args([b"SET", b"b", b"1"])]
    for args in (
        [b"MULTI", *two],
        [b"DEL", b"a", b"b"],
        [b"MGET", b"a", b"b"],
        [b"MSET", b"a", b"1", b"b", b"2"],
    ):
        reply = nodes.reply("n1", *args)
        assert reply is not None and reply.startswith(b"-FAIL not done: each key has a Paxos log")
    one = [encode_args([b"SET", b"a", b"1"]), encode_args([b"INCR", b"a"])]
    assert nodes.reply("n1", b"MULTI", *one) == b"*2\r\n+OK\r\n:2\r\n"


def test_values_are_bounded() -> None:
    scratch = commands.Scratch(b"k", None)
    big = b"x" * (1024 * 1024)
    for _ in range(3):
        assert scratch.run([b"RPUSH", b"k", big]).startswith(b":")
    assert scratch.run([b"RPUSH", b"k", big, big]) == commands.TOO_LARGE
    assert scratch.run([b"LLEN", b"k"]) == b":3\r\n"


def test_every_kind_of_value_survives_a_crash_of_all() -> None:
    nodes = Nodes()
    for args in ([b"SET", b"s", b""], [b"RPUSH", b"l", b"1", b"2"], [b"SADD", b"z", b"m"],
                 [b"SET", b"gone", b"x"], [b"DEL", b"gone"]):  # fmt: skip
        nodes.ask("n1", *args)
    for name in NAMES:
        nodes.restart(name)
    assert nodes.reply("n2", b"GET", b"s") == b"$0\r\n\r\n"
    assert nodes.reply("n2", b"LRANGE", b"l", b"0", b"-1") == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
    assert nodes.reply("n2", b"SMEMBERS", b"z") == b"*1\r\n$1\r\nm\r\n"
    assert nodes.reply("n2", b"EXISTS", b"gone") in (b":0\r\n", None)
    nodes.later(0.5)
    assert nodes.reply("n2", b"EXISTS", b"gone") == b":0\r\n"
