"""paxtest heal of a local run whose keeper is gone: sure of it, or not."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from paxtest.cli import app
from paxtest.cluster import processes
from paxtest.cluster.local import LocalCluster
from paxtest.nemesis.record import FaultEvent, FaultJournal, read_journal, unhealed
from paxtest.remote import daemon

CONTROL = """
import asyncio, sys
from pathlib import Path
from paxtest.cluster.local import LocalCluster

async def main():
    cluster = LocalCluster(sys.argv[1], 2)
    await cluster.up()
    cluster.save(Path(sys.argv[2]))
    print("up", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def broken(folder: Path) -> None:
    journal = FaultJournal(folder / "faults.jsonl")
    journal.append(FaultEvent(1, 0, "inject", "partition", "halves", undo={"net": True}))
    journal.close()


def living(run_id: str) -> set[int]:
    return {pid for pid, (run, _) in processes.marked().items() if run == run_id}


async def until_dead(run_id: str) -> None:
    deadline_s = time.monotonic() + 30
    while living(run_id):
        assert time.monotonic() < deadline_s, "the keeper did not clean up"
        await asyncio.sleep(0.02)


async def heal(folder: Path) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, app, ["heal", str(folder)])
    return result.exit_code, f"{result.output} {result.exception or ''}"


async def killed_control(folder: Path) -> str:
    """A local cluster whose control node was killed, and which its keeper has removed since."""
    run_id = f"heal-{secrets.token_hex(4)}"
    control = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONTROL, run_id, str(folder / "cluster.json"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert control.stdout is not None and await control.stdout.readline() == b"up\n"
    control.kill()
    await control.communicate()
    await until_dead(run_id)
    broken(folder)
    return run_id


async def test_a_local_cluster_that_is_gone_needs_no_healing(tmp_path: Path) -> None:
    run_id = await killed_control(tmp_path)
    code, said = await heal(tmp_path)
    assert code == 0, said
    assert f"nothing of the local cluster of run {run_id} is left" in said
    assert unhealed(read_journal(tmp_path / "faults.jsonl")) == []
    code, said = await heal(tmp_path)
    assert code == 0 and "nothing to heal" in said


async def test_a_cluster_of_another_machine_is_not_known_to_be_gone(tmp_path: Path) -> None:
    """No process of it is here, nor its directory: it never was here, or the machine restarted."""
    await killed_control(tmp_path)
    saved = json.loads((tmp_path / "cluster.json").read_text())
    (tmp_path / "cluster.json").write_text(json.dumps(saved | {"boot": "another"}))
    code, said = await heal(tmp_path)
    assert code != 0 and "does not answer" in said


@pytest.mark.parametrize("node_lives", [True, False])
async def test_a_keeper_that_died_alone_leaves_what_lives(tmp_path: Path, node_lives: bool) -> None:
    cluster = LocalCluster(f"heal-{secrets.token_hex(4)}", 2, keep=True)
    await cluster.up()
    base = cluster.directory("n1").parent
    try:
        cluster.save(tmp_path / "cluster.json")
        broken(tmp_path)
        if node_lives:
            await daemon.start(
                cluster.remote("n1"),
                argv=["sleep", "600"],
                directory=cluster.directory("n1"),
                env={},
                log=cluster.directory("n1") / "log",
                pidfile=cluster.directory("n1") / "pid",
            )
        keeper = int((base / "keeper.pid").read_text().split()[0])
        os.kill(keeper, signal.SIGKILL)
        deadline_s = time.monotonic() + 30
        while keeper in living(cluster.run_id):
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.02)
        code, said = await heal(tmp_path)
        if node_lives:
            assert code != 0 and "does not answer" in said
            assert len(unhealed(read_journal(tmp_path / "faults.jsonl"))) == 1
        else:
            assert code == 0, said
    finally:
        await cluster.down()
        shutil.rmtree(base, ignore_errors=True)
