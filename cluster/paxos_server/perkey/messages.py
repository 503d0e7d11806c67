"""What nodes of the engine `perkey` say to each other and write down.

`version` numbers the instances of one key from 1: the entry of version i is the key's value after
its i-th change. `previous` is the stamp of the chosen entry below, which tells an acceptor that
holds that entry as accepted that it was chosen.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..ballot import Ballot
from ..messages import BootRecord, CheckpointRecord, Message, Record


class Stamp(NamedTuple):
    """Names an entry, and the request that it answers: no two entries have the same."""

    node: str
    incarnation: int
    number: int


Value = tuple[str, list[bytes]]
"""Kind and items, as `statemachine.freeze` gives them; None for a key that is not there."""


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value of a key, and all that Paxos needs to go on from it: the log entry is the value.

    `done`: the last entry of each node that was chosen for this key, this one included. A node
    proposes one entry a key at a time, so that it finds there whether its request happened.
    """

    version: int
    stamp: Stamp
    value: Value | None
    done: list[Stamp]


class Prepare(Message, frozen=True, array_like=True, tag="k1a", gc=False):
    key: bytes
    version: int
    ballot: Ballot
    previous: Stamp | None


class Promise(Message, frozen=True, array_like=True, tag="k1b", gc=False):
    key: bytes
    version: int
    ballot: Ballot
    accepted: tuple[Ballot, Entry] | None


class Accept(Message, frozen=True, array_like=True, tag="k2a", gc=False):
    key: bytes
    ballot: Ballot
    entry: Entry
    previous: Stamp | None


class Accepted(Message, frozen=True, array_like=True, tag="k2b", gc=False):
    key: bytes
    version: int
    ballot: Ballot


class Refused(Message, frozen=True, array_like=True, tag="kno", gc=False):
    """`ballot` came too late: `promised` has been promised."""

    key: bytes
    version: int
    ballot: Ballot
    promised: Ballot


class Decided(Message, frozen=True, array_like=True, tag="kd", gc=False):
    """The entry with this stamp is chosen; who has accepted it need not be sent it again."""

    key: bytes
    version: int
    stamp: Stamp


class Fetch(Message, frozen=True, array_like=True, tag="kf", gc=False):
    """Send me the chosen entry, if it is later than `version`."""

    key: bytes
    version: int


class Chosen(Message, frozen=True, array_like=True, tag="kc", gc=False):
    """This entry is chosen."""

    key: bytes
    entry: Entry


class AskVersion(Message, frozen=True, array_like=True, tag="kq", gc=False):
    """How far is the key with you? `poll` numbers the questions of my life `incarnation`."""

    key: bytes
    incarnation: int
    poll: int


class Version(Message, frozen=True, array_like=True, tag="kv", gc=False):
    """`version` is chosen here; `accepted`: of the version after it."""

    key: bytes
    incarnation: int
    poll: int
    version: int
    accepted: tuple[Ballot, Entry] | None


class Compare(Message, frozen=True, array_like=True, tag="kx", gc=False):
    """How far some keys are here. Whoever is behind with one of them fetches it from the other."""

    versions: list[tuple[bytes, int]]


AnyMessage = (
    Prepare
    | Promise
    | Accept
    | Accepted
    | Refused
    | Decided
    | Fetch
    | Chosen
    | AskVersion
    | Version
    | Compare
)


class PromiseRecord(Record, frozen=True, array_like=True, tag="kP", gc=False):
    key: bytes
    version: int
    ballot: Ballot


class AcceptRecord(Record, frozen=True, array_like=True, tag="kA", gc=False):
    """Accepting raises the promise too."""

    key: bytes
    ballot: Ballot
    entry: Entry


class ChosenRecord(Record, frozen=True, array_like=True, tag="kC", gc=False):
    """The entry accepted last is chosen: the value is not written a second time."""

    key: bytes
    version: int


class LearnRecord(Record, frozen=True, array_like=True, tag="kL", gc=False):
    """The entry was learnt to be chosen without having been accepted here."""

    key: bytes
    entry: Entry


AnyRecord = (
    CheckpointRecord | BootRecord | PromiseRecord | AcceptRecord | ChosenRecord | LearnRecord
)

decode_messages = msgspec.msgpack.Decoder(list[AnyMessage]).decode
decode_records = msgspec.msgpack.Decoder(list[AnyRecord]).decode
