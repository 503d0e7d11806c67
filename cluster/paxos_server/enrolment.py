"""Enrolment: how a new disk finds out who it is, before it may vote.

A disk without a past may be the first one of its node, in a cluster that begins, or one that
replaces a disk which was lost, and with it promises that the cluster counts on. Nobody but the
others can tell. So it lays claim to its node's name with all other founding members. Each keeps,
durably, a register of the disk that it first heard of under each name, and answers with it. A disk
that all others have registered is the node's first one, a founder, and votes. One that hears from
a settled node of another disk under its name, is a newcomer: it takes a name of its own, learns,
and votes when the leader has put it in the place of the lost one (`Promotion`).

Why a lost founder's name cannot be had again: docs/explanation/paxos.md, "A lost disk".
"""

from __future__ import annotations

from .bugs import Bugs
from .config import Config, Reads
from .events import Output
from .identity import OtherTerms, compare_terms, name_of, newcomer
from .messages import (
    BootRecord,
    Claim,
    DiskRecord,
    Message,
    Record,
    Register,
    RegisterRecord,
    SettledRecord,
)
from .outbox import Outbox
from .ports import Clock, Moment
from .recovery import Remembered
from .resp import array, error

PATIENCE_S = 3.0
"""How long a node enrols before it says whom it waits for."""
NO_MEMBER = error("FAIL this node does not know yet which member it is; the command was not sent")


def begin(config: Config, memory: Remembered, disk: int, bugs: Bugs) -> list[Record]:
    """A new life: number it, and a new disk (`disk`: the number that it gets). The records of that,
    which must be durable before anything else happens. Raises OtherTerms."""
    identity = memory.identity
    memory.incarnation += 1
    records: list[Record] = [BootRecord(memory.incarnation)]
    if not identity.disk:
        identity.disk = disk
        records.append(DiskRecord(disk))
        if config.node in config.nodes:
            identity.register[config.node] = disk
            records.append(RegisterRecord(config.node, disk))
    alone = config.nodes == (config.node,)
    if not identity.settled and (alone or bugs.active("amnesiac-rejoin")):
        identity.node, identity.terms = config.node, config.terms
        records.append(SettledRecord(config.node, config.terms, identity.register))
    if identity.terms is not None:
        compare_terms(config.terms, identity.terms, "its cluster")
    return records


def founded(config: Config, disks: dict[str, int]) -> list[Record]:
    """The records of a node whose cluster is founded already, on these disks of its members."""
    return [DiskRecord(disks[config.node]), SettledRecord(config.node, config.terms, disks)]


class Registrar:
    """Answers claims. Every node does, settled or not."""

    def __init__(self, config: Config, memory: Remembered, outbox: Outbox) -> None:
        self._config = config
        self._identity = memory.identity
        self._outbox = outbox

    def on_claim(self, source: str, message: Claim) -> None:
        """Register the first disk of a name, and answer when that is durable. A newcomer registers
        none: as it came, the cluster was there, and it did not see who was in it."""
        identity, name = self._identity, name_of(source)
        if (
            name in self._config.nodes
            and message.terms == self._config.terms
            and not (identity.settled and not identity.founder)
            and name not in identity.register
        ):
            identity.register[name] = message.disk
            self._outbox.persist(RegisterRecord(name, message.disk), sync=True)
        register, terms = dict(identity.register), self._config.terms
        answer = Register(message.disk, message.round, identity.settled, register, terms)
        self._outbox.send_when_durable(source, answer, sync=True)


