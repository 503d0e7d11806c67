"""Members that leave and join again: see nemesis/member.py."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from nemesis_fakes import WHOLE, Run, fault

from paxtest.errors import PaxtestError
from paxtest.nemesis import FAMILIES, lacking
from paxtest.nemesis import member as members
from paxtest.nemesis.heal import undo_all
from paxtest.nemesis.member import MIX
from paxtest.nemesis.record import FaultEvent

FIVE = ("n1", "n2", "n3", "n4", "n5")


@pytest.mark.parametrize("name", list(MIX.weights))
async def test_a_minority_at_most_leaves_and_all_are_back_in_the_end(
    tmp_path: Path, name: str
) -> None:
    run = Run(tmp_path, fault("member", name, hold_s=0.3), nodes=FIVE)
    await run.nemesis.run()
    assert run.happened() == WHOLE, run.events()
    assert run.events()[2].effective, run.events()[2]
    gone = {line.split()[1] for line in run.system.log if line.startswith("remove")}
    wanted = {"remove-one": 1, "remove-leader": 1}.get(name, 2)
    assert len(gone) == wanted and (name != "remove-leader" or gone == {"n2"})
    assert run.system.removed == set() and run.events()[0].undo == {"members": sorted(gone)}
    assert "members are n1 n2 n3 n4 n5" in run.events()[-1].evidence
    assert await run.nemesis.heal() == []


async def test_a_member_is_back_when_it_votes(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("member", "remove-leader", hold_s=0.1))
    run.system.voteless["n2"] = 4
    await run.nemesis.run()
    assert run.events()[-1].evidence == "members are n1 n2 n3"
    assert run.system.voteless["n2"] == 0 and run.system.log.count("add n2") == 1


async def test_a_member_that_gets_no_vote_in_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "_AGREE_S", 0.3)
    run = Run(tmp_path, fault("member", "remove-leader", hold_s=0.1))
    run.system.voteless["n2"] = 1000
    await run.nemesis.run()
    assert run.happened() == WHOLE
    assert run.events()[-1].evidence == "members are n1 n2 n3, n2 without a vote yet"


async def test_a_change_that_is_told_but_not_made_is_not_effective(tmp_path: Path) -> None:
    run = Run(tmp_path, fault("member", "remove-one"))
    run.system.stubborn = True
    await run.nemesis.run()
    assert run.events()[2].effective is False
    assert run.events()[2].evidence == "members are n1 n2 n3"


async def test_whoever_cannot_be_added_at_once_is_added_as_soon_as_others_agree(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, fault("member", "remove-one", hold_s=0.2))

    async def cut() -> None:
        while not run.system.removed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        run.system.split = True
        await asyncio.sleep(0.5)
        run.system.split = False

    await asyncio.gather(run.nemesis.run(), cut())
    assert run.system.removed == set() and run.happened()[-1] == "healed"


async def test_members_that_are_left_out_are_told_and_added_by_the_final_heal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(members, "_AGREE_S", 0.1)
    run = Run(tmp_path, fault("member", "remove-one", hold_s=0.1))

    async def cut() -> None:
        while not run.system.removed:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        run.system.split = True

    await asyncio.gather(run.nemesis.run(), cut())
    assert run.system.removed and "could not be made members again" in run.nemesis.notes[-1]
    run.system.split = False
    assert await run.nemesis.heal() == [] and run.system.removed == set()


async def test_the_members_of_a_dead_run_are_added_last(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.system.removed = {"n1"}
    left = [
        FaultEvent(1, 0, "inject", "kill", "kill-one", undo={"restart": ["n2"]}),
        FaultEvent(2, 0, "inject", "member", "remove-one", undo={"members": ["n1"]}),
    ]

    async def restart(node: str) -> str:
        await run.system.start(node)
        return f"{node} started"

    said = await undo_all(left, run.cluster, restart, run.journal, run.system)  # type: ignore[arg-type]
    assert run.system.log == ["start n2", "add n1"] and run.system.removed == set()
    assert "members are n1 n2 n3" in said[-1]
    with pytest.raises(PaxtestError, match="n1 left the cluster"):
        await undo_all(left[1:], run.cluster, restart, run.journal)  # type: ignore[arg-type]


def test_where_members_are_fixed_the_kind_is_left_out_and_told(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert FAMILIES["member"].missing(run.cluster, run.system) is None  # type: ignore[arg-type]
    run.system.fixed = "quorums are fixed"
    told = lacking(["member", "kill"], run.cluster, run.system)  # type: ignore[arg-type]
    assert told == {"member": "quorums are fixed"}
