"""Plans: what YAML, --set and flags become, and what a mistake says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from paxtest import plan as plans
from paxtest import presets
from paxtest.errors import PlanError
from paxtest.repeat import REDACTED, command_line, redacted


def test_flags_beat_settings_beat_the_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("seed: 1\ntime_limit_s: 5\nworkload: {name: register, keys: 3}\n")
    plan = plans.load(path, ["workload.keys=20", "seed=2"], {"seed": 3, "time_limit_s": None})
    assert (plan.seed, plan.time_limit_s, plan.workload.options) == (3, 5.0, {"keys": 20})


def test_names_alone_stand_for_their_mappings() -> None:
    plan = plans.load(None, ["nemesis.kinds=partition, kill"], {"workload.name": "set"})
    assert plan.nemesis.kinds == ["partition", "kill"] and plan.workload.name == "set"


@pytest.mark.parametrize(
    ("concurrency", "nodes", "workers"), [("4n", 5, 20), ("7", 3, 7), (12, 3, 12)]
)
def test_concurrency_counts_clients_or_clients_per_node(
    concurrency: Any, nodes: int, workers: int
) -> None:
    flags = {"concurrency": concurrency, "cluster.nodes": nodes}
    assert plans.load(None, [], flags).workers == workers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("time_limit: 5", "unknown name 'time_limit'"),
        ("time_limit_s: soon", "'soon' will not do"),
        ("time_limit_s: -1", "-1 will not do"),
        ("cluster: {kind: kubernetes}", "'kubernetes' will not do"),
        ("concurrency: many", "'many' will not do"),
        ("load_processes: 64\nconcurrency: 3", "load_processes 64 exceeds the 3 clients"),
        ("concurrency: 99999", "99999 clients"),
        ("[1, 2]", "holds a list"),
        ("a: [", "is not YAML"),
        ("seed: !!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_a_wrong_plan_names_the_value(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(PlanError) as caught:
        plans.load(path, [], {})
    assert says in caught.value.message and caught.value.hint


def test_a_misspelt_name_gets_a_suggestion(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("nemesis: {kindz: [kill]}")
    with pytest.raises(PlanError, match=r"nemesis\.kindz") as caught:
        plans.load(path, [], {})
    assert "did you mean 'kinds'?" in caught.value.hint


@pytest.mark.parametrize("setting", ["workload.keys", "=3", "seed.x=1"])
def test_a_wrong_setting_is_refused(setting: str) -> None:
    with pytest.raises(PlanError):
        plans.load(None, ["seed=1", setting], {})


def test_the_repeat_command_repeats_the_plan() -> None:
    flags = {
        "seed": 7, "nemesis.kinds": "partition,kill", "system.options.bugs": ["local-read"],
        "time_limit_s": 12.5, "concurrency": "3n", "cluster.nodes": 3, "workload.keys": 4,
        "cluster.kind": "local",
    }  # fmt: skip
    plan = plans.load(None, [], flags)
    words = command_line(plan, "local").split()
    assert words[:4] == ["paxtest", "run", "--seed", "7"]
    known = {"--seed": "seed", "--nemesis": "nemesis.kinds", "--time-limit": "time_limit_s",
             "--concurrency": "concurrency", "--cluster": "cluster.kind",
             "--system": "system.name", "--workload": "workload.name"}  # fmt: skip
    again: dict[str, Any] = {}
    settings = []
    for flag, value in zip(words[2::2], words[3::2], strict=True):
        if flag == "--set":
            settings.append(value)
        elif flag == "--bug":
            again.setdefault("system.options.bugs", []).append(value)
        else:
            again[known[flag]] = value
    assert plans.load(None, settings, again) == plan


def test_a_preset_gives_what_nobody_else_says(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("time_limit_s: 33\nworkload: {name: append}\n")
    flags = {"preset": "hunt", "system.options.window": 9, "nemesis.kinds": "kill"}
    plan = plans.load(path, ["system.options.reads=lease"], flags)
    assert plan.preset == "hunt" and plan.time_limit_s == 33 and plan.nemesis.kinds == ["kill"]
    assert plan.system.options["window"] == 9 and plan.system.options["reads"] == "lease"
    assert plan.system.options["snapshot_every"] == 10
    assert plan.workload.name == "append" and plan.workload.options == {"keys": 4, "readers": 0.25}
    third = plans.load(
        None, ["workload.name=mine.py:Load", "system.name=x.py:S"], {"preset": "hunt"}
    )
    assert third.system.options == {} and third.workload.options == {}
    assert third.workload.name == "mine.py:Load"
    with pytest.raises(PlanError, match="'hunts'") as caught:
        plans.load(None, [], {"preset": "hunts"})
    assert "did you mean 'hunt'?" in caught.value.hint


@pytest.mark.parametrize("preset", presets.names())
def test_every_preset_is_a_plan_that_its_command_repeats(preset: str, tmp_path: Path) -> None:
    plan = plans.load(None, ["nemesis.kinds=[]"], {"preset": preset, "seed": 3})
    assert plan.preset == preset and plan.nemesis.kinds == []
    words = command_line(plan, "local").split()
    assert words[words.index("--preset") + 1] == preset
    assert words[words.index("--nemesis") + 1] == "''"
    stored = tmp_path / "plan.yaml"
    stored.write_text(plan.model_dump_json())
    assert plans.load(stored, [], {}) == plan


def test_secrets_never_reach_the_store() -> None:
    plan = plans.load(None, [], {"cluster.options": {"password": "hunter2", "user": "root"}})
    assert "hunter2" not in command_line(plan, "ssh")
    assert redacted({"a": [{"api_token": "x"}], "b": 1}) == {"a": [{"api_token": REDACTED}], "b": 1}


def test_a_stored_plan_can_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("seed: 4\nrepeat: paxtest run\nversions: {paxtest: x}\nresolved: {a: 1}\n")
    assert plans.load(path, [], {}).seed == 4