class Enrolling:
    """The engine of a node that is not settled yet. It answers claims and lays its own; clients are
    refused. `settled` gives what the node remembers from then on."""

    leading = False
    leader_node = None
    role = "enrolling"

    def __init__(self, config: Config, memory: Remembered, clock: Clock, bugs: Bugs) -> None:
        self.config = config
        self.incarnation = memory.incarnation
        self.bugs = bugs
        self.node = newcomer(config.node, memory.identity.disk)
        self._memory = memory
        self._outbox = Outbox(self.node)
        self._registrar = Registrar(config, memory, self._outbox)
        self._moment = Moment(clock)
        self._others = [name for name in config.nodes if name != config.node]
        self._agreed: dict[str, int] = {}  # in this round: who registered this disk -> its own
        self._round = 0
        self._round_due_s = self._due_s = float("-inf")
        self._began_s = self._moment.advance()
        self._missing: list[str] = []  # who had not registered this disk when the last round ended
        self._settled_lsn: int | None = None
        self._problem: str | None = None
        self._durable = 0

    # --- events in ---

    def request(
        self, number: int, args: list[bytes], reads: Reads | None = None, connection: int = 0
    ) -> None:
        self._outbox.reply(number, NO_MEMBER)

    def snap(self, number: int) -> None:
        self._outbox.reply(number, NO_MEMBER)

    def receive(self, source: str, message: Message) -> None:
        if isinstance(message, Claim):
            self._registrar.on_claim(source, message)
        elif isinstance(message, Register) and not self._memory.identity.settled:
            self._on_register(name_of(source), message)

    def durable(self, lsn: int) -> None:
        self._durable = lsn
        self._outbox.durable(lsn)

    def tick(self) -> None:
        """Ask. Answers count together only if they were given in the same round: agreements of
        nodes that were new themselves, one after the other, would prove nothing."""
        now_s = self._moment.advance()
        if now_s < self._due_s or self._memory.identity.settled:
            return
        self._due_s = now_s + self.config.heartbeat_s
        if now_s >= self._round_due_s:
            self._round_due_s = now_s + self.config.step_down_s
            if now_s >= self._began_s + PATIENCE_S:
                self._missing = [name for name in self._others if name not in self._agreed]
            self._round += 1
            self._agreed.clear()
        claim = Claim(self._memory.identity.disk, self._round, self.config.terms)
        for name in self._others:
            if name not in self._agreed:
                self._outbox.send(name, claim)

    def take(self) -> Output:
        out = self._outbox.take()
        if self._memory.identity.settled and self._settled_lsn is None:
            self._settled_lsn = out.lsn
        return out

    def stand(self) -> None:
        """There is nothing to stand for yet."""

    # --- finding out ---

    def _on_register(self, source: str, message: Register) -> None:
        identity = self._memory.identity
        if message.disk != identity.disk:
            return  # an answer to a former disk of this node
        try:
            compare_terms(self.config.terms, message.terms, source)
        except OtherTerms as problem:
            self._problem = str(problem)
            return
        mine = message.register.get(self.config.node)
        if mine == identity.disk and message.round == self._round:
            self._agreed[source] = message.register[source]
            if len(self._agreed) == len(self._others):
                self._settle(self.config.node, self._agreed | identity.register)
        elif mine != identity.disk and message.settled:
            register = {n: d for n, d in message.register.items() if n != self.config.node}
            self._settle(self.node, register)

    def _settle(self, node: str, register: dict[str, int]) -> None:
        """From now on this disk is `node`, and this its register. The lives of a newcomer are
        counted from the number of its disk on, so that none has the number of a life of its name's
        former disks: what was meant for those means nothing to it."""
        identity = self._memory.identity
        identity.node, identity.terms, identity.register = node, self.config.terms, register
        self._outbox.persist(SettledRecord(node, self.config.terms, register), sync=True)
        if not identity.founder:
            self._memory.incarnation = identity.disk + 1
            self._outbox.persist(BootRecord(self._memory.incarnation), sync=True)

    def settled(self) -> Remembered | None:
        lsn = self._settled_lsn
        return self._memory if lsn is not None and lsn <= self._durable else None

    def ended(self) -> str | None:
        return self._problem

    # --- what it looks like from outside ---

    def recovered(self) -> str:
        return "which member it is, the others are asked"

    def waits_for(self) -> str | None:
        """Whom, and why, in a sentence for the log. None before that is worth a word."""
        if not self._missing:
            return None
        return (
            f"waits for {', '.join(self._missing)}: a new disk votes when all others have"
            " registered it"
        )

    def facts(self) -> list[tuple[str, str | int]]:
        return [
            ("engine", "multi"),
            ("role", self.role),
            ("registered_by", ",".join(sorted(self._agreed))),
            ("members", ",".join(f"{node} {role}" for node, _, role in self.members())),
        ]

    def dump(self) -> bytes:
        return array([])

    def members(self) -> list[tuple[str, str, str]]:
        return [(name, "", "voter") for name in self.config.nodes]

    def addresses(self) -> dict[str, str]:
        return {}

    def agreements(self) -> dict[str, bytes]:
        return {}
