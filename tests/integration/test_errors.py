"""Each mistake gives one clear message, exit 254 or 255, no traceback, and leaves nothing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from commandline import leftovers, paxtest

RUN = ("run", "--cluster", "local", "--nodes", "3", "--time-limit", "2", "--nemesis", "")


def one_clear_message(done: object, code: int, *says: str) -> None:
    import subprocess

    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.stderr.count("paxtest: ") == 1 or "Error:" in done.stderr, done.stderr
    for text in says:
        assert text in done.stderr, done.stderr
    assert not leftovers()


def test_a_wrong_plan(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("workload: {name: register, kezs: 3}\n")
    done = paxtest("run", plan, "--store", tmp_path / "store", "--cluster", "local")
    one_clear_message(done, 254, "kezs", "hint")
    assert not (tmp_path / "store").exists()


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    one_clear_message(paxtest("run", tmp_path / "no.yaml"), 254, "no.yaml")


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("--nemesis", "partitoin", "did you mean 'partition'?"),
        ("--workload", "registre", "did you mean 'register'?"),
        ("--system", "paxso", "did you mean 'paxos'?"),
        ("--bug", "local-raed", "local-read"),
        ("--concurrency", "lots", "'lots'"),
        ("--set", "workload.keys", "NAME=VALUE"),
        ("--time-limit", "soon", "--time-limit"),
    ],
)
def test_a_wrong_name(tmp_path: Path, flag: str, value: str, says: str) -> None:
    done = paxtest("run", "--cluster", "local", "--store", tmp_path / "store", flag, value)
    one_clear_message(done, 254, says)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("nemesis.weights.figure-eigth=1", "did you mean 'figure-eight'?"),
        ("nemesis.weights.swap=-1", "the weight of swap is -1"),
        ("nemesis.quiet_tail_s=90", "no time for faults before its quiet tail"),
    ],
)
def test_a_schedule_that_cannot_be_drawn_is_told_before_anything_is_made(
    tmp_path: Path, setting: str, says: str
) -> None:
    words = ("run", "--cluster", "local", "--nemesis", "quorum", "--set", setting)
    done = paxtest(*words, "--store", tmp_path / "store")
    assert done.returncode == 254 and says in done.stderr, done.stderr
    assert "provision" not in done.stderr and not (tmp_path / "store").exists()


def test_no_docker_daemon(tmp_path: Path) -> None:
    done = paxtest(
        "run", "--cluster", "docker", "--store", tmp_path / "store", "--time-limit", "1",
        DOCKER_HOST="tcp://127.0.0.1:9",
    )  # fmt: skip
    one_clear_message(done, 255, "no Docker engine answers", "--cluster local")
    assert not (tmp_path / "store").exists()


def test_a_node_that_never_becomes_ready(tmp_path: Path) -> None:
    done = paxtest(
        *RUN, "--store", tmp_path / "store", "--set", "ready_timeout_s=3",
        "--set", "system.options.arguments=[--no-such-flag]",
    )  # fmt: skip
    one_clear_message(done, 255, "has exited", "--no-such-flag")


def test_a_port_in_use_by_somebody_else(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("0.0.0.0", 7379))
        squatter.listen()
        done = paxtest(*RUN, "--store", tmp_path / "store", "--set", "ready_timeout_s=5")
    one_clear_message(done, 255, "7379", "in use")


def test_the_web_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        done = paxtest("serve", "--store", tmp_path, "--port", port)
    one_clear_message(done, 255, str(port), "in use")


@pytest.mark.parametrize(
    "content", [b"not a history at all\n", b"\x00\xff\xfe" * 100, b'{"index": 1}\n{"index": 2}\n']
)
def test_a_history_that_is_not_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "h.jsonl"
    path.write_bytes(content)
    one_clear_message(paxtest("check", path), 254, "h.jsonl", "hint")


def test_no_run_to_report_heal_or_check(tmp_path: Path) -> None:
    for command in ("report", "heal", "check"):
        one_clear_message(paxtest(command, tmp_path / "nothing"), 254, "nothing")


def test_usage_errors_are_254_not_typers_own_2() -> None:
    assert paxtest("no-such-command").returncode == 254
    assert paxtest("run", "--no-such-flag").returncode == 254
    assert paxtest("check").returncode == 254
