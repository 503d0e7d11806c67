"""The write-ahead log: what was synced survives; a torn tail is not a corrupt middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from paxtest.cluster.paxos_server.ballot import Ballot
from paxtest.cluster.paxos_server.disk import DirectoryInUse, LocalDisk
from paxtest.cluster.paxos_server.messages import (
    AcceptRecord,
    AnyRecord,
    BootRecord,
    CheckpointRecord,
    ChosenRecord,
    PromiseRecord,
)
from paxtest.cluster.paxos_server.simulator.disk import PowerLoss, SimulatedDisk
from paxtest.cluster.paxos_server.wal import CorruptLog, Wal

B = Ballot(3, "n1", 2)
CHUNKS: list[list[AnyRecord]] = [
    [BootRecord(1)],
    [PromiseRecord(B), AcceptRecord(1, B, b"one")],
    [AcceptRecord(2, B, b"two\r\n" * 20), ChosenRecord(1)],
]
NAME = "wal-0000000001"


def written() -> tuple[SimulatedDisk, list[int]]:
    """A disk with the three chunks, and where each chunk ends."""
    disk = SimulatedDisk()
    wal = Wal(disk)
    ends = []
    for chunk in CHUNKS:
        wal.append(chunk)
        wal.flush()
        ends.append(len(disk.files[NAME]))
    return disk, ends


def flat(chunks: list[list[AnyRecord]]) -> list[AnyRecord]:
    return [record for chunk in chunks for record in chunk]


def test_what_was_flushed_is_read_again() -> None:
    disk, _ = written()
    assert Wal(disk).open() == flat(CHUNKS)


def test_what_was_not_flushed_is_lost() -> None:
    disk = SimulatedDisk()
    wal = Wal(disk)
    wal.append(CHUNKS[0])
    wal.flush()
    wal.append(CHUNKS[1])
    assert Wal(disk).open() == CHUNKS[0]


def test_writing_goes_on_after_reopening() -> None:
    disk, _ = written()
    wal = Wal(disk)
    wal.open()
    wal.append([BootRecord(2)])
    wal.flush()
    assert Wal(disk).open() == [*flat(CHUNKS), BootRecord(2)]


def test_a_tail_torn_anywhere_is_cut_off() -> None:
    whole, ends = written()
    for size in range(ends[1], ends[2]):
        disk = SimulatedDisk()
        disk.files[NAME] = whole.files[NAME][:size]
        wal = Wal(disk)
        records = wal.open()
        # A chunk whose payload got through whole may be kept; never half of one.
        assert records in (flat(CHUNKS[:2]), flat(CHUNKS)), f"cut at {size}"
        wal.append([BootRecord(9)])
        wal.flush()
        assert Wal(disk).open() == [*records, BootRecord(9)], f"cut at {size}"


def test_no_flipped_bit_loses_records_silently() -> None:
    whole, _ = written()
    for position in range(len(whole.files[NAME])):
        disk = SimulatedDisk()
        disk.files[NAME] = bytearray(whole.files[NAME])
        disk.files[NAME][position] ^= 0x10
        try:
            records = Wal(disk).open()
        except CorruptLog:
            continue
        assert records == flat(CHUNKS), f"bit flipped in byte {position}"


def test_no_flipped_bit_before_a_torn_tail_loses_records_silently() -> None:
    """The chunk before a torn tail was durable, though no whole chunk follows it."""
    whole, _ = written()
    durable = bytes(whole.files[NAME])
    wal = Wal(whole)
    wal.open()
    wal.append([AcceptRecord(3, B, b"three"), ChosenRecord(2)])
    wal.flush()
    tail = bytes(whole.files[NAME])[len(durable) :]
    for size in range(1, len(tail), 9):
        for position in range(len(durable)):
            disk = SimulatedDisk()
            disk.files[NAME] = bytearray(durable + tail[:size])
            disk.files[NAME][position] ^= 0x10
            try:
                records = Wal(disk).open()
            except CorruptLog:
                continue
            kept = records[: len(flat(CHUNKS))]
            assert kept == flat(CHUNKS), f"bit flipped in byte {position}, {size} bytes torn"


def test_a_flipped_checkpoint_before_a_torn_tail_is_refused() -> None:
    disk, _ = written()
    wal = Wal(disk)
    wal.open()
    wal.restart([CheckpointRecord(2), BootRecord(1), PromiseRecord(B)])
    (name,) = disk.names()
    durable = bytes(disk.files[name])
    wal.append([BootRecord(2)])
    disk.tear(0.5)
    with pytest.raises(PowerLoss):
        wal.flush()
    disk.power_on()
    torn = bytes(disk.files[name])
    for position in range(len(durable)):
        disk.files[name] = bytearray(torn)
        disk.files[name][position] ^= 0x10
        try:
            records = Wal(disk).open()
        except CorruptLog:
            continue
        assert records == [CheckpointRecord(2), BootRecord(1), PromiseRecord(B)], position


def test_a_corrupt_middle_is_named() -> None:
    disk, ends = written()
    disk.files[NAME][ends[0] + 25] ^= 1
    with pytest.raises(CorruptLog, match=r"wal-0000000001 is corrupt at byte \d+ \(chunk 2\)"):
        Wal(disk).open()


def test_a_missing_segment_is_corruption() -> None:
    disk = SimulatedDisk()
    wal = Wal(disk, segment_bytes=1)
    for chunk in CHUNKS:
        wal.append(chunk)
        wal.flush()
    assert len(disk.names()) == 3
    assert Wal(disk).open() == flat(CHUNKS)
    disk.remove(disk.names()[1])
    with pytest.raises(CorruptLog):
        Wal(disk).open()


def test_power_loss_during_a_flush() -> None:
    for percent in range(0, 101, 5):
        disk, _ = written()
        wal = Wal(disk)
        wal.open()
        wal.append([BootRecord(2), AcceptRecord(3, B, b"three")])
        disk.tear(percent / 100)
        with pytest.raises(PowerLoss):
            wal.flush()
        disk.power_on()
        records = Wal(disk).open()
        assert records[: len(flat(CHUNKS))] == flat(CHUNKS)
        assert len(records) in (5, 7)


def test_on_a_real_disk(tmp_path: Path) -> None:
    disk = LocalDisk(tmp_path / "data")
    wal = Wal(disk, segment_bytes=100)
    wal.open()
    for chunk in CHUNKS:
        wal.append(chunk)
        wal.flush()
    with pytest.raises(DirectoryInUse):
        LocalDisk(tmp_path / "data")
    disk.close()
    again = LocalDisk(tmp_path / "data")
    assert Wal(again).open() == flat(CHUNKS)
    again.close()


def test_after_a_failed_write_nothing_is_durable_any_more() -> None:
    """Records that were pending are gone: a later flush without any must not pass for success."""
    disk = SimulatedDisk()
    wal = Wal(disk)
    wal.open()
    wal.append(CHUNKS[0])
    disk.fail()
    with pytest.raises(OSError, match="dropped what was written"):
        wal.flush()
    for _ in range(2):
        with pytest.raises(OSError, match="an earlier write"):
            wal.flush()
    wal.append(CHUNKS[1])
    with pytest.raises(OSError, match="an earlier write"):
        wal.flush()
