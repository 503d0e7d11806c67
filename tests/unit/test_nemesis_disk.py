"""Faults of the disk, and what keeps them fair: files are real, the processes are not."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from pathlib import Path
from random import Random

import pytest
from nemesis_fakes import NODES, WHOLE, Run, fault

from paxtest.nemesis import damage, disk
from paxtest.nemesis.ground import Ground
from paxtest.nemesis.heal import undo_all
from paxtest.nemesis.record import FaultEvent, read_journal, unhealed
from paxtest.remote.local import LocalRemote

FIVE = ("n1", "n2", "n3", "n4", "n5")


@pytest.mark.parametrize("name", ["flip-bit", "torn-tail"])
async def test_who_refuses_damaged_files_gets_them_back(tmp_path: Path, name: str) -> None:
    run = Run(tmp_path, fault("disk", name))
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    (node,) = run.events()[0].nodes
    assert run.events()[2].effective, run.events()[2]
    assert " -> " in run.events()[2].evidence
    assert f"refused to start; {node} mended" in run.events()[4].evidence
    assert run.system.log == [f"kill {node}", f"start {node}", f"start {node}"]
    assert run.system.process[node][1] == "S"
    assert run.system.file(node).read_bytes() == run.system.content(node)


async def test_bits_flip_on_two_nodes_of_a_minority_at_once(tmp_path: Path) -> None:
    struck = []
    for seed in range(12):
        (tmp_path / str(seed)).mkdir()
        run = Run(tmp_path / str(seed), fault("disk", "flip-bit", seed=seed), nodes=FIVE)
        await run.nemesis.run()
        assert run.happened() == WHOLE and run.events()[2].effective, run.events()
        struck.append(run.events()[0].nodes)
        for node in struck[-1]:
            assert f"{node} mended" in run.events()[4].evidence
            assert run.system.file(node).read_bytes() == run.system.content(node)
    assert {len(nodes) for nodes in struck} == {1, 2}


async def test_who_serves_on_keeps_what_it_made_of_them(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("disk", "flip-bit"))
    run.system.careful = False
    await run.nemesis.run()
    (node,) = run.events()[0].nodes
    assert run.events()[4].evidence == f"{node} serves"
    here, was = run.system.file(node).read_bytes(), run.system.content(node)
    flipped = [a ^ b for a, b in zip(here, was, strict=True) if a != b]
    assert len(flipped) == 1 and flipped[0].bit_count() == 1
    assert all(run.system.file(n).read_bytes() == run.system.content(n) for n in NODES if n != node)


@pytest.mark.parametrize(("kind", "name"), [("disk", "flip-bit"), ("quorum", "swap-flip-bit")])
async def test_who_serves_on_has_another_bit_flipped(tmp_path: Path, kind: str, name: str) -> None:
    run = Run(tmp_path, fault(kind, name, hold_s=2.6), nodes=FIVE)
    run.system.careful = False
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    damaged = [n for n in FIVE if run.system.file(n).read_bytes() != run.system.content(n)]
    assert damaged
    for node in damaged:
        here, was = run.system.file(node).read_bytes(), run.system.content(node)
        assert sum((a ^ b).bit_count() for a, b in zip(here, was, strict=True)) >= 2
        strikes = run.system.log.count(f"kill {node}")
        assert run.system.log.count(f"start {node}") == strikes >= 2
    assert run.events()[2].evidence.count("checksum") >= 2


async def test_a_pivot_that_refuses_is_struck_elsewhere_and_gets_its_files_back(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, fault("quorum", "swap-flip-bit", hold_s=2.6), nodes=FIVE)
    await run.nemesis.run()
    assert run.happened() == WHOLE and run.events()[2].effective, run.events()
    assert run.events()[2].evidence.count("checksum") >= 2
    assert "mended" in run.events()[-1].evidence
    assert all(run.system.file(n).read_bytes() == run.system.content(n) for n in FIVE)
    assert all(run.system.process[n][1] == "S" for n in FIVE)


async def test_who_refuses_is_struck_elsewhere_and_gets_all_of_it_back(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("disk", "flip-bit", hold_s=2.3))
    await run.nemesis.run()
    (node,) = run.events()[0].nodes
    assert run.events()[2].evidence.count("checksum") >= 2
    assert len(set(re.findall(r"byte \d+", run.events()[2].evidence))) >= 2
    assert f"refused to start; {node} mended" in run.events()[4].evidence
    assert run.system.file(node).read_bytes() == run.system.content(node)
    assert run.system.process[node][1] == "S"


async def test_a_wiped_node_starts_without_its_files(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("disk", "wipe"))
    await run.nemesis.run()
    (node,) = run.events()[0].nodes
    assert run.happened() == WHOLE
    assert "1 files of" in run.events()[2].evidence and "are gone" in run.events()[2].evidence
    assert not run.system.file(node).exists()
    assert run.system.log == [f"kill {node}", f"wipe {node}", f"start {node}"]


@pytest.mark.parametrize(
    ("questions", "limit_s", "ends"),
    [(20, 9.0, " serves"), (1000, 0.3, "serves, but does not vote yet")],
)
async def test_a_wipe_is_over_when_the_node_votes_again_or_does_not_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, questions: int, limit_s: float, ends: str
) -> None:
    monkeypatch.setattr(disk, "_LOOK_S", 0.01)
    monkeypatch.setattr(disk, "_SETTLE_S", limit_s)
    run = Run(tmp_path, fault("disk", "wipe"))
    run.system.voteless = dict.fromkeys(NODES, questions)
    await run.nemesis.run()
    (node,) = run.events()[0].nodes
    assert run.happened() == WHOLE and run.events()[-1].evidence.endswith(ends)
    assert (run.system.voteless[node] == 0) == (questions == 20)


async def test_a_node_without_a_process_or_data_is_no_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_DEAD_S", -1.0)
    run = Run(tmp_path, fault("disk", "flip-bit"), fault("disk", "flip-bit", id=2, start_s=0.1))
    run.system.process = dict.fromkeys(NODES, (None, ""))
    await run.nemesis.run()
    assert run.happened(1) == run.happened(2) == ["failed"]
    assert "no process" in run.events(1)[0].text
    assert run.system.log == []


async def test_a_node_that_is_started_again_is_a_target(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("disk", "wipe"))
    run.system.process = dict.fromkeys(NODES, (None, ""))

    async def revive() -> None:
        await asyncio.sleep(0.3)
        run.system.process = dict.fromkeys(NODES, (200, "S"))

    await asyncio.gather(run.nemesis.run(), revive())
    assert run.happened() == WHOLE and run.events()[2].effective


async def test_writes_of_a_running_process_fail_until_it_is_killed(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("disk", "write-error-leader", hold_s=0.1))
    target = tmp_path / "grows"
    script = 'trap "" XFSZ; while :; do echo x >> "$1" || echo failed >&2; sleep 0.02; done'
    writer = subprocess.Popen(  # noqa: ASYNC220
        ["sh", "-c", script, "sh", str(target)], stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        run.system.process["n2"] = (writer.pid, "S")
        await run.nemesis.run()
        assert run.happened() == WHOLE, run.events()
        assert "Max file size 0" in run.events()[2].evidence
        assert writer.stderr is not None
        assert b"failed" in os.read(writer.stderr.fileno(), 100)
    finally:
        os.killpg(writer.pid, signal.SIGKILL)
        writer.communicate()
    assert run.system.log == ["kill n2", "start n2"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_only_the_disks_of_one_minority_are_ever_damaged(tmp_path: Path, count: int) -> None:
    run = Run(tmp_path, nodes=[f"n{i}" for i in range(count)])
    for seed in range(20):
        ground = Ground(run.cluster, run.system)  # type: ignore[arg-type]
        rng = Random(seed)
        struck = {ground.frail(rng) for _ in range(50)}
        assert struck == {None} if count < 3 else None not in struck
        assert len(struck - {None}) <= (count - 1) // 2, f"seed {seed}"
        assert ground.frail(rng, avoid=[n.name for n in run.cluster.nodes]) is None


async def test_mending_leaves_alone_what_was_written_since(tmp_path: Path) -> None:
    remote, note, log = LocalRemote("n1"), str(tmp_path / "note"), tmp_path / "a log"
    log.write_bytes(b"0123456789")
    said = await damage.flip(remote, note, str(log), 3, 1)
    assert said.startswith("a log byte 3: 51 -> 49, checksum ")
    assert log.read_bytes() == b"0121456789"
    log.write_bytes(b"012x")
    assert await damage.mend(remote, note) == "overwritten since"
    assert log.read_bytes() == b"012x"
    await damage.tear(remote, note, str(log), 5, "/dev/zero")
    assert log.read_bytes() == b"012x\0\0\0\0\0"
    with log.open("ab") as file:
        file.write(b"new")
    assert await damage.mend(remote, note) == "written since"
    assert log.read_bytes() == b"012x\0\0\0\0\0new"
    assert await damage.mend(remote, note) == "nothing to mend"


@pytest.mark.parametrize("byte", [0, 10, 34, 37, 92, 127, 255])
async def test_every_byte_can_be_flipped_and_put_back(tmp_path: Path, byte: int) -> None:
    remote, note, log = LocalRemote("n1"), str(tmp_path / "note"), tmp_path / "log"
    log.write_bytes(bytes([byte]))
    await damage.flip(remote, note, str(log), 0, 7)
    assert log.read_bytes() == bytes([byte ^ 128])
    assert await damage.mend(remote, note) == "flipped back"
    assert log.read_bytes() == bytes([byte])


def test_a_bit_flips_mostly_near_the_end_of_the_file_written_last() -> None:
    found = [("snapshot", 5000), ("empty", 0), ("log", 90_000)]
    places = [damage.place(found, Random(seed)) for seed in range(500)]
    assert all(spot is not None and 0 <= spot[1] < dict(found)[spot[0]] for spot in places)
    near = [spot for spot in places if spot and spot[0] == "log" and spot[1] >= 90_000 - 2100]
    assert len(near) > 200 and len({spot for spot in places if spot and spot[0] != "log"}) > 20
    small = [spot[1] for seed in range(2000) if (spot := damage.place([("s", 50)], Random(seed)))]
    assert set(small) == set(range(50)) and small.count(0) < 40  # no byte is struck by default
    assert len([offset for offset in small if offset >= 25]) > 1600
    assert damage.place([("empty", 0)], Random(1)) is None


async def test_offline_heal_mends_files_before_it_starts_their_node(tmp_path: Path) -> None:
    run = Run(tmp_path)
    note = str(tmp_path / "note")
    await damage.flip(LocalRemote("n2"), note, str(run.system.file("n2")), 7, 2)
    run.system.process["n2"] = (None, "")

    async def restart(node: str) -> str:
        await run.system.start(node)
        return f"{node} started"

    undo = {"mend": {"n2": note}, "restart": ["n2"]}
    left = [FaultEvent(1, 0, "inject", "disk", "flip-bit", undo=undo)]
    said = await undo_all(left, run.cluster, restart, run.journal)  # type: ignore[arg-type]
    assert "flipped back" in said[0] and "n2 started" in said[1]
    assert run.system.process["n2"][1] == "S"
    assert unhealed(read_journal(run.journal)) == []
