"""Shared by all tests: what must not be left behind, and which real parts this machine has."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _docker_reason() -> str | None:
    from paxtest.cluster import docker_available

    return docker_available()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = [item for item in items if item.get_closest_marker("docker")]
    if not wanted:
        return
    reason = _docker_reason()
    if reason is not None:
        for item in wanted:
            item.add_marker(pytest.mark.skip(reason=f"no Docker engine answers: {reason}"))


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No container or network of ours that was not there before may be there afterwards."""
    before = _ours()
    yield
    left = _ours() - before
    assert not left, f"the tests left these behind: {sorted(left)}"


def _ours() -> set[str]:
    found: set[str] = set()
    for noun in ("ps -a", "network ls"):
        try:
            output = subprocess.run(
                ["docker", *noun.split(), "--filter", "label=paxtest", "--format", "{{.ID}}"],
                capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return set()
        found |= {f"{noun}: {line}" for line in output.stdout.split()}
    return found
