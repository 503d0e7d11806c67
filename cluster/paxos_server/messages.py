"""What nodes say to each other, and what a node writes down: the nouns of the protocol.

Slots count from 1. A *value* is an encoded batch of commands (`encode_batch`); the empty value
is the no-op. `chosen_upto` is the last slot of the unbroken prefix of slots that its sender
knows to be chosen.
"""

from __future__ import annotations

import msgspec

from .ballot import Ballot
from .config import Terms

NOOP = b""


class Command(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A client's command on its way through the log.

    `origin` and `incarnation` name the node (and its life) that took the command from the
    client, `seq` numbers the commands of that life, and every command of it below `ack` has
    been answered, so that nobody will send it again: together, a client session. `after`: the
    command of that life that must have been executed, or given up, before this one; 0 for none.
    """

    origin: str
    incarnation: int
    seq: int
    ack: int
    args: list[bytes]
    after: int = 0


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Base of all that travels between nodes."""


class Prepare(Message, frozen=True, array_like=True, tag="1a", gc=False):
    """Phase 1a, over every slot from `from_slot` on."""

    ballot: Ballot
    from_slot: int


class Promise(Message, frozen=True, array_like=True, tag="1b", gc=False):
    """Phase 1b: highest accepted proposal of each open slot, and the chosen slots.

    `chosen` holds (slot, value) from `from_slot` on as far as a message may carry;
    what lies between and `chosen_upto` must be fetched by CatchUp.
    """

    ballot: Ballot
    from_slot: int
    accepted: list[tuple[int, Ballot, bytes]]
    chosen: list[tuple[int, bytes]]
    chosen_upto: int


class Accept(Message, frozen=True, array_like=True, tag="2a", gc=False):
    """Phase 2a for one slot; `chosen_upto` tells the acceptor's learner what was chosen."""

    ballot: Ballot
    slot: int
    value: bytes
    chosen_upto: int


class Accepted(Message, frozen=True, array_like=True, tag="2b", gc=False):
    """Phase 2b."""

    ballot: Ballot
    slot: int


class Nack(Message, frozen=True, array_like=True, tag="no", gc=False):
    """`ballot` came too late: `promised` has been promised meanwhile. `slot` is that of the
    refused accept, 0 for a refused prepare or heartbeat."""

    ballot: Ballot
    promised: Ballot
    slot: int


class Heartbeat(Message, frozen=True, array_like=True, tag="hb", gc=False):
    """The leader of `ballot` lives. `beat` numbers its heartbeats."""

    ballot: Ballot
    chosen_upto: int
    beat: int


class HeartbeatAck(Message, frozen=True, array_like=True, tag="ha", gc=False):
    """The sender still follows `ballot`."""

    ballot: Ballot
    beat: int
    chosen_upto: int


class Canvass(Message, frozen=True, array_like=True, tag="cv", gc=False):
    """Would you promise? Asked before Prepare, so that a node that merely cannot hear the
    leader does not unseat it."""

    ballot: Ballot


class Support(Message, frozen=True, array_like=True, tag="sp", gc=False):
    """I hear of no leader either. Binds to nothing."""

    ballot: Ballot


class Outdated(Message, frozen=True, array_like=True, tag="od", gc=False):
    """You have no vote. What tells why is among the slots up to `chosen_upto`."""

    chosen_upto: int


class CatchUp(Message, frozen=True, array_like=True, tag="cu", gc=False):
    """Send me the chosen values from `from_slot` on."""

    from_slot: int


class Chosen(Message, frozen=True, array_like=True, tag="ch", gc=False):
    """Chosen values of consecutive slots, beginning with `first_slot`."""

    first_slot: int
    values: list[bytes]
    chosen_upto: int


class SnapshotChunk(Message, frozen=True, array_like=True, tag="sn", gc=False):
    """Bytes of the state after `slot`, from `offset` on, of `total` in all."""

    slot: int
    offset: int
    total: int
    data: bytes


class FetchSnapshot(Message, frozen=True, array_like=True, tag="fs", gc=False):
    """Send me the next chunk of the snapshot at `slot`."""

    slot: int
    offset: int


class Forward(Message, frozen=True, array_like=True, tag="fw", gc=False):
    """Commands of the sender's clients, for the leader to propose."""

    commands: list[Command]


class AskReadIndex(Message, frozen=True, array_like=True, tag="ri", gc=False):
    """How far must I have applied to answer the reads `seqs` of my life `incarnation`?"""

    incarnation: int
    seqs: list[int]


class ReadIndex(Message, frozen=True, array_like=True, tag="rx", gc=False):
    """Up to this slot: all that was answered before you asked is at or below it."""

    incarnation: int
    seqs: list[int]
    slot: int


class Poll(Message, frozen=True, array_like=True, tag="po", gc=False):
    """How far have you accepted? Asked for the reads of poll `number` of my life `incarnation`."""

    incarnation: int
    number: int


class Standing(Message, frozen=True, array_like=True, tag="st", gc=False):
    """I know the slots up to `chosen_upto` to be chosen, and have accepted nothing beyond slot
    `last`. `pending`: for bug read-no-repair only."""

    incarnation: int
    number: int
    chosen_upto: int
    last: int
    pending: list[tuple[int, Ballot, bytes]] = []


class Fill(Message, frozen=True, array_like=True, tag="fi", gc=False):
    """A read waits for the slots up to `slot`: see to it that they are chosen."""

    slot: int


class Replies(Message, frozen=True, array_like=True, tag="re", gc=False):
    """(seq, reply) of commands that the receiver forwarded in its life `incarnation`."""

    incarnation: int
    replies: list[tuple[int, bytes]]


class Claim(Message, frozen=True, array_like=True, tag="cl", gc=False):
    """I have this disk, and do not know yet whether it is the first under my name. `round` numbers
    the attempts to find out."""

    disk: int
    round: int
    terms: Terms


class Register(Message, frozen=True, array_like=True, tag="rg", gc=False):
    """To the claim of `disk`: the disk that I first heard of under each name, mine included.
    `settled`: I know who I am myself."""

    disk: int
    round: int
    settled: bool
    register: dict[str, int]
    terms: Terms


AnyMessage = (
    Prepare
    | Promise
    | Accept
    | Accepted
    | Nack
    | Heartbeat
    | HeartbeatAck
    | Canvass
    | Outdated
    | Support
    | CatchUp
    | Chosen
    | SnapshotChunk
    | FetchSnapshot
    | Forward
    | Replies
    | AskReadIndex
    | ReadIndex
    | Poll
    | Standing
    | Fill
    | Claim
    | Register
)


class Record(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Base of all that a node writes down."""


class BootRecord(Record, frozen=True, array_like=True, tag="B", gc=False):
    """The node begins its life `incarnation`."""

    incarnation: int


class DiskRecord(Record, frozen=True, array_like=True, tag="D", gc=False):
    """The number of this disk, drawn when it was new."""

    disk: int


class RegisterRecord(Record, frozen=True, array_like=True, tag="R", gc=False):
    """The disk that was first heard of under this name."""

    name: str
    disk: int


class SettledRecord(Record, frozen=True, array_like=True, tag="S", gc=False):
    """What this disk is called in the protocol from now on, and its whole register."""

    node: str
    terms: Terms
    register: dict[str, int]


class PromiseRecord(Record, frozen=True, array_like=True, tag="P", gc=False):
    ballot: Ballot


class AcceptRecord(Record, frozen=True, array_like=True, tag="A", gc=False):
    """Accepting raises the promise too."""

    slot: int
    ballot: Ballot
    value: bytes


class LearnRecord(Record, frozen=True, array_like=True, tag="L", gc=False):
    """`value` was learnt to be chosen without having been accepted here."""

    slot: int
    value: bytes


class ChosenRecord(Record, frozen=True, array_like=True, tag="C", gc=False):
    """All slots up to `upto` are chosen: as learnt, or else as last accepted here."""

    upto: int


class CheckpointRecord(Record, frozen=True, array_like=True, tag="K", gc=False):
    """The log begins anew: what follows, with a snapshot of at least `slot`, is everything."""

    slot: int


AnyRecord = (
    CheckpointRecord
    | BootRecord
    | DiskRecord
    | RegisterRecord
    | SettledRecord
    | PromiseRecord
    | AcceptRecord
    | LearnRecord
    | ChosenRecord
)

encode = msgspec.msgpack.Encoder().encode
decode_batch = msgspec.msgpack.Decoder(list[Command]).decode
decode_messages = msgspec.msgpack.Decoder(list[AnyMessage]).decode
decode_records = msgspec.msgpack.Decoder(list[AnyRecord]).decode


def encode_batch(commands: list[Command]) -> bytes:
    """The value that stands for these commands, in this order."""
    return encode(commands) if commands else NOOP


def batch_of(value: bytes) -> list[Command]:
    """The inverse of `encode_batch`."""
    return decode_batch(value) if value else []
